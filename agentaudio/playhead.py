"""`Playhead`: how much of a sound has been played."""

from __future__ import annotations

import asyncio
import math

from agentaudio.errors import OptionError

AHEAD_S = 2.0


class Playhead:
    """How much of a text's sound has been played, reported by its player, so that no more is made than is needed.

    ahead_s: most sound that is made and not yet played
    """

    def __init__(self, ahead_s: float = AHEAD_S) -> None:
        self._ahead_s, self._played_s = ahead_s, 0.0
        self._moved = asyncio.Event()

    def played(self, seconds: float) -> None:
        """Report that the first `seconds` of the sound were played. Raises OptionError for negative numbers and NaN."""
        if not 0 <= seconds < math.inf:
            raise OptionError(f"played({seconds!r}): give the seconds that were played, 0 or more")
        self._played_s = max(self._played_s, seconds)  # reports may arrive out of order
        self._moved.set()

    async def room(self, made_s: float) -> None:
        """Wait until a sound that ends `made_s` after the beginning is wanted."""
        while made_s - self._played_s > self._ahead_s:
            self._moved.clear()
            await self._moved.wait()
