"""`Answers`: the agent's side of a live session. Turns run, and their sound is played or stopped."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

from agentaudio import events
from agentaudio.errors import AgentAudioError
from agentaudio.events import Event
from agentaudio.live.events import AgentFinished, AgentStarted, AgentStopped
from agentaudio.live.loudspeaker import Loudspeaker
from agentaudio.live.notices import Notices
from agentaudio.live.settings import LiveSettings
from agentaudio.outbox import Outbox
from agentaudio.session import Session

FILLER_S = 1.5


def _is_mute(event: Event) -> bool:
    """Whether a usage limit has ended a turn before anything was said."""
    return isinstance(event, events.TurnFinished) and event.reply.stop == "usage_limit" and not event.reply.text


class Answers:
    """Runs one turn at a time, passes on its events, and knows how far its sound was played.

    out: takes the events
    emit: makes an event of the live session and hands it out
    start: runs a coroutine as a task of the session
    said: takes the words of each answer
    made: called when the sound of an answer, and of its apology, was made
    """

    def __init__(
        self,
        session: Session,
        settings: LiveSettings,
        out: Outbox,
        emit: Callable[..., None],
        start: Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]],
        said: Callable[[str], None],
        made: Callable[[], None],
    ) -> None:
        self._session, self._out, self._emit, self._start, self._said = session, out, emit, start, said
        self._made = made
        self._plays = settings.get("plays", True)
        self.notices = Notices(session.setup, emit, self._wants, filler_s=settings.get("filler_s", FILLER_S))
        self.speaker = Loudspeaker(reports=self._plays)
        self._before: Loudspeaker | None = None  # of the turn before
        self._turn: asyncio.Task[None] | None = None
        self.number = 0
        self.due = 0  # answers that were asked for and have not begun
        self._started = 0  # the latest turn of whose answer something was played
        self._stopped = 0  # the latest turn whose sound is not wanted any more
        self.has_ended = True  # playback of the latest turn

    @property
    def left_s(self) -> float:
        """Audible sound of the agent that is still to come; infinite while it is being made."""
        if self.due or self._works:
            return math.inf
        return 0.0 if self.has_ended else self.speaker.left_s

    @property
    def _works(self) -> bool:
        return self._turn is not None and not self._turn.done()

    def stop(self) -> None:
        """Let nothing more of the answer be heard."""
        if self.left_s <= 0 and not self.speaker.held:
            return
        self.speaker.held = False
        self.speaker.drop()
        self._stopped, self.has_ended = self.number, True
        self._out.withdraw(events.TextSpoken, events.AudioSpoken)
        self._emit(AgentStopped, played_s=self.speaker.played_s)

    def wants(self, turn: int) -> bool:
        """Whether more of a turn's sound is wanted."""
        return turn > self._stopped

    async def end(self) -> None:
        """End the running turn, and wait until it has ended."""
        if self._turn is not None:
            await self._session.interrupt()
            await asyncio.wait([self._turn])

    def begin(self, turn: AsyncGenerator[Event, None]) -> None:
        """Run a turn. The one before has ended."""
        self.number += 1
        self._before = self.speaker
        self.speaker = Loudspeaker(self.number, reports=self._plays or self.speaker.reports)
        self.has_ended = False
        self._turn = self._start(self._run(turn, self.number), "agentaudio-live-turn")
        self._turn.add_done_callback(lambda task: None if task.cancelled() else self._made())

    async def _run(self, turn: AsyncGenerator[Event, None], number: int) -> None:
        """Pass on the events of a turn."""
        speaker = self.speaker
        filler: asyncio.Task[None] | None = None
        failed = False
        with contextlib.suppress(AgentAudioError):  # an event has reported it
            async with contextlib.aclosing(turn):
                async for event in turn:
                    match event:
                        case events.TextSpoken() | events.AudioSpoken() if number <= self._stopped:
                            continue
                        case events.AudioSpoken(audio=audio):
                            speaker.add(audio)
                        case events.SpeechHeard(text=text):
                            self.notices.heard(text)
                        case events.ToolStarted(call=call) if filler is None:
                            filler = self._start(
                                self.notices.fill(call.name, speaker, self._session.voice), "agentaudio-live-filler"
                            )
                        case events.ToolFinished() | events.TurnFinished() | events.TurnFailed() if filler is not None:
                            filler.cancel()
                    if isinstance(event, events.TurnFinished):
                        self._said(event.reply.text)
                    failed = isinstance(event, events.TurnFailed) or _is_mute(event)
                    await self._out.put(event)
        if failed and number > self._stopped:
            await self.notices.say(self.notices.apology(), "failure", speaker, self._session.voice)

    def reported(self, seconds: float, turn: int | None) -> None:
        """The player has played so much of a turn's sound, notices included."""
        if turn is None or turn == self.speaker.turn:
            self.speaker.report(seconds)
            if self.number and self._plays:
                self._session.played(self.speaker.played_s, turn=turn)
        elif self._plays and self._before is not None and turn == self._before.turn and turn > 0:
            self._session.played(self._before.answer_s(seconds), turn=turn)

    def check_played(self, *, microphone_is_on: bool) -> bool:
        """Emit once when an answer begins to be played, and when it was played to its end. Returns whether it did.

        microphone_is_on: whether its clock runs, by which sound is played that nobody reports on
        """
        has_begun = self._started < self.number and self.speaker.played_s > 0
        if has_begun:
            self._started = self.number
            self._emit(AgentStarted)
        if self.has_ended or self._works:
            return has_begun
        if not self.speaker.has_ended and (self._plays or microphone_is_on):
            return has_begun
        self.has_ended = True
        self._emit(AgentFinished, played_s=self.speaker.played_s)
        return True

    def _wants(self, speaker: Loudspeaker) -> bool:
        """Whether more sound may be added to a turn: no other one has begun, and nobody has interrupted it."""
        if speaker is not self.speaker or (speaker.turn and speaker.turn <= self._stopped):
            return False
        self.has_ended = False
        return True
