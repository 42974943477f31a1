"""`LiveSession`: a spoken conversation in real time. Microphone sound in, events out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self, cast

from agentaudio.conversation import AudioPart, Conversation, Message
from agentaudio.errors import OptionError, did_you_mean
from agentaudio.events import BaseEvent, Event
from agentaudio.hearing import UserInput
from agentaudio.live.answers import Answers
from agentaudio.live.events import (
    OF_USER,
    AgentPaused,
    AgentResumed,
    AnyLiveEvent,
    TurnCommitted,
    UserIdle,
    UserStarted,
    UserStopped,
)
from agentaudio.live.idle import IdleClock, IdlePrompts
from agentaudio.live.listener import Listener
from agentaudio.live.settings import LiveSettings, TurnTaking
from agentaudio.live.turn_taking import Action, Hold, Resume, Stop, UserBegan, UserEnded
from agentaudio.model.speech_lm import GenerateOptions
from agentaudio.outbox import Outbox
from agentaudio.portal import require_asyncio
from agentaudio.session import Session
from agentaudio.setup import Setup
from agentaudio.sound.audio import Audio
from agentaudio.sound.stream import Chunk
from agentaudio.uncopied import Uncopied
from agentaudio.voice_library.voice import Voice

log = logging.getLogger(__name__)

FIRST_WORD_S = 4.0
LOST_CHECK_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """What `LiveSession.respond` answers, and how.

    conversation: it takes the place of the session's
    setup: the agent's, maybe with other tools
    voice: for this answer; None is the session's
    """

    conversation: Conversation
    setup: Setup
    options: GenerateOptions
    voice: Voice | None = None


class LiveSession(Uncopied):
    """A conversation in real time, made by `Agent.live()`. Use it as `async with`, and iterate its events.

    `push` takes the microphone's sound. The events are those of the turns and those of agentaudio.live.events.
    Play the sound of each `audio.delta`; hold it between `agent.paused` and `agent.resumed`; drop it at
    `agent.stopped`; and report with `played` how much was played, at least every 100 ms.

    All methods belong to the event loop in which the session was entered; from another thread, such as that of a
    sound card, use `loop.call_soon_threadsafe`. `of_user` takes the events OF_USER ahead of those that wait.
    """

    def __init__(
        self, session: Session, settings: LiveSettings, of_user: Callable[[AnyLiveEvent], None] | None = None
    ) -> None:
        if unknown := sorted(settings.keys() - LiveSettings.__annotations__.keys()):
            raise OptionError(
                f"there is no live setting {unknown[0]!r}{did_you_mean(unknown[0], LiveSettings.__annotations__)}"
            )
        limits = replace(session.setup.limits, first_word_s=settings.get("first_word_s", FIRST_WORD_S))
        session.setup = setup = replace(session.setup, limits=limits)
        self._setup, self._session = setup, session
        self._idle = IdleClock(settings.get("idle"))
        self._listener = Listener(setup, settings, self._do, self._start)
        self._lost_s = (settings.get("turn_taking") or TurnTaking()).lost_s
        self._begins = settings.get("answers", True)
        self._stops, self._of_user = True, of_user
        self._seen = None if session.watch is None else session.watch.live()
        self._out = Outbox(watch=self._seen)
        said = self._listener.agent_said
        self._answers = Answers(session, settings, self._out, self._emit, self._start, said, self._check_played)
        self._work: asyncio.Queue[Coroutine[Any, Any, None]] = asyncio.Queue()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._unanswered_s: float | None = None  # where the user's last turn began, until something answers it
        self._goes_on_from_s: float | None = None  # where the turn began that the user goes on with
        self._is_taken_back = False
        self._last_push = 0.0
        self._closed = False

    @property
    def conversation(self) -> Conversation:
        """The messages so far. Of an answer that is being played it holds more than was played yet."""
        return self._session.conversation

    @property
    def voice(self) -> Voice | None:
        """The current voice; None is the model's own."""
        return self._session.voice

    async def __aenter__(self) -> Self:
        require_asyncio()
        await asyncio.to_thread(self._setup.specs)
        await self._listener.warm_up()
        self._listener.open()
        self._loop = asyncio.get_running_loop()
        self._start(self._conduct(), "agentaudio-live")
        self._start(self._watch(), "agentaudio-live-watch")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the session: stop the turn, and end the events."""
        if self._closed:
            return
        self._closed = True
        self._listener.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._answers.notices.aclose()
        while not self._work.empty():
            self._work.get_nowait().close()
        await self._session.interrupt()
        self._session.settle_news()
        await self._listener.aclose()
        if self._session.watch is not None:
            self._session.watch.close()
        self._out.close()

    async def __aiter__(self) -> AsyncIterator[Event | AnyLiveEvent]:
        while (event := await self._out.get()) is not None:
            yield cast(Event | AnyLiveEvent, event)

    def push(self, chunk: Chunk) -> None:
        """Take sound from the microphone, in pieces of any length, best 10 to 40 ms.

        chunk: bytes of little-endian signed 16-bit samples, one channel, at the session's `sample_rate`; or samples or
            Audio, as `PcmStream.push` takes them

        Raises AudioError for sound that cannot be taken, which leaves the stream as it was, and OptionError for a
        session that is not open.
        """
        if self._closed or not hasattr(self, "_loop"):
            raise OptionError("this live session is not open; write `async with agent.live() as live:`")
        if not (model := self._setup.model).capabilities.hears:
            raise OptionError(f"model {model.name!r} cannot hear; take one that hears, or a cascade with a recogniser")
        self._last_push = self._loop.time()
        self._listener.push(chunk, self._answers.speaker, lambda: self._agent_left_s, lambda: self._unanswered_s)
        self._check_played()

    def played(self, seconds: float, *, turn: int | None = None) -> None:
        """Report how much of a turn's sound was played, notices included; see `Session.played`."""
        self._answers.reported(seconds, turn)
        self._check_played()

    async def say(self, text: str, *, interruptible: bool = True) -> None:
        """Say a notice, such as a greeting: it is spoken in the current voice, and not part of the conversation.

        interruptible: whether the user may interrupt it; otherwise what the user says meanwhile is dropped

        Returns when its sound was made. A turn that begins meanwhile ends it.
        """
        await self._answers.notices.say(
            text, "notice", self._answers.speaker, self._session.voice, is_protected=not interruptible
        )

    async def send(self, user: UserInput) -> None:
        """Begin a turn with text, or with the results of open calls, as `Session.stream` takes them."""
        self._answers.stop()
        self._work.put_nowait(self._answer(user))

    async def change_voice(self, voice: str | Voice | None) -> None:
        """Speak in another voice from the next turn on; see `Session.change_voice`."""
        await self._session.change_voice(voice)

    async def interrupt(self) -> None:
        """Stop the answer, as if the user had interrupted it."""
        self.stop()

    def stop(self) -> None:
        """`interrupt` for code that cannot await."""
        if self.is_busy:
            self._answers.stop()
            self._work.put_nowait(self._session.interrupt())

    def respond(self, prepare: Callable[[int], Answering | None]) -> None:
        """Answer the conversation as `prepare` gives it, instead of an input.

        prepare: called with the turn's number when the turn before has ended; None gives up the answer
        """
        self._answers.stop()
        self._answers.due += 1
        self._work.put_nowait(self._respond(prepare))

    def commit(self) -> bool:
        """End the user's turn now, as a button does. Returns False when nobody speaks."""
        return self._listener.commit()

    def clear(self) -> None:
        """Forget what the user is saying."""
        self._dropped()
        self._listener.forget()

    def change_turn_taking(self, settings: TurnTaking | None, *, by_words: bool = True, stops: bool = True) -> None:
        """Take turns by other settings, and forget what the user is saying.

        settings: None detects no turns: nothing of the microphone is taken
        by_words: whether the words, where there are ears, and the turn model decide on ends and interruptions
        stops: whether an interruption stops the agent; otherwise the program decides that, at `user.started`
        """
        self._dropped()
        self._stops = stops
        self._listener.change(settings, by_words=by_words)

    def change_idle(self, idle: IdlePrompts | None) -> None:
        """Say other prompts to a user who stays silent, or none."""
        self._idle = IdleClock(idle)

    @property
    def turns_before(self) -> int:
        """As in Session."""
        return self._session.turns_before

    def correct(self, turns: Mapping[int, Sequence[Message]]) -> None:
        """Put other messages in the place of turns that have ended; see `Session.correct`."""
        self._session.correct(turns)

    async def warm_up_ears(self) -> None:
        """Load the ears and the turn model now, if turn taking goes by words. Entering the session does so, too."""
        await self._listener.warm_up()

    async def words(self, sound: Audio) -> str | None:
        """What is said in a sound, by the ears of turn taking; None without ears, and when they fail."""
        return await self._listener.words(sound)

    def wants(self, turn: int) -> bool:
        """Whether more of a turn's sound is wanted: nobody has interrupted it."""
        return self._answers.wants(turn)

    @property
    def hears_for_the_model(self) -> bool:
        """Whether the words of `turn.committed` are those that the model would hear."""
        return self._listener.hears_for_the_model

    @property
    def has_news(self) -> bool:
        """Whether a background tool has brought a result that the model has not read."""
        return self._session.has_news

    @property
    def is_quiet(self) -> bool:
        """Whether nobody speaks or thinks."""
        return not self.is_busy and self._answers.has_ended and not self._listener.user_speaks

    @property
    def is_busy(self) -> bool:
        """Whether the agent thinks or speaks."""
        return self._agent_left_s > 0

    @property
    def _agent_left_s(self) -> float:
        """Audible sound of the agent that is still to come; infinite while it is being made."""
        return self._answers.left_s

    def _do(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case UserBegan(start_s=start_s):
                    self._emit(UserStarted, start_s=start_s)
                case Hold():
                    self._answers.speaker.held = True
                    self._emit(AgentPaused)
                case Stop() if self._stops:
                    self._interrupted()
                case Resume() | Stop() if self._answers.speaker.held:
                    self._answers.speaker.held = False
                    self._emit(AgentResumed)
                case UserEnded():
                    self._user_ended(action)

    def _interrupted(self) -> None:
        """The user has interrupted. If nothing was heard of the answer yet, the user's turn goes on instead."""
        self._answers.stop()
        if self._begins:
            self._goes_on_from_s = self._unanswered_s
            self._work.put_nowait(self._take_back())
        else:
            self._work.put_nowait(self._session.interrupt())

    async def _take_back(self) -> None:
        self._is_taken_back = await self._session.retract()

    def _user_ended(self, ended: UserEnded) -> None:
        goes_on_from_s, self._goes_on_from_s = self._goes_on_from_s, None
        # What was taken back has to be answered, also when the words that followed it turn out to be none.
        is_turn = ended.is_turn or goes_on_from_s is not None
        self._emit(UserStopped, answered=is_turn, reason=ended.why, end_s=ended.end_s)
        if not is_turn:
            return
        microphone = self._listener.microphone
        alone = microphone.cut(ended.start_s, ended.end_s)
        if self._begins:
            self._unanswered_s = ended.start_s if goes_on_from_s is None else goes_on_from_s
            self._work.put_nowait(self._begin(ended, alone, microphone.cut(self._unanswered_s, ended.end_s)))
        else:
            self._idle.answered()
            self._emit(TurnCommitted, text=ended.words, audio=alone, start_s=ended.start_s, end_s=ended.end_s)

    def _dropped(self) -> None:
        """What the user is saying is forgotten."""
        if self._answers.speaker.held:
            self._do([Resume()])
        if self._listener.user_speaks:
            self._emit(UserStopped, answered=False, reason="dropped", end_s=self._listener.microphone.now_s)

    async def _begin(self, ended: UserEnded, alone: Audio, whole: Audio) -> None:
        """Answer a turn of the user.

        alone: its sound; whole: with that of the turn before which it goes on with, if it does
        """
        sound, start_s, words = alone, ended.start_s, ended.words
        if self._is_taken_back and len(whole) > len(alone):
            sound, start_s, words = whole, ended.end_s - whole.duration, None
        self._is_taken_back = False
        self._emit(TurnCommitted, text=words, audio=sound, start_s=start_s, end_s=ended.end_s)
        mine = self._listener.hears_for_the_model
        await self._answer(AudioPart(sound, words) if words is not None and mine else sound)

    async def _answer(self, user: UserInput | None) -> None:
        if user is not None:
            self._idle.answered()
        await self._answers.end()
        if isinstance(user, str):
            self._answers.notices.heard(user)
        self._answers.begin(self._session.stream(user))

    async def _respond(self, prepare: Callable[[int], Answering | None]) -> None:
        try:
            await self._answers.end()
            answering = prepare(self._answers.number + 1)
            if answering is not None:
                self._session.setup = replace(answering.setup, limits=self._setup.limits)
                said, options, voice = answering.conversation, answering.options, answering.voice
                self._answers.notices.heard("" if said.last_user is None else said.last_user.text)
                self._answers.begin(self._session.respond(said, options=options, voice=voice))
        finally:
            self._answers.due -= 1

    def _check_played(self) -> None:
        if self._answers.check_played(microphone_is_on=self._last_push > 0):
            self._unanswered_s = None

    async def _conduct(self) -> None:
        """Do the work that has to wait, one after the other."""
        while True:
            await (await self._work.get())

    async def _watch(self) -> None:
        """End an open turn when the microphone has stopped sending, and speak to a user who stays silent."""
        while True:
            await asyncio.sleep(LOST_CHECK_S)
            now_s = self._loop.time()
            is_on = now_s - self._last_push <= self._lost_s
            if self._listener.user_speaks and not is_on:
                self._listener.lost()
            if self._begins and self._session.has_news and self.is_quiet and self._work.empty():
                self._work.put_nowait(self._answer(None))
                continue
            prompt = self._idle.due(now_s, both_silent=is_on and self.is_quiet)
            if prompt:
                await self._answers.notices.say(prompt, "idle", self._answers.speaker, self._session.voice)
            elif prompt is not None:
                self._emit(UserIdle)

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _emit(self, kind: type[BaseEvent], **fields: Any) -> None:
        event = kind(turn=self._answers.number, at_s=self._listener.microphone.now_s, **fields)
        if self._of_user is None or not isinstance(event, OF_USER):
            return self._out.post(event)
        if self._seen is not None:
            self._seen(event)
        self._loop.call_soon(self._of_user, event)  # when all is done that the same sound has caused
