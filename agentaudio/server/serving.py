"""`Server`: the application on a socket, which ends answers that have begun before it stops."""

from __future__ import annotations

import asyncio
import signal
import socket
from types import FrameType

import uvicorn
from fastapi import FastAPI

from agentaudio.server.state import ServerState


class Server(uvicorn.Server):
    """A uvicorn server that drains: on SIGTERM or SIGINT it takes no new connection, and waits for answers to end.

    host, port: where it listens; port 0 chooses a free one
    certificate, private_key: files for TLS; None for plain HTTP
    """

    def __init__(
        self, app: FastAPI, *, host: str, port: int, certificate: str | None = None, private_key: str | None = None
    ) -> None:
        self._state: ServerState = app.state.server
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
            ws_max_size=settings.event_bytes,
            ws_per_message_deflate=False,  # sound does not shrink, and each connection would pay for trying
            timeout_graceful_shutdown=max(1, round(settings.drain_s)),
        )
        super().__init__(config)
        self.listening = asyncio.Event()

    @property
    def port(self) -> int:
        """Where it listens, once `listening` is set."""
        return int(self.servers[0].sockets[0].getsockname()[1])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

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
