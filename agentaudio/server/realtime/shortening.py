"""`shortened`: data for clients within bounds, because some close the connection at a frame of 1 MiB."""

from __future__ import annotations

from typing import Any

MOST_FACTS_BYTES = 100_000
"""Of all runs of tools that a response shows, and of an event of our own."""
MOST_FACT_BYTES = 50_000
"""Of one run, and of the citations. JSON writes a control character in six bytes, so all is 0.9 MB at most."""


def shortened(value: Any, most_bytes: int) -> Any:
    """Plain data of at most `most_bytes` of text: longer texts end in "…", and what comes after them is left out.

    value: as `plain` gives it; data that fits is returned as it is
    """
    return value if size(value, most_bytes) <= most_bytes else _Cut(most_bytes).of(value)


def size(value: Any, enough: int) -> int:
    """Bytes of the texts, names and numbers in plain data; counted no further than `enough`."""
    waiting, found = [value], 0
    while waiting and found <= enough:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += one.keys()
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
        found += _bytes(one) if isinstance(one, str) else 8
    return found


class _Cut:
    def __init__(self, most_bytes: int) -> None:
        self._left = most_bytes

    def of(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        self._left -= 8
        if isinstance(value, dict):
            found = {}
            for name, one in value.items():
                self._left -= _bytes(name)
                if self._left <= 0:
                    break
                found[name] = self.of(one)
            return found
        if isinstance(value, list):
            kept = []
            for one in value:
                if self._left <= 0:
                    break
                kept.append(self.of(one))
            return kept
        return value

    def _text(self, text: str) -> str:
        whole, left = text.encode("utf-8", "replace"), max(0, self._left)
        self._left -= len(whole)
        return text if len(whole) <= left else whole[:left].decode("utf-8", "ignore") + "…"


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
