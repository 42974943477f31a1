"""Tools and turns for tests of the embedded engine's dialogue."""

from __future__ import annotations

from typing import Any

from agentaudio.conversation import ToolCall, ToolOutput, ToolSpec
from agentaudio.model.embedded.dialogue.turns import PastTurn


def tool(name: str, description: str, *optional: str, phrases: tuple[str, ...] = (), **properties: Any) -> ToolSpec:
    """A tool whose parameters are `properties`, all required but those named in `optional`."""
    schema = {"properties": properties, "required": [key for key in properties if key not in optional]}
    return ToolSpec(name, description, schema, phrases)


def turn(request: str, name: str = "", answer: str = "Fine.", **arguments: Any) -> PastTurn:
    """A turn before, which called the tool `name`; "" for none."""
    calls = [ToolCall("1", name, arguments)] if name else []
    outputs = [ToolOutput("1", name, answer)] if name else []
    return PastTurn(request, calls, outputs, answer)
