"""The task of a worker process that reads a file of tools. Only that process imports this module."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agentaudio.tools.declarative.source import parse


def source(request: dict[str, Any], content: bytes | bytearray) -> tuple[dict[str, Any], bytes]:
    """`data` and `lines` of the Source for a file's `path` and content. Raises what `parse` raises."""
    found = parse(Path(request["path"]), bytes(content).decode("utf-8-sig"))
    return {"data": found.data, "lines": list(found.lines.items())}, b""
