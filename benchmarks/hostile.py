"""Small files that would take gigabytes or minutes, taken in while another session speaks.

    python benchmarks/hostile.py [--json FILE] [--kind KIND] [--kills N]

The files are made on the spot: pages, PDF and Word files, sound, files of tools, JSON answers of a service, and MCP
servers. While each is taken in as an agent would take it in, another session asks a spoken
question again and again. For each file it reports the time until its result or refusal, the limit of that time, the
slowest and the median of these turns as multiples of the usual one (the median of TURNS before and as many after), and
how much the memory of this process (not its workers) grew. A file that is above a bound is taken in again, up to
ATTEMPTS times. Before that, worker processes are killed one after another, and what is left of them is counted.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import gc
import json
import logging
import os
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from report import publish

from agentaudio import Agent, Audio, RunContext, Session
from agentaudio.conversation import Conversation
from agentaudio.demo.run import questions_folder
from agentaudio.errors import AgentAudioError, RetrievalError, ToolError
from agentaudio.hearing import hear
from agentaudio.http import Guard
from agentaudio.model.embedded.hearing.sphinx_pool import LONGEST_AUDIO_S
from agentaudio.model.scripted import Scripted
from agentaudio.retrieval.documents.files import read_documents
from agentaudio.retrieval.web.fetch import Fetcher
from agentaudio.retrieval.web.web import Web
from agentaudio.tools.declarative.source import read_source
from agentaudio.tools.discovery import find_tools
from agentaudio.tools.mcp import McpServer
from agentaudio.tools.thread import in_thread
from agentaudio.workers.limits import DOCUMENT, SOUND, TOOL_FILE, WorkLimits
from agentaudio.workers.pool import Pool

TESTS = Path(__file__).parents[1] / "tests"
sys.path += [str(TESTS), str(TESTS / "workers")]
from support import bombs  # noqa: E402
from support.local_http import LocalServer, local_server  # noqa: E402

TOOL_TIMEOUT_S = 30.0
"""Of `read_page` and of the tool that asks a service."""

MCP_TIMEOUT_S = 20.0
"""Of a call of an MCP server's tool."""

ATTEMPTS, TURNS = 3, 2

SERVICE = "name: ask\ndescription: Asks.\nkind: http\nurl: {}/json\nallow_private: true\ntimeout_s: 30\n"

Intake = Callable[[bytes], Awaitable[object]]


def json_answers() -> bombs.Bombs:
    """Answers of a service, each below the 5 MB that a body may have."""
    return {
        "nested lists": lambda: b"[" * 2_000_000,
        "nested objects": lambda: b'{"a":' * 500_000,
        "a number of a million digits": lambda: b"9" * 1_000_000,
        "many numbers": lambda: b"[" + b"1," * 2_000_000 + b"1]",
        "many keys": lambda: b"{" + b",".join(b'"%d":1' % n for n in range(300_000)) + b"}",
        "one long text": lambda: b'"' + b"\\u0041" * 700_000 + b'"',
    }


def intakes(folder: Path, server: LocalServer) -> dict[str, tuple[bombs.Bombs, float, Intake]]:
    """For each kind its files, the limit in seconds, and what takes one in."""
    web = Web(NoResults(), fetcher=Fetcher(Guard(frozenset({f"127.0.0.1:{server.port}"})), robots=False))
    (folder / "ask.yaml").write_text(SERVICE.format(server.url))
    service = find_tools([str(folder / "ask.yaml")])["ask"]
    numbers = iter(range(1_000_000))

    async def page(content: bytes) -> object:
        path = f"/{next(numbers)}"
        server.answers[path] = (200, {"content-type": "text/html"}, content)
        return await web.read(server.url + path)

    async def answer(content: bytes) -> object:
        server.answers["/json"] = (200, {"content-type": "application/json"}, content)
        return await service.call(RunContext(Conversation()), {})

    def file(suffix: str, read: Callable[[Path], object]) -> Intake:
        async def take_in(content: bytes) -> object:
            path = folder / f"file{suffix}"
            path.write_bytes(content)
            return await asyncio.to_thread(read, path)

        return take_in

    def document(path: Path) -> object:
        return list(read_documents(path, path.name))

    paper_s = DOCUMENT.with_time_for(1_000_000).timeout_s
    files = bombs.tool_files()
    toml = {name: make for name, make in files.items() if name.endswith(".toml")}
    yaml = {name: make for name, make in files.items() if name.endswith(".yaml")}

    async def sound(content: bytes) -> object:
        return await Audio.aload(content, max_duration_s=LONGEST_AUDIO_S, setting="Capabilities.max_audio_s")

    patient = Scripted(["Yes."])

    async def long_sound(content: bytes) -> object:
        return await hear(content, patient)

    closing: list[asyncio.Task[None]] = []

    async def mcp(content: bytes) -> object:
        code = folder / "server.py"
        code.write_bytes(content)
        program = [sys.executable, str(TESTS / "support" / "raw_mcp.py"), f"exec(open({str(code)!r}).read())"]
        server = McpServer(program)
        try:
            async with asyncio.timeout(MCP_TIMEOUT_S):
                tools = await in_thread(server.tools)
                return await tools[0].call(RunContext(Conversation()), {})
        except TimeoutError:
            raise ToolError(f"it took longer than {MCP_TIMEOUT_S:.0f} s") from None
        finally:
            closing.append(asyncio.create_task(server.aclose()))  # which is not part of the call

    sounds: bombs.Bombs = {name: functools.cache(make) for name, make in bombs.sounds().items()}
    hour_s = patient.capabilities.max_audio_s

    return {
        "HTML": (bombs.pages(), TOOL_TIMEOUT_S, page),
        "PDF": (bombs.papers(), paper_s, file(".pdf", document)),
        "Word": (bombs.words(), paper_s, file(".docx", document)),
        "sound, at most a minute": (sounds, SOUND.for_sound(LONGEST_AUDIO_S, 0).timeout_s, sound),
        "sound, at most an hour": (sounds, SOUND.for_sound(hour_s, 0).timeout_s, long_sound),
        "TOML": (toml, TOOL_FILE.timeout_s, file(".toml", read_source)),
        "YAML": (yaml, TOOL_FILE.timeout_s, file(".yaml", read_source)),
        "JSON": (json_answers(), TOOL_TIMEOUT_S, answer),
        "MCP": (bombs.servers(), MCP_TIMEOUT_S, mcp),
    }


class NoResults:
    """A search engine that finds nothing."""

    name = "none"

    async def search(self, query: str, k: int) -> list[Any]:
        return []


def memory_mb() -> float:
    """Resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


class Memory:
    """Watches the memory of this process in a thread."""

    def __init__(self) -> None:
        self.most = memory_mb()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            self.most = max(self.most, memory_mb())
            time.sleep(0.005)


class Other:
    """Another session of the process, which asks the same spoken question again and again."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._question = Audio.load(questions_folder() / "seventeen-times-twenty-three.flac")

    async def turn(self) -> float:
        """Seconds of a whole turn."""
        begun = time.perf_counter()
        await self._session.run(self._question)
        return time.perf_counter() - begun

    async def turns(self, count: int) -> list[float]:
        return [await self.turn() for _ in range(count)]


async def timed(intake: Awaitable[object], limit_s: float) -> tuple[float, str]:
    """Seconds until the result or refusal, and which it was."""
    begun = time.perf_counter()
    try:
        async with asyncio.timeout(2 * limit_s):
            await intake
        outcome = "read"
    except AgentAudioError as error:
        outcome = str(error)
    except Exception as error:
        outcome = f"UNTYPED {error!r}"
    return time.perf_counter() - begun, outcome


async def one(content: bytes, limit_s: float, take_in: Intake, other: Other, memory: Memory) -> dict[str, Any]:
    """What taking in a file costs."""
    usual = await other.turns(TURNS)
    before = memory.most = memory_mb()
    intake = asyncio.create_task(timed(take_in(content), limit_s))
    during = [await other.turn()]
    while not intake.done():
        during.append(await other.turn())
    took, outcome = await intake
    most = memory.most
    usual += await other.turns(TURNS)
    middle = statistics.median(usual)
    return {
        "seconds": round(took, 2), "limit_s": limit_s, "other_turn": round(max(during) / middle, 2),
        "other_turn_median": round(statistics.median(during) / middle, 2), "turns": len(during),
        "memory_mb": round(most - before), "outcome": outcome[:150],
    }  # fmt: skip


async def take_all_in(kinds: list[str], model: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    memory = Memory()
    with tempfile.TemporaryDirectory() as folder, local_server() as server:
        async with Agent(model, tools=["calculate"]) as agent:
            other = Other(agent.session())
            known = intakes(Path(folder), server)
            await other.turns(3)
            for kind in kinds or known:
                made, limit_s, take_in = known[kind]
                await timed(take_in(b"hello"), limit_s)  # imports
                for name, make in made.items():
                    content = make()
                    for attempt in range(1, ATTEMPTS + 1):
                        row = await one(content, limit_s, take_in, other, memory)
                        row["attempts"] = attempt
                        # Other programs of the machine delay a turn too, but not the same file again and again.
                        if row["other_turn"] < 2 and row["memory_mb"] < 300 and row["seconds"] < limit_s + 0.5:
                            break
                    row = {"kind": kind, "file": name, "bytes": len(content), **row}
                    print(*row.values(), sep="  ", flush=True)
                    rows.append(row)
    return rows


def by_kind(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The worst of each kind."""
    kinds = dict.fromkeys(row["kind"] for row in rows)
    return {kind: _worst([row for row in rows if row["kind"] == kind]) for kind in kinds}


def _worst(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "files": len(rows),
        "seconds": max(row["seconds"] for row in rows),
        "limit_s": max(row["limit_s"] for row in rows),
        "other_turn": max(row["other_turn"] for row in rows),
        "memory_mb": max(row["memory_mb"] for row in rows),
        "untyped_errors": sum(row["outcome"].startswith("UNTYPED") for row in rows),
    }


def kill(count: int) -> dict[str, Any]:
    """Kill a worker process `count` times while it is busy; after each, the pool answers another request."""
    pool = Pool("benchmark", processes=2)
    limits = WorkLimits("benchmark", timeout_s=30, cpu_s=10, memory_mb=200, output_mb=1)

    def ask(task: str, **request: Any) -> bool:
        try:
            pool.run(lambda job: job.ask(f"tasks:{task}", request, limits=limits, what="it", error=RetrievalError))
        except RetrievalError:
            return False
        return True

    def held() -> dict[str, int]:
        gc.collect()
        return {
            "processes": len(_children()),
            "descriptors": len(os.listdir("/proc/self/fd")),
            "threads": threading.active_count(),
            "temporary_files": len(os.listdir(tempfile.gettempdir())),
        }

    def once() -> bool:
        return not ask("die", signal=signal.SIGKILL) and ask("echo")

    for _ in range(min(20, count)):
        once()
    pool.close()
    before, memory = held(), memory_mb()
    begun = time.perf_counter()
    answered = sum(once() for _ in range(count))
    took = time.perf_counter() - begun
    pool.close()
    after = held()
    return {
        "kills": count, "answered_after_it": answered, "seconds_of_each": round(took / count, 2),
        "memory_mb": round(memory_mb() - memory, 1),
        **{f"{name}_left": after[name] - before[name] for name in before},
    }  # fmt: skip


def _children() -> list[str]:
    tasks = Path("/proc/self/task").glob("*/children")
    return [pid for task in tasks for pid in task.read_text().split()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--kind", action="append", default=[], help="HTML, PDF, Word, sound, TOML, YAML, JSON or MCP")
    parser.add_argument("--kills", type=int, default=500, metavar="N", help="of worker processes; 0 leaves them out")
    parser.add_argument("--model", default="embedded-lite", help="of the other session")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:  # what is left in it was left by this process and its workers
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        figures = measure(arguments)
    for kind, worst in figures["kinds"].items():
        publish(kind, worst, None)
    publish("all", figures["worst"], None)
    if arguments.json is not None:
        Path(arguments.json).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    if arguments.kills:
        figures["kills"] = kill(arguments.kills)
        publish("killed workers", figures["kills"], None)
    rows = asyncio.run(take_all_in(arguments.kind, arguments.model))
    left = os.listdir(tempfile.gettempdir())
    return figures | {"worst": _worst(rows), "temporary_files_left": len(left), "kinds": by_kind(rows), "rows": rows}


if __name__ == "__main__":
    main()
