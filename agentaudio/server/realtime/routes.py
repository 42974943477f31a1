"""The WebSocket of the Realtime protocol, and the client secrets for browsers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import APIRouter, Body
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from agentaudio.server.access import new_request_id, report
from agentaudio.server.auth import Caller, check_place, key_of
from agentaudio.server.errors import ApiError, log_failure
from agentaudio.server.realtime.items import new_id
from agentaudio.server.realtime.outgoing import Outgoing
from agentaudio.server.realtime.pace import Pace
from agentaudio.server.realtime.reading import checked
from agentaudio.server.realtime.refusal import Refusal
from agentaudio.server.realtime.session import RealtimeSession
from agentaudio.server.realtime.session_object import SessionObject
from agentaudio.server.realtime.voices import find_voice
from agentaudio.server.state import RequestCaller, ServerState, State, server_state
from agentaudio.session import Session

router = APIRouter()

SUBPROTOCOL = "realtime"
SECRET_S = 600
CLOSE_S = 2.0


@router.websocket("/v1/realtime")
@router.websocket("/realtime")
async def realtime(socket: WebSocket) -> None:
    """A spoken conversation. The key is a Bearer token, `api-key`, or a subprotocol."""
    state, began = server_state(socket), time.perf_counter()
    caller, status = None, 500
    try:
        check_place(socket.headers, state.settings)
        caller = state.keys.caller(key_of(socket.headers), secrets_too=True)
        if state.drain.begun:
            raise ApiError(503, "the server is stopping; connect again")
        state.limits.take_request(caller)
        connection = _Connection(state, caller, socket)
        with state.limits.session(caller):
            offered = [name.strip() for name in socket.headers.get("sec-websocket-protocol", "").split(",")]
            async with connection.session() as session:
                await socket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
                status = 101
                await connection.run(session)
    except ApiError as error:
        status = error.status
        await _refuse(socket, error)
    finally:
        report(
            state.metrics, request_id=new_request_id(), method="WEBSOCKET", route=socket.scope["path"], status=status,
            seconds=time.perf_counter() - began, caller=caller,
        )  # fmt: skip


@router.get("/v1/realtime", include_in_schema=False)
@router.get("/realtime", include_in_schema=False)
async def not_a_socket() -> Response:
    """A conversation takes a WebSocket: an answer for those who try the address by other means."""
    raise ApiError(
        426, "connect here by a WebSocket (ws:// or wss://), or POST an offer of WebRTC to /v1/realtime/calls",
        code="websocket_required", headers={"upgrade": "websocket", "connection": "upgrade"},
    )  # fmt: skip


@router.post("/v1/realtime/client_secrets")
async def client_secrets(state: State, caller: RequestCaller, body: dict[str, Any] = Body(default_factory=dict)) -> Any:
    """Make a key for one browser, which holds the settings of its session."""
    if caller.session is not None:  # it would never expire, and could have other settings
        raise ApiError(403, "a client secret cannot make another one; ask with the API key", code="forbidden")
    wanted = body.get("expires_after") or {}
    seconds = wanted.get("seconds", SECRET_S) if isinstance(wanted, dict) else None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 1 <= seconds <= state.settings.secret_s:
        raise ApiError(
            400, f"expires_after.seconds must be from 1 to {state.settings.secret_s:g}", code="invalid_value",
            param="expires_after.seconds",
        )  # fmt: skip
    session = SessionObject(new_id("sess"), state.agent.setup.model.name, longest_text=state.settings.text_chars)
    try:
        given = checked(body.get("session") or {})
        session.update(given)
        if session.voice != "default":
            setup = await state.setup(caller)
            await find_voice(setup, state.settings.voice_names, session.voice, "session.audio.output.voice")
    except Refusal as refusal:
        raise ApiError(400, refusal.message, code=refusal.code, param=refusal.param) from None
    if _session_id(given) is not None and state.sessions is None:
        raise _not_stored()
    secret = state.keys.make_secret(caller, seconds, given)
    return {"value": secret.value, "expires_at": secret.expires_at, "session": session.to_wire()}


def _session_id(settings: Mapping[str, Any]) -> str | None:
    """The stored session for which a client secret is made. Raises ApiError for an id that is not text."""
    own = settings.get("agentaudio")
    found = own.get("session_id") if isinstance(own, dict) else None
    if found is None or isinstance(found, str):
        return found
    raise ApiError(400, "session_id must be a string", code="invalid_type", param="session.agentaudio.session_id")


def _not_stored() -> ApiError:
    return ApiError(
        400, "this server stores no sessions; leave out session_id, or start it with --store FILE",
        code="sessions_not_stored", param="session_id",
    )  # fmt: skip


class _Connection:
    """One WebSocket: reads client events, and writes server events as fast as the client takes them, or at a pace."""

    def __init__(self, state: ServerState, caller: Caller, socket: WebSocket) -> None:
        self._state, self._caller, self._socket = state, caller, socket
        beta = "realtime=v1" in socket.headers.get("openai-beta", "")
        self._out = Outgoing(beta=beta, pace=Pace(state.settings.sound_pace))

    @asynccontextmanager
    async def session(self) -> AsyncGenerator[Session | None, None]:
        """The stored session that the client names; None for a new one. Raises ApiError.

        A client secret opens the one that it was made for and no other: the key is that of many users.
        """
        self._name = self._socket.query_params.get("session_id")
        if self._caller.session is not None:
            own = _session_id(self._caller.session)
            if self._name not in (None, own):
                raise ApiError(
                    403, "a client secret opens only the session that it was made for", code="forbidden",
                    param="session_id",
                )  # fmt: skip
            self._name = own
        if self._name is None:
            yield None
        elif self._state.sessions is None:
            raise _not_stored()
        else:
            async with self._state.sessions.session(self._caller, self._name, self._out) as session:
                yield session

    async def run(self, agent_session: Session | None) -> None:
        asked = self._socket.query_params.get("agentaudio", "") or self._socket.headers.get("x-agentaudio", "")
        session = RealtimeSession(
            self._state, self._caller, self._out, session=agent_session, name=self._name,
            wants_events=asked not in ("", "0"),
        )  # fmt: skip
        writing = asyncio.create_task(self._write(), name="agentaudio-realtime-write")
        try:
            async with session:
                reading = asyncio.create_task(self._read(session), name="agentaudio-realtime-read")
                draining = asyncio.create_task(self._drained(session), name="agentaudio-realtime-drain")
                try:
                    await asyncio.wait({reading, writing, draining}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for task in (reading, draining):
                        task.cancel()
                    await asyncio.gather(reading, draining, return_exceptions=True)
        except Exception as error:
            log_failure(error)
        finally:
            self._out.close()
            begun = self._state.drain.begun
            with suppress(TimeoutError, Exception):
                async with asyncio.timeout(self._state.settings.drain_s if begun else CLOSE_S):
                    await writing
                    await self._socket.close(1001 if begun else 1000, self._out.reason)
            writing.cancel()

    async def _read(self, session: RealtimeSession) -> None:
        with suppress(WebSocketDisconnect):
            while True:
                message = await self._socket.receive()
                if message["type"] == "websocket.disconnect":
                    return
                text = message.get("text")
                await session.receive(text if text is not None else message.get("bytes") or b"")
                await self._out.patience()
                await asyncio.sleep(0)  # where messages have piled up, the other sessions get on as well

    async def _write(self) -> None:
        with suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
            while (event := await self._out.get()) is not None:
                async with asyncio.timeout(self._state.settings.stalled_s):
                    await self._socket.send_text(event.text)
                event.was_sent()

    async def _drained(self, session: RealtimeSession) -> None:
        """Wait until the server stops, and the response that has begun was made."""
        await self._state.drain.wait_begun()
        self._out.hurry()
        await session.responses.settled()


async def _refuse(socket: WebSocket, error: ApiError) -> None:
    """Answer the handshake with the status of an error, in the protocol's shape."""
    await socket.send_denial_response(error.response())
