"""`Reply`: what a turn came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from agentaudio.conversation import Citation
from agentaudio.plain import plain
from agentaudio.sound.audio import Audio
from agentaudio.tools.execution import ToolRun
from agentaudio.voice_library.voice import Voice


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer of one turn.

    text: its words; audio: its sound, None when nothing was spoken
    heard: the user's words as the model recognised them; confidence: of that, 0 to 1
    voice: the one it was spoken in; None is the model's own
    tool_calls: the calls with their results, in the order they were asked for
    citations: the passages that were used
    stop: "answered", "max_steps" (tools were still wanted), or "interrupted"
    timings: seconds since the turn began, by name: `heard`, `first_audio`, `total`
    """

    text: str
    audio: Audio | None = None
    heard: str | None = None
    confidence: float | None = None
    voice: Voice | None = None
    tool_calls: tuple[ToolRun, ...] = ()
    citations: tuple[Citation, ...] = ()
    stop: Literal["answered", "max_steps", "interrupted"] = "answered"
    timings: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; the sound as its length and rate only."""
        return {name: plain(getattr(self, name)) for name in self.__slots__}
