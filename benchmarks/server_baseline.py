"""The same figures of another framework's loop, for `benchmarks/server.py`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from server_questions import question, voiced_frame
from sockets import TEXT, Socket, connect, message
from support.server import Process

RATE = 16_000
FRAME_MS = 20
ASKED_EVERY = 10
SEED = 7
PROGRAM = Path(__file__).with_name("pipecat_loop.py")
Figure = Callable[[list[float], float], float]


@cache
def messages_of(name: str) -> tuple[bytes, ...]:
    return tuple(message(frame.to_pcm16()) for frame in question(name, RATE).chunks(FRAME_MS))


@contextlib.contextmanager
def loop_process(python: str) -> Iterator[Process]:
    process = subprocess.Popen([python, "-W", "ignore", PROGRAM], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        found = re.search(r":(\d+)", process.stdout.readline())
        assert found, "the loop does not start"
        yield Process(int(found[1]), process)
    finally:
        process.terminate()
        process.wait(60)


class User:
    """One connection, and what came over it."""

    def __init__(self) -> None:
        self.socket: Socket | None = None
        self.ages: list[float] = []
        self.sent_s = self.heard_s = 0.0
        self.sound_at, self.started_at = 0.0, 0.0
        self.came = asyncio.Event()

    async def connect(self, server: Process) -> None:
        self.socket = await connect(server.port, "/", self.take)
        self.ask("there")
        async with asyncio.timeout(60):
            await self.came.wait()

    def take(self, at_s: float, kind: int, content: bytes) -> None:
        if kind != TEXT:
            self.sound_at = self.sound_at or at_s
            self.last_sound_at = at_s
            self.came.set()
            return
        event = json.loads(content)
        if event["type"] == "speech_started":
            self.started_at = at_s
        elif "due" in event:
            self.ages.append(at_s - event["due"])
            self.heard_s = event["heard_s"]
        else:
            self.came.set()

    def ask(self, kind: str, **fields: Any) -> None:
        assert self.socket is not None
        self.socket.send(message(json.dumps({"type": kind, **fields})))

    async def talk(self, server: Process, number: int, questions: tuple[str, ...], until_s: float) -> None:
        await self.connect(server)
        assert self.socket is not None
        chance = random.Random(SEED + number)
        due, place, question, count = time.perf_counter() + chance.uniform(0, 1), 0, 0, 0
        frames = messages_of(chance.choice(questions))
        while due < until_s:
            due += FRAME_MS / 1000
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            self.socket.send(frames[place])
            self.sent_s += FRAME_MS / 1000
            count, place = count + 1, place + 1
            if count % ASKED_EVERY == 0:
                self.ask("age", due=due)
            if place == len(frames):
                question, place = question + 1, 0
                frames = messages_of(questions[question % len(questions)])
        self.ask("age", due=time.perf_counter())
        await asyncio.sleep(2)
        self.socket.close()


async def first_sound(server: Process, turns: int) -> list[float]:
    user = User()
    await user.connect(server)
    took = []
    for _ in range(turns):
        user.sound_at = 0.0
        user.came.clear()
        began_s = time.perf_counter()
        user.ask("ask")
        async with asyncio.timeout(30):
            await user.came.wait()
        took.append(user.sound_at - began_s)
        await asyncio.sleep(2.2)  # its transport sends sound as fast as it is played
    assert user.socket is not None
    user.socket.close()
    return took


async def interruptions(server: Process, count: int, questions: tuple[str, ...]) -> tuple[list[float], list[float]]:
    noticed, silent = list[float](), list[float]()
    for number in range(count):
        name = questions[number % len(questions)]
        voiced = voiced_frame(name, FRAME_MS)
        user = User()
        await user.connect(server)
        assert user.socket is not None
        user.came.clear()
        user.ask("ask", long=True)
        await user.came.wait()
        began_s, voiced_s = time.perf_counter(), 0.0
        for place, frame in enumerate(messages_of(name)):
            await asyncio.sleep(max(0.0, began_s + place * FRAME_MS / 1000 - time.perf_counter()))
            if place == voiced:
                user.started_at, voiced_s = 0.0, time.perf_counter()
            user.socket.send(frame)
            if voiced_s and user.started_at and time.perf_counter() > user.started_at + 0.3:
                break
        if voiced_s and user.started_at:
            noticed.append(user.started_at - voiced_s)
            silent.append(max(user.started_at, min(user.last_sound_at, user.started_at + 0.3)) - voiced_s)
        user.socket.close()
    return noticed, silent


async def measure(
    python: str, *, sessions: int, seconds: float, turns: int, count: int, questions: tuple[str, ...],
    figure: Figure, cpu_of: Callable[[Process], float], resident_mb: Callable[[Process], float],
) -> dict[str, Any]:  # fmt: skip
    """Its figures, by the names of ours. python: an interpreter with Pipecat"""
    for name in questions:
        messages_of(name)
    with loop_process(python) as server:
        sounds = await first_sound(server, turns)
        noticed, silent = await interruptions(server, count, questions)
        users = [User() for _ in range(sessions)]
        began_s, cpu_s, memory = time.perf_counter(), cpu_of(server), list[float]()
        talks = [
            asyncio.create_task(user.talk(server, number, questions, began_s + seconds))
            for number, user in enumerate(users)
        ]
        while time.perf_counter() < began_s + seconds:
            await asyncio.sleep(min(1.0, seconds / 20))
            memory.append(resident_mb(server))
        cpu_s, spent_s = cpu_of(server) - cpu_s, time.perf_counter() - began_s
        await asyncio.gather(*talks, return_exceptions=True)
    ages = [age for user in users for age in user.ages]
    return {
        "first_sound_served_ms_p50": figure(sounds, 50),
        "sessions": sessions,
        "seconds": seconds,
        "frame_age_ms_p50": figure(ages, 50),
        "frame_age_ms_p99": figure(ages, 99),
        "frame_age_ms_max": figure(ages, 100),
        "sound_lost_s": round(sum(user.sent_s - user.heard_s for user in users), 2),
        "server_cpu_ms_per_session_second": round(1000 * cpu_s / (sessions * spent_s), 1),
        "server_memory_mb_after_a_fifth": memory[len(memory) // 5],
        "server_memory_mb_at_the_end": memory[-1],
        "interruptions_noticed": f"{len(noticed)} of {count}",
        "voice_to_speech_started_ms_p50": figure(noticed, 50),
        "voice_to_speech_started_ms_p95": figure(noticed, 95),
        "voice_to_silence_ms_p50": figure(silent, 50),
        "voice_to_silence_ms_p95": figure(silent, 95),
    }
