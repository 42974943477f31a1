"""`Pace`: how fast the sound of answers is sent, so that what the user's interruption stops is not on its way yet."""

from __future__ import annotations

import time

AT_ONCE_S = 2.0
"""Sound that goes out as fast as it is made: enough for clients that play from a buffer, over networks that falter."""


class Pace:
    """Sound of an answer goes out at once up to AT_ONCE_S; beyond that, `times` as fast as it is played.

    A client reads it far sooner than it plays it. Without a pace, an answer that is made faster than it can be sent
    would fill the buffers of the system with minutes of sound, and all that is said meanwhile would come after them.
    """

    def __init__(self, times: float) -> None:
        self._times = times
        self._ahead_s, self._since = 0.0, time.monotonic()

    def wait_s(self) -> float:
        """Seconds until more sound may be sent; 0 for now."""
        self._advance()
        return max(0.0, (self._ahead_s - AT_ONCE_S) / self._times)

    def add(self, seconds: float) -> None:
        """So much more sound is sent."""
        self._advance()
        self._ahead_s += seconds

    def restart(self) -> None:
        """Let AT_ONCE_S go out at once again."""
        self._ahead_s = 0.0

    def _advance(self) -> None:
        now = time.monotonic()
        self._ahead_s = max(0.0, self._ahead_s - self._times * (now - self._since))
        self._since = now
