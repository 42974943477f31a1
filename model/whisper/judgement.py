"""Whether words were spoken, and how far they can be trusted, by voice detector and decoder together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from agentaudio.model.whisper.checkpoint import Decoded
from agentaudio.sound.silero import FRAME
from agentaudio.sound.vad import SAMPLE_RATE_HZ, STARTS_ABOVE

CLEAR = 0.9
"""Probability of speech of a frame from which it is clear."""
ENOUGH_CLEAR_S = 0.3
"""Seconds of clear speech beyond which more says nothing new."""
LOWEST_SCORE = -4.0

_SPEECH_OFFSET, _CLEAR_S, _CLEAREST, _NO_SPEECH, _SCORE = 2.0, 10.4, 3.2, -5.1, 1.5
"""Logistic regression (L2, classes weighed alike) of speech against noise, for Whisper base: 280 made sounds without
speech, of which the voice detector took 17 for speech, against 117 utterances of one and two words by 28 synthetic
voices at 3 to 60 dB above noise. Whisper alone heard words in all of the 17."""

_SURE_OFFSET, _SURE_SCORE = 3.7, 4.5
"""Logistic regression of correct words on the score, on the 143 development requests with a beam of 5 and hints."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for and against speech in a piece of sound.

    speech_s: seconds of frames that are speech, by the voice detector
    clear_s: seconds of frames that clearly are
    clearest: highest probability of speech of a frame
    no_speech: probability of Whisper's no-speech token
    score: mean natural log probability of the decoded tokens
    """

    speech_s: float
    clear_s: float
    clearest: float
    no_speech: float
    score: float

    @classmethod
    def of(cls, frames: NDArray[np.float32], decoded: Decoded) -> Self:
        """frames: (n,) probabilities of speech, 32 ms each"""
        return cls(
            speech_seconds(frames), _seconds(frames > CLEAR), float(frames.max(initial=0.0)),
            decoded.no_speech, decoded.score,
        )  # fmt: skip


def speech_seconds(frames: NDArray[np.float32]) -> float:
    """Seconds of frames that are speech. frames: (n,) probabilities, 32 ms each"""
    return _seconds(frames > STARTS_ABOVE)


def _seconds(chosen: NDArray[np.bool_]) -> float:
    return int(chosen.sum()) * FRAME / SAMPLE_RATE_HZ


def is_speech(evidence: Evidence) -> bool:
    """Whether the words were more likely spoken than made up by the decoder."""
    return (
        _SPEECH_OFFSET
        + _CLEAR_S * min(evidence.clear_s, ENOUGH_CLEAR_S)
        + _CLEAREST * evidence.clearest
        + _NO_SPEECH * evidence.no_speech
        + _SCORE * max(evidence.score, LOWEST_SCORE)
    ) > 0


def confidence(evidence: Evidence) -> float:
    """The expected share of correct words, 0 to 1."""
    return 1 / (1 + math.exp(-(_SURE_OFFSET + _SURE_SCORE * max(evidence.score, LOWEST_SCORE))))
