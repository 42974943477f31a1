"""`Responses`: which response runs, which was asked for, and what a turn of the agent tells its client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import ExitStack, aclosing
from typing import Any

from agentaudio import events
from agentaudio.events import BaseEvent
from agentaudio.live.events import NoticeFinished, NoticeSound, NoticeSpoken
from agentaudio.live.session import Answering, LiveSession
from agentaudio.plain import plain
from agentaudio.server.errors import ApiError, as_api_error
from agentaudio.server.realtime.history import History
from agentaudio.server.realtime.items import FunctionCall, FunctionOutput
from agentaudio.server.realtime.outgoing import Outgoing
from agentaudio.server.realtime.refusal import Refusal
from agentaudio.server.realtime.request import Request
from agentaudio.server.realtime.response import Response
from agentaudio.server.realtime.session_object import SessionObject
from agentaudio.server.realtime.voices import find_voice, shown
from agentaudio.server.state import ServerState
from agentaudio.voice_library.voice import Voice

OTHER_RESULTS_S = 2.0
"""How long a response that was asked for after one result waits for those of the other calls."""
AFTER_SPEECH_S = 0.03
"""Between the end of the user's speech and a call: some clients lose results that come before they are ready."""
MOST_APART = 8


class Responses:
    """The responses of one session.

    heard: takes the user's words as the model understood them
    start: runs a coroutine as a task of the session
    """

    def __init__(
        self,
        state: ServerState,
        live: LiveSession,
        settings: SessionObject,
        history: History,
        out: Outgoing,
        heard: Callable[[str], None],
        start: Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]],
    ) -> None:
        self._state, self._live, self._settings, self._history = state, live, settings, history
        self._out, self._heard, self._start = out, heard, start
        self._active: Response | None = None
        self._latest: Response | None = None
        self._counted = ExitStack()  # the active one, for the drain
        self._uncollected: list[Response] = []  # whose turn has begun, and its messages are not known yet
        self._apart: dict[str, tuple[Response, asyncio.Task[None]]] = {}
        self._due: tuple[Request, Voice | None] | None = None  # waits for the results of other calls
        self._owed = False  # the user would be left without an answer to a result
        self._unseen = False  # a result has come that the active response has not read
        self._idle = asyncio.Event()
        self._idle.set()
        self.speech_ended_at = 0.0

    def id_of(self, event: BaseEvent) -> str | None:
        """The id of the response to whose turn an event belongs."""
        latest = self._latest
        return latest.id if latest is not None and latest.turn == event.turn else None

    async def aclose(self) -> None:
        self._counted.close()
        tasks = [task for _, task in self._apart.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def settled(self) -> None:
        """Wait until no response runs."""
        await self._idle.wait()

    async def create(self, given: Any, *, longest_s: float) -> None:
        """A client asks for a response. Raises Refusal."""
        request = Request.of(self._settings, given, self._history, longest_s=longest_s)
        if not request.is_apart and (self._active is not None or self._due is not None):
            self._owed |= self._unseen
            raise Refusal(
                "Conversation already has an active response in progress. Wait until it is finished before creating a "
                "new one.",
                code="conversation_already_has_active_response",
            )
        voice = None
        if request.voice is not None:
            voice = await find_voice(self._state, request.voice, "response.audio.output.voice")
        last = self._history.last
        if request.is_apart:
            self._begin_apart(request, voice)
        elif request.is_plain and isinstance(last, FunctionCall | FunctionOutput) and self._history.open_calls:
            self._due = request, voice
            self._start(self._wait_for_results(), "agentaudio-realtime-results")
        else:
            self._begin(request, voice)

    def answer(self) -> None:
        """The user's turn, or news, is to be answered; at once, or after the active response."""
        if self._active is not None:
            self._owed = True
            return
        self._due = None
        try:
            self._begin(Request.of(self._settings, None, self._history, longest_s=0), None)
        except Refusal as refusal:
            self._out.post(refusal.event(None))

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
        elif isinstance(response_id, str) and response_id in self._apart:
            response, task = self._apart[response_id]
            response.cancel("client_cancelled")
            task.cancel()
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
        try:
            self._counted.enter_context(self._state.drain.answer())
        except ApiError as error:
            raise Refusal(error.message, code=error.code, kind="server_error") from None
        response = self._response(request, voice, self._history)
        self._active = self._latest = response
        self._idle.clear()
        response.created()
        self._live.respond(lambda number: self._prepare(response, request, voice, number))

    def _begin_due(self) -> None:
        assert self._due is not None
        (request, voice), self._due = self._due, None
        try:
            self._begin(request, voice)
        except Refusal as refusal:
            self._out.post(refusal.event(None))

    async def _wait_for_results(self) -> None:
        due = self._due
        await asyncio.sleep(OTHER_RESULTS_S)
        if self._due is due and due is not None:
            self._begin_due()

    async def _begin_notice(self, notice: NoticeSpoken) -> None:
        """What the agent says of its own accord is a response, too."""
        request = Request.of(self._settings, None, self._history, longest_s=0)
        response = self._response(request, None, self._history)
        response.turn = notice.turn
        self._active = self._latest = response
        self._idle.clear()
        response.created()
        await response.notice(notice.text)

    def _response(self, request: Request, voice: Voice | None, history: History | None) -> Response:
        settings = {
            "conversation_id": None if history is None else self._settings.conversation_id,
            "output_modalities": ["audio"] if request.speaks else ["text"],
            "max_output_tokens": request.max_tokens,
            "audio": {
                "output": {
                    "format": request.form.to_wire(),
                    "voice": voice.id if voice is not None else self._settings.voice,
                }
            },
            "metadata": None if request.metadata is None else dict(request.metadata),
        }
        speaks = request.speaks and self._state.agent.setup.model.capabilities.voices != "none"
        response = Response(
            self._out, history, has_sound=speaks, form=request.form, speed=self._settings.speed, settings=settings
        )
        response.wanted = lambda: history is None or response.turn is None or self._live.wants(response.turn)
        response.facts = {"voice": shown(voice or self._live.voice)}
        return response

    def _prepare(self, response: Response, request: Request, voice: Voice | None, number: int) -> Answering | None:
        self._collect()
        if response.is_over:
            return None
        try:
            answering = self._answering(request, voice)
        except Exception as error:
            self._fail(response, error)
            return None
        response.turn = number
        self._uncollected.append(response)
        self._unseen = False
        return answering

    def _answering(self, request: Request, voice: Voice | None) -> Answering:
        agent = self._state.agent
        instructions = request.instructions or self._settings.instructions or agent.instructions or ""
        chosen = None if request.items is None else list(request.items)
        return Answering(
            conversation=self._history.conversation(instructions, chosen), setup=request.setup(agent.setup),
            options=request.options(agent.setup), voice=voice,
        )  # fmt: skip

    def _begin_apart(self, request: Request, voice: Voice | None) -> None:
        if len(self._apart) >= MOST_APART:
            raise Refusal(
                f"{MOST_APART} responses run beside the conversation; wait until one ends.", code="rate_limit_exceeded"
            )
        answering = self._answering(request, voice or self._live.voice)
        response = self._response(request, voice, None)
        response.created()
        task = self._start(self._run_apart(response, answering), "agentaudio-realtime-apart")
        self._apart[response.id] = response, task
        task.add_done_callback(lambda _: self._apart.pop(response.id, None))

    async def _run_apart(self, response: Response, answering: Answering) -> None:
        session = self._state.agent.session(plays=False)
        session.setup = answering.setup
        turn = session.respond(answering.conversation, options=answering.options, voice=answering.voice)
        try:
            async with aclosing(turn):
                async for event in turn:
                    await self._tell(response, event)
        except Exception as error:
            self._fail(response, error)

    async def _tell(self, response: Response, event: BaseEvent) -> None:
        """Tell the client an event of the turn of a response."""
        match event:
            case NoticeSpoken(text=text):
                await response.notice(text)
            case NoticeFinished(reason=reason):
                await response.step_ended()
                if response.failure is not None:
                    self._fail(response, response.failure)
                elif reason in ("idle", "notice"):
                    await response.complete({})
            case events.SpeechHeard(text=text, final=True):
                response.facts["heard"] = text
                if response is self._active:
                    self._heard(text)
            case events.TextSpoken(text=text):
                await response.words(text)
            case events.AudioSpoken(audio=audio):
                self._state.metrics.sound_s.labels("out").inc(audio.duration)
                await response.sound(audio, is_notice=isinstance(event, NoticeSound))
            case events.StepStarted(step=step):
                response.step = step
            case events.StepFinished():
                await response.step_ended()
            case events.ToolRequested(call=call):
                await asyncio.sleep(max(0.0, self.speech_ended_at + AFTER_SPEECH_S - time.monotonic()))
                await response.call(call)
            case events.ToolProgress(call=call, message=message, share=share):
                tools = response.facts.setdefault("progress", {})
                tools[call.name] = {"message": message, "share": share}
            case events.ToolFinished(run=run):
                response.facts.setdefault("tools", []).append(plain(run))
            case events.VoiceChanged(voice=voice):
                response.facts["voice"] = shown(voice)
                if response is self._active:
                    self._settings.show_voice("default" if voice is None else voice.id)
            case events.TurnFinished(reply=reply):
                response.facts["citations"] = [plain(one) for one in reply.citations]
                response.facts["timings"] = plain(reply.timings)
                self._state.metrics.turns.labels(reply.stop).inc()
                if reply.stop == "interrupted":
                    response.cancel("client_cancelled")
                else:
                    await response.complete(
                        reply.usage, reason="max_output_tokens" if reply.stop == "length" else None
                    )  # fmt: skip
            case events.TurnFailed(error=error):
                self._state.metrics.turns.labels("failed").inc()
                await response.step_ended()
                response.failure = error
                if response is not self._active:
                    self._fail(response, error)
        if response.is_over and response is self._active:
            self._finished(response)

    def _fail(self, response: Response, error: BaseException) -> None:
        known = as_api_error(error)
        response.fail(known.code, known.message)
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
        self._counted.close()
        self._idle.set()
        self._start(self._played_to_the_end(response), "agentaudio-realtime-played")
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
                response.share.collect(self._live.conversation.of_turn(response.turn))
