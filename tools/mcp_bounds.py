"""What an MCP server may send: the limits of its messages, the same for a program and over HTTP."""

from __future__ import annotations

import re
import time

MAX_MESSAGE_BYTES = 8_000_000
"""Longest message of an MCP server; the longest sound in an answer is three quarters of it."""
MAX_MESSAGE_VALUES = 200_000
"""Most values in a message, counted by its commas, colons and opening brackets: no other thread runs while compiled
code parses it, a quarter of a second for so many."""
MAX_NOISE_BYTES = 1_000_000
"""Most output between two messages that is not a message; each line counts as LINE_BYTES more."""
MAX_UNASKED_BYTES, UNASKED_S = 500_000, 30.0
"""Most bytes of messages within these seconds that answer no request; a notification counts as LINE_BYTES more, and a
request of the server, such as a ping, as REQUEST_BYTES, because it has to be answered."""
LINE_BYTES, REQUEST_BYTES = 100, 2_500
KEPT_STDERR_BYTES = 4_000

TOO_LONG = f"it sent a message longer than {MAX_MESSAGE_BYTES} bytes, which is the limit"
TOO_MANY_VALUES = f"it sent a message of more than {MAX_MESSAGE_VALUES} values, which is the limit"
TOO_MUCH_NOISE = f"it printed {MAX_NOISE_BYTES} bytes that are not messages, which is the limit"
TOO_MUCH_UNASKED = (
    f"it sent {MAX_UNASKED_BYTES} bytes of messages within {UNASKED_S:.0f} s that answer no request, which is the limit"
)
_ESCAPE = re.compile(rb"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|(\\u[dD][89a-fA-F]..)|\\.")
"""An escape of JSON; the group is half of a surrogate pair, which pydantic refuses and other parsers accept."""


class Words:
    """What is known about the end of a server: its last words on standard error, and why it was stopped."""

    def __init__(self) -> None:
        self.problem = ""
        self._kept = bytearray()

    def add(self, piece: bytes) -> None:
        self._kept = (self._kept + piece)[-KEPT_STDERR_BYTES:]

    def last(self, chars: int) -> str:
        """The problem, or the last words on one line."""
        return self.problem or " ".join(self._kept.decode("utf-8", "replace")[-chars:].split())


class Unasked:
    """Counts the messages that answer no request."""

    def __init__(self) -> None:
        self._bytes = 0
        self._since = time.monotonic()

    def answered(self) -> None:
        """A request was answered: the count begins anew."""
        self._bytes = 0

    def too_much(self, size: int) -> bool:
        """Count a message as so many bytes. Whether there were more than MAX_UNASKED_BYTES within UNASKED_S."""
        if time.monotonic() - self._since > UNASKED_S:
            self._since, self._bytes = time.monotonic(), 0
        self._bytes += size
        return self._bytes > MAX_UNASKED_BYTES


def too_many_values(message: bytes) -> bool:
    """Whether a message of JSON has more values than MAX_MESSAGE_VALUES."""
    return sum(map(message.count, (b",", b":", b"["))) > MAX_MESSAGE_VALUES


def mended(message: bytes) -> bytes:
    """JSON whose broken bytes and halves of surrogate pairs became U+FFFD."""
    return _ESCAPE.sub(lambda found: rb"\ufffd" if found[1] else found[0], message.decode("utf-8", "replace").encode())
