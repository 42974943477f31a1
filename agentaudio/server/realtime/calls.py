"""`/v1/realtime/calls`: Realtime sessions over WebRTC."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response

from agentaudio.errors import MissingExtra
from agentaudio.server.auth import Caller
from agentaudio.server.errors import ApiError
from agentaudio.server.forms import read_form
from agentaudio.server.openapi import form_body
from agentaudio.server.realtime.items import new_id
from agentaudio.server.realtime.reading import read_settings
from agentaudio.server.realtime.refusal import Refusal
from agentaudio.server.realtime.session_object import SessionObject
from agentaudio.server.state import OpenCall, RequestCaller, ServerState, State

if TYPE_CHECKING:
    from agentaudio.server.realtime.webrtc.call import Call

router = APIRouter()

LONGEST_OFFER = 64_000
_TEXTS = {"sdp": LONGEST_OFFER, "session": 256_000}
_BODY = form_body(_TEXTS, required=("sdp",), or_else={"application/sdp": {"type": "string"}})


@router.post("/v1/realtime/calls", status_code=201, response_class=Response, openapi_extra=_BODY)
@router.post("/realtime/calls", status_code=201, response_class=Response, openapi_extra=_BODY)
async def begin_call(request: Request, state: State, caller: RequestCaller) -> Response:
    """Answer an offer: the body is SDP, or a form with `sdp` and the settings of the `session` as JSON."""
    offer, session = await _read(request)
    _check_session(state, caller, session)
    try:
        from agentaudio.server.realtime.webrtc.call import Call
    except ImportError:
        problem = str(MissingExtra("WebRTC", "webrtc"))
        raise ApiError(501, problem, code="not_implemented") from None
    asked = request.query_params.get("agentaudio", "") or request.headers.get("x-agentaudio", "")
    with ExitStack() as held:
        held.enter_context(state.limits.session(caller))
        call = Call(state, caller, session, asks_events=asked not in ("", "0"))
        answer = await call.answer(offer)
        _start(state, call, caller, held.pop_all())
    return Response(
        answer, 201, media_type="application/sdp", headers={"location": f"/v1/realtime/calls/{call.id}"}
    )  # fmt: skip


@router.post("/v1/realtime/calls/{call_id}/hangup")
async def hang_up(state: State, caller: RequestCaller, call_id: str) -> Response:
    """End a call of the same key."""
    found = state.calls.get(call_id)
    if found is None or found.owner != caller.id:
        raise ApiError(404, f"there is no call {call_id[:80]!r}", param="call_id", code="not_found")
    found.hang_up()
    return Response(status_code=200)


def _start(state: ServerState, call: Call, caller: Caller, held: ExitStack) -> None:
    task = asyncio.create_task(call.run(), name=f"agentaudio-call-{call.id}")
    state.calls[call.id] = OpenCall(caller.id, call.hang_up, task)

    def ended(_: asyncio.Task[None]) -> None:
        held.close()
        del state.calls[call.id]

    task.add_done_callback(ended)


async def _read(request: Request) -> tuple[str, Mapping[str, Any]]:
    """The offer, and the settings of the session. Raises ApiError 400."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        form = await read_form(request, texts=_TEXTS)
        try:
            session = read_settings(form.text("session") or "{}")
        except Refusal as refusal:
            raise ApiError(400, f"session: {refusal.message}", param="session", code=refusal.code) from None
        return form.text("sdp", required=True) + "\r\n", session
    if kind != "application/sdp":
        raise ApiError(415, "send the offer as application/sdp, or as multipart/form-data with `sdp` and `session`")
    body = await request.body()
    if not body or len(body) > LONGEST_OFFER:
        raise ApiError(400, f"an offer has 1 to {LONGEST_OFFER} bytes", param="sdp", code="invalid_value")
    return body.decode("utf-8", "replace"), {}


def _check_session(state: ServerState, caller: Caller, given: Any) -> None:
    """Raises ApiError 400 for settings that a session would refuse: those of the client secret, then the given ones."""
    session = SessionObject(new_id("sess"), state.agent.setup.model.name, longest_text=state.settings.text_chars)
    try:
        session.update(dict(caller.session or {}))
        session.update(given)
    except Refusal as refusal:
        raise ApiError(400, refusal.message, code=refusal.code, param=refusal.param) from None
