"""`Windows`: the words of up to 30 s of speech, with the window and the limits that suit its length."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agentaudio.model.whisper.checkpoint import MOST_TOKENS, Checkpoint, Decoded
from agentaudio.model.whisper.features import LONGEST_S, SAMPLE_RATE_HZ
from agentaudio.model.whisper.repetition import repeats, without_repeats

SHORTEST_WINDOW_S = 10
SILENCE_AFTER_S = 2
"""A window of max(10 s, speech + 2 s) costs a quarter of the full 30 s and loses little; with 1 s after the speech the
decoder repeats itself."""

TOKENS, TOKENS_PER_S = 4, 8
"""Limit of new tokens: fast English has 5 per second."""
TOKENS_PER_S_IN_FULL = 16
"""The same in the full window, for scripts that take several tokens per character."""

CheckStop = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Words:
    """What was decoded from a stretch of speech.

    language: BCP-47 code that it was decoded in
    certainty: probability of that language, 1 where it was given
    """

    decoded: Decoded
    language: str
    certainty: float


def hear(
    checkpoint: Checkpoint,
    samples: NDArray[np.float32],
    *,
    language: str | None,
    beam: int,
    check_stop: CheckStop,
) -> Words:
    """Decode a stretch of speech of up to 30 s.

    samples: (n,) float32, 16 kHz, n <= 480,000
    language: None detects it
    check_stop: called before each step; what it raises ends the work
    """
    duration_s = len(samples) / SAMPLE_RATE_HZ
    window_s = min(LONGEST_S, max(SHORTEST_WINDOW_S, math.ceil(duration_s + SILENCE_AFTER_S)))
    check_stop()
    encoded = checkpoint.encode(samples, window_s)
    certainty = 1.0
    if language is None:
        check_stop()
        language, certainty = next(iter(checkpoint.detect(encoded).items()))
    check_stop()
    limit = min(MOST_TOKENS, math.ceil(TOKENS + TOKENS_PER_S * duration_s))
    decoded = checkpoint.decode(encoded, language=language, most_tokens=limit, beam=beam)
    if decoded.complete and not repeats(decoded.text):
        return Words(decoded, language, certainty)
    check_stop()
    if window_s < LONGEST_S:
        encoded = checkpoint.encode(samples, LONGEST_S)
        check_stop()
    limit = min(MOST_TOKENS, math.ceil(TOKENS + TOKENS_PER_S_IN_FULL * duration_s))
    again = checkpoint.decode(encoded, language=language, most_tokens=limit, beam=max(beam, 5))
    # A text that ended by itself in both windows was most likely said so.
    if not again.complete and repeats(again.text):
        again = Decoded(without_repeats(again.text), again.score, again.no_speech, again.complete)
    return Words(again, language, certainty)
