"""Retrieved text as a model receives it: numbered, quoted, and marked as data."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit, urlunsplit

from agentaudio.conversation import Passage
from agentaudio.quotation import HEAD, quoted_lines, visible
from agentaudio.retrieval.web.passage import WebPassage

MAX_TITLE_CHARS = 200
MAX_SOURCE_CHARS = 500
MAX_EXCERPT_CHARS = 300


def quoted(passages: Sequence[Passage], *, attribute: bool = False) -> str:
    """Passages with their numbers, sources and dates, introduced as "not instructions".

    Invisible characters (control, format and private-use characters, changes of writing direction) become
    spaces, so that people and models read the same. Host names with letters outside ASCII, which may look
    like others, are shown in their ASCII form.

    attribute: ask the model to name the sources that it used
    """
    blocks = [
        f"[{number}] {_line(passage.title, MAX_TITLE_CHARS)} ({_origin(passage)})\n"
        + quoted_lines(visible(passage.text))
        for number, passage in enumerate(passages, start=1)
    ]
    if attribute:
        blocks.append("Say in a few words which of these sources your answer comes from.")
    return "\n\n".join((HEAD, *blocks))


def excerpt(text: str, limit: int = MAX_EXCERPT_CHARS) -> str:
    """The beginning of a text from outside, for an error message: one line without invisible characters."""
    return _line(text[: 4 * limit], limit)


def ascii_host(source: str) -> str:
    """A URL with its host in ASCII (`xn--...`), which reveals look-alike letters; other text is unchanged."""
    if source.isascii():
        return source
    try:
        parts = urlsplit(source)
        host = (parts.hostname or "").encode("idna").decode("ascii")
        port = f":{parts.port}" if parts.port else ""
    except ValueError:  # also UnicodeError: a host without an ASCII form
        return source.encode("ascii", "backslashreplace").decode("ascii")
    return urlunsplit(parts._replace(netloc=f"{host}{port}")) if parts.scheme and host else source


def _origin(passage: Passage) -> str:
    date = passage.date if isinstance(passage, WebPassage) else ""
    source = _line(ascii_host(passage.source), MAX_SOURCE_CHARS)
    return f"{source}, {_line(date, 10)}" if date else source


def _line(text: str, limit: int) -> str:
    plain = " ".join(visible(text).split())
    return plain if len(plain) <= limit else plain[: limit - 1] + "…"
