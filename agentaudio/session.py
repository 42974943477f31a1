"""`Session`: several turns of one conversation, and how much of each was heard."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from agentaudio.compactor import Seen
from agentaudio.conversation import Conversation, Message
from agentaudio.errors import OptionError
from agentaudio.events import AudioSpoken, Event, SavingFailed, SavingResumed, TextSpoken, TurnFailed, TurnFinished
from agentaudio.hearing import UserInput
from agentaudio.keeper import Keeper, TurnEnd
from agentaudio.model.speech_lm import GenerateOptions
from agentaudio.outbox import Outbox
from agentaudio.playback import Playback
from agentaudio.portal import portal, require_asyncio
from agentaudio.reply import Reply, StopReason
from agentaudio.setup import SessionState, Setup
from agentaudio.turn import Turn
from agentaudio.uncopied import Uncopied
from agentaudio.voice_library.voice import Voice
from agentaudio.watching import TurnBegun

log = logging.getLogger(__name__)


_ENDS = TurnFinished, TurnFailed

SAVE_WAIT_S = 1.0
"""How long the end of a turn waits until it is stored."""


@dataclass(slots=True)
class _Begun:
    """A turn that has begun.

    end: how it ended; None until then
    """

    number: int
    turn: Turn
    task: asyncio.Task[Reply]
    outbox: Outbox
    playback: Playback
    process: int
    end: TurnEnd | None = None


class Session(Uncopied, instead="give its conversation (save_conversation) to agent.session(...)"):
    """A conversation with an agent, made by `Agent.session()`.

    One turn runs at a time. Starting a turn interrupts the running one, or the playback of the last answer.
    After an interruption the conversation holds the speech that was heard, not all that was generated: a
    player reports its position with `played`. With `plays=False`, everything read from the stream counts as
    heard.

    setup: what its turns share; it may be replaced between two turns

    watch: follows its turns; None when nobody does
    """

    def __init__(
        self,
        setup: Setup,
        conversation: Conversation,
        voice: Voice | None,
        *,
        plays: bool | None,
        deps: Any = None,
        keeper: Keeper | None = None,
    ) -> None:
        self.setup = setup
        self._state = SessionState(conversation, voice, deps, keeper)
        self._plays = plays
        self._not_saved = False  # and the reader of the events knows
        self._turns: list[_Begun] = []  # the latest two: a report may arrive after the next turn has begun
        self._count = 0
        self._starting = asyncio.Lock()
        self.watch = None if setup.watch is None else setup.watch()

    @property
    def conversation(self) -> Conversation:
        """The messages so far."""
        return self._state.conversation

    @property
    def voice(self) -> Voice | None:
        """The current voice; None is the model's own."""
        return self._state.voice

    @property
    def has_news(self) -> bool:
        """Whether a background tool has brought a result that the model has not read; the next turn brings it in."""
        return bool(self._state.arrived)

    def settle_news(self) -> None:
        """Keep what has arrived in the place of the calls, without another turn. For sessions that end."""
        for run in self._state.arrived:
            self._state.replace_output(run.output)
        self._state.arrived.clear()

    async def change_voice(self, voice: str | Voice | None) -> None:
        """Speak in another voice from the next turn on: an id, a name, a Voice, "default" or None for the agent's.

        Raises VoiceNotFound, ConsentError, and OptionError when the model cannot speak in it.
        """
        self._state.voice = await asyncio.to_thread(self.setup.find_voice, "default" if voice is None else voice)

    def stream(
        self, user: UserInput | None, *, options: GenerateOptions | None = None, voice: str | Voice | None = None
    ) -> AsyncGenerator[Event, None]:
        """Run one turn and yield its events. Closing the generator or cancelling its task stops the turn at once.

        user: text as `str`; sound as a Path, bytes, a binary file or Audio; or the results of the last
            reply's `open_calls`, by call id; or None, to answer what background tools have brought (`has_news`)
        options: replace the agent's for this turn
        voice: for this turn, until a tool changes it: an id, a name, a Voice, or "default" for the agent's

        Raises OptionError for options or a voice that the model does not support, VoiceError for a voice that
        is unknown or not permitted, and the error of a failed turn, after its `turn.failed` event.
        """
        return self._run(user, None, options, voice)

    def respond(
        self,
        conversation: Conversation,
        *,
        options: GenerateOptions | None = None,
        voice: str | Voice | None = None,
    ) -> AsyncGenerator[Event, None]:
        """Answer a conversation as it is, with no input of the user: run one turn, and yield its events as `stream`.

        conversation: a copy of it takes the place of the session's

        Raises what `stream` raises.
        """
        return self._run(None, conversation, options, voice)

    async def _run(
        self,
        user: UserInput | None,
        conversation: Conversation | None,
        options: GenerateOptions | None,
        voice: str | Voice | None,
    ) -> AsyncGenerator[Event, None]:
        if user is None and conversation is None and not self.has_news:
            raise OptionError("nothing has arrived that could be answered; say or write something")
        options = self.setup.options if options is None else self.setup.check_options(options)
        self._check_loop()
        async with self._starting:
            await self.interrupt()
            if conversation is not None:
                self._state.compactor.replaced(self.conversation.messages, conversation.messages)
                self.conversation.messages[:] = conversation.messages
            begun = self._begin(user, options, voice)
        try:
            while (event := await begun.outbox.get()) is not None:
                if isinstance(event, _ENDS):
                    self._keep(begun, event.reply)
                    self._begin_idle(begun, options)
                    if (news := await self._saved(event)) is not None:
                        yield news
                yield event
            if not begun.task.cancelled():
                begun.task.result()
        finally:
            if not begun.task.done():
                begun.task.cancel()
                await asyncio.wait([begun.task])
            if not begun.task.cancelled():
                begun.task.exception()  # asyncio reports one that nobody has asked for, as when the reader leaves
            if self._take_back_unread(begun) or begun.end is None:
                self._keep(begun)

    async def run(
        self, user: UserInput | None, *, options: GenerateOptions | None = None, voice: str | Voice | None = None
    ) -> Reply:
        """Run one turn, as `stream` does. The reply of an interrupted turn has stop="interrupted"."""
        reply: Reply | None = None
        async with aclosing(self._run(user, None, options, voice)) as happening:
            async for event in happening:
                if isinstance(event, TurnFinished):
                    reply = event.reply
        assert reply is not None  # a failed turn has raised
        return reply

    def run_sync(
        self, user: UserInput, *, options: GenerateOptions | None = None, voice: str | Voice | None = None
    ) -> Reply:
        """`run` for synchronous programs. Raises OptionError inside an event loop."""
        turn = self.run(user, options=options, voice=voice)
        return portal().run(turn, instead="write `await agent.run(...)`")

    def played(self, seconds: float, *, turn: int | None = None) -> None:
        """Report how much of a turn's sound was played.

        seconds: from the start of the turn's sound; the largest report counts
        turn: number of the turn, as in its events; None is the latest

        A report on the turn before the latest still corrects the conversation; reports on older turns are ignored.
        Call it in the session's event loop; from another thread, with `loop.call_soon_threadsafe`.
        Raises OptionError for anything but a number of 0 or more, and before the first turn.
        """
        if not self._turns:
            raise OptionError("played() was called before the first turn; report it after sound has arrived")
        self._plays = True
        for begun in self._turns:
            if begun.number == (self._count if turn is None else turn):
                begun.playback.report(seconds)
                if begun.playback.stopped:
                    begun.playback.settle(self.conversation)
                    self._keep(begun)

    async def interrupt(self) -> None:
        """Stop the running turn and end the playback of the last answer. Returns when the turn has ended.

        Raises OptionError when the turn runs in another event loop.
        """
        self._check_loop()
        self._state.compactor.stop()
        if not self._turns:
            return
        begun = self._turns[-1]
        if not begun.task.done():
            if begun.playback.plays is None and any(step.duration for step in begun.playback.steps):
                self._plays = begun.playback.plays = False
                log.warning(
                    "no playback position was reported, so everything that was read counts as heard; "
                    "call session.played(seconds), or make the session with plays=False"
                )
            begun.task.cancel()
            await asyncio.wait([begun.task])
        self._take_back_unread(begun)
        begun.playback.stopped = True
        if begun.playback.plays:
            begun.playback.settle(self.conversation)
        self._keep(begun)

    @property
    def turns_before(self) -> int:
        """Number of the last turn of the conversation before this session began; its own turns follow it."""
        return self._state.turns_before

    def correct(self, turns: Mapping[int, Sequence[Message]]) -> None:
        """Put other messages in the place of turns that have ended, and store what has changed.

        turns: by their numbers; without messages, a turn is removed
        """
        before = list(self.conversation.messages)
        kept = [message for message in before if message.turn not in turns]
        new = [message for turn in turns.values() for message in turn]
        self.conversation.messages[:] = sorted((*kept, *new), key=lambda message: message.turn)
        for turn, messages in turns.items():
            old = [part for message in before if message.turn == turn for part in message.parts]
            now = [part for message in messages for part in message.parts]
            if old != now:
                self._state.keep(turn)

    async def retract(self) -> bool:
        """Interrupt the latest turn, and remove it from the conversation as if it had not been asked for.

        For a user who goes on speaking before anything of the answer was heard. Returns False, and leaves what an
        interruption leaves, when something was heard or a tool was called. Raises what `interrupt` raises.
        """
        if not self._turns:
            return False
        await self.interrupt()
        begun = self._turns[-1]
        number = self._state.turns_before + begun.number
        added = self.conversation.of_turn(number)
        if any(begun.playback.heard()) or any(message.tool_calls or message.tool_outputs for message in added):
            return False
        self.conversation.remove_turn(number)
        self._keep(begun)
        return True

    def _check_loop(self) -> None:
        """Raises OptionError outside asyncio, and while a turn runs in another loop: only that loop can stop it."""
        require_asyncio()
        latest = self._turns[-1] if self._turns else None
        if latest is None or latest.task.done():
            return
        loop = latest.task.get_loop()
        if loop.is_closed() or latest.process != os.getpid():
            self._turns.clear()  # it ended with its loop, or belongs to the process that forked this one
        elif loop is not asyncio.get_running_loop():
            raise OptionError(
                "a turn of this session runs in another event loop (run_sync has its own); wait for its end, "
                "or use one session per loop"
            )

    def _begin(self, user: UserInput | None, options: GenerateOptions, voice: str | Voice | None) -> _Begun:
        self._count += 1
        self._state.make_room(self._state.turns_before + self._count)
        model = self.setup.model
        speaks = options.speak and model.capabilities.voices != "none"
        watch = None
        if self.watch is not None:
            watch = self.watch.turn(TurnBegun(self._count, model.name, self.setup.tools, options, self.conversation))
        outbox = Outbox(watch=None if watch is None else watch.take)
        playback = Playback(self._plays, speaks=speaks)
        turn = Turn(self.setup, self._state, outbox, playback, number=self._count, options=options, voice=voice)
        # A separate task, so that `interrupt` can cancel it at any await.
        context = None if watch is None else watch.context
        task = asyncio.create_task(turn.run(user), name=f"agentaudio-turn-{self._count}", context=context)
        task.add_done_callback(lambda task: turn.close(task.cancelled()))
        begun = _Begun(self._count, turn, task, outbox, playback, os.getpid())
        self._turns = [*self._turns[-1:], begun]
        return begun

    def _begin_idle(self, begun: _Begun, options: GenerateOptions) -> None:
        """Use the time until the next turn to compact the conversation."""
        state, model = self._state, self.setup.model
        if begun is not self._turns[-1] or self.conversation.open_calls:
            return
        tools = self.setup.specs() if self.setup.ready else ()
        state.compactor.begin_idle(model, self.conversation, Seen(tools, options), state.keep)

    def _take_back_unread(self, begun: _Begun) -> bool:
        """Remove unread words and sound, which were not heard. Returns whether there were any."""
        unread = begun.outbox.withdraw(TextSpoken, AudioSpoken)
        if unread:
            begun.playback.take_back(unread)
            begun.playback.settle(self.conversation)
            begun.turn.rewrite_end()
            begun.end = replace(begun.end or self._end_of(begun, None), stop="interrupted")
        return bool(unread)

    def _keep(self, begun: _Begun, reply: Reply | None = None) -> None:
        """Give a turn that has ended to the keeper. reply: None when nobody has read it"""
        if self._state.keeper is None or not begun.task.done():
            return
        if begun.end is None:
            begun.end = self._end_of(begun, reply)
        self._state.keep(self._state.turns_before + begun.number, begun.end)

    def _end_of(self, begun: _Begun, reply: Reply | None) -> TurnEnd:
        error = None if begun.task.cancelled() else begun.task.exception()
        if reply is None and error is None and not begun.task.cancelled():
            reply = begun.task.result()
        stop: StopReason = "failed" if error is not None else "interrupted"
        voice, steps = self.voice, begun.playback.steps
        heard_in = (step.voice.id for step in steps if step.part is not None and step.voice is not None)
        return TurnEnd(
            reply.stop if reply is not None else stop,
            self.setup.model.name,
            voice=None if voice is None or voice == self.setup.voice else voice.id,
            voices=tuple(dict.fromkeys(heard_in)),
            error=None if error is None else str(error),
            usage={} if reply is None else reply.usage,
            timings={} if reply is None else reply.timings,
            used=dict(self._state.used),
        )

    async def _saved(self, end: TurnFinished | TurnFailed) -> Event | None:
        """Wait until the turn is stored; returns an event when that begins to fail, or works again."""
        if self._state.keeper is None:
            return None
        problem = await self._state.keeper.kept(SAVE_WAIT_S)
        was, self._not_saved = self._not_saved, problem is not None
        if problem is not None:
            return None if was else SavingFailed(turn=end.turn, at_s=end.at_s, error=problem)
        return SavingResumed(turn=end.turn, at_s=end.at_s) if was else None
