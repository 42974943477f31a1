"""`ToolResult`: what a tool returns: text for the model, and a voice or a sound for the agent."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic_core import PydanticSerializationError, to_jsonable_python

from agentaudio.conversation import Citation, Passage
from agentaudio.errors import ToolError
from agentaudio.quotation import quotation
from agentaudio.sound.audio import Audio
from agentaudio.tools.context import RunContext
from agentaudio.tools.quoting import quoted
from agentaudio.voice_library.voice import Voice

Returns = Literal["text", "data", "audio", "voice"]

MAX_TEXT_CHARS = 8_000
"""Longest text of one result that a model receives."""

MAX_SOUND_S, HIGHEST_RATE_HZ = 600.0, 48_000
"""Longest sound file of one result, and the rate to which one of a higher rate is resampled. An Audio has no limit."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The result of a call. A tool may also return a plain value, which `ToolResult.of` converts.

    text: the result in words; models read `shown`
    passages: retrieved text with its sources, for citations
    voice: the voice to speak in from now on; "default" is the session's own
    audio: sound for the caller, passed on in the event
    untrusted: the text comes from outside, such as a service or a program: models read it as a quotation

    Raises ToolError for a field of another type.
    """

    text: str
    passages: tuple[Passage, ...] = ()
    voice: Voice | Literal["default"] | None = None
    audio: Audio | None = None
    untrusted: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise ToolError(f"the text of a ToolResult is {type(self.text).__name__}; give a str")
        # Lone surrogates, which JSON may contain, can be neither printed nor sent.
        if not self.text.isascii():
            object.__setattr__(self, "text", self.text.encode("utf-8", "replace").decode())
        if not (self.audio is None or isinstance(self.audio, Audio)):
            raise ToolError(f"the audio of a ToolResult is {type(self.audio).__name__}; give an Audio")
        if not all(isinstance(passage, Passage) for passage in self.passages):
            raise ToolError("the passages of a ToolResult contain something else; give Passage objects")
        if not (self.voice is None or self.voice == "default" or isinstance(self.voice, Voice)):
            raise ToolError(f"the voice of a ToolResult is {type(self.voice).__name__}; give a Voice or 'default'")

    @classmethod
    def of(cls, value: Any, *, returns: Returns | None = None, context: RunContext | None = None) -> ToolResult:
        """Convert the value that a function returned: str, bytes, None, Voice, Audio, passages or
        citations, ToolResult, or anything with a JSON form.

        returns: how to read the value: as "text", as "data" (written as JSON), as "audio" (a sound file) or
            as "voice" (the id or name of one); None decides by its type
        context: of the call; its voice library resolves ids and names

        Raises ToolError for a value that cannot be converted, VoiceNotFound for an unknown voice,
        ConsentError for a voice that may not be used, AudioError for a broken sound file.
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
            return cls.of(value) if value is None or isinstance(value, bytes | bytearray | str) else cls(str(value))
        if returns == "audio":
            return cls.of(
                Audio.load(
                    value,
                    max_duration_s=MAX_SOUND_S,
                    setting="tools.result.MAX_SOUND_S",
                    highest_rate=HIGHEST_RATE_HZ,
                )
            )
        if isinstance(value, str) and context is not None:
            value = context.need_voices().library.get(value)
        if not isinstance(value, Voice):
            raise ToolError(f"the tool returned {type(value).__name__}, not a voice or the id of one")
        return cls.of(value.require("synthesis"))

    @property
    def shown(self) -> str:
        """The text as models read it."""
        return quotation(self.text) if self.untrusted and self.text.strip() else self.text

    def shortened(self) -> ToolResult:
        """This result with at most MAX_TEXT_CHARS of text; a note says how much is missing."""
        dropped = len(self.text) - MAX_TEXT_CHARS
        if dropped <= 0:
            return self
        return replace(self, text=f"{self.text[:MAX_TEXT_CHARS]}\n[shortened: {dropped} more characters]")


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise ToolError(
            f"the tool returned {len(content)} bytes that are not UTF-8 text; return Audio, or add returns='audio'"
        ) from None


def _passages(value: Any) -> tuple[Passage, ...]:
    """The passages in a passage, a citation, or a list of them; none for any other value."""
    items = value if isinstance(value, list | tuple) else [value]
    if not all(isinstance(item, Passage | Citation) for item in items):
        return ()
    return tuple(
        item if isinstance(item, Passage) else Passage(item.quote, item.title, item.source, item.position)
        for item in items
    )


def _json(value: Any) -> str:
    if isinstance(value, Iterator | AsyncIterator):
        # It may be infinite.
        raise ToolError(f"the tool returned a {type(value).__name__}; collect its items in a list and return that")
    try:
        return json.dumps(to_jsonable_python(value), ensure_ascii=False)
    except (ValueError, TypeError, RecursionError, PydanticSerializationError) as error:
        raise ToolError(f"the tool returned {type(value).__name__}, which has no JSON form: {error}") from None
