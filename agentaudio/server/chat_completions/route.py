"""The route."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from fastapi import APIRouter
from starlette.responses import Response

from agentaudio.events import TurnFinished
from agentaudio.reply import Reply
from agentaudio.server.begun import begun
from agentaudio.server.bodies import Json
from agentaudio.server.chat_completions.answer import chunks, completion, encoded
from agentaudio.server.chat_completions.request import ChatRequest
from agentaudio.server.chat_completions.turn import ROUTE, ChatTurn
from agentaudio.server.sse import Fact, event_stream
from agentaudio.server.state import Held, RequestCaller, State

router = APIRouter(tags=["chat"])


@router.post(ROUTE, response_class=Json)
async def create_chat_completion(request: ChatRequest, state: State, caller: RequestCaller, held: Held) -> Response:
    """Answer a conversation, in words or speech. The agent's own tools run here; the client's are handed back."""
    held.enter_context(state.answer(caller))
    turn, model = ChatTurn(request, state, caller), state.agent.model.name
    await turn.prepare()
    if request.stream:
        answer = await begun(_stream(turn, model), held, after=2)  # the first chunk comes at once
        return event_stream(answer, done=b"data: [DONE]\n\n")
    reply = await _run(turn)
    return Json(completion(turn, model, reply, await encoded(reply, request.format)))


async def _run(turn: ChatTurn) -> Reply:
    reply: Reply | None = None
    async with aclosing(turn.events()) as events:
        async for event in events:
            if isinstance(event, TurnFinished):
                reply = event.reply
    assert reply is not None  # a failed turn has raised
    return reply


async def _stream(turn: ChatTurn, model: str) -> AsyncGenerator[Fact, None]:
    async with aclosing(turn.events()) as events, aclosing(chunks(turn, model, events)) as made:
        async for chunk in made:
            yield chunk
