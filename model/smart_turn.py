"""`SmartTurn`: how probable it is, by its sound, that an utterance is finished."""

from __future__ import annotations

import asyncio
import functools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agentaudio.model.whisper.features import log_mel
from agentaudio.onnx import OnnxNetwork
from agentaudio.sound.audio import Audio
from agentaudio.weights.store import folder

WEIGHTS = "smart-turn"
FILE = "smart-turn-v3.2-cpu.onnx"
SAMPLE_RATE_HZ = 16_000
WINDOW_S = 8
BANDS = 80
LEAST_VARIANCE = 1e-7
"""Added to the variance, so that silence is not divided by zero."""


class SmartTurn:
    """Smart Turn v3.2: a Whisper encoder that was trained to tell finished utterances from pauses inside of them.

    It hears intonation and hesitation, and needs no words. It was trained on 23 languages.

    file: the network; its weights are 9 MB

    Source: pipecat-ai/smart-turn-v3 by Daily, licence BSD-2-Clause; `agentaudio models fetch smart-turn`.
    """

    def __init__(self, file: Path) -> None:
        self._network = OnnxNetwork(
            file,
            "telling by the sound whether an utterance is finished",
            inputs=((None, BANDS, 100 * WINDOW_S),),
            extra="embedded",
            remedy=f"run `agentaudio models fetch {WEIGHTS}`",
        )

    @classmethod
    def from_cache(cls) -> SmartTurn:
        """The network on this machine, shared by all who ask. Raises WeightsMissing, which names the command that
        fetches it.
        """
        return _of(folder(WEIGHTS) / FILE)

    async def finished(self, sound: Audio) -> float:
        """The probability, 0 to 1, that a user who has just paused has finished.

        sound: the turn so far, and the beginning of the pause; its last 8 s are heard

        A thread does the work; cancelling leaves its result unused.
        Raises BackendError when the file is damaged, and MissingExtra without ONNX Runtime.
        """
        return await asyncio.to_thread(self.finished_now, sound)

    def finished_now(self, sound: Audio) -> float:
        """`finished` for code that cannot await. It blocks for some 50 ms."""
        (found,) = self._network.run(features(sound.resample(SAMPLE_RATE_HZ).samples)[None])
        return float(found.item())

    async def warm_up(self) -> None:
        """Load the network. Raises as `finished` does."""
        await self.finished(Audio.silence(0.1, SAMPLE_RATE_HZ))


def features(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the network hears of a sound: (80, 800) float32, Whisper's log-mel spectrogram of its last 8 s.

    samples: (n,) float32, 16 kHz; shorter sound is preceded by zeros. The waveform is brought to mean 0 and variance 1,
        the zeros included

    Source: pipecat-ai 1.14, local_smart_turn_v3.py and _whisper_features.py.
    """
    length = WINDOW_S * SAMPLE_RATE_HZ
    window = np.zeros(length, np.float32)
    latest = samples[-length:]
    window[length - len(latest) :] = latest
    window = (window - window.mean()) / np.sqrt(window.var() + LEAST_VARIANCE)
    return log_mel(window.astype(np.float32), BANDS, WINDOW_S)


@functools.cache
def _of(file: Path) -> SmartTurn:
    return SmartTurn(file)
