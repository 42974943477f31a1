"""What users notice: short phrases, pauses, levels, stopping, and sounds that came out wrong."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator

import numpy as np
import pytest
from numpy.typing import NDArray
from support.weights import weights_folder

from agentaudio.errors import BackendError
from agentaudio.model.kokoro.network import KokoroNetwork
from agentaudio.model.kokoro.pronunciation import Pronunciation
from agentaudio.model.kokoro.spoken import FRAME, SAMPLE_RATE_HZ, Spoken
from agentaudio.model.kokoro.synthesiser import KokoroSynthesiser
from agentaudio.model.kokoro.voice import stock_voice
from agentaudio.model.kokoro.voices import KokoroVoices
from agentaudio.model.whisper.recogniser import WhisperRecogniser
from agentaudio.sound.audio import Audio
from agentaudio.sound.levels import frame_powers
from agentaudio.sound.loudness import loudness

pytest.importorskip("onnxruntime", reason="the extra embedded is not installed")
pytest.importorskip("ctranslate2", reason="the extra embedded is not installed")
pyworld = pytest.importorskip("pyworld", reason="the extra embedded is not installed")

pytestmark = pytest.mark.neural

SHORT = ("Sure.", "One moment.", "Here you are.", "Say that once more, slowly please.")
VOICES = ("af_heart", "bf_emma", "am_michael")
ANSWER = (
    "The museum is open today, but the garden is closed. It opens again in the spring. "
    "You can buy a ticket at the door, or in the little shop next to the station."
)


class Network(KokoroNetwork):
    """The real network, which counts its runs, and whose first runs may come out wrong."""

    def __init__(self, broken: int = 0) -> None:
        super().__init__(weights_folder("kokoro"))
        self.runs, self.broken = 0, broken

    def run(self, phonemes: str, style: NDArray[np.float32], speed: float) -> Spoken:
        self.runs += 1
        if self.runs <= self.broken:
            return Spoken(phonemes, np.zeros(2 * FRAME, np.float32), np.ones(len(phonemes) + 2))
        return super().run(phonemes, style, speed)


@pytest.fixture(scope="module")
def network() -> Network:
    return Network()


@pytest.fixture(scope="module")
def ear() -> WhisperRecogniser:
    return WhisperRecogniser(weights_folder("whisper-base"), threads=1)


def synthesiser(network: Network) -> KokoroSynthesiser:
    return KokoroSynthesiser(network, Pronunciation(weights_folder("misaki")), KokoroVoices("af_heart", network))


async def arriving(text: str, size: int = 7) -> AsyncGenerator[str, None]:
    for start in range(0, len(text), size):
        yield text[start : start + size]


def plain(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum() or letter == " ")


@pytest.mark.parametrize("voice", VOICES)
async def test_very_short_phrases_are_heard_right_and_nothing_follows(
    voice: str, network: Network, ear: WhisperRecogniser
) -> None:
    kokoro = synthesiser(network)
    for text in SHORT:
        (speech,) = [sound async for sound in kokoro.speak(arriving(text), stock_voice(voice))]
        assert speech.duration < 0.6 + 0.5 * len(text.split())
        assert plain((await ear.recognise(speech, language="en")).text) == plain(text)


async def test_the_phrases_of_an_answer_are_one_speaker_with_the_right_pauses(network: Network) -> None:
    kokoro = synthesiser(network)
    phrases = [sound async for sound in kokoro.speak(arriving(ANSWER), stock_voice("af_heart"))]
    assert len(phrases) >= 3
    levels = [loudness(sound.samples, sound.sample_rate) for sound in phrases]
    assert max(levels) - min(levels) < 2
    pitches = [pitch_hz(sound) for sound in phrases]
    assert max(pitches) / min(pitches) < 1.15

    gaps = silences(Audio.concat(phrases))
    assert gaps[0][1] < 0.06  # before the first audible sample
    inside = [length for start, length in gaps[1:] if start]
    assert sum(0.15 <= length <= 0.5 for length in inside) >= 2 and max(inside) <= 0.5
    assert sum(length > 0.2 for length in inside) <= 2  # only where a sentence ends


async def test_no_phrase_is_begun_after_the_listener_has_left() -> None:
    network = Network()
    kokoro = synthesiser(network)
    async with contextlib.aclosing(kokoro.speak(arriving(ANSWER), stock_voice("af_heart"))) as speech:
        await anext(speech)
    assert network.runs == 1


@pytest.mark.parametrize("broken", [1, 2])
async def test_a_sound_that_came_out_wrong_is_made_again(broken: int) -> None:
    network = Network(broken)
    (speech,) = [sound async for sound in synthesiser(network).speak(arriving("Here you are."), stock_voice("am_adam"))]
    assert network.runs == broken + 1 and speech.duration > 0.4 and speech.peak > 0.05


async def test_a_phrase_that_never_comes_out_right_is_an_error() -> None:
    with pytest.raises(BackendError, match="cannot speak .* say it in other words"):
        [sound async for sound in synthesiser(Network(9)).speak(arriving("Yes."), stock_voice("af_heart"))]


def pitch_hz(sound: Audio) -> float:
    f0, _ = pyworld.harvest(sound.resample(16_000).samples.astype(np.float64), 16_000)
    return float(np.median(f0[f0 > 0]))


def silences(sound: Audio) -> list[tuple[float, float]]:
    """Start and length in seconds of each stretch 45 dB below the loudest 10 ms."""
    step = SAMPLE_RATE_HZ // 100
    powers = frame_powers(sound.samples, step)
    quiet = np.concatenate([[False], powers < powers.max() * 10**-4.5, [False]])
    edges = np.flatnonzero(np.diff(quiet.astype(np.int8))).reshape(-1, 2) / 100
    return [(0.0, float(edges[0][1]) if edges[0][0] == 0 else 0.0)] + [(a, b - a) for a, b in edges if b - a > 0.05]
