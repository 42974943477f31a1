"""`Room`: plays a conversation to a policy. It owns microphone, loudspeaker and the clock, which counts frames."""

from __future__ import annotations

import dataclasses
import math
import zlib
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from turns.conversations import Bed, Conversation, EchoPath, Step
from turns.sounds import RATE, convolved, impulse_response, music, pink
from turns.speech import Clip, Speech, at_level, voiced_from_s

Samples = NDArray[np.float32]

FRAME = RATE // 50
TICK_S = FRAME / RATE
AGENT_VOICE, AGENT_LEVEL_DBFS = "af_heart", -22.0
AGENT_PADDING_S = 0.3
"""Silence at the end of the sound of each answer, as synthesisers leave it."""
FLOOR_DBFS = -72.0
GIVES_UP_S = 12.0
"""After it a step that waits for the agent happens anyway."""
QUIET_S, UNANSWERED_S, ALONE_S, LONGEST_S = 3.5, 6.5, 16.0, 70.0
BED_S = 25.0
TELEVISION = (
    ("am_michael", "Good evening. Our main story tonight is the new bridge across the bay, which will open in May."),
    (
        "bf_alice",
        "Engineers say that the work took three years longer than they had planned. What does that mean for us?",
    ),
    ("am_michael", "We asked some of the people who live nearby. Most of them are glad that it is over at last."),
)


@dataclass(slots=True)
class Answer:
    """One answer of the agent. Times are in seconds of the room; None for what has not happened."""

    text: str
    samples: Samples
    audible_s: float
    due_s: float
    position: int = 0
    began_s: float | None = None
    stopped_s: float | None = None
    ended_s: float | None = None

    @property
    def played_s(self) -> float:
        return self.position / RATE

    @property
    def is_over(self) -> bool:
        return self.stopped_s is not None or self.ended_s is not None


@dataclass(slots=True)
class Said:
    """A step as it happened: from its first to its last audible sample.

    voiced_s: the start of its first voiced sound
    """

    step: Step
    start_s: float
    voiced_s: float
    end_s: float
    over: Answer | None


@dataclass(slots=True)
class Record:
    """What happened in a conversation.

    sounding: of each tick, the index of the answer that was heard, or -1
    holds: (from, to) in which an answer was held
    """

    conversation: Conversation
    said: list[Said] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    sounding: list[int] = field(default_factory=list)
    holds: list[tuple[float, float]] = field(default_factory=list)


class Agent:
    """The agent of a room: answers at once, with what the conversation gives it. A policy commands it."""

    def __init__(self, conversation: Conversation, sounds: dict[str, Clip], record: Record) -> None:
        self._conversation, self._sounds, self._record = conversation, sounds, record
        self.now_s = 0.0
        self._held_from_s: float | None = None

    @property
    def current(self) -> Answer | None:
        """The answer that is thought about or heard."""
        answers = self._record.answers
        return answers[-1] if answers and not answers[-1].is_over else None

    @property
    def is_busy(self) -> bool:
        """Whether there is sound to come."""
        return self.left_s > 0

    @property
    def left_s(self) -> float:
        """Audible sound that is still to come, in seconds; 0 without an answer, infinite while the agent thinks."""
        if self.current is None:
            return 0.0
        if self.current.began_s is None and self._conversation.think_s > 0:
            return math.inf
        return max(0.0, self.current.audible_s - self.current.played_s)

    @property
    def is_held(self) -> bool:
        return self._held_from_s is not None

    @property
    def latest_text(self) -> str:
        """Of the latest answer; "" before the first."""
        return self._record.answers[-1].text if self._record.answers else ""

    def answer(self) -> None:
        """The user's turn is over."""
        self.stop()
        texts = self._conversation.answers
        text = texts[min(sum(a.began_s is not None for a in self._record.answers), len(texts) - 1)]
        clip = self._sounds[text]
        sound = np.concatenate([clip.samples, np.zeros(round(AGENT_PADDING_S * RATE), np.float32)])
        self._record.answers.append(Answer(text, sound, clip.end_s, self.now_s + self._conversation.think_s))

    def stop(self) -> None:
        """Let nothing more of the answer be heard."""
        self.resume()
        if self.current is not None:
            self.current.stopped_s = self.now_s

    def hold(self) -> None:
        if self._held_from_s is None:
            self._held_from_s = self.now_s

    def resume(self) -> None:
        if self._held_from_s is not None:
            self._record.holds.append((self._held_from_s, self.now_s))
            self._held_from_s = None

    def tick(self) -> Samples:
        """The next 20 ms of the loudspeaker: (FRAME,) float32."""
        frame = np.zeros(FRAME, np.float32)
        answer = self.current
        if answer is None or self.is_held or self.now_s < answer.due_s - 1e-9:
            self._record.sounding.append(-1)
            return frame
        if answer.began_s is None:
            answer.began_s = self.now_s
        part = answer.samples[answer.position : answer.position + FRAME]
        frame[: len(part)] = part
        is_audible = answer.played_s < answer.audible_s
        answer.position += len(part)
        self._record.sounding.append(len(self._record.answers) - 1 if is_audible else -1)
        if answer.position >= len(answer.samples):
            answer.ended_s = self.now_s
        return frame


class Policy(Protocol):
    """Decides who speaks when."""

    def begin(self, agent: Agent, language: str) -> None:
        """A new conversation."""

    def hear(self, frame: Samples, played: Samples) -> None:
        """Take 20 ms of the microphone, and what the loudspeaker played in that time: (FRAME,) float32 each."""


class Room:
    """Makes the sounds of conversations, and plays them to policies."""

    def __init__(self, speech: Speech) -> None:
        self._speech = speech
        self._beds: dict[tuple[str, int], Samples] = {}

    def play(self, conversation: Conversation, policy: Policy) -> Record:
        """One conversation from its beginning to its end."""
        record = Record(conversation)
        seed = zlib.crc32(conversation.name.encode())
        clips = [self._clip(conversation, step, seed + place) for place, step in enumerate(conversation.steps)]
        sounds = {text: self._answer(text, conversation.language) for text in conversation.answers}
        agent = Agent(conversation, sounds, record)
        policy.begin(agent, conversation.language)
        background = self._background(conversation, seed)
        echo = _Echo(conversation.echo, seed) if conversation.echo else None
        coming = np.zeros(0, np.float32)  # sound of the steps that have begun, from now on
        played = np.zeros(FRAME, np.float32)
        place, waits_from_s, tick = 0, 0.0, 0
        while not _is_over(record, place == len(clips), agent.now_s):
            now_s = tick * TICK_S
            while place < len(clips) and (
                _is_due(conversation.steps[place], record, agent) or now_s - waits_from_s > GIVES_UP_S
            ):
                clip = clips[place]
                coming = np.pad(coming, (0, max(0, len(clip.samples) - len(coming))))
                coming[: len(clip.samples)] += clip.samples
                over = agent.current if agent.is_busy else None
                voiced_s = max(clip.start_s, voiced_from_s(clip.samples))
                step, start_s, end_s = conversation.steps[place], now_s + clip.start_s, now_s + clip.end_s
                record.said.append(Said(step, start_s, now_s + voiced_s, end_s, over))
                place, waits_from_s = place + 1, now_s + clip.end_s
            if agent.is_busy:
                waits_from_s = now_s
            at = (tick * FRAME) % (len(background) - FRAME)
            mic = background[at : at + FRAME].copy()
            mic[: len(coming[:FRAME])] += coming[:FRAME]
            coming = coming[FRAME:]
            if echo is not None:
                mic += echo.push(played)
            tick += 1
            agent.now_s = tick * TICK_S
            policy.hear(np.clip(mic, -1, 1), played)
            played = agent.tick()
        agent.resume()
        return record

    def _clip(self, conversation: Conversation, step: Step, seed: int) -> Clip:
        clip = self._speech.clip(step.says, step.voice or conversation.voice, conversation.language, seed)
        samples = at_level(clip.samples, max(-60.0, conversation.level_dbfs) + step.level_db)
        if step.is_far:
            samples = convolved(samples, impulse_response(np.random.default_rng(seed), 0.5, 1.2))
        return dataclasses.replace(clip, samples=samples)

    def _answer(self, text: str, language: str) -> Clip:
        clip = self._speech.clip(text, "zf_xiaoxiao" if language == "zh" else AGENT_VOICE, language, 0)
        return dataclasses.replace(clip, samples=at_level(clip.samples, AGENT_LEVEL_DBFS))

    def _background(self, conversation: Conversation, seed: int) -> Samples:
        """Repeated when it is over: (n,) float32."""
        rng = np.random.default_rng(seed)
        if conversation.level_dbfs < -100:
            return np.zeros(round(BED_S * RATE), np.float32)
        floor = pink(rng, BED_S) * np.float32(10 ** (FLOOR_DBFS / 20))
        if conversation.bed is None:
            return floor
        bed = self._bed(conversation.bed, seed)
        count = min(len(bed), len(floor))
        return floor[:count] + at_level(bed[:count], conversation.level_dbfs - conversation.bed.snr_db)

    def _bed(self, bed: Bed, seed: int) -> Samples:
        rng = np.random.default_rng(seed + 1)
        if bed.name == "pink":
            return pink(rng, BED_S)
        if bed.name == "music":
            return music(rng, BED_S)
        parts: list[Samples] = []
        for voice, text in TELEVISION:
            parts += [
                self._speech.clip(text, voice, "en", 0).samples,
                np.zeros(round(rng.uniform(0.3, 1.2) * RATE), np.float32),
            ]
        return convolved(np.concatenate(parts), impulse_response(rng, 0.4, 1.0))


class _Echo:
    """The loudspeaker in the microphone: late, without low and high tones, with the reverberation of a room."""

    def __init__(self, path: EchoPath, seed: int) -> None:
        response = impulse_response(np.random.default_rng(seed + 2), path.decay_s, 0.5)
        response = np.concatenate([np.zeros(64, np.float32), response, np.zeros(256, np.float32)])
        hz = np.fft.rfftfreq(len(response), 1 / RATE)
        gain = 1 / np.sqrt(1 + (250 / np.maximum(hz, 1)) ** 4) / np.sqrt(1 + (hz / 5000) ** 8)
        shaped = np.fft.irfft(np.fft.rfft(response) * gain, len(response))
        shaped *= 10 ** (path.level_db / 20) / np.sqrt(np.sum(shaped**2))
        delay = np.zeros(round(path.delay_ms / 1000 * RATE))
        self._response = np.asarray(np.concatenate([delay, shaped]), np.float32)
        self._coming = np.zeros(len(self._response) + FRAME, np.float32)

    def push(self, played: Samples) -> Samples:
        if np.any(played):
            self._coming[: len(self._response) + FRAME - 1] += convolved(played, self._response)
        now, self._coming = self._coming[:FRAME], np.concatenate([self._coming[FRAME:], np.zeros(FRAME, np.float32)])
        return now


def _is_due(step: Step, record: Record, agent: Agent) -> bool:
    """Whether the moment of a step has come."""
    now_s = agent.now_s
    if step.after == "start":
        return now_s >= step.delay_s
    if step.after == "said":
        return now_s >= record.said[-1].end_s + step.delay_s
    turns = [said for said in record.said if said.step.role != "ignore"]
    last_s = turns[-1].end_s - 0.04 if turns else 0.0
    answer = next((a for a in record.answers if a.began_s is not None and a.began_s >= last_s), None)
    if answer is None or now_s < max(said.end_s for said in record.said):
        return False
    if step.after == "agent_start":
        return answer.is_over or (answer.played_s >= step.delay_s and not agent.is_held)
    if step.delay_s < 0:
        return answer.is_over or answer.played_s >= answer.audible_s + step.delay_s
    if agent.is_busy or not answer.is_over and answer.played_s < answer.audible_s:
        return False
    return now_s >= _sounded_until_s(record) + step.delay_s


def _is_over(record: Record, steps_done: bool, now_s: float) -> bool:
    if now_s >= LONGEST_S:
        return True
    if not record.conversation.steps:
        return now_s >= ALONE_S
    if not steps_done or (record.answers and not record.answers[-1].is_over):
        return False
    turns = [said.end_s for said in record.said if said.step.role != "ignore"]
    is_answered = any(a.began_s is not None and a.began_s >= turns[-1] - 0.04 for a in record.answers)
    latest_s = max([said.end_s for said in record.said] + [_sounded_until_s(record)])
    return now_s >= latest_s + (QUIET_S if is_answered else UNANSWERED_S)


def _sounded_until_s(record: Record) -> float:
    """The end of the latest audible frame of the agent; 0 when there was none."""
    count = len(record.sounding)
    place = next((place for place in range(count - 1, -1, -1) if record.sounding[place] >= 0), -2)
    return (place + 2) * TICK_S
