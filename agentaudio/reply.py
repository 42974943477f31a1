"""`Reply`: the result of a turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from agentaudio.conversation import Citation, ToolCall
from agentaudio.plain import plain
from agentaudio.sound.audio import Audio
from agentaudio.tools.execution import ToolRun
from agentaudio.voice_library.voice import Voice

Stop = Literal["answered", "length", "tool_calls", "max_steps", "interrupted", "failed"]
"""Why a turn ended.

answered: the model came to its end
length: a limit of the model ended its answer early
tool_calls: the caller must run `Reply.open_calls`, and give the results to the next turn
max_steps: the model still wanted tools in its last step
interrupted: the turn was stopped; the reply holds what was heard until then
failed: the model failed; the reply holds what was done until then
"""


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer of one turn.

    text: its words; audio: its sound, None when nothing was spoken
    heard: the user's words as the model recognised them; confidence: of the recognition, 0 to 1
    voice: the one that the answer was spoken in, at its end; None is the model's own
    tool_calls: the calls that ran, with their results, in the order the model made them
    open_calls: the calls that the caller must run
    citations: the passages that were used
    usage: the counts of all steps, added up by name, such as `input_tokens` and `output_tokens`
    timings: seconds since the turn began, by name: `heard`, `first_audio`, `total`
    """

    text: str
    audio: Audio | None = None
    heard: str | None = None
    confidence: float | None = None
    voice: Voice | None = None
    tool_calls: tuple[ToolRun, ...] = ()
    open_calls: tuple[ToolCall, ...] = ()
    citations: tuple[Citation, ...] = ()
    stop: Stop = "answered"
    usage: Mapping[str, float] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; the sound as its length and rate only."""
        return {name: plain(getattr(self, name)) for name in self.__slots__}
