"""A Realtime server for tests: it checks each client event by the SDK's types, and answers from a script."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

Event = dict[str, Any]


def spoken(words: str, pcm: bytes, *, beta: bool = False) -> list[Event]:
    """The events of a spoken answer, in the order of the present servers or with the names of 2024."""
    sound, text = ("audio", "audio_transcript") if beta else ("output_audio", "output_audio_transcript")
    half = len(words) // 2
    return [
        {"type": "response.created", "response": {"id": "r1", "status": "in_progress"}},
        {"type": "response.output_item.added", "item": {"id": "i1", "type": "message", "role": "assistant"}},
        {"type": f"response.{text}.delta", "delta": words[:half]},
        {"type": f"response.{sound}.delta", "delta": base64.b64encode(pcm[:1001]).decode()},
        {"type": f"response.{text}.delta", "delta": words[half:]},
        {"type": f"response.{sound}.delta", "delta": base64.b64encode(pcm[1001:]).decode()},
        {"type": f"response.{text}.done", "transcript": words},
        {"type": "response.output_item.done", "item": {"id": "i1", "type": "message", "role": "assistant"}},
        done(),
    ]


def called(name: str, arguments: str, call_id: str = "call_1") -> list[Event]:
    item = {"id": "i1", "type": "function_call", "call_id": call_id, "name": name}
    whole = item | {"arguments": arguments, "status": "completed"}
    return [
        {"type": "response.created", "response": {"id": "r1"}},
        {"type": "response.output_item.added", "item": item | {"arguments": "", "status": "in_progress"}},
        {"type": "response.function_call_arguments.delta", "call_id": call_id, "delta": arguments},
        {"type": "response.function_call_arguments.done", "call_id": call_id, "arguments": arguments},
        {"type": "response.output_item.done", "item": whole},
        done(output=[whole]),
    ]


def done(status: str = "completed", details: Any = None, output: Sequence[Event] = ()) -> Event:
    usage = {"input_tokens": 7, "output_tokens": 3, "input_token_details": {"audio_tokens": 5, "cached_tokens": 1}}
    response = {"id": "r1", "status": status, "status_details": details, "output": list(output), "usage": usage}
    return {"type": "response.done", "response": response}


@dataclass
class RealtimeServer:
    """answers: the events after each `response.create`; the last is repeated. A str is sent as it is, None closes.

    transcript: of committed sound, sent after the answer; None for none
    """

    answers: list[Sequence[Event | str | None]] = field(default_factory=list)
    transcript: str | None = None
    sessions: list[list[Event]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    open: int = 0
    port: int = 0
    check: Any = None

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v1/realtime"

    async def handle(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        events: list[Event] = []
        self.sessions.append(events)
        self.paths.append(socket.request.path)
        self.headers.append({name.lower(): value for name, value in socket.request.headers.raw_items()})
        self.open += 1
        try:
            await socket.send(json.dumps({"type": "session.created", "session": {"type": "realtime"}}))
            async for message in socket:
                event = json.loads(message)
                if self.check is not None:
                    self.check(event)
                events.append(event)
                if event["type"] == "response.create":
                    await self._answer(socket)
        except ConnectionClosed:
            pass
        finally:
            self.open -= 1

    async def _answer(self, socket: ServerConnection) -> None:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        for item in answer:
            if item is None:
                await socket.close(1011, "out of memory")
                return
            await socket.send(item if isinstance(item, str) else json.dumps(item))
            await asyncio.sleep(0)
        if self.transcript is not None:
            kind = "conversation.item.input_audio_transcription.completed"
            await socket.send(json.dumps({"type": kind, "item_id": "u1", "transcript": self.transcript}))


@contextlib.asynccontextmanager
async def realtime_server(*answers: Sequence[Event | str | None]) -> AsyncGenerator[RealtimeServer, None]:
    """A running server on 127.0.0.1."""
    server = RealtimeServer(list(answers))
    async with serve(server.handle, "127.0.0.1", 0) as listening:
        server.port = next(iter(listening.sockets)).getsockname()[1]
        yield server
