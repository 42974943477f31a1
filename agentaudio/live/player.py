"""`Player`: the agent's sound on its way to a sound card, and how far each turn's was played."""

from __future__ import annotations

import threading
from collections import deque

import numpy as np
from numpy.typing import NDArray

from agentaudio.events import AudioSpoken, BaseEvent
from agentaudio.live.events import AgentPaused, AgentResumed, AgentStopped
from agentaudio.sound.audio import Audio
from agentaudio.sound.stream import PcmStream

Samples = NDArray[np.float32]

FADE_S = 0.008
"""Fading where sound is cut off or goes on, so that it does not click."""


class Player:
    """Follows the events of a live session, and gives the sound to play, block by block.

    sample_rate: of the sound that `fill` gives, in Hz

    Events come from the session's event loop, `fill` is called in the thread of the sound card.
    """

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._lock = threading.Lock()
        self._stream = PcmStream(sample_rate)
        self._turn = -1
        self._waiting: deque[tuple[int | None, Samples]] = deque()
        self._played: dict[int, int] = {}
        self._held = False
        self._last = np.float32(0)  # the sample that was played last
        self._fade = np.linspace(1, 0, round(FADE_S * sample_rate), dtype=np.float32)

    def take(self, event: BaseEvent) -> None:
        """Play, hold, go on with or drop sound, as an event says."""
        match event:
            case AudioSpoken(turn=turn, audio=audio):
                with self._lock:
                    if turn != self._turn:
                        self._stream.reset()
                        self._turn = turn
                    self._waiting.append((turn, self._stream.push(audio).samples))
            case AgentPaused():
                self._held = True
            case AgentResumed():
                self._held = False
            case AgentStopped():
                with self._lock:
                    self._waiting.clear()
                    self._held = False

    def play(self, audio: Audio) -> None:
        """Play a sound of no turn, after what is waiting."""
        with self._lock:
            self._waiting.append((None, audio.resample(self.sample_rate).samples))

    @property
    def is_playing(self) -> bool:
        return bool(self._waiting)

    def fill(self, count: int) -> tuple[Samples, dict[int, float]]:
        """The next block: (count,) float32 in [-1, 1]; and the seconds that were played of each turn that it holds."""
        block, got = np.zeros(count, np.float32), 0
        played: dict[int, float] = {}
        with self._lock:
            while got < count and self._waiting and not self._held:
                turn, samples = self._waiting.popleft()
                part = samples[: count - got]
                block[got : got + len(part)] = part
                got += len(part)
                if len(part) < len(samples):
                    self._waiting.appendleft((turn, samples[len(part) :]))
                if turn is not None:
                    self._played = {turn: self._played.get(turn, 0) + len(part)}
                    played[turn] = self._played[turn] / self.sample_rate
        if got < count and abs(last := block[got - 1] if got else self._last) > 1e-4:
            tail = self._fade[: count - got] * last
            block[got : got + len(tail)] = tail
        self._last = block[-1] if count else self._last
        return block, played
