"""Pocket TTS by ONNX: exports of random weights speak as the package does, and without torch."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pocket_tts", reason="the extra pocket-tts is not installed")
pytest.importorskip("onnx", reason="the extra local is not installed")

from support.pocket_onnx import lsd_config, write_bundle  # noqa: E402
from support.pocket_tts import write_checkpoint  # noqa: E402

from agentaudio.errors import BackendError, MissingExtra, OptionError  # noqa: E402
from agentaudio.model.parts import Synthesiser  # noqa: E402
from agentaudio.model.pocket_tts.bundle import Bundle, Files  # noqa: E402
from agentaudio.model.pocket_tts.checkpoint import find_checkpoint  # noqa: E402
from agentaudio.model.pocket_tts.engine import PocketEngine  # noqa: E402
from agentaudio.model.pocket_tts.load import load  # noqa: E402
from agentaudio.model.pocket_tts.official import OfficialEngine  # noqa: E402
from agentaudio.model.pocket_tts.onnx_engine import OnnxEngine  # noqa: E402
from agentaudio.model.pocket_tts.synthesiser import PocketTTS  # noqa: E402
from agentaudio.sound.audio import Audio  # noqa: E402
from agentaudio.testing import SynthesiserContract  # noqa: E402
from agentaudio.voice_library.library import demo_voices  # noqa: E402


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("pocket") / "lsd", config=lsd_config(), speech="short")


@pytest.fixture(scope="session")
def bundle(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(checkpoint, tmp_path_factory.mktemp("pocket") / "bundle")


@pytest.fixture
def copied(bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle, tmp_path / "copied"))


class TestPocketOnnx(SynthesiserContract):
    folder: Path

    @pytest.fixture(autouse=True)
    def _weights(self, bundle: Path) -> None:
        self.folder = bundle

    @asynccontextmanager
    async def synthesiser(self) -> AsyncGenerator[Synthesiser[Any], None]:
        pocket = load(str(self.folder))
        try:
            yield pocket
        finally:
            await pocket.aclose()

    def busy(self, synthesiser: Synthesiser[Any]) -> bool:
        assert isinstance(synthesiser, PocketTTS)
        return synthesiser.busy


def spoken(engine: PocketEngine, text: str, voice: str = "gina") -> np.ndarray[Any, Any]:
    clip = demo_voices().get(voice).clip.resample(24_000)
    return np.concatenate(list(engine.speak(text, engine.encode(clip), threading.Event())))


@pytest.mark.parametrize("text", ["Mars is the fourth planet of the Sun", "yes", "one, two;", "Don’t go – stay!"])
@pytest.mark.parametrize("steps", [1, 3])
def test_an_export_speaks_the_samples_that_the_package_speaks(
    checkpoint: Path, bundle: Path, text: str, steps: int
) -> None:
    official = OfficialEngine(find_checkpoint(str(checkpoint)), temperature=0.0, steps=steps)
    exported = OnnxEngine(Files(bundle, Bundle.read(bundle)), temperature=0.0, steps=steps)
    expected, found = spoken(official, text), spoken(exported, text)
    assert len(found) == len(expected) and len(found) % 1920 == 0
    assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()


def test_frames_come_one_by_one_and_stop_at_once(bundle: Path) -> None:
    engine = OnnxEngine(Files(bundle, Bundle.read(bundle)))
    stop, frames = threading.Event(), 0
    for sound in engine.speak("Mars is the fourth planet.", engine.encode(demo_voices().get("gina").clip), stop):
        assert len(sound) == 1920
        frames += 1
        stop.set()
    assert frames == 1


async def test_it_speaks_without_importing_torch(bundle: Path) -> None:
    code = """
import asyncio, sys
from agentaudio.model.pocket_tts.load import load
async def main():
    pocket = load(sys.argv[1])
    async def text():
        yield "Mars is the fourth planet of the Sun."
    assert sum([len(sound) async for sound in pocket.speak(text(), await pocket.prepare(None))]) > 1920
    await pocket.aclose()
asyncio.run(main())
print(sorted({"torch", "pocket_tts"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code, str(bundle)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_a_sentencepiece_tokenizer_is_read(copied: Path, tmp_path: Path) -> None:
    import sentencepiece

    (tmp_path / "text.txt").write_text("\n".join(f"the river and hill number {n} lie here" for n in range(300)))
    sentencepiece.SentencePieceTrainer.train(
        input=str(tmp_path / "text.txt"), model_prefix=str(copied / "tokenizer"), vocab_size=60, hard_vocab_limit=False,
        minloglevel=2,
    )  # fmt: skip
    changed(copied, lambda described: described | {"tokenizer_file": "tokenizer.model"})
    engine = load(str(copied))
    state = await engine.prepare(None)

    async def text() -> AsyncGenerator[str, None]:
        yield "The river and the hill lie here."

    assert Audio.concat([sound async for sound in engine.speak(text(), state)]).duration > 0.4
    await engine.aclose()


def changed(folder: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    path = folder / "bundle.json"
    path.write_text(json.dumps(change(json.loads(path.read_text("utf-8")))), "utf-8")


def huge(described: dict[str, Any]) -> dict[str, Any]:
    described["mimi_state_manifest"][0]["shape"] = [1 << 40]
    return described


def renamed(described: dict[str, Any]) -> dict[str, Any]:
    described["mimi_state_manifest"][0]["output_name"] = "nothing"
    return described


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda folder: (folder / "bundle.json").write_text("{"), "bundle.json is wrong at"),
        (lambda folder: changed(folder, lambda found: found | {"sample_rate": 16_000}), "wrong at 'sample_rate'"),
        (lambda folder: changed(folder, lambda found: found | {"tokenizer_file": "../x"}), "wrong at 'tokenizer_file'"),
        (lambda folder: changed(folder, huge), "states of wrong sizes, or above 1024 MB"),
        (lambda folder: changed(folder, renamed), "no output 'nothing', which bundle.json describes"),
        (lambda folder: (folder / "mimi_decoder.onnx").unlink(), "mimi_decoder.onnx is missing; download it again"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "tokenizer.json is missing; download it again"),
        (lambda folder: (folder / "tokenizer.json").write_text("{"), "is not a tokenizer; download it again"),
        (lambda folder: (folder / "bos_before_voice.npy").write_bytes(b"x"), "bos_before_voice.npy cannot be read"),
        (lambda folder: (folder / "flow_lm_main.onnx").write_bytes(b"x" * 99), "is damaged or not an ONNX file"),
        (lambda folder: shutil.copy(folder / "flow_lm_flow.onnx", folder / "mimi_decoder.onnx"), "is another graph"),
    ],
)
async def test_a_damaged_bundle_is_refused_in_one_line(copied: Path, harm: Callable[[Path], Any], said: str) -> None:
    harm(copied)

    async def text() -> AsyncGenerator[str, None]:
        yield "Mars is the fourth planet of the Sun."

    with pytest.raises(BackendError, match=said) as error:
        pocket = load(str(copied))
        async for _ in pocket.speak(text(), await pocket.prepare(None)):
            pass
    assert "\n" not in str(error.value)


def test_options_of_the_other_way_are_refused(bundle: Path) -> None:
    for options in ({"int8": True}, {"variant": "german"}):
        with pytest.raises(OptionError, match="options of weights for torch"):
            load(str(bundle), **options)


def test_without_the_extra_the_line_that_installs_it_is_named(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtra, match=r"pip install 'agentaudio\[pocket-tts-onnx\]'"):
        load(str(bundle))
