"""A room with a microphone and a loudspeaker, for tests of live sessions: its time runs faster than real time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from agentaudio import Audio
from agentaudio.events import AudioSpoken, Event
from agentaudio.live.events import AgentPaused, AgentResumed, AgentStopped, AnyLiveEvent
from agentaudio.live.session import LiveSession
from agentaudio.model.parts import Recognition

RATE = 16_000
FRAME = 320
FRAME_S = FRAME / RATE

Samples = NDArray[np.float32]


class GivenWords:
    """A Recogniser that answers with the given texts, one after the other, and then with the last one."""

    languages: tuple[str, ...] = ()
    max_audio_s = 600.0

    def __init__(self, *texts: str, delay_s: float = 0.0) -> None:
        self._texts, self._delay_s = deque(texts), delay_s
        self.asked: list[float] = []

    async def recognise(self, audio: Audio, *, language: str | None = None, hint: Sequence[str] = ()) -> Recognition:
        self.asked.append(audio.duration)
        await asyncio.sleep(self._delay_s)
        return Recognition(self._texts.popleft() if len(self._texts) > 1 else self._texts[0])

    async def stream(
        self, sound: AsyncIterator[Audio], *, language: str | None = None, hint: Sequence[str] = ()
    ) -> AsyncGenerator[Recognition, None]:
        yield await self.recognise(Audio.concat([piece async for piece in sound]))

    async def warm_up(self, hint: Sequence[str] = ()) -> None: ...

    async def aclose(self) -> None: ...


class GivenJudgement:
    """A TurnModel that answers with a probability, after `delay_s`, or fails.

    asked: seconds of sound of each question
    """

    def __init__(self, finished: float | Exception, delay_s: float = 0.0) -> None:
        self._finished, self._delay_s = finished, delay_s
        self.asked: list[float] = []
        self.cancelled = 0

    async def finished(self, sound: Audio) -> float:
        self.asked.append(sound.duration)
        try:
            await asyncio.sleep(self._delay_s)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if isinstance(self._finished, Exception):
            raise self._finished
        return self._finished

    async def warm_up(self) -> None: ...


@dataclass
class Room:
    """Plays what a live session says, and says what a test puts into the microphone.

    heard: what came out of the loudspeaker, a frame for each one of the microphone; zeros are silence
    happened: the events, each with the second in which it was read
    echo: gain of the loudspeaker in the microphone, 100 ms late; 0 is a headset
    """

    live: LiveSession
    echo: float = 0.0
    reports: bool = True
    heard: list[Samples] = field(default_factory=list)
    happened: list[tuple[float, Event | AnyLiveEvent]] = field(default_factory=list)
    _queue: deque[tuple[Samples, int]] = field(default_factory=deque)
    _paused: bool = False
    _played: dict[int, int] = field(default_factory=dict)
    _reader: asyncio.Task[None] | None = None

    @property
    def now_s(self) -> float:
        return len(self.heard) * FRAME_S

    @property
    def is_playing(self) -> bool:
        return bool(self._queue) and not self._paused

    def types(self) -> list[str]:
        return [event.type for _, event in self.happened]

    def times(self, kind: str) -> list[float]:
        return [at for at, event in self.happened if event.type == kind]

    async def say(self, sound: Samples | Iterable[Samples]) -> float:
        """Put sound into the microphone; returns the second in which it began."""
        began = self.now_s
        await self._frames(sound if isinstance(sound, np.ndarray) else np.concatenate(list(sound)))
        return began

    async def quiet(self, seconds: float) -> None:
        """Let time pass."""
        await self._frames(silence(seconds))

    async def until_playing(self, seconds: float = 0.02, *, at_most: float = 8.0) -> None:
        """Wait until so much of an answer was played without a pause."""
        run = 0.0
        for _ in range(round(at_most / FRAME_S)):
            await self.quiet(FRAME_S)
            run = run + FRAME_S if np.any(self.heard[-1]) else 0.0
            if run >= seconds - 1e-9:
                return
        raise AssertionError(f"nothing was played within {at_most} s: {self.types()}")

    async def _frames(self, sound: Samples) -> None:
        padded = np.concatenate([sound, np.zeros(-len(sound) % FRAME, np.float32)])
        for start in range(0, len(padded), FRAME):
            frame = padded[start : start + FRAME]
            if self.echo and len(self.heard) >= 5:
                frame = frame + self.echo * self.heard[-5]
            floor = 1e-4 * np.random.default_rng(len(self.heard)).standard_normal(FRAME).astype(np.float32)
            self.live.push(Audio(np.clip(frame + floor, -1, 1).astype(np.float32), RATE).to_pcm16())
            await asyncio.sleep(0.0015)
            self._play()

    def _play(self) -> None:
        frame, got = np.zeros(FRAME, np.float32), 0
        while got < FRAME and self._queue and not self._paused:
            samples, turn = self._queue.popleft()
            part = samples[: FRAME - got]
            frame[got : got + len(part)] = part
            got += len(part)
            self._played[turn] = self._played.get(turn, 0) + len(part)
            if len(part) < len(samples):
                self._queue.appendleft((samples[len(part) :], turn))
            if self.reports:
                self.live.played(self._played[turn] / RATE, turn=turn)
        self.heard.append(frame)

    async def _read(self) -> None:
        async for event in self.live:
            self.happened.append((self.now_s, event))
            match event:
                case AudioSpoken():
                    self._queue.append((event.audio.resample(RATE).samples, event.turn))
                case AgentPaused():
                    self._paused = True
                case AgentResumed():
                    self._paused = False
                case AgentStopped():
                    self._queue.clear()
                    self._paused = False

    async def __aenter__(self) -> Room:
        await self.live.__aenter__()
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.live.aclose()
        assert self._reader is not None
        await asyncio.wait_for(self._reader, 5)


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE), np.float32)
