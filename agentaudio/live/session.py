"""`LiveSession`: a spoken conversation in real time. Microphone sound in, events out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import AsyncIterator, Coroutine
from dataclasses import replace
from typing import Any, Self, cast

from agentaudio import events
from agentaudio.conversation import AudioPart, Conversation
from agentaudio.errors import AgentAudioError, OptionError, did_you_mean
from agentaudio.events import BaseEvent, Event
from agentaudio.hearing import UserInput
from agentaudio.live.ears import ears_of
from agentaudio.live.echo import EchoGuard
from agentaudio.live.events import (
    AgentFinished,
    AgentPaused,
    AgentResumed,
    AgentStarted,
    AgentStopped,
    AnyLiveEvent,
    TurnCommitted,
    UserIdle,
    UserStarted,
    UserStopped,
)
from agentaudio.live.idle import IdleClock
from agentaudio.live.loudspeaker import Loudspeaker
from agentaudio.live.microphone import Microphone
from agentaudio.live.notices import Notices
from agentaudio.live.settings import LiveSettings, TurnTaking
from agentaudio.live.turn_taking import Action, Hold, Listen, Resume, Stop, TurnTaker, UserBegan, UserEnded
from agentaudio.live.voice_frames import VoiceFrames
from agentaudio.outbox import Outbox
from agentaudio.portal import require_asyncio
from agentaudio.session import Session
from agentaudio.sound.audio import Audio
from agentaudio.sound.stream import Chunk
from agentaudio.uncopied import Uncopied
from agentaudio.voice_library.voice import Voice

log = logging.getLogger(__name__)

SAMPLE_RATE_HZ = 16_000
FIRST_WORD_S, FILLER_S = 4.0, 1.5
OWN_WORDS_S = 3.0
"""How long the words of the model's own ears are awaited at least."""
LOST_CHECK_S = 0.2


class LiveSession(Uncopied):
    """A conversation in real time, made by `Agent.live()`. Use it as `async with`, and iterate its events.

    `push` takes the microphone's sound. The events are those of the turns and those of agentaudio.live.events.
    Play the sound of each `audio.delta`; hold it between `agent.paused` and `agent.resumed`; drop it at
    `agent.stopped`; and report with `played` how much was played, at least every 100 ms.

    All methods belong to the event loop in which the session was entered; from another thread, such as that of a
    sound card, use `loop.call_soon_threadsafe`.
    """

    def __init__(
        self,
        session: Session,
        settings: LiveSettings,
    ) -> None:
        if unknown := sorted(settings.keys() - LiveSettings.__annotations__.keys()):
            raise OptionError(
                f"there is no live setting {unknown[0]!r}{did_you_mean(unknown[0], LiveSettings.__annotations__)}"
            )
        limits = replace(session.setup.limits, first_word_s=settings.get("first_word_s", FIRST_WORD_S))
        session.setup = setup = replace(session.setup, limits=limits)
        self._setup, self._session = setup, session
        self._notices = Notices(setup, self._emit, self._wants, filler_s=settings.get("filler_s", FILLER_S))
        self._idle = IdleClock(settings.get("idle"))
        hears = setup.model.capabilities.hears
        self._ears = ears_of(setup.model, settings.get("ears", "auto")) if hears else None
        self._settings = settings.get("turn_taking", TurnTaking())
        if self._ears is not None and self._ears.are_the_models:
            # The model waits for the same words anyway.
            self._settings = replace(self._settings, late_s=max(self._settings.late_s, OWN_WORDS_S))
        self._taker = TurnTaker(self._settings, hears=self._ears is not None)
        self._microphone = Microphone(settings.get("sample_rate", SAMPLE_RATE_HZ))
        self._voice_frames = VoiceFrames()
        self._guard = EchoGuard() if settings.get("echo_guard", True) else None
        self._plays = settings.get("plays", True)
        self._speaker = Loudspeaker(reports=self._plays)
        self._before: Loudspeaker | None = None  # of the turn before
        self._out = Outbox()
        self._work: asyncio.Queue[Coroutine[Any, Any, None]] = asyncio.Queue()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._turn: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None
        self._unanswered_s: float | None = None  # where the user's last turn began, until something answers it
        self._goes_on_from_s: float | None = None  # where the turn began that the user goes on with
        self._is_taken_back = False
        self._number = 0
        self._started = 0  # the latest turn of whose answer something was played
        self._stopped = 0  # the latest turn whose sound is not wanted any more
        self._ended = True  # playback of the latest turn
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
        if self._ears is not None:
            await self._ears.warm_up()
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
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._notices.aclose()
        while not self._work.empty():
            self._work.get_nowait().close()
        await self._session.interrupt()
        self._session.settle_news()
        if self._ears is not None:
            await self._ears.aclose()
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
        sound = self._microphone.convert(chunk)
        played = self._speaker.take(len(sound))
        if self._guard is not None:
            sound = self._guard.push(sound, played)
        self._microphone.keep(sound)
        for probability, level_dbfs in self._voice_frames.push(sound):
            users = 0.0 if self._speaker.is_protected else probability
            self._do(self._taker.push(users, level_dbfs, agent_left_s=self._agent_left_s))
        if not self._taker.user_speaks:
            self._microphone.forget(self._unanswered_s)
        self._check_played()

    def played(self, seconds: float, *, turn: int | None = None) -> None:
        """Report how much of a turn's sound was played, notices included; see `Session.played`."""
        if turn is None or turn == self._speaker.turn:
            self._speaker.report(seconds)
            if self._number and self._plays:
                self._session.played(self._speaker.played_s, turn=turn)
            self._check_played()
        elif self._plays and self._before is not None and turn == self._before.turn and turn > 0:
            self._session.played(self._before.answer_s(seconds), turn=turn)

    async def say(self, text: str, *, interruptible: bool = True) -> None:
        """Say a notice, such as a greeting: it is spoken in the current voice, and not part of the conversation.

        interruptible: whether the user may interrupt it; otherwise what the user says meanwhile is dropped

        Returns when its sound was made. A turn that begins meanwhile ends it.
        """
        await self._notices.say(text, "notice", self._speaker, self._session.voice, is_protected=not interruptible)

    async def send(self, user: UserInput) -> None:
        """Begin a turn with text, or with the results of open calls, as `Session.stream` takes them."""
        self._stop_agent()
        self._work.put_nowait(self._answer(user))

    async def change_voice(self, voice: str | Voice | None) -> None:
        """Speak in another voice from the next turn on; see `Session.change_voice`."""
        await self._session.change_voice(voice)

    async def interrupt(self) -> None:
        """Stop the answer, as if the user had interrupted it."""
        if self.is_busy:
            self._stop_agent()
            self._work.put_nowait(self._session.interrupt())

    @property
    def is_busy(self) -> bool:
        """Whether the agent thinks or speaks."""
        return self._agent_left_s > 0

    @property
    def _agent_left_s(self) -> float:
        """Audible sound of the agent that is still to come; infinite while it is being made."""
        if self._turn is not None and not self._turn.done():
            return math.inf
        return 0.0 if self._ended else self._speaker.left_s

    @property
    def _is_quiet(self) -> bool:
        return not self.is_busy and self._ended and not self._taker.user_speaks

    def _do(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case UserBegan():
                    self._emit(UserStarted)
                case Hold():
                    self._speaker.held = True
                    self._emit(AgentPaused)
                case Resume():
                    self._speaker.held = False
                    self._emit(AgentResumed)
                case Stop():
                    self._interrupted()
                case Listen():
                    self._listen(action)
                case UserEnded():
                    self._user_ended(action)

    def _interrupted(self) -> None:
        """The user has interrupted. If nothing was heard of the answer yet, the user's turn goes on instead."""
        self._goes_on_from_s = self._unanswered_s
        self._stop_agent()
        self._work.put_nowait(self._take_back())

    async def _take_back(self) -> None:
        self._is_taken_back = await self._session.retract()

    def _stop_agent(self) -> None:
        """Let nothing more of the answer be heard."""
        if not self.is_busy and not self._speaker.held:
            return
        self._speaker.held = False
        self._speaker.drop()
        self._stopped, self._ended = self._number, True
        self._out.withdraw(events.TextSpoken, events.AudioSpoken)
        self._emit(AgentStopped, played_s=self._speaker.played_s)

    def _listen(self, asked: Listen) -> None:
        if self._listening is not None:
            self._listening.cancel()
        self._listening = self._start(self._hear(asked), "agentaudio-live-ears")

    async def _hear(self, asked: Listen) -> None:
        assert self._ears is not None
        sound = self._microphone.cut(asked.start_s, asked.end_s)
        language = self._setup.options.language
        try:
            found = await self._ears.recognise(sound, self._setup.specs(), language)
        except AgentAudioError as error:
            log.warning("turn taking goes on without the words: %s", error)
            return
        self._do(self._taker.heard(asked.number, found.text))

    def _user_ended(self, ended: UserEnded) -> None:
        goes_on_from_s, self._goes_on_from_s = self._goes_on_from_s, None
        # What was taken back has to be answered, also when the words that followed it turn out to be none.
        is_turn = ended.is_turn or goes_on_from_s is not None
        self._emit(UserStopped, answered=is_turn, reason=ended.why)
        if is_turn:
            self._unanswered_s = ended.start_s if goes_on_from_s is None else goes_on_from_s
            alone = self._microphone.cut(ended.start_s, ended.end_s)
            whole = self._microphone.cut(self._unanswered_s, ended.end_s)
            self._work.put_nowait(self._begin(ended, alone, whole))

    async def _begin(self, ended: UserEnded, alone: Audio, whole: Audio) -> None:
        """Answer a turn of the user.

        alone: its sound; whole: with that of the turn before which it goes on with, if it does
        """
        sound, start_s, words = alone, ended.start_s, ended.words
        if self._is_taken_back and len(whole) > len(alone):
            sound, start_s, words = whole, ended.end_s - whole.duration, None
        self._is_taken_back = False
        self._emit(TurnCommitted, text=words, start_s=start_s, end_s=ended.end_s)
        mine = self._ears is not None and self._ears.are_the_models
        await self._answer(AudioPart(sound, words) if words is not None and mine else sound)

    async def _answer(self, user: UserInput | None) -> None:
        if user is not None:
            self._idle.answered()
        if self._turn is not None:
            await self._session.interrupt()
            await asyncio.wait([self._turn])
        if isinstance(user, str):
            self._notices.heard(user)
        self._number += 1
        self._before = self._speaker
        self._speaker = Loudspeaker(self._number, reports=self._plays or self._speaker.reports)
        self._ended = False
        self._turn = self._start(self._run(user, self._number), "agentaudio-live-turn")

    async def _run(self, user: UserInput | None, number: int) -> None:
        """Pass on the events of a turn."""
        turn, speaker = self._session.stream(user), self._speaker
        filler: asyncio.Task[None] | None = None
        failed = False
        with contextlib.suppress(AgentAudioError):  # its event has told
            async with contextlib.aclosing(turn):
                async for event in turn:
                    match event:
                        case events.TextSpoken() | events.AudioSpoken() if number <= self._stopped:
                            continue
                        case events.AudioSpoken(audio=audio):
                            speaker.add(audio)
                        case events.SpeechHeard(text=text):
                            self._notices.heard(text)
                        case events.ToolStarted(call=call) if filler is None:
                            filler = self._start(
                                self._notices.fill(call.name, speaker, self._session.voice), "agentaudio-live-filler"
                            )
                        case events.ToolFinished() | events.TurnFinished() | events.TurnFailed() if filler is not None:
                            filler.cancel()
                    if isinstance(event, events.TurnFinished):
                        self._taker.agent_said(event.reply.text)
                    failed = isinstance(event, events.TurnFailed)
                    await self._out.put(event)
        if failed and number > self._stopped:
            await self._notices.say(self._notices.apology(), "failure", speaker, self._session.voice)
        self._loop.call_soon(self._check_played)

    def _wants(self, speaker: Loudspeaker) -> bool:
        """Whether more sound may be added to a turn: no other one has begun, and nobody has interrupted it."""
        if speaker is not self._speaker or (speaker.turn and speaker.turn <= self._stopped):
            return False
        self._ended = False
        return True

    def _check_played(self) -> None:
        """Tell once when an answer begins to be played, and when it was played to its end."""
        if self._started < self._number and self._speaker.played_s > 0:
            self._started = self._number
            self._unanswered_s = None
            self._emit(AgentStarted)
        works = self._turn is not None and not self._turn.done()
        plays_on = not self._speaker.has_ended and (self._plays or self._last_push > 0)
        if self._ended or works or plays_on:
            return
        self._ended = True
        self._unanswered_s = None
        self._emit(AgentFinished, played_s=self._speaker.played_s)

    async def _conduct(self) -> None:
        """Do the work that has to wait, one after the other."""
        while True:
            await (await self._work.get())

    async def _watch(self) -> None:
        """End an open turn when the microphone has stopped sending, and speak to a user who stays silent."""
        while True:
            await asyncio.sleep(LOST_CHECK_S)
            now_s = self._loop.time()
            is_on = now_s - self._last_push <= self._settings.lost_s
            if self._taker.user_speaks and not is_on:
                self._do(self._taker.lost())
            if self._session.has_news and self._is_quiet and self._work.empty():
                self._work.put_nowait(self._answer(None))
                continue
            prompt = self._idle.due(now_s, both_silent=is_on and self._is_quiet)
            if prompt:
                await self._notices.say(prompt, "idle", self._speaker, self._session.voice)
            elif prompt is not None:
                self._emit(UserIdle)

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _emit(self, kind: type[BaseEvent], **fields: Any) -> None:
        self._out.post(kind(turn=self._number, at_s=self._microphone.now_s, **fields))
