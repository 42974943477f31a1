"""The task of a worker process that reads a PDF file. Only that process imports this module."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from pypdf import PageObject, PdfReader

from agentaudio.errors import RetrievalError
from agentaudio.retrieval.documents.pdf_text import readable

_PROGRAM = re.compile(
    r"^Microsoft (?:Word|PowerPoint|Excel) - |\.(?:docx?|pptx?|xlsx?|odt|rtf|indd|tex|dvi|pdf)$", re.IGNORECASE
)
_NO_TITLE = re.compile(r"(?:untitled|unbenannt|document|dokument|presentation|scan|未命名)?[\s\d_-]*", re.IGNORECASE)
_PAINTS = frozenset(
    {b"Do", b"INLINE IMAGE", b"sh", b"f", b"F", b"f*", b"B", b"B*", b"b", b"b*", b"S", b"s", b"Tj", b"TJ", b"'", b'"'}
)


def pages(request: dict[str, Any], _: bytes | bytearray) -> tuple[dict[str, Any], bytes]:
    """The text of each page of a file.

    request: `path`, `source` (for messages), `max_pages`
    returns: `title`, empty when unknown; `pages`; and `unread`, the numbers from 1 of pages on which something
        is drawn, but no text can be read

    Raises RetrievalError for a file that is damaged, has a password or too many pages.
    """
    source, most = request["source"], request["max_pages"]
    try:
        reader = PdfReader(request["path"])
        title = _title(str((reader.metadata and reader.metadata.title) or ""))
        count = len(reader.pages)
        texts, unread = list[str](), list[int]()
        for number, page in enumerate(reader.pages if count <= most else (), start=1):
            text = page.extract_text()
            if not _is_text(text):
                text = ""
                if _shows_something(page):
                    unread.append(number)
            texts.append(text)
    except (MemoryError, RecursionError):
        raise
    except Exception as error:  # damaged files make the parser raise exceptions of any type
        raise RetrievalError(f"{source} cannot be read as PDF ({error}); repair it or remove its password") from None
    if count > most:
        raise RetrievalError(f"{source} has {count:,} pages, more than {most:,}; split it")
    return {"title": title, "pages": readable(texts), "unread": unread}, b""


def _title(title: str) -> str:
    """The title without traces of the program that made the file; empty for a placeholder."""
    plain = _PROGRAM.sub("", _PROGRAM.sub("", title.strip())).strip()
    return "" if _NO_TITLE.fullmatch(plain) else plain


def _is_text(text: str) -> bool:
    """Whether at least half of the characters are known ones; fonts without a table of characters give others."""
    shown = [character for character in text if not character.isspace()]
    unknown = sum(character == "\ufffd" or unicodedata.category(character) in ("Co", "Cc", "Cn") for character in shown)
    return any(map(str.isalnum, shown)) and 2 * unknown < len(shown)


def _shows_something(page: PageObject) -> bool:
    """Whether a page without text has images or drawings, such as a scan; false for an empty page."""
    try:
        content = page.get_contents()
        return content is not None and any(operator in _PAINTS for _, operator in content.operations)
    except (MemoryError, RecursionError):
        raise
    except Exception:  # as above
        return True
