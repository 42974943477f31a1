"""What a tool gives back: words for the model, and a voice or sound for the loop."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic_core import PydanticSerializationError, to_jsonable_python

from agentaudio.conversation import Citation, Passage
from agentaudio.errors import ToolError
from agentaudio.sound.audio import Audio
from agentaudio.tools.context import RunContext
from agentaudio.tools.quoting import quoted
from agentaudio.voice_library.voice import Voice

Returns = Literal["text", "data", "audio", "voice"]

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

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise ToolError(f"the text of a ToolResult is {type(self.text).__name__}; write it as a str")
        # Halves of surrogate pairs, which JSON may hold, can be neither printed nor sent.
        object.__setattr__(self, "text", self.text.encode("utf-8", "replace").decode())
        if not (self.audio is None or isinstance(self.audio, Audio)):
            raise ToolError(f"the audio of a ToolResult is {type(self.audio).__name__}; give an Audio")
        if not all(isinstance(passage, Passage) for passage in self.passages):
            raise ToolError("the passages of a ToolResult are Passage objects")
        if not (self.voice is None or self.voice == "default" or isinstance(self.voice, Voice)):
            raise ToolError(f"the voice of a ToolResult is {type(self.voice).__name__}; give a Voice or 'default'")

    @classmethod
    def of(cls, value: Any, *, returns: Returns | None = None, context: RunContext | None = None) -> ToolResult:
        """Wrap what a function returned: str, bytes, None, Voice, Audio, passages or citations,
        ToolResult, or anything JSON can hold.

        returns: what the value stands for, where its type does not tell: "text" writes it down,
            "data" as JSON, "audio" reads a sound file, "voice" takes the id or name of a voice

        Raises ToolError for a value that has none of these forms.
        """
        if isinstance(value, ToolResult):
            return value
        if returns is not None:
            return cls._as(value, returns, context)
        if isinstance(value, str):
            return cls(value)
        if value is None:
            return cls("Done.")
        if isinstance(value, Voice):
            return cls(f"The voice is now {value.name}: {value.description}", voice=value)
        if isinstance(value, Audio):
            return cls(f"A sound of {value.duration:.1f} seconds.", audio=value)
        if isinstance(value, bytes | bytearray):
            return cls(_decoded(bytes(value)))
        if passages := _passages(value):
            return cls(quoted(passages), passages)
        return cls(_json(value))

    @classmethod
    def _as(cls, value: Any, returns: Returns, context: RunContext | None) -> ToolResult:
        if returns == "data":
            return cls(_json(value))
        if returns == "text":
            return cls.of(value) if isinstance(value, bytes | bytearray | str) else cls(str(value))
        if returns == "audio":
            return cls.of(value if isinstance(value, Audio) else Audio.load(value))
        if isinstance(value, str) and context is not None:
            value = context.need_voices().library.get(value)
        if not isinstance(value, Voice):
            raise ToolError(f"the tool returned {type(value).__name__}, not a voice nor the id of one")
        return cls.of(value.require("synthesis"))

    def shortened(self) -> ToolResult:
        """The same with a text that a model can read: cut, and saying so, when it is longer."""
        dropped = len(self.text) - MAX_TEXT_CHARS
        if dropped <= 0:
            return self
        return replace(self, text=f"{self.text[:MAX_TEXT_CHARS]}\n[shortened: {dropped} more characters]")


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise ToolError(
            f"the tool returned {len(content)} bytes that are no text; return Audio, or say returns='audio'"
        ) from None


def _passages(value: Any) -> tuple[Passage, ...]:
    """Passages and citations, one or several, as passages; empty for anything else."""
    items = value if isinstance(value, list | tuple) else [value]
    if not all(isinstance(item, Passage | Citation) for item in items):
        return ()
    return tuple(
        item if isinstance(item, Passage) else Passage(item.quote, item.title, item.source, item.position)
        for item in items
    )


def _json(value: Any) -> str:
    if isinstance(value, Iterator | AsyncIterator):
        # It may have no end.
        raise ToolError(f"the tool returned a {type(value).__name__}; collect its items in a list and return that")
    try:
        return json.dumps(to_jsonable_python(value), ensure_ascii=False)
    except (ValueError, TypeError, RecursionError, PydanticSerializationError) as error:
        raise ToolError(f"the tool returned {type(value).__name__}, which is not JSON: {error}") from None
