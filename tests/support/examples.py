"""Numbers of examples of Hypothesis that follow the profile."""

from __future__ import annotations

from hypothesis import settings


def share(per_hundred: int) -> int:
    """So many examples by default, and as many times more as `--hypothesis-profile=thorough` has than 100."""
    return max(1, settings().max_examples * per_hundred // 100)
