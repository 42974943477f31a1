"""When to begin to play an answer whose sound is still being made, so that it never stops for want of sound."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from agentaudio.model.step_audio_2.token2wav.chunks import CHUNK, FIRST_CHUNK, OVERLAP_FRAMES, next_chunk
from agentaudio.model.step_audio_2.token2wav.config import FRAME_SAMPLES, SAMPLE_RATE, TOKEN_SAMPLES

TOKEN_S = TOKEN_SAMPLES / SAMPLE_RATE
HELD_BACK_S = OVERLAP_FRAMES * FRAME_SAMPLES / SAMPLE_RATE
"""Sound of the last frames, which the vocoder holds back until the next chunk."""


def hold_s(tokens_per_s: float, chunk_s: float, ahead: int) -> float:
    """Seconds to hold back the first chunk of an answer, so that each later one is ready when it is needed.

    tokens_per_s: speech tokens that the language model makes per second
    chunk_s: seconds in which the first chunk was made; longer ones take as much longer
    ahead: tokens that must follow a chunk before it is made
    returns: the least hold that suffices at this rate. 0 if none does, as tokens or chunks come more slowly
        than they are spoken; the answer then has gaps, and waiting would only add another.
    """
    per_token_s = chunk_s / FIRST_CHUNK
    if tokens_per_s * TOKEN_S <= 1 or per_token_s >= TOKEN_S:
        return 0.0
    first, latest, made = 0.0, 0.0, 0.0
    for k, (spoken, end) in enumerate(pairwise(_ends())):
        # A chunk is made after the chunk before it.
        made = max(made, (end + ahead) / tokens_per_s) + per_token_s * (end - spoken)
        if k == 0:
            first = made
            continue
        latest = max(latest, made - (spoken * TOKEN_S - HELD_BACK_S))
    return max(0.0, latest - first)


def _ends() -> Iterator[int]:
    """Tokens spoken before each chunk, up to the second of full length: after that, sound only gains on its use."""
    end, chunk, full = 0, FIRST_CHUNK, 0
    yield end
    while full < 2:
        end += chunk
        yield end
        full += chunk == CHUNK
        chunk = next_chunk(chunk)
