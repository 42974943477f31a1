"""`Apart`: responses beside the conversation, which it neither waits for nor remembers."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from agentaudio.live.session import Answering
from agentaudio.server.realtime.context import Context
from agentaudio.server.realtime.making import make_answering, make_response
from agentaudio.server.realtime.refusal import Refusal
from agentaudio.server.realtime.request import Request
from agentaudio.server.realtime.response import Response
from agentaudio.server.realtime.telling import Telling, fail
from agentaudio.voice_library.voice import Voice

MOST = 8
"""Responses that run at the same time."""


class Apart:
    """The responses of one session that run beside its conversation."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._telling = Telling(context)
        self._running: dict[str, tuple[Response, asyncio.Task[None]]] = {}

    def begin(self, request: Request, voice: Voice | None) -> None:
        """Raises Refusal when too many run."""
        if len(self._running) >= MOST:
            raise Refusal(
                f"{MOST} responses run beside the conversation; wait until one ends.", code="rate_limit_exceeded"
            )
        answering = make_answering(self._context, request, voice or self._context.live.voice)
        self._context.begin_response()
        response = make_response(self._context, request, voice, None)
        response.created()
        task = self._context.start(self._run(response, answering), "apart")
        self._running[response.id] = response, task
        task.add_done_callback(lambda _: self._running.pop(response.id, None))

    def cancel(self, response_id: str) -> bool:
        """Returns False when it does not run."""
        if response_id not in self._running:
            return False
        response, task = self._running[response_id]
        response.cancel("client_cancelled")
        task.cancel()
        return True

    async def settled(self) -> None:
        """Wait until none runs."""
        await asyncio.gather(*(task for _, task in self._running.values()), return_exceptions=True)

    async def _run(self, response: Response, answering: Answering) -> None:
        session = self._context.state.agent.session(plays=False)
        session.setup = answering.setup
        turn = session.respond(answering.conversation, options=answering.options, voice=answering.voice)
        try:
            with self._context.state.drain.answer():
                async with aclosing(turn):
                    async for event in turn:
                        await self._telling.tell(response, event)
            if response.failure is not None:
                fail(response, response.failure)
        except Exception as error:
            fail(response, error)
