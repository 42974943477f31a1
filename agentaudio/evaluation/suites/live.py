"""`play`: a dialogue in real time. It owns the microphone and the loudspeaker of a live session."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from agentaudio.agent import Agent
from agentaudio.evaluation.suites.observing import Observer, evidence, results, shown_error
from agentaudio.evaluation.suites.record import Observed
from agentaudio.evaluation.suites.schema import Dialogue, LiveOptions, Moment
from agentaudio.evaluation.suites.sounds import SAMPLE_RATE_HZ, audible_span
from agentaudio.events import TurnStarted
from agentaudio.live.events import AgentStopped
from agentaudio.live.player import Player
from agentaudio.live.session import LiveSession
from agentaudio.reply import Reply
from agentaudio.sound.audio import Audio

FRAME_S = 0.02
FRAME = round(SAMPLE_RATE_HZ * FRAME_S)
AUDIBLE = 10 ** (-50 / 20)
"""Peak of a frame that a listener hears."""
FLOOR = 1e-4
"""Level of the noise in the microphone: no room is digitally silent."""
QUIET_S = 0.5
LAST_QUIET_S = 1.0
LONGEST_WAIT_S = 40.0
"""For the moment of a turn, and for the end of the dialogue."""


@dataclass(slots=True)
class _Begun:
    """A turn of the suite that has begun. Times are in seconds of the microphone.

    first_s: of its first audible sample
    over_speech: whether the agent was audible then
    turns: numbers of the agent's turns that began since
    """

    first_s: float
    over_speech: bool
    turns: list[int] = field(default_factory=list)
    stopped_s: float | None = None
    missed: str | None = None


class _Room:
    """One dialogue: what is said into the microphone, what the loudspeaker plays, and when the next turn is due."""

    def __init__(self, live: LiveSession, dialogue: Dialogue, inputs: Sequence[str | Audio]) -> None:
        self._live, self._dialogue, self._inputs = live, dialogue, inputs
        self.observer = Observer(live.voice)
        self.begun: list[_Begun] = []
        self._stopped: set[int] = set()  # numbers of the agent's turns that were interrupted
        self._player = Player(SAMPLE_RATE_HZ)
        self._coming = np.zeros(0, np.float32)
        self._noise = np.random.default_rng(0)
        self._ticks = 0
        self._spoke_s = 0.0  # audible sound of the agent since the user's latest turn
        self._last_audible_s = -1.0
        self._quiet_s = 0.0
        self._waited_s = 0.0

    @property
    def _now_s(self) -> float:
        return self._ticks * FRAME_S

    async def play(self, pace: float) -> None:
        """Play the dialogue to its end. pace: seconds of the dialogue in one second"""
        reader = asyncio.create_task(self._read())
        clock = asyncio.get_running_loop().time
        start_s = clock()
        try:
            while not self._is_over():
                await self._begin_what_is_due()
                self._tick()
                # After a delay of this program the frames that are late follow at once, as from a sound card.
                await asyncio.sleep(max(0.0, start_s + self._now_s / pace - clock()))
                if reader.done():
                    reader.result()
        finally:
            reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reader

    async def _read(self) -> None:
        async for event in self._live:
            self._player.take(event)
            self.observer.take(event)
            if not self.begun:
                continue
            if isinstance(event, TurnStarted):
                self.begun[-1].turns.append(event.turn)
            elif isinstance(event, AgentStopped):
                self._stopped.add(event.turn)
                if self.begun[-1].stopped_s is None:
                    self.begun[-1].stopped_s = max(self._last_audible_s, self.begun[-1].first_s)

    def _tick(self) -> None:
        frame = np.asarray(FLOOR * self._noise.standard_normal(FRAME), np.float32)
        said, self._coming = self._coming[:FRAME], self._coming[FRAME:]
        frame[: len(said)] += said
        self._live.push(Audio(np.clip(frame, -1, 1), SAMPLE_RATE_HZ).to_pcm16())
        block, played = self._player.fill(FRAME)
        for turn, seconds in played.items():
            self._live.played(seconds, turn=turn)
        self._ticks += 1
        if np.max(np.abs(block)) > AUDIBLE:
            self._last_audible_s = self._now_s
            self._spoke_s += FRAME_S
        is_quiet = not len(self._coming) and self._live.is_quiet and not self._player.is_playing
        self._quiet_s = self._quiet_s + FRAME_S if is_quiet else 0.0
        self._waited_s = 0.0 if len(self._coming) else self._waited_s + FRAME_S

    async def _begin_what_is_due(self) -> None:
        place = len(self.begun)
        if place == len(self._inputs) or len(self._coming):
            return
        gives_up = self._waited_s > LONGEST_WAIT_S
        if not gives_up and not self._is_due(self._dialogue.turns[place].begins):
            return
        given = self._inputs[place]
        first_s = self._now_s + (0.0 if isinstance(given, str) else audible_span(given)[0])
        over_speech = self._player.is_playing and self._now_s - self._last_audible_s < 0.5
        missed = f"its moment did not come within {LONGEST_WAIT_S:g} s" if gives_up else None
        self.begun.append(_Begun(first_s, over_speech, missed=missed))
        self._spoke_s = self._quiet_s = self._waited_s = 0.0
        if isinstance(given, str):
            await self._live.send(given)
        else:
            self._coming = given.samples

    def _is_due(self, moment: Moment | None) -> bool:
        if moment is not None and moment.agent_spoke_s is not None:
            return self._spoke_s >= moment.agent_spoke_s
        quiet_s = QUIET_S if moment is None else moment.quiet_s
        return self._quiet_s >= (quiet_s or QUIET_S)

    def _is_over(self) -> bool:
        if len(self.begun) < len(self._inputs) or len(self._coming):
            return False
        if self._waited_s > LONGEST_WAIT_S:
            return True
        return self._quiet_s >= LAST_QUIET_S and not self._live.has_news and not self._is_waiting_for_results()

    def observed(self, error: str | None) -> list[Observed]:
        """What was observed in each turn that has begun. error: why the session failed"""
        conversation, observer = self._live.conversation, self.observer
        read, brought = evidence(conversation), results(conversation)
        found = []
        for one in self.begun:
            stopped_s = one.stopped_s if one.over_speech else None
            found.append(
                Observed(
                    self._heard_reply(one.turns),
                    stages=observer.stages(one.turns),
                    evidence=read,
                    results=brought,
                    error=one.missed or observer.error(one.turns) or error,
                    stopped_after_s=None if stopped_s is None else stopped_s - one.first_s,
                    went_on=stopped_s is None and not one.turns,
                )
            )
        return found

    def _heard_reply(self, turns: Sequence[int]) -> Reply | None:
        """The answer, of which an interruption leaves the words that were heard."""
        reply = self.observer.reply(turns)
        if reply is None or not self._stopped & set(turns):
            return reply
        messages = [message for turn in turns for message in self._live.conversation.of_turn(turn)]
        heard = " ".join(message.text for message in messages if message.role == "assistant")
        return replace(reply, text=heard.strip(), stop="interrupted")

    def _is_waiting_for_results(self) -> bool:
        wanted = [name for turn in self._dialogue.turns if turn.expect for name in turn.expect.result_of or ()]
        return not set(wanted) <= set(results(self._live.conversation))


async def play(
    agent: Agent, dialogue: Dialogue, inputs: Sequence[str | Audio], options: LiveOptions, pace: float = 1.0
) -> list[Observed]:
    """Run a live dialogue.

    inputs: what the user types or says in each turn
    pace: seconds of the dialogue in one second. Below 1, the agent has more time to think, as on a faster machine; then
        no latencies are observed

    Returns what was observed in each turn. Turns after a failure of the session have its error.
    """
    room: _Room | None = None
    error: str | None = None
    live = agent.live(ears=options.ears, turn_model=options.turn_model, first_word_s=options.first_word_s)
    try:
        async with live:
            room = _Room(live, dialogue, inputs)
            await room.play(pace)
    except Exception as failure:  # also what a strange model or tool raises: the other dialogues are run all the same
        error = shown_error(failure)
    seen = room.observed(error) if room is not None else []
    if pace != 1:
        seen = [replace(one, stages={}) for one in seen]
    lost = Observed(None, error=error or "the dialogue ended before this turn")
    return seen + [lost] * (len(inputs) - len(seen))
