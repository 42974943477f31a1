"""`Server`: the application on a socket, which ends answers that have begun before it stops."""

from __future__ import annotations

import asyncio
import signal
import socket
import struct
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING, Any, cast

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.websockets.auto import AutoWebSocketsProtocol

from agentaudio.server.errors import ApiError
from agentaudio.server.serving_state import Serving

if TYPE_CHECKING:
    WebSocketProtocol = asyncio.Protocol
else:
    WebSocketProtocol = AutoWebSocketsProtocol

UNSENT_BYTES = 16_384
"""Bytes that this process and the system each hold at most for a client that has no room for them: a quarter of a
second of sound. What waits before them can still be withdrawn when the user interrupts."""


MOST_UNREAD_BYTES = 2_000_000
"""Bytes that wait for a client of a WebSocket, at which it is cut off. Events wait elsewhere, at most one of 1 MiB is
here; so these are answers to pings, of which a client may send any number without reading."""


class Unread:
    """Cuts off connections whose client has taken nothing of what waits for it: to close them would wait for it, too.

    longest_s: how long a client may take nothing
    """

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._waiting: dict[object, tuple[int, float]] = {}  # bytes that wait, and since when none of them was taken

    def look(self, transports: Iterable[asyncio.Transport], now_s: float) -> None:
        """Call it from time to time, with all open connections."""
        waiting: dict[object, tuple[int, float]] = {}
        for transport in transports:
            unsent = transport.get_write_buffer_size()
            before, since_s = self._waiting.get(transport, (0, now_s))
            if unsent < before:
                since_s = now_s
            if unsent and now_s - since_s > self._longest_s:
                _reset(transport)
            elif unsent:
                waiting[transport] = unsent, since_s
        self._waiting = waiting


class Unasked:
    """Cuts off connections on which no whole request comes: each takes one of the files that a process may open.

    longest_s: how long a connection may be open without a request
    """

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._since: dict[object, float] = {}

    def look(self, connections: Iterable[object], now_s: float) -> None:
        """Call it from time to time, with all open connections, as uvicorn's protocols."""
        since: dict[object, float] = {}
        for one in connections:
            if not _is_asked(one):
                since[one] = since_s = self._since.get(one, now_s)
                if now_s - since_s > self._longest_s and (transport := getattr(one, "transport", None)) is not None:
                    transport.abort()
        self._since = since


def _is_asked(connection: object) -> bool:
    """Whether a request is being answered on a connection: the head of an HTTP request has come, or of a WebSocket."""
    if isinstance(connection, PromptSocket):
        return True
    cycle = getattr(connection, "cycle", None)
    return cycle is not None and not cycle.response_complete


def _reset(transport: asyncio.Transport) -> None:
    """End a connection, and drop what the system still holds for it, which could be megabytes for a long time."""
    if (found := transport.get_extra_info("socket")) is not None:
        with suppress(OSError):
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


HEAD_TOO_LARGE = ApiError(
    431, "the address or a header of this WebSocket has more than 8 kB, or there are more than 128 headers",
    code="headers_too_large", headers={"connection": "close"},
)  # fmt: skip


class PromptSocket(WebSocketProtocol):
    """A WebSocket that holds little back of what its client has no room for, and answers every handshake."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._socket = cast(asyncio.WriteTransport, transport)
        self._socket.set_write_buffer_limits(UNSENT_BYTES)
        if hasattr(socket, "TCP_NOTSENT_LOWAT") and (found := transport.get_extra_info("socket")) is not None:
            with suppress(OSError):
                found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # The library of WebSockets takes smaller heads than that of HTTP; uvicorn does not see that it has given up.
        failed = getattr(getattr(self, "conn", None), "handshake_exc", None) is not None
        if failed and not getattr(self, "handshake_initiated", True):
            self._socket.write(HEAD_TOO_LARGE.raw())
            self._socket.close()
        elif self._socket.get_write_buffer_size() > MOST_UNREAD_BYTES:
            _reset(cast(asyncio.Transport, self._socket))

    async def send(self, message: Mapping[str, Any]) -> None:
        await super().send(message)  # type: ignore[misc]
        if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
            self.handshake_complete = True  # uvicorn would log a refusal as a failure of the application


class Server(uvicorn.Server):
    """A uvicorn server that drains: on SIGTERM or SIGINT it takes no new connection, and waits for answers to end.

    host, port: where it listens; port 0 chooses a free one
    certificate, private_key: files for TLS; None for plain HTTP
    """

    def __init__(
        self, app: FastAPI, *, host: str, port: int, certificate: str | None = None, private_key: str | None = None
    ) -> None:
        self._state: Serving = app.state.server
        settings = self._state.settings
        config = uvicorn.Config(
            app,
            host=host,
            port=port,
            ssl_certfile=certificate,
            ssl_keyfile=private_key,
            log_config=None,
            access_log=False,
            server_header=False,
            ws=PromptSocket,
            ws_max_size=settings.event_bytes,
            ws_per_message_deflate=False,  # sound does not shrink, and each connection would pay for trying
            timeout_graceful_shutdown=max(1, round(settings.drain_s)),
        )
        super().__init__(config)
        self.listening = asyncio.Event()
        self._unread = Unread(settings.stalled_s)
        self._unasked = Unasked(settings.stalled_s)

    @property
    def port(self) -> int:
        """Where it listens, once `listening` is set."""
        return int(self.servers[0].sockets[0].getsockname()[1])

    @property
    def is_loaded(self) -> bool:
        """Whether what it serves was loaded, or cannot be."""
        return self._state.ready or self._state.failed

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    async def on_tick(self, counter: int) -> bool:
        """Every 0.1 s."""
        self._look_at_connections()
        return await super().on_tick(counter)

    def _look_at_connections(self) -> None:
        # Each is an asyncio protocol of uvicorn, which keeps its transport under this name.
        open_ones = [getattr(one, "transport", None) for one in self.server_state.connections]
        self._unread.look([one for one in open_ones if one is not None], time.monotonic())
        self._unasked.look(list(self.server_state.connections), time.monotonic())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        self._state.drain.begin()
        await self._state.drain.finished(self._state.settings.drain_s)
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; a second SIGINT does not wait for answers."""
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True
