"""The task of a worker process that reads a PDF file. Only that process imports this module."""

from __future__ import annotations

import re
from typing import Any

from pypdf import PdfReader

from agentaudio.errors import RetrievalError


def pages(request: dict[str, Any], _: bytes | bytearray) -> tuple[dict[str, Any], bytes]:
    """The text of each page of a file.

    request: `path`, `source` (for messages), `max_pages`
    returns: `title`, empty when unknown, and `pages`

    Raises RetrievalError for a file that is damaged, has a password or too many pages.
    """
    source, most = request["source"], request["max_pages"]
    try:
        reader = PdfReader(request["path"])
        title = str((reader.metadata and reader.metadata.title) or "").strip()
        count = len(reader.pages)
        texts = [_unwrapped(page.extract_text()) for page in reader.pages] if count <= most else []
    except (MemoryError, RecursionError):
        raise
    except Exception as error:  # damaged files make the parser raise exceptions of any type
        raise RetrievalError(f"{source} cannot be read as PDF ({error}); repair it or remove its password") from None
    if count > most:
        raise RetrievalError(f"{source} has {count:,} pages, more than {most:,}; split it")
    return {"title": title, "pages": texts}, b""


def _unwrapped(text: str) -> str:
    """The text with words that were hyphenated at line ends joined again."""
    return re.sub(r"(?<=\w)-\n(?=[a-z])", "", text)
