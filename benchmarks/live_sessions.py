"""Many live sessions in one process: how late frames are, what a session costs, and whether memory grows.

    PYTHONPATH=. python benchmarks/live_sessions.py [--sessions 50] [--seconds 20] [--frame-ms 20] [--echo-db -20]
        [--json FILE]

Each session has a user who asks a question of about three seconds, hears the answer of a scripted model, interrupts
every third one, and asks again; there are no ears, which would be most of the work. Frames go both ways on the clock:
the microphone's are pushed when they are due, the loudspeaker's are taken from a `Player` and reported as played. The
sessions begin at different moments of a frame.

- age of a frame: from the moment it is due until the session has taken it. The voice detector has seen it by then, or
  up to 5 ms later where it looks at the frames of more than 8 sessions together
- late frames: those that were older than 40 ms
- late frames by own work: those that were, too, without the time in which the event loop's thread could have worked
  and waited for a processor that other programs had (Linux tells it): at most so many are late for want of speed. The
  share of the time that it waited so is given, too
- lateness of the loudspeaker's frames is the same, as both are handled in one go
- CPU: of the whole process, the users and players included, for each second of each session
- memory: resident, after a fifth of the time and at the end; `--seconds 300` shows whether it grows

Before the sessions begin, what is in memory is taken out of the garbage collector's sight, as `agentaudio serve` does.
In the middle, 64 tools block a thread for five seconds each. `--frame-ms 0` mixes 10, 20, 40 and 100 ms. The users wear
headsets; with `--echo-db` the microphone hears the loudspeaker two frames later, so much quieter.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import gc
import math
import os
import random
import time
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from report import machine, publish
from sockets import run

from agentaudio import Agent, Audio
from agentaudio.conversation import ToolCall
from agentaudio.demo.run import questions_folder
from agentaudio.live.player import Player
from agentaudio.live.session import LiveSession
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import AudioDelta, CallDelta, TextDelta
from agentaudio.tools.tool import tool

RATE = 16_000
SEED = 7
QUESTIONS = ("great-wall", "time-in-tokyo", "call-my-mother", "distance-of-the-moon")
MIXED_MS = (10, 20, 40, 100)
LATE_S = 0.04
BLOCKING_TOOLS, BLOCKED_S = 64, 5.0
SAMPLED_EVERY_S = 1.0
WARM_UP_S = 2.0
ECHO_FRAMES = 2


@tool
def block() -> str:
    """Block a thread."""
    time.sleep(BLOCKED_S)
    return "done"


class Waiting:
    """How long the main thread has waited for a processor, although it could have worked."""

    def __init__(self) -> None:
        try:
            self._file = os.open("/proc/self/schedstat", os.O_RDONLY)
        except OSError:  # another system
            self._file = -1

    def seconds(self) -> float:
        """Since the thread began; nan where the system does not tell."""
        return math.nan if self._file < 0 else int(os.pread(self._file, 64, 0).split()[1]) / 1e9


class Frames:
    """What happened to the frames of all sessions. Its memory is taken at the beginning, as it is to be told whether
    that of the sessions grows.

    most: number of frames for which there is room
    """

    def __init__(self, most: int) -> None:
        self._taken = np.full((most, 3), np.nan)
        self._waiting = Waiting()
        self._count = self.played = 0

    def add(self, due_s: float) -> None:
        """A frame was taken now."""
        self._taken[self._count] = due_s, time.perf_counter(), self._waiting.seconds()
        self._count += 1

    @property
    def ages(self) -> NDArray[np.float64]:
        """(frames, 3): when it was due; its age; and its age at most without waiting for a processor; in seconds."""
        due, at, waited = self._taken[: self._count].T
        # The first frame that was taken after this one was due: of what was waited before that one, as much as
        # possible is said to have been before this one was due.
        first = np.minimum(np.searchsorted(at, due), np.arange(len(at)))  # a timer may be early
        before = np.maximum(first - 1, 0)
        spanning = np.maximum(0, waited[first] - waited[before] - np.maximum(0, due - at[before]))
        age = at - due
        return np.stack([due, age, age - np.where(first > 0, spanning, 0) - (waited - waited[first])], axis=1)

    def waited_share(self) -> float:
        """Share of the time between the first frame and the last in which a processor was waited for."""
        first, last = self._taken[0], self._taken[self._count - 1]
        return float((last[2] - first[2]) / (last[1] - first[1]))


@functools.cache
def question(name: str) -> bytes:
    """16-bit samples: a question with a pause before and after it, and the noise of a quiet room."""
    sound = Audio.load(questions_folder() / f"{name}.flac").resample(RATE).samples
    whole = np.concatenate([np.zeros(RATE // 2, np.float32), sound, np.zeros(5 * RATE, np.float32)])
    whole += 3e-4 * np.random.default_rng(len(sound)).standard_normal(len(whole)).astype(np.float32)
    return Audio(np.clip(whole, -1, 1), RATE).to_pcm16()


def answering_model() -> Scripted:
    """Answers with a spoken sentence, its sound in pieces of 0.2 s."""
    sound = Audio.load(questions_folder() / "national-museum.flac").resample(RATE)
    pieces = [AudioDelta(piece) for piece in sound.chunks(200)]
    return Scripted([[delta for piece in pieces for delta in (TextDelta("word "), piece)]], loop=True)


async def follow(live: LiveSession, player: Player) -> None:
    async for event in live:
        player.take(event)


def mixed(frame: bytes, echo: NDArray[np.float32]) -> bytes:
    """A frame with an echo in it."""
    samples = np.frombuffer(frame, "<i2") + (32_767 * echo[: len(frame) // 2]).astype("<i2")
    return bytes(samples.tobytes())


async def talk(
    live: LiveSession, frames: Frames, until_s: float, ms: int, echo_db: float | None, rng: random.Random
) -> None:
    """One user, until the clock says so."""
    echo = 0.0 if echo_db is None else 10 ** (echo_db / 20)
    late: deque[NDArray[np.float32]] = deque()
    player = Player(RATE)
    reader = asyncio.create_task(follow(live, player))
    sounds = [question(name) for name in QUESTIONS]
    microphone, place = sounds[rng.randrange(len(sounds))], 0
    due = time.perf_counter() + rng.uniform(0, 1)
    turn = 0
    while due < until_s:
        frame_ms = ms or rng.choice(MIXED_MS)
        size = frame_ms * RATE // 1000
        due += frame_ms / 1000
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        frame = microphone[place : place + 2 * size]
        place += 2 * size
        if place >= len(microphone):
            turn += 1
            microphone, place = sounds[turn % len(sounds)], 0
            if turn % 3 == 0:
                microphone = microphone[: -8 * RATE]  # the next question comes while the answer is played
        if len(late) == ECHO_FRAMES:
            frame = mixed(frame, late.popleft())
        live.push(frame)
        frames.add(due)
        block, played = player.fill(size)
        if echo:
            late.append(echo * block)
        for number, seconds in played.items():
            live.played(seconds, turn=number)
            frames.played += 1
    reader.cancel()


async def block_threads() -> None:
    """Call BLOCKING_TOOLS tools at once that block a thread."""
    agent = Agent(Scripted([[CallDelta(ToolCall("1", "block", {}))], "Done."]), tools=[block])
    await asyncio.gather(*(agent.run("Block.") for _ in range(BLOCKING_TOOLS)))


def resident_mb() -> float:
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith("VmRSS"))
    return round(int(line.split()[1]) / 1024, 1)


async def measure(sessions: int, seconds: float, ms: int, echo_db: float | None) -> dict[str, Any]:
    """The figures of `sessions` conversations of `seconds`. echo_db: level of the loudspeaker in the microphone"""
    for name in QUESTIONS:
        question(name)
    frames = Frames(round(sessions * (seconds + 1) * 1000 / (ms or min(MIXED_MS))))
    memory = [resident_mb()]
    agent = Agent(answering_model())
    async with contextlib.AsyncExitStack() as stack:
        gc.collect()
        gc.freeze()
        lives = [await stack.enter_async_context(agent.live(ears=None)) for _ in range(sessions)]
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        until_s = began_s + seconds
        users = [
            asyncio.create_task(talk(live, frames, until_s, ms, echo_db, random.Random(SEED + number)))
            for number, live in enumerate(lives)
        ]
        tools, blocked = None, (began_s, began_s)
        while (now_s := time.perf_counter()) < until_s:
            memory.append(resident_mb())
            if tools is None and now_s > began_s + seconds / 2:
                blocked = now_s, now_s + BLOCKED_S
                tools = asyncio.create_task(block_threads())
            await asyncio.sleep(SAMPLED_EVERY_S)
        await asyncio.gather(*users)
        last_mb = resident_mb()
        cpu_s = time.process_time() - began_cpu_s
        if tools is not None:
            await tools
    due, age, own = frames.ages[frames.ages[:, 0] > began_s + WARM_UP_S].T
    during = (blocked[0] <= due) & (due <= blocked[1])
    return {
        "sessions": sessions,
        "seconds": seconds,
        "frame_ms": ms or list(MIXED_MS),
        "echo_db": echo_db,
        "frames": len(age),
        "frames_with_answers": frames.played,
        "late_frames": int((age > LATE_S).sum()),
        "late_frames_by_own_work": None if np.isnan(own).any() else int((own > LATE_S).sum()),
        "share_of_time_without_a_processor": round(frames.waited_share(), 3),
        "age_ms": percentiles(age[~during]),
        "age_ms_by_own_work": percentiles(own[~during]),
        "age_ms_while_64_tools_block": percentiles(age[during]),
        "cpu_ms_per_second_and_session": round(1000 * cpu_s / seconds / sessions, 1),
        "memory_mb": {"first": memory[0], "fifth": memory[len(memory) // 5], "last": last_mb},
    }


def percentiles(ages: NDArray[np.float64]) -> dict[str, float]:
    """In milliseconds."""
    values = np.percentile(ages if len(ages) else [math.nan], (50, 95, 100)).tolist()
    return {name: round(1000 * value, 1) for name, value in zip(("p50", "p95", "max"), values, strict=True)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--frame-ms", type=int, default=20, choices=(0, *MIXED_MS))
    parser.add_argument("--echo-db", type=float, metavar="DB", help="with frames of one length")
    parser.add_argument("--json", metavar="FILE")
    given = parser.parse_args()
    if given.echo_db is not None and not given.frame_ms:
        parser.error("--echo-db needs frames of one length")
    figures = run(measure(given.sessions, given.seconds, given.frame_ms, given.echo_db))
    publish("Live sessions", figures | {"machine": machine()}, given.json)


if __name__ == "__main__":
    main()
