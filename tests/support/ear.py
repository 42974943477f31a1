"""The neural ear of the tests: Whisper, where its weights are installed."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest

from agentaudio.errors import WeightsMissing
from agentaudio.sound.audio import Audio
from agentaudio.weights.store import folder

REQUESTS = Path(__file__).resolve().parents[2] / "benchmarks" / "requests"


@cache
def whisper_folder(size: str) -> Path:
    """The folder of a Whisper model, such as "base" or "tiny.en". Skips the test where it is not on this machine."""
    pytest.importorskip("ctranslate2", reason="the extra neural is not installed")
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
