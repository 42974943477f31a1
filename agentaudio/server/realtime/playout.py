"""`Playout`: how far a client has played the sound of a response, as far as the server can tell."""

from __future__ import annotations

import time


class Playout:
    """A clock that runs while the client has sound to play. Clients say what they played only after an interruption.

    All in seconds of the response's sound.
    """

    def __init__(self) -> None:
        self._sent_s = self._position_s = self._waiting_s = 0.0
        self._since = time.monotonic()
        self._held = False

    @property
    def position_s(self) -> float:
        """What was played."""
        self._advance()
        return self._position_s

    @property
    def left_s(self) -> float:
        """What will still be played."""
        return self._sent_s + self._waiting_s - self.position_s

    def add(self, seconds: float) -> None:
        """So much more sound waits to be sent."""
        self._waiting_s += seconds

    def sent(self, seconds: float) -> None:
        """So much of what waited was sent."""
        self._advance()
        self._waiting_s = max(0.0, self._waiting_s - seconds)
        self._sent_s += seconds

    def report(self, seconds: float) -> None:
        """The client has played so much."""
        self._advance()
        self._position_s = min(seconds, self._sent_s)

    def hold(self, held: bool) -> None:
        """The client holds the sound, or goes on."""
        self._advance()
        self._held = held

    def stop(self) -> None:
        """Nothing more is played."""
        self._advance()
        self._sent_s, self._waiting_s = self._position_s, 0.0

    def _advance(self) -> None:
        now = time.monotonic()
        if not self._held:
            self._position_s = min(self._sent_s, self._position_s + now - self._since)
        self._since = now
