"""`Desk`: what the calls of one client work with, and the bounds that they keep to."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from agentaudio.errors import AudioError, ToolError
from agentaudio.setup import Setup
from agentaudio.sound.audio import Audio

HIGHEST_HZ = 48_000


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """The most that calls may take. Sizes are in bytes, times in seconds.

    text_chars: of one text to speak
    sound_bytes, sound_s: of one sound that a client sends
    answer_bytes: of all sounds in one answer, as files; many clients refuse a message of more than 1 MiB, and base64
        makes a third more of them
    call_s: from the start of a call to its answer
    at_once, waiting: calls that run at the same time, and that wait for one of them to end
    """

    text_chars: int = 2_000
    sound_bytes: int = 32_000_000
    sound_s: float = 1_800.0
    answer_bytes: int = 720_000
    call_s: float = 600.0
    at_once: int = 4
    waiting: int = 32


Report = Callable[[float, float | None, str | None], Awaitable[None]]
"""Tells a client the progress of its call, its total if known, and what is done."""


class AudioContent(BaseModel):
    """A sound as MCP has it; other fields of such content are ignored."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["audio"] = "audio"
    data: str = Field(description="The sound file in base64.")


async def _unreported(progress: float, total: float | None, message: str | None) -> None:
    return


@dataclass(frozen=True)
class Desk:
    """What the calls of one client work with.

    setup: model, voices and default voice, as the client sees them
    names: further names of voices, as for `Speaker`
    took, made: count seconds of sound that came in and went out; `took` raises when the client may send no more
    report: tells the client how far a call is
    """

    setup: Setup
    bounds: Bounds
    names: Mapping[str, str] = field(default_factory=dict)
    took: Callable[[float], None] = lambda seconds: None
    made: Callable[[float], None] = lambda seconds: None
    report: Report = _unreported

    async def sound(self, given: str | AudioContent, param: str) -> Audio:
        """A sound that the client sent: base64, a data URL, or audio content.

        Raises ToolError for what is not base64, and AudioError for what is not sound, or too much of it.
        """
        data = given if isinstance(given, str) else given.data
        content = await asyncio.to_thread(_decoded, data, param, self.bounds.sound_bytes)
        try:
            audio = await Audio.aload(
                content, max_duration_s=self.bounds.sound_s, setting="Bounds.sound_s", highest_rate=HIGHEST_HZ
            )
        except AudioError as error:
            raise AudioError(f"{param}: {error}") from None
        self.took(audio.duration)
        return audio


def _decoded(data: str, param: str, most: int) -> bytes:
    if len(data) * 3 // 4 > most:
        raise ToolError(f"{param} has more than {most} bytes; send a shorter sound, or a compressed one such as MP3")
    if data.startswith("data:"):
        head, comma, data = data.partition(",")
        if not comma or not head.endswith(";base64"):
            raise ToolError(f"{param} is not a data: URL in base64")
    try:
        content = base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ToolError(f"{param} is not base64; send the bytes of a sound file in base64") from None
    if not content:
        raise ToolError(f"{param} is empty; send the bytes of a sound file in base64")
    return content


class Queue:
    """Lets a number of calls run at the same time; the others wait in turn."""

    def __init__(self, bounds: Bounds) -> None:
        self._most = bounds.waiting
        self._places = asyncio.Semaphore(bounds.at_once)
        self._waiting = 0

    @asynccontextmanager
    async def place(self) -> AsyncGenerator[None, None]:
        """Wait for a place. Raises ToolError when too many wait already."""
        if self._waiting >= self._most:
            raise ToolError(f"{self._waiting} calls are waiting already; call again when some have been answered")
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._places.release()
