"""What it costs to store sessions: time added to a turn, time to open a session of 10,000 turns, and memory.

    python benchmarks/storage.py [--json FILE] [--turns N]

Targets: a session of 10,000 turns opens in under 50 ms, memory does not grow with the turns, and a turn takes less
than 0.5 ms more than one that is not stored.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from report import machine, publish

from agentaudio import Agent, Session, SqliteStore
from agentaudio.model.scripted import Scripted

TURNS = 10_000
COMPARED = 300
OPENED = 20
ANSWER = {"heard": "how long is the wall", "say": "It is 21,000 kilometers long, most of it built by the Ming dynasty."}


def resident_mb() -> float:
    """Memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


async def timed(work: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    """Seconds on the clock, and of the processor in all threads."""
    begun, cpu = time.perf_counter(), time.process_time()
    await work()
    return time.perf_counter() - begun, time.process_time() - cpu


async def compared(stored: Session, plain: Session) -> dict[str, float]:
    """What a turn takes more when it is stored; the two take turns, so that both meet the same load."""
    times: dict[str, list[tuple[float, float]]] = {"stored": [], "plain": []}
    for _ in range(COMPARED):
        times["stored"].append(await timed(lambda: stored.run("how long is it")))
        times["plain"].append(await timed(lambda: plain.run("how long is it")))
        await asyncio.sleep(0.005)  # nobody speaks without pause
    more = [
        1000
        * (statistics.median(one[at] for one in times["stored"]) - statistics.median(one[at] for one in times["plain"]))
        for at in (0, 1)
    ]
    return {"turn_added_ms": round(more[0], 3), "turn_added_cpu_ms": round(more[1], 3)}


async def opened(path: Path, agent: Agent) -> tuple[float, float]:
    """What it takes to open a store and resume its long session."""
    async with SqliteStore(path) as store:
        return await timed(lambda: store.session(agent, "long"))


async def measure(folder: Path, turns: int) -> dict[str, object]:
    agent = Agent(Scripted([ANSWER], loop=True))
    path = folder / "talks.sqlite3"
    figures: dict[str, object] = {"turns": turns}
    async with SqliteStore(path) as store:
        figures |= await compared(await store.session(agent, "short"), agent.session())
        session = await store.session(agent, "long")
        memory = []
        for number in range(1, turns + 1):
            await session.run("how long is it")
            if number % (turns // 10) == 0:
                memory.append(round(resident_mb(), 1))
        figures["memory_mb_at_each_tenth"] = memory
        del session
    opening = [await opened(path, agent) for _ in range(OPENED)]
    figures["open_ms_p50"] = round(1000 * statistics.median(seconds for seconds, _ in opening), 1)
    figures["open_cpu_ms_p50"] = round(1000 * statistics.median(cpu for _, cpu in opening), 1)
    async with SqliteStore(path) as store:
        figures["list_ms"] = round(1000 * (await timed(store.list))[0], 1)
        figures["load_all_ms"] = round(1000 * (await timed(lambda: store.load("long")))[0], 1)
        assert len(await store.turns("long")) == turns
    figures["bytes_per_turn"] = path.stat().st_size // turns
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--turns", type=int, default=TURNS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(measure(Path(folder), arguments.turns))
    publish("storage", figures | machine(), arguments.json)


if __name__ == "__main__":
    main()
