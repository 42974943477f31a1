"""`EventStream`: the data of server-sent events, from bytes cut anywhere."""

from __future__ import annotations

import codecs
import re

from agentaudio.errors import BackendError

MAX_EVENT_CHARS = 8_000_000
"""Longest event: a chunk with a minute of 24 kHz sound in base64 has 4 million characters."""

_LINE_END = re.compile(r"\r\n|\r|\n")


class EventStream:
    """Splits a stream of server-sent events into the data of each event.

    Fields other than `data` are ignored. Source: WHATWG HTML, section 9.2.6, "Interpreting an event stream".
    Raises BackendError for an event of more than MAX_EVENT_CHARS.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest: list[str] = []
        self._held = 0
        self._data: list[str] = []
        self._size = 0
        self._first = True

    def push(self, piece: bytes) -> list[str]:
        """The data of the events that this piece completes, in order."""
        return self._take(self._decoder.decode(piece))

    def finish(self) -> list[str]:
        """The data of an event without the blank line at its end, which some servers leave out."""
        found = self._take(self._decoder.decode(b"", final=True) + "\n\n")
        return found

    def _take(self, text: str) -> list[str]:
        if self._first and text:
            text, self._first = text.removeprefix("\ufeff"), False
        # Pieces are joined only when a line ends, so that a long line costs time proportional to its length.
        if "\n" not in text and "\r" not in text:
            self._keep(text)
            return []
        *lines, rest = _LINE_END.split("".join([*self._rest, text]).removesuffix("\r"))
        if text.endswith("\r"):  # a line feed may follow
            rest += "\r"
        self._rest, self._held = [], 0
        self._keep(rest)
        return [data for line in lines if (data := self._line(line)) is not None]

    def _keep(self, text: str) -> None:
        self._rest.append(text)
        self._held += len(text)
        if self._held + self._size > MAX_EVENT_CHARS:
            raise BackendError(f"the server sent an event of more than {MAX_EVENT_CHARS} characters")

    def _line(self, line: str) -> str | None:
        """The data of the event that this line ends; None when it ends none."""
        if not line:
            data, self._data, self._size = "\n".join(self._data), [], 0
            return data or None
        name, _, value = line.partition(":")
        if name == "data":
            value = value.removeprefix(" ")
            self._data.append(value)
            self._size += len(value)
        return None
