"""Example requests for the built-in tools, for chat, and for commands that no tool can do."""

from __future__ import annotations

import functools
import json
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "assets" / "router_examples.jsonl"
CHAT = "chat"
UNKNOWN = "unknown"


@functools.cache
def examples() -> dict[str, tuple[str, ...]]:
    """Example sentences by intent: the name of a built-in tool, CHAT, or UNKNOWN."""
    found: dict[str, list[str]] = {}
    for line in EXAMPLES.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        found.setdefault(row["intent"], []).append(row["text"])
    return {intent: tuple(texts) for intent, texts in found.items()}
