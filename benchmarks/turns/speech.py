"""`Speech`: spoken clips of our own voices, made once and kept in a folder."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agentaudio.model.kokoro.network import KokoroNetwork
from agentaudio.model.kokoro.pronunciation import Pronunciation
from agentaudio.model.kokoro.synthesiser import KokoroSynthesiser
from agentaudio.model.kokoro.voice import KokoroVoice, stock_voice
from agentaudio.model.kokoro.voices import KokoroVoices
from agentaudio.sound.audio import Audio
from agentaudio.voice_library.library import demo_voices
from agentaudio.weights.store import folder
from turns.sounds import RATE, SOUNDS

Samples = NDArray[np.float32]

FRAME = RATE // 100
QUIET_DB = -38.0
"""Frames of 10 ms below it, against the loudest one, are silence."""
ACTIVE_DB = -25.0
"""Frames above it count for the level of speech."""
VOICED_DB = -25.0
_PAUSE = re.compile(r"<([\d.]+)>")


@dataclass(frozen=True, slots=True)
class Clip:
    """A sound at 16 kHz, and where its first and last audible samples are, in seconds."""

    samples: Samples
    start_s: float
    end_s: float

    @property
    def duration_s(self) -> float:
        return len(self.samples) / RATE


class Speech:
    """Speaks with Kokoro: stock styles, demo voices ("demo:NAME"), and Chinese.

    cache: folder for the clips
    """

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._synthesiser: KokoroSynthesiser | None = None
        cache.mkdir(parents=True, exist_ok=True)

    def clip(self, says: str, voice: str, language: str, seed: int) -> Clip:
        """The sound of a `Step.says`; pauses are digital silence."""
        if says.startswith("*"):
            return _clip(SOUNDS[says[1:]](np.random.default_rng(seed)))
        pieces = _PAUSE.split(says)
        parts = []
        for place, piece in enumerate(pieces):
            if place % 2:
                parts.append(np.zeros(round(float(piece) * RATE), np.float32))
            else:
                parts.append(self._spoken(piece.strip(), voice, language))
        return _clip(np.concatenate(parts))

    def _spoken(self, text: str, voice: str, language: str) -> Samples:
        name = hashlib.sha256(f"{text}|{voice}|{language}".encode()).hexdigest()[:24]
        path = self._cache / f"{name}.npy"
        if path.exists():
            return np.asarray(np.load(path, allow_pickle=False), np.float32)
        if self._synthesiser is None:
            network = KokoroNetwork(folder("kokoro"), threads=1)
            self._synthesiser = KokoroSynthesiser(
                network, Pronunciation(folder("misaki")), KokoroVoices("af_heart", network)
            )
        sound = self._synthesiser.say(text, self._state(voice), None if language == "en" else language)
        samples = trimmed(sound.resample(RATE).samples)
        np.save(path, samples)
        return samples

    def _state(self, voice: str) -> KokoroVoice:
        assert self._synthesiser is not None
        if not voice.startswith("demo:"):
            return stock_voice(voice)
        import asyncio

        return asyncio.run(self._synthesiser.prepare(demo_voices().get(voice[5:])))


def at_level(samples: Samples, level_dbfs: float) -> Samples:
    """Scaled so that its louder frames have this level in the mean."""
    powers = _powers(samples)
    active = powers[powers > powers.max() * 10 ** (ACTIVE_DB / 10)]
    return np.asarray(samples * (10 ** (level_dbfs / 20) / np.sqrt(float(active.mean()))), np.float32)


def trimmed(samples: Samples) -> Samples:
    """Without the silence before and after."""
    first, last = _audible(samples)
    return samples[first * FRAME : (last + 1) * FRAME]


def audible_end(audio: Audio) -> int:
    """Samples up to the last audible one."""
    return (_audible(audio.samples)[1] + 1) * FRAME


def voiced_from_s(samples: Samples) -> float:
    """Where the first vowel or voiced consonant begins: the first of three windows of 30 ms, 5 ms apart, that repeat
    themselves after a period of 70 to 400 Hz (normalised autocorrelation above 0.7), within VOICED_DB of the loudest.
    0 where nothing does.

    samples: (n,) float32 at 16 kHz
    """
    size, hop, lags = 3 * FRAME, FRAME // 2, range(RATE // 400, RATE // 70)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(samples.astype(np.float64), (0, size + lags[-1])), size)
    energies = np.einsum("ij,ij->i", windows, windows)
    least, run = energies.max() * 10 ** (VOICED_DB / 10), 0
    for at in range(0, len(samples) - size, hop):
        later = slice(at + lags[0], at + lags[-1])
        likeness = windows[later] @ windows[at] / np.sqrt(energies[later] * energies[at] + 1e-12)
        run = run + 1 if energies[at] >= least and likeness.max() > 0.7 else 0
        if run == 3:
            return (at - 2 * hop) / RATE
    return 0.0


def _clip(samples: Samples) -> Clip:
    first, last = _audible(samples)
    return Clip(samples, first * FRAME / RATE, (last + 1) * FRAME / RATE)


def _audible(samples: Samples) -> tuple[int, int]:
    powers = _powers(samples)
    found = np.flatnonzero(powers > powers.max() * 10 ** (QUIET_DB / 10))
    return int(found[0]), int(found[-1])


def _powers(samples: Samples) -> NDArray[np.float64]:
    count = max(1, len(samples) // FRAME)
    whole = np.pad(samples.astype(np.float64), (0, max(0, count * FRAME - len(samples))))
    return np.asarray(np.mean(whole[: count * FRAME].reshape(count, FRAME) ** 2, axis=1))
