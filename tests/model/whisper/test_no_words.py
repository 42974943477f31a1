"""Sound without speech gives no words, and short words that were spoken are kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from support.ear import request, whisper_folder, words
from support.noises import KINDS, RATE_HZ, noises

from agentaudio.model.parts import Recognition
from agentaudio.model.whisper.recogniser import WhisperRecogniser
from agentaudio.sound.audio import Audio
from agentaudio.sound.levels import from_dbfs

pytestmark = pytest.mark.neural

WORDS = sorted((Path(__file__).parent / "words").glob("*.opus"))
SEED = 41
"""Other sounds than those on which the thresholds were chosen (0 to 7)."""


@pytest.fixture(scope="module")
async def base() -> AsyncIterator[WhisperRecogniser]:
    recogniser = WhisperRecogniser(whisper_folder("base"))
    yield recogniser
    await recogniser.aclose()


@pytest.fixture(scope="module")
async def english() -> AsyncIterator[WhisperRecogniser]:
    recogniser = WhisperRecogniser(whisper_folder("tiny.en"))
    yield recogniser
    await recogniser.aclose()


@pytest.mark.parametrize("kind", KINDS)
async def test_noise_gives_no_words(kind: str, base: WhisperRecogniser, english: WhisperRecogniser) -> None:
    sound = noises(SEED)[kind]
    assert await base.recognise(sound) == Recognition("")
    assert await english.recognise(sound) == Recognition("")


@pytest.mark.parametrize("duration_s", [0.1, 1, 30])
async def test_silence_of_any_length_gives_no_words(duration_s: float, base: WhisperRecogniser) -> None:
    assert await base.recognise(Audio.silence(duration_s, RATE_HZ)) == Recognition("")
    fan = KINDS["fan"](np.random.default_rng(43), round(duration_s * RATE_HZ))
    fan *= from_dbfs(-50) / np.abs(fan).max()
    assert await base.recognise(Audio(fan.astype(np.float32), RATE_HZ)) == Recognition("")


@pytest.mark.parametrize("path", WORDS, ids=lambda path: path.stem)
async def test_a_short_word_is_kept(path: Path, base: WhisperRecogniser) -> None:
    """In a quiet room, far from the microphone. Whether it is the right word depends on the model."""
    word = Audio.load(path, sample_rate=RATE_HZ)
    room = np.random.default_rng(7).standard_normal(len(word) + RATE_HZ) * from_dbfs(-75)
    room[RATE_HZ // 2 : RATE_HZ // 2 + len(word)] += word.samples / word.peak * from_dbfs(-30)
    heard = await base.recognise(Audio(room.astype(np.float32), RATE_HZ))
    assert words(heard.text)


async def test_noise_after_speech_adds_no_words(base: WhisperRecogniser) -> None:
    """Fifteen seconds of speech, then three of a room."""
    speech = Audio.concat([request(number)[0] for number in (0, 1, 6, 7, 10)])
    alone = await base.recognise(speech)
    for kind in ("fan", "keys", "breath"):
        with_noise = await base.recognise(Audio.concat([speech, noises(44)[kind]]))
        assert words(with_noise.text) == words(alone.text)
