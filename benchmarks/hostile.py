"""Small files that would take gigabytes or minutes, taken in while another session speaks.

    python benchmarks/hostile.py [--json FILE] [--kind KIND]

The files are made on the spot: pages, PDF and Word files, sound, files of tools, and JSON answers of a service.
While each is taken in as an agent would take it in, another session of the embedded engine asks a spoken question
again and again. For each file it reports the time until its result or refusal, the limit of that time, the slowest of
these turns as a multiple of the usual one, and how much the memory of this process (not its workers) grew.
"""

from __future__ import annotations

import argparse
import asyncio
import json
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
from agentaudio.errors import AgentAudioError
from agentaudio.http import Guard
from agentaudio.model.embedded.hearing.sphinx_pool import LONGEST_AUDIO_S
from agentaudio.retrieval.documents.files import read_documents
from agentaudio.retrieval.web.fetch import Fetcher
from agentaudio.retrieval.web.web import Web
from agentaudio.tools.declarative.source import read_source
from agentaudio.tools.discovery import find_tools
from agentaudio.workers.limits import DOCUMENT, SOUND, TOOL_FILE

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from support import bombs  # noqa: E402
from support.local_http import LocalServer, local_server  # noqa: E402

TOOL_TIMEOUT_S = 30.0
"""Of `read_page` and of the tool that asks a service."""

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

    return {
        "HTML": (bombs.pages(), TOOL_TIMEOUT_S, page),
        "PDF": (bombs.papers(), paper_s, file(".pdf", document)),
        "Word": (bombs.words(), paper_s, file(".docx", document)),
        "sound": (bombs.sounds(), SOUND.for_sound(LONGEST_AUDIO_S, 0).timeout_s, sound),
        "TOML": (toml, TOOL_FILE.timeout_s, file(".toml", read_source)),
        "YAML": (yaml, TOOL_FILE.timeout_s, file(".yaml", read_source)),
        "JSON": (json_answers(), TOOL_TIMEOUT_S, answer),
    }


class NoResults:
    """A search engine that finds nothing."""

    name = "none"

    async def search(self, query: str, k: int) -> list[Any]:
        return []


class Memory:
    """Watches the resident memory of this process in a thread."""

    def __init__(self) -> None:
        self.most = self.now()
        threading.Thread(target=self._watch, daemon=True).start()

    def now(self) -> float:
        """In MB."""
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6

    def _watch(self) -> None:
        while True:
            self.most = max(self.most, self.now())
            time.sleep(0.005)


async def turn(session: Session, question: Audio) -> float:
    """Seconds of a whole turn."""
    begun = time.perf_counter()
    await session.run(question)
    return time.perf_counter() - begun


async def timed(intake: Awaitable[object]) -> tuple[float, str]:
    """Seconds until the result or refusal, and which it was."""
    begun = time.perf_counter()
    try:
        await intake
        outcome = "read"
    except AgentAudioError as error:
        outcome = str(error)
    except Exception as error:
        outcome = f"UNTYPED {error!r}"
    return time.perf_counter() - begun, outcome


async def measure(kinds: list[str]) -> dict[str, Any]:
    question = Audio.load(questions_folder() / "seventeen-times-twenty-three.flac")
    rows: list[dict[str, Any]] = []
    memory = Memory()
    with tempfile.TemporaryDirectory() as folder, local_server() as server:
        async with Agent("embedded", tools=["calculate"]) as agent:
            session = agent.session()
            known = intakes(Path(folder), server)
            for kind in kinds or known:
                made, limit_s, take_in = known[kind]
                await timed(take_in(b"hello"))  # imports
                for name, make in made.items():
                    content = make()
                    usual = statistics.median([await turn(session, question) for _ in range(3)])
                    before = memory.most = memory.now()
                    intake = asyncio.create_task(timed(take_in(content)))
                    slowest = 0.0
                    while not slowest or not intake.done():
                        slowest = max(slowest, await turn(session, question))
                    took, outcome = await intake
                    row = {
                        "kind": kind, "file": name, "bytes": len(content), "seconds": round(took, 2),
                        "limit_s": limit_s, "other_turn": round(slowest / usual, 2),
                        "memory_mb": round(memory.most - before), "outcome": outcome[:150],
                    }  # fmt: skip
                    print(*row.values(), sep="  ", flush=True)
                    rows.append(row)
    return {
        "files": len(rows),
        "slowest_turn_as_multiple": max(row["other_turn"] for row in rows),
        "most_memory_mb": max(row["memory_mb"] for row in rows),
        "above_their_limit": sum(row["seconds"] > row["limit_s"] for row in rows),
        "untyped_errors": sum(row["outcome"].startswith("UNTYPED") for row in rows),
        "rows": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--kind", action="append", default=[], help="HTML, PDF, Word, sound, TOML, YAML or JSON")
    arguments = parser.parse_args()
    figures = asyncio.run(measure(arguments.kind))
    publish("hostile files", {name: value for name, value in figures.items() if name != "rows"}, None)
    if arguments.json is not None:
        Path(arguments.json).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
