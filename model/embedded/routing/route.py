"""`Route`: what a request, or a part of it, asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Route:
    """What a request, or a part of it, asks for.

    tool: name of the tool to call; None to call nothing
    confidence: probability of this choice, 0 to 1; halved when arguments are missing
    kind: "tool"; "chat" for greetings, thanks and small talk; "unknown" when the request was not understood or no
        registered tool can do it
    missing: required parameters that the request does not give; ask the user for them
    """

    tool: str | None
    arguments: dict[str, Any]
    confidence: float
    kind: Literal["tool", "chat", "unknown"]
    missing: tuple[str, ...] = ()
