"""The task of a worker process that reads a Word file. Only that process imports this module."""

from __future__ import annotations

import re
import zipfile
from typing import Any

import docx

from agentaudio.errors import RetrievalError


def text(request: dict[str, Any], _: bytes | bytearray) -> tuple[dict[str, str], bytes]:
    """The text of a .docx file as Markdown.

    request: `path`, `source` (for messages), `max_bytes` of the file when it is unpacked
    returns: `title`, empty when unknown, and `text`

    Raises RetrievalError for a file that is damaged or unpacks to too much.
    """
    source, most = request["source"], request["max_bytes"]
    try:
        with zipfile.ZipFile(request["path"]) as archive:
            unpacked = sum(item.file_size for item in archive.infolist())
        if unpacked > most:
            raise RetrievalError(f"{unpacked:,} bytes when unpacked, more than {most:,}")
        opened = docx.Document(request["path"])
        blocks = [_block(item) for item in opened.iter_inner_content()]
        title = opened.core_properties.title.strip()
    except (MemoryError, RecursionError):
        raise
    except Exception as error:  # damaged files make the parser raise exceptions of any type
        raise RetrievalError(f"{source} cannot be read as a Word file ({error}); save it again as .docx") from None
    return {"title": title, "text": "\n\n".join(filter(None, blocks))}, b""


def _block(item: Any) -> str:
    """Markdown of a paragraph or heading, or a table with one line for each row."""
    if hasattr(item, "rows"):
        return "\n".join(" | ".join(cell.text.strip() for cell in row.cells) for row in item.rows)
    style = item.style.name if item.style is not None else ""
    level = 1 if style == "Title" else int(style[-1]) if re.fullmatch(r"Heading [1-6]", style) else 0
    stripped: str = item.text.strip()
    return f"{'#' * level} {stripped}" if level and stripped else stripped
