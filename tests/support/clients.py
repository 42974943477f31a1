"""The clients of others that are tried against the server, and what each of them has."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Client:
    """tasks: what it can do; greets: whether it lets the agent speak first"""

    name: str
    tasks: tuple[str, ...]
    greets: bool = False


CLIENTS = (
    Client("openai", ("realtime", "chat", "speech", "transcription", "voices")),
    Client("pydantic-ai", ("realtime", "chat")),
    Client("openai-agents", ("realtime", "chat", "speech", "transcription")),
    Client("pipecat", ("realtime", "chat", "speech"), greets=True),
    Client("livekit", ("realtime", "chat", "speech", "transcription")),
    Client("node", ("realtime",)),
)  # fmt: skip
MODELS = ("scripted", "embedded")
REALTIME = ("spoken turn", "call", "interruption", "voice by a wish", "voice")
"""What is tried in a realtime session."""
COLUMNS = ("chat", "speech", "transcription", "voices", *REALTIME)
"""Of the matrix."""
