"""`Outgoing`: the events on their way to one client, in order and bounded."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agentaudio.server.realtime.formats import SoundFormat
from agentaudio.server.realtime.items import Item, new_id
from agentaudio.server.realtime.pace import Pace

SOUND_EVENTS = 24
"""Unsent deltas of sound at which a response waits for the client: some seconds."""
MOST_BYTES = 4_000_000
"""Unsent events at which nothing more is taken from a client that does not read."""

_BETA = {
    "response.output_audio.delta": "response.audio.delta",
    "response.output_audio.done": "response.audio.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
    "response.output_text.delta": "response.text.delta",
    "response.output_text.done": "response.text.done",
    "conversation.item.added": "conversation.item.created",
}
"""Names of 2024."""
_BETA_LACKS = frozenset(("conversation.item.done",))
_BETA_PARTS = {"output_audio": "audio", "output_text": "text"}


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event as JSON. Whoever has sent it calls `was_sent`."""

    text: str
    sound_of: str | None
    sent: Callable[[], None] | None

    def was_sent(self) -> None:
        if self.sent is not None:
            self.sent()


class Outgoing:
    """A queue of events for one event loop and one reader.

    beta: the client knows the names of 2024
    pace: of the sound; None sends it as fast as it is taken
    form: of all sound; None lets the client choose
    reason: why it was closed, for the client; empty where that is plain
    """

    form: SoundFormat | None = None
    reason = ""

    def __init__(self, *, beta: bool = False, pace: Pace | None = None) -> None:
        self.beta, self._pace = beta, pace
        self._waiting: deque[Waiting] = deque()
        self._sounds = self._bytes = 0
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._closed = False

    async def patience(self) -> None:
        """Wait while more is unsent than a client that reads would leave: nothing more is read from it meanwhile."""
        while self._bytes > MOST_BYTES and not self._closed:
            await self.woken()

    def post(
        self,
        event: dict[str, Any],
        *,
        sound_of: str | None = None,
        seconds: float = 0.0,
        sent: Callable[[], None] | None = None,
    ) -> None:
        """Append an event at once.

        sound_of: the response whose sound it is, which may be withdrawn; seconds: of it
        sent: called when it was sent
        """
        if self._closed:
            return
        event = {"type": event["type"], "event_id": new_id("event")} | event
        if self.beta:
            if event["type"] in _BETA_LACKS:
                return
            event = _as_beta(event)
            event["type"] = _BETA.get(event["type"], event["type"])
        text = _sendable(json.dumps(event, ensure_ascii=False, separators=(",", ":")))
        self._waiting.append(Waiting(text, sound_of, sent))
        self._bytes += len(text)
        self._sounds += sound_of is not None
        if self._pace is not None:
            self._pace.add(seconds)
        self._changed.set()

    def announce(self, item: Item, previous_id: str | None) -> None:
        """Tell of an item that is complete. previous_id: of the item before it"""
        wire = item.to_wire()
        for kind in ("conversation.item.added", "conversation.item.done"):
            self.post({"type": kind, "previous_item_id": previous_id, "item": wire})

    async def room(self, unless: Callable[[], bool] = lambda: False) -> None:
        """Wait until there is room for more of an answer, and its pace lets it be sent.

        unless: whether it is not wanted any more; asked again after `wake`
        """
        while not self._closed and not unless():
            if self._sounds >= SOUND_EVENTS or self._bytes > MOST_BYTES:
                await self.woken()
            elif self._pace is not None and (wait_s := self._pace.wait_s()):
                timer = asyncio.get_running_loop().call_later(wait_s, self.wake)
                try:
                    await self.woken()
                finally:
                    timer.cancel()
            else:
                return

    def begin_answer(self) -> None:
        """Let the first sound of an answer go out at once, whatever was sent before."""
        if self._pace is not None:
            self._pace.restart()

    def hurry(self) -> None:
        """From now on, send sound as fast as it is taken."""
        self._pace = None
        self.wake()

    async def woken(self) -> None:
        """Wait until something was sent, or until `wake`."""
        self._room.clear()
        await self._room.wait()

    def wake(self) -> None:
        """Let whoever waits for room ask again whether the answer is wanted."""
        self._room.set()

    def withdraw_sound(self, response_id: str) -> None:
        """Remove the unsent sound of a response, which nobody wants to hear any more."""
        kept = [one for one in self._waiting if one.sound_of != response_id]
        self._sounds -= len(self._waiting) - len(kept)
        self._waiting = deque(kept)
        self._bytes = sum(len(one.text) for one in kept)
        self._room.set()

    @property
    def is_closed(self) -> bool:
        return self._closed

    def close(self, reason: str = "") -> None:
        """No more events; those that wait can still be read. The first reason counts."""
        if not self._closed:
            self.reason = reason
        self._closed = True
        self._changed.set()
        self._room.set()

    async def get(self) -> Waiting | None:
        """Wait for the next event; None after the last one."""
        while not self._waiting:
            if self._closed:
                return None
            self._changed.clear()
            await self._changed.wait()
        one = self._waiting.popleft()
        self._bytes -= len(one.text)
        self._sounds -= one.sound_of is not None
        self._room.set()
        return one


def _sendable(text: str) -> str:
    """The text with "?" for half a surrogate pair, which a model or a tool may give, and no frame can hold."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode("utf-8")
    return text


def _as_beta(value: Any) -> Any:
    if isinstance(value, dict):
        found = {name: _as_beta(one) for name, one in value.items()}
        if found.get("type") in _BETA_PARTS:
            found["type"] = _BETA_PARTS[found["type"]]
        return found
    return [_as_beta(one) for one in value] if isinstance(value, list) else value
