"""The first chunk is held back exactly as long as an answer without gaps needs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch", reason="the stream needs torch")

from agentaudio.model.step_audio_2.token2wav.chunks import FIRST_CHUNK, next_chunk  # noqa: E402
from agentaudio.model.step_audio_2.token2wav.pacing import HELD_BACK_S, TOKEN_S, hold_s  # noqa: E402

AHEAD = 3


def shortage(tokens_per_s: float, chunk_s: float, hold: float) -> float:
    """Longest silence in a minute of speech, in seconds, when tokens come at this rate."""
    made, end, chunk, played, worst = 0.0, 0, FIRST_CHUNK, None, 0.0
    while end < 1500:
        end += chunk
        made = max(made, (end + AHEAD) / tokens_per_s) + chunk_s * chunk / FIRST_CHUNK
        if played is None:
            played = made + hold
        worst = max(worst, made - played)
        # The sound of this chunk follows what was played, or begins when it is ready.
        played = max(played, made) + (chunk * TOKEN_S - (HELD_BACK_S if end == FIRST_CHUNK else 0.0))
        chunk = next_chunk(chunk)
    return worst


@given(st.floats(25.5, 400), st.floats(0.001, 0.2))
def test_the_hold_leaves_no_gap_and_a_shorter_one_would(tokens_per_s: float, chunk_s: float) -> None:
    hold = hold_s(tokens_per_s, chunk_s, AHEAD)
    assert shortage(tokens_per_s, chunk_s, hold) < 1e-6
    assert hold == 0 or shortage(tokens_per_s, chunk_s, 0.99 * hold) > 0


def test_fast_tokens_are_not_held_and_slow_ones_cannot_be_helped() -> None:
    assert hold_s(128, 0.02, AHEAD) == 0
    assert 0.03 < hold_s(48, 0.02, AHEAD) < 0.1
    assert hold_s(24, 0.02, AHEAD) == hold_s(0, 0.02, AHEAD) == hold_s(100, 0.4, AHEAD) == 0
