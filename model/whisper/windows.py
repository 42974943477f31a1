"""`hear`: the words of up to 30 s of speech, in the window and with the limits that suit its length."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from agentaudio.model.recognisers.apart import CheckStop
from agentaudio.model.whisper.checkpoint import MOST_TOKENS, Checkpoint, Decoded
from agentaudio.model.whisper.features import LONGEST_S, SAMPLE_RATE_HZ
from agentaudio.model.whisper.hints import Hints
from agentaudio.model.whisper.repetition import repeats, without_repeats

SHORTEST_WINDOW_S = 10
SILENCE_AFTER_S = 2
"""A window of max(10 s, speech + 2 s) costs a quarter of the full 30 s and loses little; with 1 s after the speech the
decoder repeats itself."""

TOKENS, TOKENS_PER_S = 4, 8
"""Limit of new tokens: fast English has 5 per second."""
TOKENS_PER_S_IN_FULL = 16
"""The same in the full window, for scripts that take several tokens per character."""
BEAM_IN_FULL = 5


OPENINGS = {"zh": "以下是普通话的句子。"}
"""Text that the decoder takes for what was said before: in Chinese, it makes it write simplified characters."""

CERTAIN_LANGUAGE, LEAST_SPEECH_S = 0.5, 1.0
"""Probability and seconds of speech from which a detected language counts. One short word sounds alike in many
languages: "sure" is taken for Chinese with .87."""

SURE_LANGUAGE, LEAST_SHORT_S, LEAST_GAIN = 0.95, 0.6, 0.3
"""Probability and seconds of speech from which a shorter sound is also decoded in the detected language, and by how
much more probable per token its text must be there than in the expected one. None of 30 English phrases of up to a
second reaches the first. Without this, a question of a second in Chinese is heard as its English translation."""


SURE_SCORE = -0.12
"""Mean log probability of a text from which a second pass with hints is left out."""


@dataclass(frozen=True, slots=True)
class Words:
    """What was decoded from a stretch of speech.

    language: BCP-47 code that it was decoded in
    certain: whether that was given, or clearly detected
    """

    decoded: Decoded
    language: str
    certain: bool


def hear(
    checkpoint: Checkpoint,
    samples: NDArray[np.float32],
    *,
    language: str | None,
    expected: str,
    speech_s: float,
    beam: int,
    hints: Hints | None,
    check_stop: CheckStop,
) -> Words:
    """Decode a stretch of speech of up to 30 s.

    samples: (n,) float32, 16 kHz, n <= 480,000
    language: None detects it
    expected: language of a sound that is too short or unclear to tell
    speech_s: seconds of speech in the sound
    hints: unless the first pass is sure, a second one is given the sentences that are near to what it heard; the more
        probable text counts
    check_stop: called before each step; what it raises ends the work
    """
    duration_s = len(samples) / SAMPLE_RATE_HZ
    window_s = min(LONGEST_S, max(SHORTEST_WINDOW_S, math.ceil(duration_s + SILENCE_AFTER_S)))
    check_stop()
    encoded = checkpoint.encode(samples, window_s)
    certain, may_be_other, found = language is not None, False, ""
    if language is None:
        check_stop()
        found, probability = next(iter(checkpoint.detect(encoded).items()))
        certain = not checkpoint.multilingual or (speech_s >= LEAST_SPEECH_S and probability >= CERTAIN_LANGUAGE)
        language = found if certain else expected
        may_be_other = found != language and speech_s >= LEAST_SHORT_S and probability >= SURE_LANGUAGE
    check_stop()
    limit = min(MOST_TOKENS, math.ceil(TOKENS + TOKENS_PER_S * duration_s))
    opening = checkpoint.hint_tokens(OPENINGS[language]) if language in OPENINGS else ()
    decoded = checkpoint.decode(encoded, language=language, most_tokens=limit, beam=beam, hint=opening)
    if may_be_other:
        check_stop()
        other_opening = checkpoint.hint_tokens(OPENINGS[found]) if found in OPENINGS else ()
        other = checkpoint.decode(encoded, language=found, most_tokens=limit, beam=beam, hint=other_opening)
        if other.score >= decoded.score + LEAST_GAIN:
            language, decoded, opening, certain = found, other, other_opening, True
    if not decoded.complete or repeats(decoded.text):
        check_stop()
        if window_s < LONGEST_S:
            encoded = checkpoint.encode(samples, LONGEST_S)
            check_stop()
        limit = min(MOST_TOKENS, math.ceil(TOKENS + TOKENS_PER_S_IN_FULL * duration_s))
        decoded = checkpoint.decode(
            encoded, language=language, most_tokens=limit, beam=max(beam, BEAM_IN_FULL), hint=opening
        )
        # A text that repeats itself and ended by itself in both windows was most likely said so.
        if not decoded.complete and repeats(decoded.text):
            decoded = replace(decoded, text=without_repeats(decoded.text))
    if hints is not None and decoded.score < SURE_SCORE and (near := hints.nearest(decoded.text)):
        check_stop()
        hinted = checkpoint.decode(
            encoded, language=language, most_tokens=limit, beam=beam, hint=checkpoint.hint_tokens(" ".join(near))
        )
        if hinted.complete and hinted.score > decoded.score and not repeats(hinted.text):
            decoded = replace(hinted, no_speech=decoded.no_speech)
    return Words(decoded, language, certain)
