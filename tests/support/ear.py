"""The neural ear of the tests: Whisper, where its weights are installed."""

from __future__ import annotations

import asyncio
import json
from functools import cache
from pathlib import Path

import pytest

from agentaudio.errors import WeightsMissing
from agentaudio.model.whisper.recogniser import WhisperRecogniser
from agentaudio.sound.audio import Audio
from agentaudio.text.spoken_form import spoken_form
from agentaudio.weights.store import folder

REQUESTS = Path(__file__).resolve().parents[2] / "benchmarks" / "requests"


@cache
def whisper_folder(size: str) -> Path:
    """The folder of a Whisper model, such as "base" or "tiny.en". Skips the test where it is not on this machine."""
    pytest.importorskip("ctranslate2", reason="the extra embedded is not installed")
    try:
        return folder(f"whisper-{size}")
    except WeightsMissing as error:
        pytest.skip(str(error))


def request(number: int) -> tuple[Audio, str]:
    """A recorded request of the test set, counted from 0, at 16 kHz; and its words in lower case."""
    one = json.loads((REQUESTS / "test.jsonl").read_text("utf-8").splitlines()[number])
    return Audio.load(REQUESTS / "audio" / f"{one['id']}.opus", sample_rate=16_000), one["text"]


def plain(text: str) -> str:
    """A text in lower case, without punctuation."""
    return " ".join("".join(c if c.isalnum() else " " for c in text.lower()).split())


@cache
def _ear() -> WhisperRecogniser:
    return WhisperRecogniser(whisper_folder("base"), threads=1)


def heard_again(speech: Audio, text: str) -> float:
    """Word errors, in percent, of Whisper base on the speech, against the text that it should say.

    Both are compared as they are spoken: numbers as words, without case and punctuation.
    """
    import jiwer

    heard = asyncio.run(_ear().recognise(speech)).text
    return 100 * float(jiwer.wer(plain(spoken_form(text)), plain(spoken_form(heard)) or "-"))
