"""A WebSocket client that costs little: many of them share a machine with the server that they measure.

Messages are made before they are sent, masked with zeros, which the protocol allows. Nothing is decoded that nobody
asks for.
"""

from __future__ import annotations

import asyncio
import base64
import os
import struct
import time
from collections.abc import Callable, Coroutine
from typing import Any

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

Take = Callable[[float, int, bytes], None]
"""Gets each message with the time of its arrival (time.perf_counter) and its kind."""


def message(content: str | bytes) -> bytes:
    """A message as it goes over the wire."""
    kind = TEXT if isinstance(content, str) else BINARY
    return _frame(kind, content.encode() if isinstance(content, str) else content)


def _frame(kind: int, content: bytes) -> bytes:
    size = len(content)
    if size < 126:
        head = struct.pack("!BB", 0x80 | kind, 0x80 | size)
    elif size < 65_536:
        head = struct.pack("!BBH", 0x80 | kind, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | kind, 0x80 | 127, size)
    return head + bytes(4) + content


class Socket(asyncio.Protocol):
    """take: gets the messages, in order; whole messages only, as the servers here send them"""

    def __init__(self, take: Take) -> None:
        self._take = take
        self._came = bytearray()
        self._is_open = False
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.is_closed = False
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_closed = True
        if not self.opened.done():
            self.opened.set_exception(ConnectionError("the server has closed the connection"))

    def data_received(self, data: bytes) -> None:
        at_s, came = time.perf_counter(), self._came
        came += data
        if not self._is_open:
            head, ending, rest = bytes(came).partition(b"\r\n\r\n")
            if not ending:
                return
            if b" 101 " not in head.split(b"\r\n")[0]:
                self.opened.set_exception(ConnectionError(head.decode("latin-1")[:300]))
                return
            self._is_open = True
            self._came = came = bytearray(rest)
            self.opened.set_result(None)
        start, end = 0, len(came)
        while end - start >= 2:
            size, at = came[start + 1] & 0x7F, start + 2
            if size == 126:
                if end - at < 2:
                    break
                size, at = int.from_bytes(came[at : at + 2], "big"), at + 2
            elif size == 127:
                if end - at < 8:
                    break
                size, at = int.from_bytes(came[at : at + 8], "big"), at + 8
            if end - at < size:
                break
            kind, content = came[start] & 0xF, bytes(came[at : at + size])
            start = at + size
            if kind == PING:
                self.send(_frame(PONG, content))
            elif kind != CLOSE:
                self._take(at_s, kind, content)
        del came[:start]

    def send(self, frame: bytes) -> None:
        """Send what `message` has made."""
        self._transport.write(frame)

    def close(self) -> None:
        self._transport.close()


async def connect(port: int, path: str, take: Take, *, key: str = "") -> Socket:
    """A connection to a server on this machine. key: its Bearer token. Raises ConnectionError."""
    loop = asyncio.get_running_loop()
    _, socket = await loop.create_connection(lambda: Socket(take), "127.0.0.1", port)
    nonce = base64.b64encode(os.urandom(16)).decode()
    lines = [
        f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket", "Connection: Upgrade",
        f"Sec-WebSocket-Key: {nonce}", "Sec-WebSocket-Version: 13", *([f"Authorization: Bearer {key}"] if key else []),
    ]  # fmt: skip
    socket._transport.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    async with asyncio.timeout(30):
        await socket.opened
    return socket


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """In uvloop's event loop, where it is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)
