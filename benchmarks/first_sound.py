"""From the end of a question to the first sound of the answer, by stage, against another checkout in the same run.

    python benchmarks/first_sound.py [--live] [--against FOLDER] [--rounds 3] [--json FILE]

A warm process of each checkout asks the eight recorded questions of the demo, and the processes take turns question by
question, so that both see the same machine. Each round is a new session. Reported for each checkout, as median and 95th
percentile:

- the time until the first sample above -40 dBFS could be played, on the clock, and the CPU seconds until then
- the CPU seconds by stage: `hear` ends with the words of the question, `think` (routing, tools, retrieval) with the
  first word of the answer, and `speak` (with the preparation of a retrieved voice) with the first sound
- `waited_s`: how long the answer is silent between its phrases because the next one is not ready (not with --live)

and the peak memory of the process. With --against, also the medians of the ratios.

With --live the questions are spoken into the microphone of a live session, in real time and in the noise of a quiet
room, and the time runs from the last sample of the question above -40 dBFS; so do the CPU seconds. `hear` then ends
with the decision that the question is over, whose time on the clock is reported as decided_s.

The clock says something only on a machine that does nothing else. FOLDER is a checkout of agentaudio, such as a git
worktree.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from report import machine, publish

HERE = Path(__file__).resolve().parent.parent
AUDIBLE = 0.01
STAGES = ("hear", "think", "speak")
RATE = 16_000
FRAME_MS = 20
BEFORE_S, AFTER_S = 0.5, 10.0
"""Silence before a question in the microphone, and the longest wait for its answer."""
QUIET_S = 0.7
"""Silence of both sides between two questions."""
ROOM = 3e-4


async def serve() -> None:
    """Ask the question of each line of the standard input in a session, and answer with its figures."""
    from agentaudio import Audio
    from agentaudio.demo.run import demo_agent, questions_folder

    async with demo_agent("embedded") as agent:
        await agent.warm_up()
        session = agent.session()
        print(json.dumps({}), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            file = line.strip()
            if not file:
                session = agent.session()
                continue
            row = await ask(session, Audio.load(questions_folder() / file))
            row["peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
            print(json.dumps(row), flush=True)


async def ask(session: Any, sound: Any) -> dict[str, Any]:
    from agentaudio.events import AudioSpoken, SpeechHeard, TextSpoken

    began, used = time.perf_counter(), time.process_time()
    marks: dict[str, float] = {}
    row: dict[str, Any] = {}
    waited_s, played_until = 0.0, float("inf")
    async for event in session.stream(sound):
        cpu = time.process_time() - used
        if isinstance(event, AudioSpoken):
            now = time.perf_counter()
            waited_s += max(0.0, now - played_until)
            played_until = (now if played_until == float("inf") else max(now, played_until)) + event.audio.duration
        if isinstance(event, SpeechHeard) and event.final:
            marks.setdefault("hear", cpu)
        elif isinstance(event, TextSpoken):
            marks.setdefault("think", cpu)
        elif isinstance(event, AudioSpoken) and not row:
            loud = np.flatnonzero(np.abs(event.audio.samples) > AUDIBLE)
            if loud.size:
                row["first_sound_s"] = time.perf_counter() - began + loud[0] / event.audio.sample_rate
                row["first_phrase_s"] = event.audio.duration
                marks["speak"] = row["cpu_s"] = cpu
    return staged(row, marks) | {"waited_s": waited_s}


def staged(row: dict[str, Any], marks: dict[str, float]) -> dict[str, Any]:
    """The row, with the CPU seconds of each stage. marks: CPU seconds until the end of each"""
    before = 0.0
    for stage in STAGES:
        row[f"{stage}_cpu_s"], before = marks[stage] - before, marks[stage]
    return row


async def serve_live() -> None:
    """As `serve`, in a live session."""
    from agentaudio import Audio
    from agentaudio.demo.run import demo_agent, questions_folder

    async with demo_agent("embedded") as agent:
        await agent.warm_up()
        talk = Talk()
        print(json.dumps({}), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            if not (file := line.strip()):
                await talk.end()
                await talk.begin(agent)
                continue
            row = await talk.ask(Audio.load(questions_folder() / file))
            row["peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
            print(json.dumps(row), flush=True)
        await talk.end()


class Talk:
    """One live session, whose user asks, hears the first sound of the answer, and asks again."""

    def __init__(self) -> None:
        self._live: Any = None

    async def begin(self, agent: Any) -> None:
        self._live = agent.live(plays=False)
        await self._live.__aenter__()
        self._events: asyncio.Queue[tuple[float, float, Any]] = asyncio.Queue()
        self._reading = asyncio.create_task(self._read())

    async def end(self) -> None:
        if self._live is not None:
            await self._live.__aexit__(None, None, None)
            await self._reading
            self._live = None

    async def _read(self) -> None:
        async for event in self._live:
            self._events.put_nowait((time.perf_counter(), time.process_time(), event))

    async def ask(self, sound: Any) -> dict[str, Any]:
        question = sound.resample(RATE).samples
        loud = np.flatnonzero(np.abs(question) > AUDIBLE)
        heard = np.concatenate([np.zeros(round(BEFORE_S * RATE), np.float32), question[: loud[-1] + 1]])
        frame = RATE * FRAME_MS // 1000
        noise = ROOM * np.random.default_rng(0).standard_normal(len(heard) + round(AFTER_S * RATE)).astype(np.float32)
        noise[: len(heard)] += heard
        while not self._events.empty():
            self._events.get_nowait()
        begun, end, cpu_at_end = time.perf_counter(), len(heard) / RATE, float("nan")
        marks: dict[str, float] = {}
        row: dict[str, Any] = {}
        for place in range(0, len(noise) - frame, frame):
            # A microphone hands a frame over when its last sample was taken.
            await asyncio.sleep(max(0.0, begun + (place + frame) / RATE - time.perf_counter()))
            if place + frame >= len(heard) and cpu_at_end != cpu_at_end:
                cpu_at_end = time.process_time()
            self._live.push(noise[place : place + frame])
            while not self._events.empty():
                self._take(*self._events.get_nowait(), marks, row, begun + end, cpu_at_end)
            if row.get("first_sound_s"):
                break
        await self._live.interrupt()
        for _ in range(round(QUIET_S * 1000 / FRAME_MS)):
            self._live.push(noise[-frame:])
            await asyncio.sleep(FRAME_MS / 1000)
        return staged(row, marks)

    def _take(
        self, at: float, cpu: float, event: Any, marks: dict[str, float], row: dict[str, Any], end: float, used: float
    ) -> None:
        from agentaudio.events import AudioSpoken, TextSpoken
        from agentaudio.live.events import TurnCommitted

        if isinstance(event, TurnCommitted):
            marks["hear"], row["decided_s"] = cpu - used, at - end  # the latest: a question may be cut in two
            marks.pop("think", None)
        elif isinstance(event, TextSpoken):
            marks.setdefault("think", cpu - used)
        elif isinstance(event, AudioSpoken) and "first_sound_s" not in row:
            loud = np.flatnonzero(np.abs(event.audio.samples) > AUDIBLE)
            if loud.size:
                row["first_sound_s"] = at - end + loud[0] / event.audio.sample_rate
                row["first_phrase_s"] = event.audio.duration
                marks["speak"] = row["cpu_s"] = cpu - used


def child(checkout: Path, *, live: bool) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(checkout), str(HERE / "benchmarks")])}
    return subprocess.Popen(
        [sys.executable, str(Path(__file__).resolve()), "--serve", *(["--live"] if live else [])],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=checkout,
    )  # fmt: skip


def asked(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def answered(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise SystemExit("a process ended early; see its messages above")
    found: dict[str, Any] = json.loads(line)
    return found


def figures(rows: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    stages = (f"{stage}_cpu_s" for stage in STAGES)
    for name in ("decided_s", "first_sound_s", "cpu_s", *stages, "first_phrase_s", "waited_s"):
        if not (values := [row[name] for row in rows if name in row]):
            continue
        found[f"{name}_p50"] = round(float(np.percentile(values, 50)), 2)
        found[f"{name}_p95"] = round(float(np.percentile(values, 95)), 2)
    return found | {"peak_mb": max(row["peak_mb"] for row in rows)}


def measure(checkouts: dict[str, Path], rounds: int, *, live: bool) -> dict[str, Any]:
    questions = json.loads((HERE / "agentaudio" / "demo" / "questions" / "questions.json").read_text(encoding="utf-8"))
    processes = {name: child(checkout, live=live) for name, checkout in checkouts.items()}
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in checkouts}
    try:
        for process in processes.values():
            answered(process)  # warm
        for turn in range(rounds):
            for process in processes.values():
                asked(process, "")
            for place, question in enumerate(questions):
                names = list(processes)
                for name in names if (turn + place) % 2 == 0 else names[::-1]:
                    asked(processes[name], question["file"])
                    rows[name].append({"question": question["file"], **answered(processes[name])})
                    print(name, rows[name][-1], flush=True)
    finally:
        for process in processes.values():
            assert process.stdin is not None
            process.stdin.close()
            process.wait()
    found: dict[str, Any] = {"questions": len(questions), "rounds": rounds}
    for name in checkouts:
        found |= {f"{name}_{key}" if name == "before" else key: value for key, value in figures(rows[name]).items()}
    if "before" in checkouts:
        for key in ("first_sound_s", "cpu_s", *(f"{stage}_cpu_s" for stage in STAGES)):
            ratios = [now[key] / then[key] for now, then in zip(rows["now"], rows["before"], strict=True)]
            found[f"{key.removesuffix('_s')}_ratio_p50"] = round(float(np.median(ratios)), 2)
    return found | machine() | {"rows": rows["now"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--live", action="store_true")
    parser.add_argument("--against", metavar="FOLDER", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve_live() if options.live else serve())
        return
    checkouts = {"now": HERE} | ({"before": options.against.resolve()} if options.against else {})
    title = "first sound of embedded in a live session" if options.live else "first sound of embedded"
    publish(title, measure(checkouts, options.rounds, live=options.live), options.json)


if __name__ == "__main__":
    main()
