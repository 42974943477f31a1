"""`McpEndpoint`: the tools over streamable HTTP, as a route of the server's application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from agentaudio.errors import ConsentError, ToolError, VoiceNotFound
from agentaudio.server.auth import Caller
from agentaudio.server.errors import as_api_error
from agentaudio.server.mcp.desk import Bounds, Desk
from agentaudio.server.mcp.protocol import Context, audio_server
from agentaudio.server.state import ServerState

PATH = "/mcp"
IDLE_S = 600.0
"""Time after which a session without requests ends. Only clients of protocols before 2026-07-28 have sessions."""


def bounds_of(state: ServerState) -> Bounds:
    """The bounds of the tools on a server, which are not wider than those of its other routes."""
    settings, usual = state.settings, Bounds()
    return Bounds(
        text_chars=min(usual.text_chars, settings.text_chars),
        sound_bytes=settings.body_bytes,
        sound_s=settings.sound_s,
        call_s=min(usual.call_s, settings.answer_s),
        at_once=settings.total_sessions,  # each key has its own limit, which refuses instead of waiting
    )


class McpEndpoint:
    """Serves MCP behind the Gate, which has found out who calls. Each caller sees its own voices, and uses its own
    limits; a session belongs to the key that began it."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._sessions = StreamableHTTPSessionManager(
            audio_server(self._desk, bounds_of(state), _in_public),
            security_settings=None,  # the Gate checks host and origin
            max_request_body_size=state.settings.body_bytes,
            max_sessions=state.settings.total_sessions,
            session_idle_timeout=IDLE_S,
        )
        self.route = Route(PATH, endpoint=self)

    def running(self) -> AbstractAsyncContextManager[None]:
        """Serves requests inside the block; can be entered once."""
        return self._sessions.run()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller: Caller = scope["state"]["caller"]
        scope["route"] = self.route  # for the log
        scope["user"] = AuthenticatedUser(AccessToken(token="", client_id=caller.id, scopes=[]))
        handling = asyncio.ensure_future(self._sessions.handle_request(scope, receive, send))
        ends = [handling]
        if scope["method"] == "GET":  # a stream of notifications would keep the server from stopping
            ends.append(asyncio.ensure_future(self._state.drain.wait_begun()))
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in ends:
                one.cancel()
            with suppress(asyncio.CancelledError):
                await handling
        if handling.cancelled():
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    @asynccontextmanager
    async def _desk(self, context: Context) -> AsyncGenerator[Desk, None]:
        state = self._state
        assert context.request is not None  # every message comes in a request
        caller: Caller = context.request.scope["state"]["caller"]
        with state.answer(caller):
            state.limits.take_sound(caller, 0.0)
            yield Desk(
                await state.setup(caller), bounds_of(state), state.settings.voice_names,
                took=lambda seconds: self._took(caller, seconds), made=lambda seconds: self._made(caller, seconds),
            )  # fmt: skip

    def _took(self, caller: Caller, seconds: float) -> None:
        self._state.limits.take_sound(caller, seconds)
        self._state.metrics.sound_s.labels("in").inc(seconds)

    def _made(self, caller: Caller, seconds: float) -> None:
        self._state.limits.count_sound(caller, seconds)
        self._state.metrics.sound_s.labels("out").inc(seconds)


def _in_public(error: Exception) -> str:
    """What any client may know of an error."""
    match error:
        case VoiceNotFound() | ConsentError():  # a voice that may not be used is treated as unknown
            return "there is no such voice that may be used; find one with audio_search"
        case ToolError():
            return str(error)
    return as_api_error(error).message
