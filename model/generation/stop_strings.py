"""Ends a text that arrives in pieces before the first of some stop strings."""

from __future__ import annotations

from collections.abc import Sequence

from agentaudio.errors import OptionError


class StopStrings:
    """Passes text on up to the first stop string. Text that may be the start of one is held back.

    found: a stop string has come; no text passes from then on

    Raises OptionError for an empty stop string, or a single string instead of a sequence.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        if isinstance(stops, str) or not all(isinstance(stop, str) and stop for stop in stops):
            raise OptionError(f"stop is {stops!r}; give a sequence of strings, none of them empty")
        self._stops = tuple(stops)
        self._held = ""
        self.found = False

    def feed(self, text: str) -> str:
        """The text that now certainly comes before a stop string."""
        if self.found:
            return ""
        text = self._held + text
        places = [place for stop in self._stops if (place := text.find(stop)) >= 0]
        if places:
            self.found, self._held = True, ""
            return text[: min(places)]
        keep = max((_begun(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def finish(self) -> str:
        """The text held back, when none follows. More may be fed later; a stop string does not span the two."""
        held, self._held = self._held, ""
        return held


def _begun(text: str, stop: str) -> int:
    """Length of the longest proper prefix of `stop` that `text` ends with."""
    return next((n for n in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:n])), 0)
