"""What the server costs: time to the first sound, many live sessions, and how soon an interruption is heard.

    PYTHONPATH=tests:. python benchmarks/server.py [--sessions 50] [--seconds 20] [--json FILE]

A real `agentaudio serve` process with a scripted model that answers at once; the clients are in this process, so both
have a core. They cost as little as can be, and their CPU time is counted apart. All times are those of a client at the
socket.

- added to the first sound: a written turn over the Realtime WebSocket, less the same turn of the bare agent, medians
- age of a frame: from the moment it is due until the server has taken it and all before it. Each tenth frame is
  followed by an event that the server answers, and the way back is counted too.
- lost: seconds of sound that clients sent and the server did not count, and answers with less sound than was made
- interruption: from the frame of the first vowel or voiced consonant until the server says `speech_started`, and
  until the last sound that arrives of the answer; the model's answer goes on for minutes. `sound_to_decision` is the
  part of it that no machine could spare: the sound that comes until the detector finds a voice. `--among` measures it
  once more while the others talk, where all answers last nine seconds
- memory of the server: resident, after a fifth of the time and at the end; `--seconds 300` shows whether it grows

`--pipecat PYTHON` gives the same figures of Pipecat's loop, for at most a minute (see benchmarks/pipecat_loop.py).
huggingface/speech-to-speech 1.1.0 is not here: it does not install where this was written, since the package index has
no `qwentts-cpp-python`, which its default synthesiser (`faster-qwen3-tts[ggml]`) requires on Linux.
`--frames` compares frames of 10, 20, 40 and 100 ms and a mixture of them instead, a crowd of `--sessions` for each.
`--busy` has a thread of the server compute in Python all the while, as a tool may, and measures a crowd alone.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import random
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import server_baseline
from report import machine, publish
from server_questions import QUESTIONS, needed_s, question, voiced_frame
from sockets import Socket, connect, message, run
from support.server import KEY, Process, server_process, until
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_whole

from agentaudio import Agent
from agentaudio.model.scripted import Scripted

BUSY = Path(__file__).with_name("busy_server.py")
RATE = 24_000
FRAME_MS = 20
FRAME_SIZES: dict[str, tuple[int, ...]] = {
    "10 ms": (10,), "20 ms": (20,), "40 ms": (40,), "100 ms": (100,), "mixed": (10, 20, 40, 100),
}  # fmt: skip
SEED = 7
TURNS, INTERRUPTIONS = 100, 20
LONGEST_S, SETTLING_S = 300.0, 10.0
BASELINE_TURNS = 10
ASKED_EVERY = 10
ANSWER = "It is nine o'clock in Tokyo."
ENDLESS = "word " * 2_000
LONG = "word " * 30
Event = dict[str, Any]


@cache
def frames_of(name: str, frame_ms: int = FRAME_MS) -> tuple[str, ...]:
    """A question in base64, by frames."""
    return tuple(base64.b64encode(frame.to_pcm16()).decode() for frame in question(name, RATE).chunks(frame_ms))


class Client:
    """One connection. `came` holds each event with the time of its arrival."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.came: asyncio.Queue[tuple[float, Event]] = asyncio.Queue()

    async def read(self) -> None:
        async for text in self._socket:
            self.came.put_nowait((time.perf_counter(), json.loads(text)))

    async def send(self, kind: str, **fields: Any) -> None:
        await self._socket.send(json.dumps({"type": kind, **fields}))

    async def until(self, kind: str) -> tuple[float, Event]:
        async with asyncio.timeout(60):
            while True:
                at_s, event = await self.came.get()
                if event["type"] == kind:
                    return at_s, event

    async def ask_in_writing(self) -> float:
        """Ask for an answer; returns the seconds until its first sound."""
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "What time is it?"}]}
        await self.send("conversation.item.create", item=item)
        began_s = time.perf_counter()
        await self.send("response.create")
        first_s, _ = await self.until("response.output_audio.delta")
        await self.until("response.done")
        return first_s - began_s


@asynccontextmanager
async def client_of(server: Process) -> AsyncGenerator[Client, None]:
    url = f"ws://127.0.0.1:{server.port}/v1/realtime"
    headers = {"authorization": f"Bearer {KEY}"}
    async with connect_whole(url, additional_headers=headers, max_size=None, compression=None) as socket:
        client = Client(socket)
        reading = asyncio.create_task(client.read())
        await client.until("session.created")
        yield client
        reading.cancel()


async def added_to_first_sound(server: Process) -> dict[str, Any]:
    agent = Agent(Scripted([ANSWER], loop=True))
    bare, served = list[float](), list[float]()
    async with client_of(server) as client:
        for turn in range(TURNS + 5):
            session = agent.session(plays=False)
            began_s = time.perf_counter()
            async for event in session.stream("What time is it?"):
                if event.type == "audio.delta":
                    bare.append(time.perf_counter() - began_s)
                    break
            spent_s = await client.ask_in_writing()
            if turn >= 5:
                served.append(spent_s)
    return {
        "first_sound_bare_ms_p50": milliseconds(bare, 50),
        "first_sound_served_ms_p50": milliseconds(served, 50),
        "first_sound_added_ms_p50": round(milliseconds(served, 50) - milliseconds(bare, 50), 2),
    }


async def interruptions_among(server: Process, others: int) -> dict[str, Any]:
    """The same while others talk, too."""
    talks = [Talk(number) for number in range(others)]
    users = [asyncio.create_task(talk.run(server, time.perf_counter() + LONGEST_S)) for talk in talks]
    await asyncio.sleep(SETTLING_S)
    found = await interruptions(server)
    for user in users:
        user.cancel()
    await asyncio.gather(*users, return_exceptions=True)
    return {f"{name}_among_{others + 1}": value for name, value in found.items()}


async def interruptions(server: Process) -> dict[str, Any]:
    """Interrupt a long answer with a question."""
    noticed, silent, needed = list[float](), list[float](), list[float]()
    for number in range(INTERRUPTIONS):
        name = QUESTIONS[number % len(QUESTIONS)]
        frames, voiced = frames_of(name), voiced_frame(name, FRAME_MS)
        needed.append(needed_s(name, RATE, FRAME_MS))
        async with client_of(server) as client:
            await client.send("conversation.item.create", item=_text("Go on."))
            await client.send("response.create")
            await client.until("response.output_audio.delta")
            began_s, voiced_s = time.perf_counter(), 0.0
            started_s, last_s = 0.0, 0.0
            for place, frame in enumerate(frames):
                await asyncio.sleep(max(0.0, began_s + place * FRAME_MS / 1000 - time.perf_counter()))
                if place == voiced:
                    voiced_s = time.perf_counter()
                await client.send("input_audio_buffer.append", audio=frame)
                while not client.came.empty():
                    at_s, event = client.came.get_nowait()
                    if event["type"] == "input_audio_buffer.speech_started" and voiced_s:
                        started_s = at_s
                    elif event["type"] == "response.output_audio.delta":
                        last_s = at_s
                if started_s and time.perf_counter() > started_s + 0.5:
                    break
        if started_s:
            noticed.append(started_s - voiced_s)
            silent.append(max(0.0, max(last_s, started_s) - voiced_s))
    return {
        "interruptions_noticed": f"{len(noticed)} of {INTERRUPTIONS}",
        "sound_to_decision_ms_p50": milliseconds(needed, 50),
        "sound_to_decision_ms_p95": milliseconds(needed, 95),
        "voice_to_speech_started_ms_p50": milliseconds(noticed, 50),
        "voice_to_speech_started_ms_p95": milliseconds(noticed, 95),
        "voice_to_silence_ms_p50": milliseconds(silent, 50),
        "voice_to_silence_ms_p95": milliseconds(silent, 95),
        "speech_started_to_silence_ms_p95": milliseconds([b - a for a, b in zip(noticed, silent, strict=True)], 95),
    }


class Talk:
    """One user of many, who asks again and again. All its messages but one in ten are made before it begins."""

    def __init__(self, number: int, frame_ms: int = FRAME_MS) -> None:
        self._rng, self._frame_ms = random.Random(SEED + number), frame_ms
        self._socket: Socket | None = None
        self._started = asyncio.Event()
        self.ages: list[float] = []
        self.sent_s = self.sound_s = 0.0
        self.answers = self.short_answers = self.interrupted = 0
        self._answer_s = 0.0

    async def run(self, server: Process, until_s: float) -> None:
        self._socket = await connect(server.port, "/v1/realtime", self._take, key=KEY)
        await self._started.wait()
        due, place, question = time.perf_counter() + self._rng.uniform(0, 1), 0, 0
        frames = messages_of(self._rng.choice(QUESTIONS), self._frame_ms)
        number, asked_every = 0, max(1, ASKED_EVERY * FRAME_MS // self._frame_ms)
        while due < until_s:
            due += self._frame_ms / 1000
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            self._socket.send(frames[place])
            self.sent_s += self._frame_ms / 1000
            number += 1
            if number % asked_every == 0:  # an answer shows that all before it was taken
                asked = f'{{"type":"conversation.item.retrieve","event_id":"{due}","item_id":"none"}}'
                self._socket.send(message(asked))
            place += 1
            if place == len(frames):
                question, place = question + 1, 0
                frames = messages_of(QUESTIONS[question % len(QUESTIONS)], self._frame_ms)
        await asyncio.sleep(1)
        self._socket.close()

    def _take(self, at_s: float, _: int, content: bytes) -> None:
        if content.startswith(b'{"type":"response.output_audio.delta"'):
            start = content.index(b'"delta":"') + 9
            self._answer_s += (content.index(b'"', start) - start) * 3 / 4 / (2 * RATE)
        elif content.startswith(b'{"type":"error"'):
            error = json.loads(content)["error"]
            if error["event_id"]:
                self.ages.append(at_s - float(error["event_id"]))
        elif content.startswith(b'{"type":"response.done"'):
            whole = json.loads(content)["response"]["status"] == "completed"
            self.answers += whole
            self.interrupted += not whole
            self.short_answers += whole and self._answer_s < 0.3 * len(ANSWER.split()) - 0.05
            self.sound_s += self._answer_s
            self._answer_s = 0.0
        elif content.startswith(b'{"type":"session.created"'):
            self._started.set()


@cache
def messages_of(name: str, frame_ms: int) -> tuple[bytes, ...]:
    """The frames of a question as they go over the wire."""
    return tuple(
        message(f'{{"type":"input_audio_buffer.append","audio":"{frame}"}}') for frame in frames_of(name, frame_ms)
    )


async def crowd(
    server: Process, sessions: int, seconds: float, frames_ms: Sequence[int] = (FRAME_MS,)
) -> dict[str, Any]:
    """Many sessions for a while. frames_ms: sizes of the users' frames, in turn"""
    for name in QUESTIONS:
        for frame_ms in frames_ms:
            messages_of(name, frame_ms)
    talks = [Talk(number, frames_ms[number % len(frames_ms)]) for number in range(sessions)]
    heard_before_s = sound_in_s(server)
    began_s, cpu_s, own_s = time.perf_counter(), cpu_of(server), time.process_time()
    users = [asyncio.create_task(talk.run(server, began_s + seconds)) for talk in talks]
    memory = list[float]()
    while time.perf_counter() < began_s + seconds:
        await asyncio.sleep(min(1.0, seconds / 20))
        memory.append(resident_mb(server))
    spent_s = time.perf_counter() - began_s
    cpu_s, own_s = cpu_of(server) - cpu_s, time.process_time() - own_s
    await asyncio.gather(*users)
    ages = [age for talk in talks for age in talk.ages]
    sent_s = sum(talk.sent_s for talk in talks)
    return {
        "sessions": sessions,
        "seconds": seconds,
        "frame_age_ms_p50": milliseconds(ages, 50),
        "frame_age_ms_p99": milliseconds(ages, 99),
        "frame_age_ms_max": milliseconds(ages, 100),
        "frames_over_40_ms_percent": round(100 * float(np.mean(np.array(ages) > 0.04)), 3) if ages else None,
        "sound_lost_s": round(sent_s - (sound_in_s(server) - heard_before_s), 2),
        "answers": sum(talk.answers for talk in talks),
        "answers_interrupted": sum(talk.interrupted for talk in talks),
        "answers_with_lost_sound": sum(talk.short_answers for talk in talks),
        "server_cpu_ms_per_session_second": round(1000 * cpu_s / (sessions * spent_s), 1),
        "clients_cpu_ms_per_session_second": round(1000 * own_s / (sessions * spent_s), 1),
        "server_memory_mb_after_a_fifth": memory[len(memory) // 5],
        "server_memory_mb_at_the_end": memory[-1],
    }


async def frame_sizes(server: Process, sessions: int, seconds: float) -> dict[str, Any]:
    """A crowd for each size of frames. CPU is given as a ratio to that of 40 ms, too."""
    found = {name: await crowd(server, sessions, seconds, sizes) for name, sizes in FRAME_SIZES.items()}
    usual = found["40 ms"]["server_cpu_ms_per_session_second"]
    for row in found.values():
        row["cpu_against_40_ms"] = round(row["server_cpu_ms_per_session_second"] / usual, 2)
    return found


def _text(text: str) -> Event:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def milliseconds(seconds: Sequence[float], percent: float) -> float:
    return round(1000 * float(np.percentile(seconds, percent)), 2) if seconds else float("nan")


def sound_in_s(server: Process) -> float:
    """Seconds of sound that the server has taken, as it counts them."""
    text = httpx2.get(f"{server.url}/metrics", headers={"authorization": f"Bearer {KEY}"}, timeout=60).text
    lines = [line for line in text.splitlines() if line.startswith("agentaudio_sound") and 'direction="in"' in line]
    return sum(float(line.split()[-1]) for line in lines if "_created" not in line)


def wait_until_ready(server: Process) -> None:
    """The server loads its model and tools after it has begun to listen."""
    until(lambda: httpx2.get(f"{server.url}/readyz").status_code == 200, 120)


def resident_mb(server: Process) -> float:
    lines = Path(f"/proc/{server.process.pid}/status").read_text(encoding="utf-8").splitlines()
    return round(int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024, 1)


def cpu_of(server: Process) -> float:
    fields = Path(f"/proc/{server.process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--frames", action="store_true")
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("--among", action="store_true")
    parser.add_argument("--pipecat", metavar="PYTHON")
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    figures: dict[str, Any] = {}
    limits = ("--limit", "requests_per_minute=100000", "--limit", "sound_s_per_minute=1000000")
    with tempfile.TemporaryDirectory() as folder:
        short, endless = Path(folder) / "short.json", Path(folder) / "endless.json"
        short.write_text(json.dumps([ANSWER] * 300), encoding="utf-8")
        endless.write_text(json.dumps([ENDLESS]), encoding="utf-8")
        program = (str(BUSY),) if arguments.busy else ("-m", "agentaudio")
        with server_process("--model", f"scripted:{short}", *limits, program=program) as server:
            wait_until_ready(server)
            if arguments.frames:
                figures |= run(frame_sizes(server, arguments.sessions, arguments.seconds))
                publish("frame_sizes", figures | machine(), arguments.json)
                return
            if arguments.busy:
                figures |= run(crowd(server, arguments.sessions, arguments.seconds))
                publish("server_busy", figures | machine(), arguments.json)
                return
            figures |= run(added_to_first_sound(server))
            figures |= run(crowd(server, arguments.sessions, arguments.seconds))
        with server_process("--model", f"scripted:{endless}", *limits) as server:
            wait_until_ready(server)
            figures |= run(interruptions(server))
        if arguments.among:
            long = Path(folder) / "long.json"
            long.write_text(json.dumps([LONG] * 300), encoding="utf-8")
            with server_process("--model", f"scripted:{long}", *limits) as server:
                wait_until_ready(server)
                figures |= run(interruptions_among(server, arguments.sessions - 1))
    if arguments.pipecat:
        measured = server_baseline.measure(
            arguments.pipecat, sessions=arguments.sessions, seconds=min(60.0, arguments.seconds), turns=BASELINE_TURNS,
            count=INTERRUPTIONS, questions=QUESTIONS, figure=milliseconds, cpu_of=cpu_of, resident_mb=resident_mb,
        )  # fmt: skip
        figures["pipecat"] = run(measured)
    publish("server", figures | machine(), arguments.json)


if __name__ == "__main__":
    main()
