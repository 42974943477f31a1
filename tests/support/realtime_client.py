"""A client of Realtime servers for tests: raw events over a WebSocket, and sound in real time or faster."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from functools import cache
from typing import Any

from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter, ValidationError
from websockets.asyncio.client import ClientConnection, connect

from agentaudio import Audio
from agentaudio.demo.run import questions_folder
from support.server import KEY

Event = dict[str, Any]
RATE = 24_000
LARGEST_FRAME = 1 << 20
"""Bytes; a client with the usual settings of `websockets` closes the connection at a larger one."""


@cache
def question(name: str = "time-in-tokyo", rate: int = RATE) -> Audio:
    return Audio.load(questions_folder() / f"{name}.flac").resample(rate)


def pcm(audio: Audio) -> str:
    return base64.b64encode(audio.to_pcm16()).decode()


@cache
def _types() -> TypeAdapter[RealtimeServerEvent]:
    return TypeAdapter(RealtimeServerEvent)


class Client:
    """One connection.

    events: all that came, in order
    wrong: events that are not as the types of the openai SDK have them
    """

    def __init__(self, socket: ClientConnection, *, beta: bool = False) -> None:
        self.socket, self._beta = socket, beta
        self.events: list[Event] = []
        self.wrong: list[str] = []
        self._read = 0
        self._came = asyncio.Event()
        self._reading = asyncio.create_task(self._keep())

    async def _keep(self) -> None:
        async for text in self.socket:
            event = json.loads(text)
            self.events.append(event)
            self._came.set()
            if not self._beta and event["type"] != "agentaudio.event":
                try:
                    _types().validate_python(event)
                except ValidationError as error:
                    self.wrong.append(f"{event}: {error}")
        self._came.set()

    async def send(self, kind: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def update(self, **session: Any) -> Event:
        """Change the session; returns the whole one."""
        await self.send("session.update", session={"type": "realtime", **session})
        session_updated: Event = (await self.until("session.updated"))["session"]
        return session_updated

    async def until(
        self, kind: str, where: Callable[[Event], bool] = lambda event: True, *, at_most: float = 10.0
    ) -> Event:
        """The next event of a type, after those that were looked at."""
        try:
            async with asyncio.timeout(at_most):
                while True:
                    while self._read < len(self.events):
                        event = self.events[self._read]
                        self._read += 1
                        if event["type"] == kind and where(event):
                            return event
                    assert not self._reading.done(), f"closed without {kind}: {self.types()}"
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            raise AssertionError(f"no {kind} within {at_most} s: {self.types()}") from None

    def stop(self) -> None:
        """Read no more."""
        self._reading.cancel()

    def forget(self) -> None:
        """Keep no event that has come."""
        self.events.clear()
        self._read = 0

    def types(self, *, deltas: bool = False) -> list[str]:
        return [event["type"] for event in self.events if deltas or not event["type"].endswith(".delta")]

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.events if event["type"] == kind]

    async def say(self, audio: Audio, *, speed: float = 1.0, frame_ms: float = 20.0) -> None:
        """Send sound, in frames, some times faster than it was said."""
        clock = asyncio.get_running_loop()
        begun, sent_s = clock.time(), 0.0
        for frame in audio.chunks(frame_ms):
            await self.send("input_audio_buffer.append", audio=pcm(frame))
            sent_s += frame.duration
            await asyncio.sleep(max(0.0, begun + sent_s / speed - clock.time()))

    async def ask(self, name: str = "time-in-tokyo", *, speed: float = 8.0) -> None:
        """Say a question, and be silent afterwards."""
        await self.say(question(name) + Audio.silence(1.0, RATE), speed=speed)

    async def write(self, text: str, **fields: Any) -> str:
        """Add a written message of the user; returns its id."""
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}], **fields}
        await self.send("conversation.item.create", item=item)
        added = await self.until("conversation.item.added")
        return str(added["item"]["id"])

    async def responded(self, **response: Any) -> Event:
        """Ask for a response, and wait for its end."""
        await self.send("response.create", response=response)
        return await self.done()

    async def done(self) -> Event:
        response: Event = (await self.until("response.done"))["response"]
        return response

    async def result(self, call: Mapping[str, Any], output: str) -> None:
        item = {"type": "function_call_output", "call_id": call["call_id"], "output": output}
        await self.send("conversation.item.create", item=item)

    def sound(self, response_id: str | None = None) -> bytes:
        """All sound that came."""
        deltas = self.of("response.output_audio.delta")
        wanted = [one for one in deltas if response_id is None or one["response_id"] == response_id]
        return b"".join(base64.b64decode(one["delta"]) for one in wanted)


@contextlib.asynccontextmanager
async def realtime_client(
    port: int,
    *,
    key: str | None = KEY,
    path: str = "/v1/realtime?model=m",
    headers: Mapping[str, str] | None = None,
    subprotocols: list[str] | None = None,
) -> AsyncGenerator[Client, None]:
    given = {} if key is None else {"Authorization": f"Bearer {key}"}
    async with connect(
        f"ws://127.0.0.1:{port}{path}", additional_headers={**given, **(headers or {})}, max_size=LARGEST_FRAME,
        subprotocols=subprotocols, compression=None,  # type: ignore[arg-type]
    ) as socket:  # fmt: skip
        client = Client(socket, beta="OpenAI-Beta" in (headers or {}))
        await client.until("session.created")
        try:
            yield client
        finally:
            client.stop()
        assert not client.wrong, "\n".join(client.wrong[:3])
