"""What is said before anything is converted or loaded: options, packages and memory. It needs no llama.cpp."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the model needs torch")
pytest.importorskip("transformers", reason="the model needs transformers")

from agentaudio.cli import main  # noqa: E402
from agentaudio.errors import BackendError, MissingExtra, OptionError  # noqa: E402
from agentaudio.model.step_audio_2 import memory  # noqa: E402
from agentaudio.model.step_audio_2.fingerprint import FINGERPRINT  # noqa: E402
from agentaudio.model.step_audio_2.generate import load  # noqa: E402
from agentaudio.model.step_audio_2.llama import load as llama_load  # noqa: E402
from agentaudio.model.step_audio_2.llama.memory import needed  # noqa: E402
from agentaudio.model.step_audio_2.network.config import StepAudio2Config  # noqa: E402
from agentaudio.model.step_audio_2.network.modeling import StepAudio2ForCausalLM  # noqa: E402

CONTEXT = 16_384


def by_llama(folder: Path, **options: Any) -> Any:
    return load(str(folder), runtime="llama.cpp", device="cpu", **options)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llama_load, "find_spec", lambda name: object())


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"context": 10}, f"context is 10; give 1024 to {CONTEXT}, the model's limit"),
        ({"context": 20_000}, f"context is 20000; give 1024 to {CONTEXT}"),
        ({"max_rows": 0}, "max_rows is 0; give 1 or more"),
        ({"threads": 0}, "threads is 0; give 1 or more"),
        ({"weights": "q3"}, "weights cannot be 'q3'; give one of: q4_k_m, q8_0"),
        ({"compiled": True}, "compiled is an option of runtime=torch, and the runtime is llama.cpp"),
    ],
)
def test_options_out_of_range_are_refused(folder: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        by_llama(folder, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": "q8_0"}, "weights is an option of runtime=llama.cpp, and the runtime is torch"),
        ({"gpu_layers": -1}, "gpu_layers is an option of runtime=llama.cpp"),
        ({"runtime": "tensorrt"}, "there is no runtime 'tensorrt'; give one of: torch, llama.cpp"),
    ],
)
def test_options_of_the_other_runtime_are_refused(folder: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        load(str(folder), **options)


def test_a_missing_package_names_its_extra(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llama_load, "find_spec", lambda name: None if name == "gguf" else object())
    with pytest.raises(MissingExtra, match=r"pip install 'agentaudio\[llama-cpp\]'"):
        by_llama(folder)


@pytest.mark.usefixtures("installed")
def test_too_little_memory_is_said_before_anything_is_converted(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AGENTAUDIO_CACHE", str(tmp_path / "cache"))
    (tmp_path / "meminfo").write_text("MemTotal: 9000 kB\nMemAvailable: 9000 kB\n")
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    message = r"needs \d+\.\d MB in all: weights .*, keys and values .*, token2wav .*; and 9\.2 MB are free\. .*q4_k_m"
    with pytest.raises(BackendError, match=message):
        by_llama(folder)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(("weights", "rows", "total"), [("q4_k_m", 1, 7.66), ("q8_0", 2, 12.03), ("f32", 1, 34.54)])
def test_memory_of_the_published_checkpoint(weights: Any, rows: int, total: float) -> None:
    known = FINGERPRINT
    config = StepAudio2Config(text_config=known.text_config, audio_encoder_config=known.audio_encoder_config)
    with torch.device("meta"):
        shapes = {name: tuple(one.shape) for name, one in StepAudio2ForCausalLM(config).state_dict().items()}
    found = needed(
        shapes,
        config,
        weights=weights,
        context=CONTEXT,
        max_rows=rows,
        encoder_dtype=torch.bfloat16,
        sound=706_494_588,
    )
    assert found.total / 1e9 == pytest.approx(total, abs=0.01)
    assert found.encoder == 2 * (636_968_960 + 14_883_584)
    assert found.states == rows * CONTEXT * (114_688 if weights == "f32" else 57_344)
    assert "16,384" in found.line or rows > 1


@pytest.mark.usefixtures("installed")
def test_doctor_computes_the_memory_and_names_what_fails(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AGENTAUDIO_CACHE", str(tmp_path / "cache"))

    def doctor(*options: str) -> dict[str, list[Any]]:
        given = [word for option in options for word in ("--option", option)]
        with pytest.raises(SystemExit) as ended:
            main(
                ["doctor", "--model", f"step-audio-2-mini:{folder}", "--json", "--option", "runtime=llama.cpp", *given]
            )
        assert ended.value.code == 1
        found = json.loads(capfd.readouterr().out)["findings"]
        return {finding["what"]: [finding["ok"], finding["line"]] for finding in found}

    (tmp_path / "meminfo").write_text("MemTotal: 9000 kB\nMemAvailable: 9000 kB\n")
    with monkeypatch.context() as context:
        context.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
        ok, line = doctor()["memory"]
        assert not ok and "9.2 MB are free" in line
    ok, line = doctor("context=10")["memory"]
    assert not ok and "context is 10" in line
