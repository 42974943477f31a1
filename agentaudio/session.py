"""`Session`: several turns of one conversation, and how much of them was heard."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from agentaudio.conversation import Conversation
from agentaudio.errors import OptionError
from agentaudio.events import AudioSpoken, Event, TextSpoken, TurnFinished
from agentaudio.hearing import UserInput
from agentaudio.model.speech_lm import GenerateOptions
from agentaudio.outbox import Outbox
from agentaudio.playback import Playback
from agentaudio.portal import portal
from agentaudio.reply import Reply
from agentaudio.setup import Setup, State
from agentaudio.turn import Turn
from agentaudio.voice_library.voice import Voice

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Begun:
    """A turn that was begun."""

    number: int
    task: asyncio.Task[Reply]
    outbox: Outbox
    playback: Playback


class Session:
    """A conversation with an agent, made by `Agent.session()`. One turn runs at a time: starting another
    interrupts it, and so does starting one while the last answer is still being played.

    After an interruption the conversation holds what was heard, not what was made. Who plays the sound
    reports how far with `played`; who does not play gives `plays=False`, and everything that was read from
    the stream counts as heard.
    """

    def __init__(self, setup: Setup, conversation: Conversation, voice: Voice | None, *, plays: bool | None) -> None:
        self._setup = setup
        self._state = State(conversation, voice)
        self._plays = plays
        self._turns: list[_Begun] = []  # the newest two: a report may come after the next turn has begun
        self._count = 0
        self._starting = asyncio.Lock()

    @property
    def conversation(self) -> Conversation:
        """What was said."""
        return self._state.conversation

    @property
    def voice(self) -> Voice | None:
        """The voice in force; None is the model's own."""
        return self._state.voice

    async def stream(
        self, user: UserInput, *, options: GenerateOptions | None = None, voice: str | Voice | None = None
    ) -> AsyncGenerator[Event, None]:
        """One turn, event by event. Leaving the loop early, or cancelling, stops the turn at once.

        user: text as `str`; sound as a Path, bytes, a binary file or Audio; or the results of the last
            reply's `open_calls`, by call id
        options: for this turn, in place of the agent's
        voice: for this turn, unless a tool finds another: an id, a name, a Voice, or "default" for the agent's

        Raises what made the turn fail, after its `turn.failed` event; OptionError or VoiceError for options
        or a voice that the model or the library refuses.
        """
        options = (options or self._setup.options).check(self._setup.model)
        async with self._starting:
            await self.interrupt()
            own_voice = self._state.voice
            if voice is not None:
                self._state.voice = await asyncio.to_thread(self._setup.find_voice, voice)
            turn_voice = self._state.voice
            begun = self._begin(user, options)
        try:
            while (event := await begun.outbox.get()) is not None:
                yield event
            if not begun.task.cancelled():
                begun.task.result()
        finally:
            begun.task.cancel()
            await asyncio.wait([begun.task])
            self._take_back_unread(begun)
            if voice is not None and self._state.voice == turn_voice:
                self._state.voice = own_voice

    async def run(
        self, user: UserInput, *, options: GenerateOptions | None = None, voice: str | Voice | None = None
    ) -> Reply:
        """One turn, as `stream` takes it; the reply of an interrupted turn has stop == "interrupted"."""
        reply: Reply | None = None
        async with aclosing(self.stream(user, options=options, voice=voice)) as happening:
            async for event in happening:
                if isinstance(event, TurnFinished):
                    reply = event.reply
        if reply is None:
            raise asyncio.CancelledError("the turn was interrupted before it began")
        return reply

    def run_sync(
        self, user: UserInput, *, options: GenerateOptions | None = None, voice: str | Voice | None = None
    ) -> Reply:
        """`run` for programs without an event loop. Raises OptionError inside one."""
        turn = self.run(user, options=options, voice=voice)
        return portal().run(turn, instead="write `await agent.run(...)`")

    def played(self, seconds: float, *, turn: int | None = None) -> None:
        """Report how much of a turn's sound the listener has heard, counted from the start of the turn's sound.

        seconds: a later report replaces an earlier one; more than there is counts as all of it
        turn: number of the turn, as its events give it; None is the newest

        Reports about the turn before the newest still correct the conversation; older ones change nothing.
        Raises OptionError for a negative number or NaN, and before the first turn.
        """
        if not self._turns:
            raise OptionError("played() was called before the first turn; report it after sound has arrived")
        self._plays = True
        for begun in self._turns:
            if begun.number == (self._count if turn is None else turn):
                begun.playback.report(seconds)
                if begun is not self._turns[-1]:
                    begun.playback.settle(self.conversation)

    async def interrupt(self) -> None:
        """Stop the running turn, or the answer that is still being played; returns when everything has ended."""
        if not self._turns:
            return
        begun = self._turns[-1]
        if not begun.task.done():
            if begun.playback.plays is None and any(step.duration for step in begun.playback.steps):
                self._plays = begun.playback.plays = False
                log.warning(
                    "nobody reports what was played, so everything that was read counts as heard; "
                    "call session.played(seconds), or say session(plays=False)"
                )
            begun.task.cancel()
            await asyncio.wait([begun.task])
        self._take_back_unread(begun)
        if not begun.playback.finished:
            begun.playback.settle(self.conversation)

    def _begin(self, user: UserInput, options: GenerateOptions) -> _Begun:
        self._count += 1
        model = self._setup.model
        speaks = options.speak and model.capabilities.voices != "none"
        outbox, playback = Outbox(), Playback(self._plays, speaks=speaks)
        turn = Turn(self._setup, self._state, outbox, playback, number=self._count, options=options)
        # A task of its own, so that an interruption from elsewhere stops it wherever it waits.
        task = asyncio.create_task(turn.run(user), name=f"agentaudio-turn-{self._count}")
        task.add_done_callback(lambda _: outbox.close())
        begun = _Begun(self._count, task, outbox, playback)
        self._turns = [*self._turns[-1:], begun]
        return begun

    def _take_back_unread(self, begun: _Begun) -> None:
        """What nobody has read from the stream was not heard."""
        if unread := begun.outbox.withdraw(TextSpoken, AudioSpoken):
            begun.playback.take_back(unread)
            begun.playback.settle(self.conversation)
