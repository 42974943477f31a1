"""The task of a worker process that splits a long text. Only that process imports this module."""

from __future__ import annotations

from typing import Any

from agentaudio.retrieval.text.splitting import Document, split


def passages(request: dict[str, Any], content: bytes | bytearray) -> tuple[list[tuple[str, str, str, int]], bytes]:
    """The passages of a text.

    request: `title` and `source` of the document, whose text is the content in UTF-8
    returns: text, title, source and position of each
    """
    made = split(Document(content.decode(), request["title"], request["source"]))
    return [(passage.text, passage.title, passage.source, passage.position) for passage in made], b""
