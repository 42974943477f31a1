"""Policies that take turns: agentaudio's, with and without ears and turn model, and a fixed silence."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agentaudio.live.echo import EchoGuard
from agentaudio.live.turn_taking import ENDING_S, Action, Hold, Judge, Listen, Resume, Stop, TurnTaker, UserEnded
from agentaudio.live.voice_frames import NOTHING_DBFS, VoiceFrames
from agentaudio.model.smart_turn import SmartTurn
from agentaudio.model.whisper.recogniser import WhisperRecogniser
from agentaudio.sound.audio import Audio
from agentaudio.sound.vad import ENDS_BELOW, STARTS_ABOVE, VoiceActivityStream
from agentaudio.weights.store import folder
from turns.room import Agent
from turns.sounds import RATE

Samples = NDArray[np.float32]

THREADS = 2
SOONEST_S = 0.25
"""No words arrive earlier than this after they were asked for."""


class Ears:
    """Whisper base, and the CPU seconds that each sound took. Both are kept, so that a second run is the same.

    cache: folder of the file
    """

    def __init__(self, cache: Path) -> None:
        self._path = cache / "words.json"
        self._kept: dict[str, tuple[str, float]] = (
            json.loads(self._path.read_text("utf-8")) if self._path.exists() else {}
        )
        self._whisper: WhisperRecogniser | None = None

    def words(self, sound: Samples, language: str) -> tuple[str, float]:
        """What was heard, and after how many seconds: the CPU time divided by THREADS."""
        key = hashlib.sha256(language.encode() + np.round(sound * 32767).astype(np.int16).tobytes()).hexdigest()
        if key not in self._kept:
            if self._whisper is None:
                self._whisper = WhisperRecogniser(folder("whisper-base"), threads=THREADS)
                asyncio.run(self._whisper.recognise(Audio(sound, RATE), language=language))
            began_s = time.process_time()
            found = asyncio.run(self._whisper.recognise(Audio(sound, RATE), language=language))
            self._kept[key] = found.text, time.process_time() - began_s
        text, cpu_s = self._kept[key]
        return text, max(SOONEST_S, cpu_s / THREADS)

    def save(self) -> None:
        self._path.write_text(json.dumps(self._kept), "utf-8")


class Judgement:
    """Smart Turn, and the CPU seconds that each sound took, kept as those of Ears.

    cache: folder of the file
    """

    def __init__(self, cache: Path) -> None:
        self._path = cache / "finished.json"
        self._kept: dict[str, tuple[float, float]] = (
            json.loads(self._path.read_text("utf-8")) if self._path.exists() else {}
        )
        self._model = SmartTurn.from_cache()
        self._model.finished_now(Audio.silence(1.0, RATE))

    def finished(self, sound: Samples) -> tuple[float, float]:
        """The probability that the user has finished, and after how many seconds it is known."""
        key = hashlib.sha256(np.round(sound * 32767).astype(np.int16).tobytes()).hexdigest()
        if key not in self._kept:
            began_s = time.process_time()
            found = self._model.finished_now(Audio(sound, RATE))
            self._kept[key] = found, time.process_time() - began_s
        return self._kept[key]

    def save(self) -> None:
        self._path.write_text(json.dumps(self._kept), "utf-8")


class Ours:
    """agentaudio's TurnTaker behind its echo guard and its voice detector.

    ears: None decides without words
    judgement: None decides without a turn model
    """

    def __init__(self, ears: Ears | None, judgement: Judgement | None = None) -> None:
        self._ears, self._judgement = ears, judgement

    def begin(self, agent: Agent, language: str) -> None:
        self._agent, self._language = agent, language
        self._taker = TurnTaker(hears=self._ears is not None, judges=self._judgement is not None)
        self._guard, self._voice_frames = EchoGuard(), VoiceFrames()
        self._sound = np.zeros(0, np.float32)
        self._coming: list[tuple[float, int, str]] = []
        self._judging: list[tuple[float, int, float]] = []
        self.happened: list[tuple[float, Action | str]] = []

    def hear(self, frame: Samples, played: Samples) -> None:
        sound = self._guard.push(frame, played, inaudible=self._taker.inaudible)
        self._sound = np.concatenate([self._sound, sound])
        now_s = self._agent.now_s
        for due in [due for due in self._coming if due[0] <= now_s]:
            self._coming.remove(due)
            self.happened.append((now_s, due[2]))
            self._do(self._taker.heard(due[1], due[2]))
        for answer in [answer for answer in self._judging if answer[0] <= now_s]:
            self._judging.remove(answer)
            self._do(self._taker.judged(answer[1], answer[2]))
        nobody_below_dbfs = max(NOTHING_DBFS, self._taker.nobody_below_dbfs)
        for heard in self._voice_frames.push(sound, nobody_below_dbfs=nobody_below_dbfs):
            self._taker.agent_said(self._agent.latest_text)
            self._do(self._taker.push(heard.probability, heard.level_dbfs, agent_left_s=self._agent.left_s))
        if self._agent.left_s > ENDING_S and not self._taker.user_speaks:
            least_dbfs = max(NOTHING_DBFS, self._taker.begins_above_dbfs)
            if seen := self._voice_frames.seen_again(nobody_below_dbfs=least_dbfs):
                probability = 0.0 if seen.look is None else seen.look.alone()
                left_s = self._agent.left_s
                self._do(self._taker.glimpse(probability, seen.level_dbfs, seen.new_s, agent_left_s=left_s))

    def _do(self, actions: list[Action]) -> None:
        for action in actions:
            self.happened.append((self._agent.now_s, action))
            match action:
                case Hold():
                    self._agent.hold()
                case Resume():
                    self._agent.resume()
                case Stop():
                    self._agent.stop()
                case Listen():
                    assert self._ears is not None
                    part = self._sound[round(action.start_s * RATE) : round(action.end_s * RATE)]
                    words, takes_s = self._ears.words(part, self._language)
                    # Only the latest question counts, as in a live session.
                    self._coming = [(self._agent.now_s + takes_s, action.number, words)]
                case Judge():
                    assert self._judgement is not None
                    part = self._sound[round(action.start_s * RATE) : round(action.end_s * RATE)]
                    finished, takes_s = self._judgement.finished(part)
                    self._judging = [(self._agent.now_s + takes_s, action.number, finished)]
                case UserEnded():
                    if action.is_turn:
                        self._agent.answer()


class FixedSilence:
    """Voice interrupts at once, and a fixed silence ends the turn; the echo is not taken out.

    ends_s: of silence
    """

    def __init__(self, ends_s: float) -> None:
        self._ends_s = ends_s

    def begin(self, agent: Agent, language: str) -> None:
        self._agent, self._voice_activity = agent, VoiceActivityStream()
        self._is_open = self._voiced = False
        self._voice_s = self._quiet_s = 0.0

    def hear(self, frame: Samples, played: Samples) -> None:
        for probability in self._voice_activity.push(frame):
            self._voiced = probability >= (ENDS_BELOW if self._voiced else STARTS_ABOVE)
            self._step(512 / RATE)

    def _step(self, seconds: float) -> None:
        if self._voiced:
            self._voice_s, self._quiet_s = self._voice_s + seconds, 0.0
        else:
            self._quiet_s += seconds
            if not self._is_open:
                self._voice_s = 0.0
        if not self._is_open and self._voice_s >= SHORTEST_VOICE_S:
            self._is_open = True
            self._agent.stop()
        elif self._is_open and self._quiet_s >= self._ends_s:
            self._is_open, self._voice_s = False, 0.0
            self._agent.answer()


class Nobody:
    """Never answers."""

    def begin(self, agent: Agent, language: str) -> None:
        """Nothing to prepare."""

    def hear(self, frame: Samples, played: Samples) -> None:
        """Nothing to do."""


SHORTEST_VOICE_S = 0.09
"""Voice that begins a turn: three frames."""
