"""`Responses`: which response runs, which was asked for, and what a turn of the agent tells its client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

from agentaudio import events
from agentaudio.events import BaseEvent
from agentaudio.live.events import NoticeSpoken
from agentaudio.live.session import Answering
from agentaudio.server.errors import ApiError
from agentaudio.server.realtime.apart import Apart
from agentaudio.server.realtime.context import Context
from agentaudio.server.realtime.items import FunctionCall, FunctionOutput
from agentaudio.server.realtime.making import make_answering, make_response
from agentaudio.server.realtime.refusal import Refusal
from agentaudio.server.realtime.request import Request
from agentaudio.server.realtime.response import Response
from agentaudio.server.realtime.telling import Telling, fail
from agentaudio.voice_library.voice import Voice

OTHER_RESULTS_S = 2.0
"""How long a response that was asked for after one result waits for those of the other calls."""


class Responses:
    """The responses of one session.

    heard: takes the user's words as the model understood them
    """

    def __init__(self, context: Context, heard: Callable[[str], None]) -> None:
        self._context, self._live, self._history = context, context.live, context.history
        self._telling, self._apart = Telling(context, heard), Apart(context)
        self._active: Response | None = None
        self._latest: Response | None = None
        self._counted: set[ExitStack] = set()  # those that the drain waits for
        self._uncollected: list[Response] = []  # whose turn has begun, and its messages are not known yet
        self._due: tuple[Request, Voice | None] | None = None  # waits for the results of other calls
        self._owed = False  # the user would be left without an answer to a result
        self._unseen = False  # a result has come that the active response has not read
        self._surplus, self._surplus_until = 0, 0.0  # requests that are still expected for results that were answered
        self._idle = asyncio.Event()
        self._idle.set()

    def id_of(self, event: BaseEvent) -> str | None:
        """The id of the response to whose turn an event belongs."""
        latest = self._latest
        return latest.id if latest is not None and latest.turn == event.turn else None

    def close(self) -> None:
        """The session ends."""
        for counted in list(self._counted):
            counted.close()

    def speech_ended(self, at: float) -> None:
        """The user has stopped speaking. at: by time.monotonic"""
        self._telling.speech_ended_at = at

    async def settled(self) -> None:
        """Wait until no response runs, and the last event of each was sent."""
        await self._idle.wait()
        await self._apart.settled()

    async def create(self, given: Any) -> None:
        """A client asks for a response. Raises Refusal."""
        request = self._context.request(given)
        voice = None
        if request.voice is not None:
            voice = await self._context.find_voice(request.voice, "response.audio.output.voice")
        if not request.is_apart and (self._active is not None or self._due is not None or self._is_surplus(request)):
            self._owed |= self._unseen
            raise Refusal(
                "Conversation already has an active response in progress. Wait until it is finished before creating a "
                "new one.",
                code="conversation_already_has_active_response",
            )
        last = self._history.last
        if request.is_apart:
            self._apart.begin(request, voice)
        elif request.is_plain and isinstance(last, FunctionCall | FunctionOutput) and self._history.open_calls:
            self._due = request, voice
            self._context.start(self._wait_for_results(), "results")
        else:
            self._begin(request, voice)

    def _is_surplus(self, request: Request) -> bool:
        """Whether a response was asked for after the result of each of several calls, and one has answered them all."""
        if not self._surplus or not request.is_plain or time.monotonic() > self._surplus_until:
            return False
        last = self._history.last
        if self._latest is None or last is None or last.id not in self._latest.share.item_ids:
            return False
        self._surplus -= 1
        return True

    def answer(self) -> None:
        """The user's turn, or news, is to be answered; at once, or after the active response."""
        if self._active is not None:
            self._owed = True
            return
        self._due = None
        try:
            self._begin(self._context.request(None), None)
        except Refusal as refusal:
            self._context.out.post(refusal.event(None))

    def output_came(self) -> None:
        """The client has sent the result of a call."""
        if self._active is not None:
            self._unseen = True
        elif self._due is not None and not self._history.open_calls:
            self._begin_due()

    async def cancel(self, response_id: Any) -> None:
        """A client cancels a response. Raises Refusal when it does not run."""
        if self._active is not None and response_id in (None, self._active.id):
            self._stop("client_cancelled")
        elif isinstance(response_id, str) and self._apart.cancel(response_id):
            return
        else:
            self.stop_sound()
            raise Refusal("Cancellation failed: no active response found.", code="response_cancel_not_active")

    def stop_sound(self) -> None:
        """The client plays nothing more of what was said."""
        if self._active is None and self._live.is_busy:
            self._live.stop()
            if self._latest is not None:
                self._latest.stop_sound()

    def interrupted(self) -> bool:
        """The user has interrupted. Returns whether nothing was heard of the response yet."""
        self._due = None
        response = self._active
        if response is None:
            if self._latest is not None:
                self._latest.stop_sound()
            return False
        heard_s = response.playout.position_s
        self._stop("turn_detected")
        return heard_s < 0.05

    def let_go(self, item_id: str) -> None:
        """The client cuts or deletes an item: a response that is still making it ends."""
        if self._active is not None and item_id in self._active.share.item_ids:
            self._stop("client_cancelled")

    def stop_sound_of(self, item_id: str) -> None:
        """The client has stopped playing in an item."""
        if self._latest is not None and item_id in self._latest.share.item_ids:
            self.stop_sound()

    def played(self, item_id: str, seconds: float) -> None:
        """The client has played so much of an item."""
        if self._latest is not None:
            before_s = 0.0
            for spoken in self._latest.share.spoken:
                if spoken.item.id == item_id:
                    self._latest.playout.report(before_s + seconds)
                before_s += spoken.sent_s
            self.report_played()

    def hold(self, held: bool) -> None:
        """The client holds the sound, or goes on."""
        if self._latest is not None:
            self._latest.playout.hold(held)

    def report_played(self) -> None:
        """Say to the live session how far the client has played."""
        response = self._latest
        if response is not None and response.turn is not None:
            self._live.played(response.playout.position_s * response.speed, turn=response.turn)

    async def take(self, event: BaseEvent) -> None:
        """Take an event of the live session."""
        response = self._active
        if isinstance(event, NoticeSpoken) and event.reason in ("idle", "notice") and response is None:
            await self._begin_notice(event)
            return
        if response is not None and event.turn == response.turn:
            await self._tell(response, event)
        if isinstance(event, events.TurnFinished | events.TurnFailed):
            self._collect(event.turn)

    def news(self) -> None:
        """Answer what a background tool has brought, when nobody speaks."""
        if self._live.has_news and self._active is None and self._live.is_quiet:
            self.answer()

    def _begin(self, request: Request, voice: Voice | None) -> None:
        counted = ExitStack()
        try:
            counted.enter_context(self._context.state.drain.answer())
        except ApiError as error:
            raise Refusal(error.message, code=error.code, kind="server_error") from None
        with counted:
            self._context.begin_response()
            counted = counted.pop_all()
        self._surplus = max(0, self._history.new_results - 1)
        self._surplus_until = time.monotonic() + OTHER_RESULTS_S
        response = make_response(self._context, request, voice, self._history)
        response.released = partial(self._released, counted)
        self._counted.add(counted)
        self._active = self._latest = response
        self._idle.clear()
        response.created()
        self._live.respond(lambda number: self._prepare(response, request, voice, number))

    def _released(self, counted: ExitStack) -> None:
        self._counted.discard(counted)
        counted.close()
        self._settle()

    def _settle(self) -> None:
        if self._active is None and not self._counted:
            self._idle.set()

    def _begin_due(self) -> None:
        assert self._due is not None
        (request, voice), self._due = self._due, None
        try:
            self._begin(request, voice)
        except Refusal as refusal:
            self._context.out.post(refusal.event(None))

    async def _wait_for_results(self) -> None:
        due = self._due
        await asyncio.sleep(OTHER_RESULTS_S)
        if self._due is due and due is not None:
            self._begin_due()

    async def _begin_notice(self, notice: NoticeSpoken) -> None:
        """What the agent says of its own accord is a response, too."""
        request = self._context.request(None)
        response = make_response(self._context, request, None, self._history)
        response.turn = notice.turn
        self._active = self._latest = response
        self._idle.clear()
        response.created()
        await response.notice(notice.text)

    def _prepare(self, response: Response, request: Request, voice: Voice | None, number: int) -> Answering | None:
        self._collect()
        if response.is_over:
            return None
        try:
            turn = self._live.turns_before + number
            answering = make_answering(self._context, request, voice, turn=turn)
        except Exception as error:
            self._fail(response, error)
            return None
        response.turn, response.share.turn = number, turn
        response.given = len(answering.conversation.of_turn(turn))
        self._live.correct(self._history.ended())
        self._uncollected.append(response)
        self._unseen = False
        return answering

    async def _tell(self, response: Response, event: BaseEvent) -> None:
        await self._telling.tell(response, event)
        if response.is_over and response is self._active:
            self._finished(response)

    def _fail(self, response: Response, error: BaseException) -> None:
        fail(response, error)
        if response is self._active:
            self._finished(response)

    def _stop(self, reason: str) -> None:
        """End the active response now; its turn may take longer to end."""
        response = self._active
        assert response is not None
        response.cancel(reason)
        self._finished(response)
        if reason != "turn_detected":  # then the live session has stopped by itself
            self._live.stop()

    def _finished(self, response: Response) -> None:
        self._active = None
        self._settle()
        self._context.start(self._played_to_the_end(response), "played")
        if self._owed:
            self._owed = False
            self.answer()

    async def _played_to_the_end(self, response: Response) -> None:
        while self._latest is response and response.playout.left_s > 0:
            await asyncio.sleep(response.playout.left_s + 0.01)
        if self._latest is response:
            self.report_played()

    def _collect(self, turn: int | None = None) -> None:
        """Take what turns have added to the conversation. turn: the one that has ended; None when all have"""
        for response in list(self._uncollected):
            if turn is None or response.turn == turn:
                assert response.turn is not None
                self._uncollected.remove(response)
                response.share.collect(self._live.conversation.of_turn(response.share.turn)[response.given :])
