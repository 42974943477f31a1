"""What a tool gives back: words for the model, and a voice or sound for the loop."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from pydantic_core import to_jsonable_python

from agentaudio.audio import Audio
from agentaudio.conversation import Passage
from agentaudio.errors import ToolError
from agentaudio.voice_library.voice import Voice

MAX_TEXT_CHARS = 8_000
"""Longest text of one result that a model is given."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """A tool may return this, or a plain value that `ToolResult.of` turns into it.

    text: what the model reads
    passages: retrieved text with its sources, for citations
    voice: speak in this voice from now on; "default" goes back to the session's own
    audio: sound for the caller, carried in the event
    """

    text: str
    passages: tuple[Passage, ...] = ()
    voice: Voice | Literal["default"] | None = None
    audio: Audio | None = None

    @classmethod
    def of(cls, value: Any) -> ToolResult:
        """Wrap what a function returned: str, None, Voice, Audio, ToolResult, or anything JSON can hold.

        Raises ToolError for a value that has no JSON form.
        """
        if isinstance(value, ToolResult):
            return value
        if isinstance(value, str):
            return cls(value)
        if value is None:
            return cls("Done.")
        if isinstance(value, Voice):
            return cls(f"The voice is now {value.name}: {value.description}", voice=value)
        if isinstance(value, Audio):
            return cls(f"A sound of {value.duration:.1f} seconds.", audio=value)
        try:
            return cls(json.dumps(to_jsonable_python(value), ensure_ascii=False))
        except (ValueError, RecursionError) as error:
            raise ToolError(f"the tool returned {type(value).__name__}, which is not JSON: {error}") from None

    @property
    def model_text(self) -> str:
        """`text`, shortened with a note when it is longer than a model should read."""
        if len(self.text) <= MAX_TEXT_CHARS:
            return self.text
        dropped = len(self.text) - MAX_TEXT_CHARS
        return f"{self.text[:MAX_TEXT_CHARS]}\n[shortened: {dropped} more characters]"
