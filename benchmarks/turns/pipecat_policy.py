"""`PipecatDefault`: the default turn logic of pipecat-ai, with its own voice detector and its turn model Smart Turn.

VAD: probability 0.7, 0.2 s of voice, 0.2 s of silence, volume 0.6. Voice interrupts the agent. After each stretch of
voice Smart Turn says whether the turn is over; 3 s of silence end it otherwise. The objects are the package's own. Only
the strategy that joins them is written here, as its documentation describes it, so that the clock can count frames.
"""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
from loguru import logger
from numpy.typing import NDArray
from pipecat.audio.turn.base_turn_analyzer import EndOfTurnState
from pipecat.audio.turn.smart_turn import base_smart_turn
from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import LocalSmartTurnAnalyzerV3
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADState

from turns.room import Agent
from turns.sounds import RATE

Samples = NDArray[np.float32]


class PipecatDefault:
    def __init__(self) -> None:
        logger.disable("pipecat")
        self._loop = asyncio.new_event_loop()
        self._smart_turn: Any = LocalSmartTurnAnalyzerV3()
        self._smart_turn.set_sample_rate(RATE)
        self._vad: Any = None

    def begin(self, agent: Agent, language: str) -> None:
        base_smart_turn.time = SimpleNamespace(monotonic=lambda: 1000.0 + agent.now_s, perf_counter=time.perf_counter)
        if self._vad is not None:
            self._loop.run_until_complete(self._vad.cleanup())
        self._agent, self._vad = agent, SileroVADAnalyzer(sample_rate=RATE)
        self._vad.set_sample_rate(RATE)
        self._smart_turn.clear()
        self._speaks = self._is_open = False

    def hear(self, frame: Samples, played: Samples) -> None:
        pcm = np.round(frame * 32767).astype("<i2").tobytes()
        state = self._loop.run_until_complete(self._vad.analyze_audio(pcm))
        if state == VADState.SPEAKING and not self._speaks:
            self._speaks = True
            self._smart_turn.update_vad_start_secs(self._vad.params.start_secs)
            if not self._is_open:
                self._is_open = True
                self._agent.stop()
        is_over = self._smart_turn.append_audio(pcm, self._speaks) == EndOfTurnState.COMPLETE
        if state == VADState.QUIET and self._speaks:
            self._speaks = False
            found, _ = self._loop.run_until_complete(self._smart_turn.analyze_end_of_turn())
            is_over = is_over or found == EndOfTurnState.COMPLETE
        if is_over and self._is_open:
            self._is_open = False
            self._smart_turn.clear()
            self._agent.answer()
