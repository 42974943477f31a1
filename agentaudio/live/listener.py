"""`Listener`: hears the user of a live session. Sound goes in; actions of turn taking come out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import AgentAudioError
from agentaudio.live.ears import ears_of
from agentaudio.live.echo import EchoGuard
from agentaudio.live.hearing_ahead import HearingAhead
from agentaudio.live.loudspeaker import Loudspeaker
from agentaudio.live.microphone import Microphone
from agentaudio.live.settings import LiveSettings, TurnTaking
from agentaudio.live.together import Together
from agentaudio.live.turn_model import turn_model_of
from agentaudio.live.turn_taking import (
    ENDING_S,
    PRE_ROLL_S,
    STARTS_ABOVE,
    Action,
    Judge,
    Listen,
    TurnTaker,
    UserBegan,
    UserEnded,
)
from agentaudio.live.voice_frames import NOTHING_DBFS, Seen, VoiceFrames
from agentaudio.setup import Setup
from agentaudio.sound.audio import Audio
from agentaudio.sound.silero import Look
from agentaudio.sound.stream import Chunk

log = logging.getLogger(__name__)

SAMPLE_RATE_HZ = 16_000
OWN_WORDS_S = 3.0
"""How long the words of the model's own ears are awaited at least."""


class Listener:
    """The microphone, the voice detector, the ears, the turn model and the rules of turn taking.

    act: takes the actions, except `Listen` and `Judge`
    start: runs a coroutine as a task of the session
    """

    def __init__(
        self,
        setup: Setup,
        settings: LiveSettings,
        act: Callable[[list[Action]], None],
        start: Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]],
    ) -> None:
        self._setup, self._act, self._start = setup, act, start
        ears, turn_model = settings.get("ears", "auto"), settings.get("turn_model", "auto")
        if not setup.model.capabilities.hears:
            ears = turn_model = None
        self._ears = ears_of(setup.model, ears)
        self._turn_model = turn_model_of(turn_model, stands_in=self._ears is None and ears == "auto")
        self._guard = EchoGuard() if settings.get("echo_guard", True) else None
        self.microphone = Microphone(settings.get("sample_rate", SAMPLE_RATE_HZ))
        self._ahead = HearingAhead(setup.model, SAMPLE_RATE_HZ, start)
        self._listening: asyncio.Task[None] | None = None
        self._judging: asyncio.Task[None] | None = None
        self._together: Together | None = None  # while the session is open
        self.change(settings.get("turn_taking", TurnTaking()))

    @property
    def hears_for_the_model(self) -> bool:
        """Whether the model would hear the same words, so that it need not hear the sound again."""
        return self._ears is not None and self._ears.are_the_models

    @property
    def user_speaks(self) -> bool:
        return self._taker.user_speaks

    @property
    def is_on(self) -> bool:
        """Whether turns are detected."""
        return self._is_on

    def change(self, settings: TurnTaking | None, *, by_words: bool = True) -> None:
        """Take turns by other settings, and forget an open turn.

        settings: None detects no turns
        by_words: whether the ears and the turn model are asked
        """
        self._is_on = settings is not None
        self._settings = settings = settings or TurnTaking()
        if self.hears_for_the_model:
            # The model waits for the same words anyway.
            settings = replace(settings, late_s=max(settings.late_s, OWN_WORDS_S))
        self._by_words = by_words
        self._stop_judging()
        hears, judges = (one is not None and by_words for one in (self._ears, self._turn_model))
        self._taker = TurnTaker(settings, hears=hears, judges=judges)
        self._taker.now_s = self.microphone.now_s
        self._voice_frames = VoiceFrames()
        self._waits = False  # for what the voice detector was asked

    def forget(self) -> None:
        """Forget the open turn."""
        self._ahead.drop()
        self.change(self._settings if self._is_on else None, by_words=self._by_words)

    def open(self) -> None:
        """The session begins, in the running event loop."""
        self._together = Together.of_loop()
        self._together.join()

    async def warm_up(self) -> None:
        if not (self._is_on and self._by_words):
            return
        for one in (self._ears, self._turn_model):
            if one is not None:
                await one.warm_up()

    def close(self) -> None:
        """Decide on nothing more."""
        self._voice_frames = VoiceFrames()
        if self._together is not None:
            self._together.leave()
            self._together = None

    async def aclose(self) -> None:
        if self._ears is not None:
            await self._ears.aclose()

    def agent_said(self, text: str) -> None:
        """Take the words of the agent's latest answer."""
        self._taker.agent_said(text)

    def push(
        self,
        chunk: Chunk,
        speaker: Loudspeaker,
        agent_left_s: Callable[[], float],
        needed_s: Callable[[], float | None],
    ) -> None:
        """Take sound of the microphone.

        speaker: what the agent says meanwhile
        agent_left_s: audible sound of the agent that is still to come
        needed_s: from where on the microphone's sound must be kept

        Raises AudioError for sound that cannot be taken.
        """
        sound = self.microphone.convert(chunk)
        played = speaker.take(len(sound))
        if self._guard is not None:
            sound = self._guard.push(sound, played, inaudible=self._taker.inaudible)
        self.microphone.keep(sound)
        if self._is_on:
            self._take_turns(sound, speaker, agent_left_s)
            self._ahead.push(sound, self.microphone.end)
        if not self._taker.user_speaks:
            self.microphone.forget(needed_s())

    def _take_turns(self, sound: NDArray[np.float32], speaker: Loudspeaker, agent_left_s: Callable[[], float]) -> None:
        self._settle()
        now = _Now(self._taker, self._voice_frames, speaker, agent_left_s)
        windows = now.frames.take(sound)
        for place, window in enumerate(windows, 1):
            self._settle()
            seen = now.frames.seen(window, nobody_below_dbfs=max(NOTHING_DBFS, now.taker.nobody_below_dbfs))
            if seen.look is None:
                self._heard_frame(now, seen.level_dbfs, place == len(windows), 0.0)
            else:
                self._ask(seen.look, partial(self._heard_frame, now, seen.level_dbfs, place == len(windows)))
        if not windows:
            self._look_again(now)

    def _ask(self, look: Look, take: Callable[[float], None]) -> None:
        if self._together is None:
            take(look.alone())
            return
        self._waits = True
        self._together.ask(look, take)

    def _settle(self) -> None:
        """Let nothing wait for the voice detector."""
        if self._waits and self._together is not None:
            self._together.settle()

    def _heard_frame(self, now: _Now, level_dbfs: float, is_latest: bool, probability: float) -> None:
        """Take the voice detector's answer about a frame. is_latest: no other one has come since"""
        if now.frames is not self._voice_frames:
            return
        self._waits = False
        users = 0.0 if now.speaker.is_protected else _as_if_above_half(probability, self._settings.voice_above)
        self._do(now.taker.push(users, level_dbfs, agent_left_s=now.agent_left_s()))
        if is_latest and now.frames is self._voice_frames:
            self._look_again(now)

    def _look_again(self, now: _Now) -> None:
        """While the agent speaks, look at what is not a whole frame yet, too, if it is loud enough to be the user's."""
        if now.taker.user_speaks or now.agent_left_s() <= ENDING_S or now.speaker.is_protected:
            return
        seen = now.frames.seen_again(nobody_below_dbfs=max(NOTHING_DBFS, now.taker.begins_above_dbfs))
        if seen is None:
            return
        if seen.look is None:
            self._glimpsed(now, seen, 0.0)
        else:
            self._ask(seen.look, partial(self._glimpsed, now, seen))

    def _glimpsed(self, now: _Now, seen: Seen, probability: float) -> None:
        if now.frames is not self._voice_frames:
            return
        self._waits = False
        if not now.speaker.is_protected:
            users = _as_if_above_half(probability, self._settings.voice_above)
            self._do(now.taker.glimpse(users, seen.level_dbfs, seen.new_s, agent_left_s=now.agent_left_s()))

    def lost(self) -> None:
        """The microphone has stopped sending: end what is open."""
        self._settle()
        self._do(self._taker.lost())

    def commit(self) -> bool:
        """End the open turn now. Returns False when there is none."""
        self._settle()
        if not self._taker.user_speaks:
            return False
        actions = self._taker.lost()
        self._do([replace(one, why="committed") if isinstance(one, UserEnded) else one for one in actions])
        return any(isinstance(one, UserEnded) for one in actions)

    async def words(self, sound: Audio) -> str | None:
        """What is said in a sound; None without ears, and when they fail."""
        if self._ears is None:
            return None
        try:
            return (await self._ears.recognise(sound, self._setup.specs(), self._setup.options.language)).text
        except AgentAudioError as error:
            log.warning("turn taking goes on without the words: %s", error)
            return None

    def _do(self, actions: list[Action]) -> None:
        earlier_s = self._settings.pre_roll_s - PRE_ROLL_S
        for action in actions:
            match action:
                case Listen():
                    if self._listening is not None:
                        self._listening.cancel()
                    self._listening = self._start(self._hear(action), "agentaudio-live-ears")
                    continue
                case Judge():
                    self._stop_judging()
                    self._judging = self._start(self._judge(action), "agentaudio-live-turn-model")
                    continue
                case UserBegan(start_s=start_s) | UserEnded(start_s=start_s) if earlier_s:
                    action = replace(action, start_s=max(0.0, start_s - earlier_s))
            self._hear_ahead(action)
            self._act([action])

    def _hear_ahead(self, action: Action) -> None:
        match action:
            case UserBegan(start_s=start_s):
                begun = self.microphone.cut(start_s, self.microphone.now_s)
                self._ahead.begin(begun.samples, self.microphone.end)
            case UserEnded():
                self._ahead.stop()
                self._stop_judging()

    async def _hear(self, asked: Listen) -> None:
        taker = self._taker
        text = await self.words(self.microphone.cut(asked.start_s, asked.end_s))
        if text is not None and taker is self._taker:
            self._do(taker.heard(asked.number, text))

    async def _judge(self, asked: Judge) -> None:
        assert self._turn_model is not None
        taker, sound = self._taker, self.microphone.cut(asked.start_s, asked.end_s)
        try:
            finished = await self._turn_model.finished(sound)
        except AgentAudioError as error:
            log.warning("turn taking goes on without the turn model: %s", error)
            return
        self._judging = None  # so that it is not cancelled when its answer ends the turn
        if taker is self._taker:
            self._do(taker.judged(asked.number, finished))

    def _stop_judging(self) -> None:
        if self._judging is not None:
            self._judging.cancel()
            self._judging = None


class _Now(NamedTuple):
    """What was in force when sound came about which the voice detector is asked."""

    taker: TurnTaker
    frames: VoiceFrames
    speaker: Loudspeaker
    agent_left_s: Callable[[], float]


def _as_if_above_half(probability: float, above: float) -> float:
    """A probability of speech on a scale on which `above` is the threshold of the rules, which is STARTS_ABOVE."""
    if probability < above:
        return probability * STARTS_ABOVE / above
    return STARTS_ABOVE + (probability - above) * (1 - STARTS_ABOVE) / (1 - above)
