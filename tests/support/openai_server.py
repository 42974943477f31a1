"""A Chat Completions server for tests, which answers from a script, byte by byte."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from agentaudio.model.speech_lm import SpeechLM

DONE = b"data: [DONE]\n\n"


def event(chunk: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def delta(finish: str | None = None, **fields: Any) -> bytes:
    """A chunk of a stream."""
    choice = {"index": 0, "delta": fields, "finish_reason": finish}
    return event({"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]})


def text_answer(*words: str, usage: Mapping[str, Any] | None = None, finish: str = "stop") -> list[bytes]:
    chunks = [delta(role="assistant", content=""), *(delta(content=word) for word in words), delta(finish)]
    if usage is not None:
        chunks.append(event({"id": "1", "choices": [], "usage": usage}))
    return [*chunks, DONE]


def call_answer(name: str, arguments: str, call_id: str = "call_1") -> list[bytes]:
    head = {"index": 0, "id": call_id, "type": "function", "function": {"name": name, "arguments": ""}}
    pieces = [arguments[at : at + 4] for at in range(0, len(arguments), 4)]
    rest = [{"index": 0, "function": {"arguments": piece}} for piece in pieces]
    return [*(delta(tool_calls=[call]) for call in (head, *rest)), delta("tool_calls"), DONE]


def spoken_answer(*pieces: tuple[str, bytes]) -> list[bytes]:
    """Words with pcm16 sound, as gpt-audio streams them."""
    chunks = [delta(role="assistant", content=None, audio={"id": "audio_1"})]
    for words, pcm in pieces:
        chunks.append(delta(audio={"transcript": words}))
        chunks.append(delta(audio={"data": base64.b64encode(pcm).decode()}))
    return [*chunks, delta(audio={"expires_at": 2}), delta("stop"), DONE]


def whole_answer(message: Mapping[str, Any], finish: str = "stop") -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    whole = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    return json.dumps(whole).encode()


@dataclass
class Reply:
    """What the server does with one request.

    pieces: of the body; each is sent at once, after `pause_s`
    cut: close the connection after the pieces, in the middle of the body
    stall: send nothing more after the pieces, and keep the connection open
    """

    pieces: Iterable[bytes] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "text/event-stream"})
    pause_s: float = 0.0
    cut: bool = False
    stall: bool = False


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class ChatServer:
    """Answers each request with the next Reply, and the last one for ever.

    script: makes the replies instead
    clients: models to close before it
    open, answering: connections, and requests whose answer is not complete
    """

    def __init__(self, *replies: Reply | list[bytes]) -> None:
        self.replies = [reply if isinstance(reply, Reply) else Reply(reply) for reply in replies]
        self.requests: list[Request] = []
        self.open = self.answering = 0
        self.script: Callable[[Request], Reply] | None = None
        self.clients: list[SpeechLM] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while await self._one(reader, writer):
                    pass
        finally:
            self.open -= 1
            self.tasks.discard(task)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ")
        headers = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in head[1:] if line}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.requests.append(Request(method, path, headers, body))
        if self.script is not None:
            reply = self.script(self.requests[-1])
        else:
            reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        self.answering += 1
        try:
            return await self._send(reply, reader, writer)
        finally:
            self.answering -= 1

    async def _send(self, reply: Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        lines = [f"HTTP/1.1 {reply.status} X", "transfer-encoding: chunked"]
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        for piece in reply.pieces:
            if reply.pause_s:
                await asyncio.sleep(reply.pause_s)
            if piece:
                writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                await writer.drain()
        if reply.stall:
            await reader.read()  # until the client closes
            return False
        if reply.cut:
            return False
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True


@contextlib.asynccontextmanager
async def chat_server(*replies: Reply | list[bytes]) -> AsyncGenerator[ChatServer, None]:
    """A running server on 127.0.0.1."""
    server = ChatServer(*replies)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        for client in server.clients:
            await client.aclose()
        listening.close()
        for task in server.tasks:
            task.cancel()
        await asyncio.gather(*server.tasks, return_exceptions=True)
