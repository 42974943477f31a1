"""`Levels`: how loud the user usually is, so that people and television farther away are not taken for the user."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence

BELOW_USUAL_DB = 12.0
"""A turn does not begin with voice that is this much quieter than the user's loud syllables."""
BELOW_TURN_DB = 16.0
"""In a turn, voice that is this much quieter than its loud syllables is background, if there was such voice of late."""
NOBODY_DB = 30.0
"""What is this much quieter than the user's loud syllables is neither the user nor anybody worth noting."""
FARTHER_S, LONGEST_FARTHER_S = 0.3, 2.0
"""Voice farther away after which it is expected in the user's turns, and how much of it is remembered."""
FORGETS = 0.1
"""Seconds of it that are forgotten in a second of quiet."""
LOUD = 0.8
"""Quantile of the levels of a turn's voice that stands for its loud syllables."""
SINKS_DB_PER_S = 0.5
"""While nobody speaks, the usual level sinks, so that a user who moved away is heard again."""
NEW_SHARE = 0.4
"""Of a new turn in the usual level."""


class Levels:
    """Levels in dBFS of 32 ms frames. Before the first turn nothing is known, and every level will do."""

    def __init__(self) -> None:
        self._usual: float | None = None
        self._farther_s = 0.0
        self._turn: list[float] = []  # in ascending order
        self._loud: float | None = None

    @property
    def nobody_below_dbfs(self) -> float:
        """The level below which nobody need be listened for; minus infinity before the first turn."""
        return -math.inf if self._usual is None else self._usual - NOBODY_DB

    @property
    def begins_above_dbfs(self) -> float:
        """The level from which on voice may begin a turn; minus infinity before the first turn."""
        return -math.inf if self._usual is None else self._usual - BELOW_USUAL_DB

    def may_begin(self, level_dbfs: float) -> bool:
        """Whether voice of this level may be the user's, while no turn is open."""
        return level_dbfs >= self.begins_above_dbfs

    def goes_on(self, level_dbfs: float) -> bool:
        """Whether voice of this level belongs to the open turn."""
        return self._loud is None or self._farther_s < FARTHER_S or level_dbfs >= self._loud - BELOW_TURN_DB

    def voice(self, level_dbfs: float) -> None:
        """Take a frame of the open turn's voice."""
        bisect.insort(self._turn, level_dbfs)
        if len(self._turn) % 4 == 0:
            loud = _quantile(self._turn, LOUD)
            self._loud = loud if self._usual is None else max(loud, self._usual - BELOW_USUAL_DB)

    def ended(self, *, is_turn: bool) -> None:
        """The turn has ended. is_turn: whether it was the user's."""
        if is_turn and self._loud is not None:
            loud = _quantile(self._turn, LOUD)
            self._usual = loud if self._usual is None else self._usual + NEW_SHARE * (loud - self._usual)
        self._turn.clear()
        self._loud = None

    def farther(self, seconds: float) -> None:
        """Voice was heard that may not begin a turn."""
        self._farther_s = min(LONGEST_FARTHER_S, self._farther_s + seconds)

    def quiet(self, seconds: float) -> None:
        """Nobody speaks, neither the user nor the agent."""
        self._farther_s = max(0.0, self._farther_s - FORGETS * seconds)
        if self._usual is not None:
            self._usual -= SINKS_DB_PER_S * seconds


def _quantile(ordered: Sequence[float], share: float) -> float:
    """By linear interpolation between the nearest ranks."""
    place = share * (len(ordered) - 1)
    low = int(place)
    return ordered[low] + (place - low) * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low])
