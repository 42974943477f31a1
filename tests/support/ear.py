"""The neural ear of the tests and benchmarks: Whisper, where its weights are installed."""

from __future__ import annotations

import asyncio
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from agentaudio.errors import WeightsMissing
from agentaudio.model.whisper.recogniser import WhisperRecogniser
from agentaudio.sound.audio import Audio
from agentaudio.weights.store import folder

REQUESTS = Path(__file__).resolve().parents[2] / "benchmarks" / "requests"


def word_errors(said: str, heard: str) -> int:
    """How many words were heard wrong, missed or added, in English."""
    import jiwer

    found = jiwer.process_words(words(said), words(heard) or "-")
    return found.substitutions + found.deletions + found.insertions


class Ear:
    """Whisper base with a beam of 5, which judges how well speech can be understood.

    It is not a part of what speaks, and it was not used to fit any part of that.
    Raises WeightsMissing when its weights are not on this machine.
    """

    def __init__(self) -> None:
        self._recogniser = WhisperRecogniser(folder("whisper-base"), threads=1, beam=5)

    def hear(self, audio: Audio, *, language: str = "en") -> str:
        """The words of a sound; empty when there is no speech. Blocks; not inside a running event loop."""
        return asyncio.run(self._recogniser.recognise(audio, language=language)).text

    def wer(self, said: str, audio: Audio) -> float:
        """Word error rate in percent of what is heard, in English, against `said`."""
        import jiwer

        return 100 * float(jiwer.wer(words(said), words(self.hear(audio)) or "-"))

    def close(self) -> None:
        asyncio.run(self._recogniser.aclose())


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


def heard_again(speech: Audio, text: str) -> float:
    """Word error rate in percent of what Whisper base hears, in English, against the text that should be said."""
    whisper_folder("base")
    return _ear().wer(text, speech)


@cache
def _ear() -> Ear:
    return Ear()


def words(text: str) -> str:
    """English text as it is compared: Whisper's normaliser, which unifies numbers, spelling, case and punctuation."""
    # The normaliser takes the o of "o'clock" for a zero, and keeps one dot of three as a word.
    plain = text.replace("o'clock", "oclock").replace("O'Clock", "oclock").replace("...", " ")
    return str(_normaliser()(plain)).strip()


@cache
def _normaliser() -> Any:
    from whisper_normalizer.english import EnglishTextNormalizer

    return EnglishTextNormalizer()
