"""What the users of benchmarks/server.py say: recorded questions of the demo, in a quiet room."""

from __future__ import annotations

import math

import numpy as np
from turns.sounds import RATE as SPEECH_RATE
from turns.speech import voiced_from_s

from agentaudio import Audio
from agentaudio.demo.run import questions_folder
from agentaudio.live.turn_taking import Stop, TurnTaker
from agentaudio.live.voice_frames import VoiceFrames
from agentaudio.server.realtime.turn_detection import SERVER_VAD, detection
from agentaudio.sound.stream import PcmStream

QUESTIONS = ("great-wall", "time-in-tokyo", "call-my-mother")
BEFORE_S, AFTER_S = 0.5, 4.0
EVEN_S = 0.2
"""A whole number of frames of 10, 20, 40 and 100 ms."""


def question(name: str, sample_rate: int) -> Audio:
    """A question with a pause before and after it; the last frame of each size is a whole one."""
    sound = _recorded(name).resample(sample_rate).samples
    silence = [np.zeros(int(seconds * sample_rate), np.float32) for seconds in (BEFORE_S, AFTER_S)]
    whole = np.concatenate([silence[0], sound, silence[1]])
    even = int(EVEN_S * sample_rate)
    whole = whole[: len(whole) // even * even]
    whole += 3e-4 * np.random.default_rng(len(sound)).standard_normal(len(whole)).astype(np.float32)
    return Audio(np.clip(whole, -1, 1), sample_rate)


def voiced_frame(name: str, frame_ms: int) -> int:
    """The frame of a question in which its first vowel or voiced consonant begins."""
    from_s = voiced_from_s(_recorded(name).resample(SPEECH_RATE).samples)
    return int((BEFORE_S + from_s) * 1000 / frame_ms)


def needed_s(name: str, sample_rate: int, frame_ms: int) -> float:
    """Seconds from the first voiced frame of a question until server_vad interrupts, on a machine without delay."""
    taker, looks = TurnTaker(detection(SERVER_VAD).turn_taking, hears=False), VoiceFrames()
    stream, voiced = PcmStream(SPEECH_RATE, from_hz=sample_rate, prompt=True), voiced_frame(name, frame_ms)
    for place, frame in enumerate(question(name, sample_rate).chunks(frame_ms)):
        actions = []
        for probability, level_dbfs in looks.push(stream.push(frame).samples):
            actions += taker.push(probability, level_dbfs, agent_left_s=math.inf)
        if not taker.user_speaks and (seen := looks.glimpse()):
            actions += taker.glimpse(*seen, agent_left_s=math.inf)
        if any(isinstance(action, Stop) for action in actions):
            return (place - voiced) * frame_ms / 1000
    return math.inf


def _recorded(name: str) -> Audio:
    return Audio.load(questions_folder() / f"{name}.flac")
