"""`agentaudio doctor --model step-audio-2-mini:FOLDER`: one line for each finding, and a remedy in each failure."""

from __future__ import annotations

import json
import shutil
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the model needs torch")
pytest.importorskip("transformers", reason="the model needs transformers")

from agentaudio.cli import main  # noqa: E402
from agentaudio.errors import BackendError  # noqa: E402
from agentaudio.model.step_audio_2 import memory, versions  # noqa: E402
from agentaudio.model.step_audio_2.failures import as_model_error  # noqa: E402
from agentaudio.model.step_audio_2.fingerprint import FINGERPRINT  # noqa: E402
from agentaudio.model.step_audio_2.generate import StepAudio2  # noqa: E402
from agentaudio.model.step_audio_2.network.checkpoint import read_config  # noqa: E402


def doctor(capfd: pytest.CaptureFixture[str], folder: Path, *options: str) -> tuple[int, dict[str, list[Any]]]:
    """Exit code, and the findings by what was checked."""
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--model", f"step-audio-2-mini:{folder}", "--json", *options])
    found: dict[str, list[Any]] = {}
    for finding in json.loads(capfd.readouterr().out)["findings"]:
        found.setdefault(finding["what"], []).append((finding["ok"], finding["line"]))
    return int(ended.value.code or 0), found


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def test_a_whole_checkpoint_makes_a_token_and_a_chunk_of_sound(capfd: pytest.CaptureFixture[str], folder: Path) -> None:
    code, found = doctor(capfd, folder, "--option", "device=cpu")
    assert code == 0 and all(ok for lines in found.values() for ok, _ in lines)
    assert list(found) == ["versions", "files", "headers", "memory", "one token", "sound"]
    assert "70 tensors" in found["headers"][0][1] and "free on cpu" in found["memory"][0][1]
    assert "s of sound" in found["sound"][0][1]


def damaged(name: str, content: bytes | None = None) -> Any:
    def damage(folder: Path) -> None:
        path = folder / name
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content)

    return damage


def overwritten(value: bytes) -> Any:
    """The second half of the weights, which stay as long as they were."""

    def damage(folder: Path) -> None:
        path = folder / "model.safetensors"
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.seek(size // 2)
            file.write(value * ((size - size // 2) // len(value)))

    return damage


def longer(folder: Path) -> None:
    with (folder / "model.safetensors").open("ab") as file:
        file.write(b"more")


DAMAGES = {
    "no config": (damaged("config.json"), "files", "config.json is missing"),
    "another model": (damaged("config.json", b'{"model_type": "llama"}'), "files", "is of a 'llama' model"),
    "half a file": (damaged("model.safetensors", b"\x10\x00\x00\x00\x00\x00\x00\x00{}"), "headers", "is cut short"),
    "too long a file": (longer, "headers", "is too long"),
    "a file that was allocated and not written": (overwritten(b"\0"), "headers", "holds nothing but zeros"),
    "another precision": (overwritten(b"\xff"), "headers", "holds values that are not finite"),
    "no tokenizer": (damaged("tokenizer.json"), "headers", "tokenizer.json"),
    "half a decoder": (damaged("token2wav/flow.pt", b"PK\x03\x04"), "sound", "flow.pt is cut short or corrupt"),
    "no vocoder": (damaged("token2wav/hift.pt"), "one token", "hift.pt is missing"),
    "no sound": (lambda folder: shutil.rmtree(folder / "token2wav"), "sound", "has no token2wav folder"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_named_in_one_line(capfd: pytest.CaptureFixture[str], copy: Path, damage: str) -> None:
    do, what, line = DAMAGES[damage]
    do(copy)
    code, found = doctor(capfd, copy, "--option", "device=cpu")
    failures = [(name, text) for name, lines in found.items() for ok, text in lines if not ok]
    assert code == 1 and [name for name, _ in failures] == [what]
    assert line in failures[0][1] and "\n" not in failures[0][1]


def test_a_checkpoint_of_the_published_size_is_compared_with_the_published_files(
    capfd: pytest.CaptureFixture[str], copy: Path
) -> None:
    config = json.loads((copy / "config.json").read_text())
    for part in ("text_config", "audio_encoder_config"):
        config[part] |= getattr(FINGERPRINT, part)
    config["text_config"]["num_attention_groups"] = FINGERPRINT.text_config["num_key_value_heads"]
    (copy / "config.json").write_text(json.dumps(config))
    (copy / "model.safetensors.index.json").write_text("{}")
    for number, (name, shard) in enumerate(FINGERPRINT.shards.items()):
        if number:
            with (copy / name).open("wb") as file:  # sparse: it takes no room
                file.truncate(shard.bytes - (number == 2))
    code, found = doctor(capfd, copy)
    lines = [line for ok, line in found["files"] if not ok]
    assert code == 1 and len(lines) == 2 and list(found) == ["versions", "files"]
    assert "model-00001-of-00004.safetensors is missing" in lines[0] and "hf download" in lines[0]
    assert "has 4,988,307,423 of 4,988,307,424 bytes" in lines[1]


def test_another_version_is_named_and_no_download_advised(
    capfd: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        versions, "version", lambda name: "5.18.0" if name == "transformers" else metadata.version(name)
    )
    with pytest.raises(BackendError, match=r"transformers 5\.18\.0 is installed, .* needs transformers>=5\.20,<6"):
        versions.check_versions()
    code, found = doctor(capfd, folder)
    failed = [line for ok, line in found["versions"] if not ok]
    assert code == 1 and list(found) == ["versions"] and "download" not in failed[0]
    for number, works in {"5.20.0": True, "5.99.1.dev0": True, "6.0.0": False, "4.57.6": False}.items():
        monkeypatch.setattr(versions, "version", lambda name, now=number: now)
        assert (versions.version_problem("transformers") is None) == works


def test_too_little_memory_is_said_before_anything_is_loaded(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = read_config(folder)
    needed = memory.weight_bytes(folder, config, "auto")
    assert memory.weight_bytes(folder, config, torch.float32) == 2 * needed
    assert 0.95 < needed / (folder / "model.safetensors").stat().st_size < 1.0
    (tmp_path / "meminfo").write_text(f"MemTotal: 99 kB\nMemAvailable: {needed // 1024 - 10} kB\n")
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    with pytest.raises(BackendError, match=r"need 20\.\d MB, and cpu has 20\.\d MB free"):
        StepAudio2.load(folder, device="cpu")


def test_the_published_checkpoint_keeps_57_kb_a_token() -> None:
    from agentaudio.model.step_audio_2.network.config import StepAudio2Config

    known = FINGERPRINT
    config = StepAudio2Config(text_config=known.text_config, audio_encoder_config=known.audio_encoder_config)
    assert memory.token_bytes(config, "auto") == 57_344


def test_a_gpu_that_vanishes_is_named_in_one_line() -> None:
    lost = getattr(torch, "AcceleratorError", RuntimeError)("CUDA error: unspecified launch failure\nmore lines")
    message = str(as_model_error(lost))
    assert "the GPU failed or is gone (CUDA error: unspecified launch failure)" in message and "nvidia-smi" in message
    assert "memory is full" in str(as_model_error(torch.OutOfMemoryError("CUDA out of memory")))
    own = BackendError("ours")
    assert as_model_error(own) is own
