"""What `agentaudio eval` adds to inspect-ai: time per item and memory, with a model that answers at once.

    python benchmarks/eval_overhead.py [--items 10000] [--json docs/figures/eval_overhead.json]

The baseline is a task of inspect-ai alone, with the same number of samples, a provider that answers at once, and
inspect-ai's own exact match: in one run, and in parts as `agentaudio eval` makes them. Each run is made in a process of
its own. What memory grows by is the peak of the whole run, with its log, result and page, over the peak when the first
tenth of the items was answered.

The command has all threads share one heap. "With heaps of threads" is the same run without that: inspect-ai compresses
each sample with twelve threads, and the GNU C library gives threads up to eight heaps a core, each of which keeps what
was large in it. The records are what `agentaudio eval` itself keeps of each item, without inspect-ai. What outlives a
part is counted where the next one begins, after the garbage was collected.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import resource
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import Any

from report import machine, publish

from agentaudio.evaluation import scores
from agentaudio.evaluation.benchmark import Benchmark
from agentaudio.evaluation.item import Answer, Item
from agentaudio.evaluation.ledger import Ledger
from agentaudio.evaluation.logs import PART
from agentaudio.evaluation.run import run_benchmark, settings_of
from agentaudio.evaluation.scorers.error_rate import ErrorRate
from agentaudio.evaluation.scores import Scores, answer_key
from agentaudio.free_memory import share_one_heap
from agentaudio.model.scripted import Scripted
from agentaudio.sound.audio import Audio


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Tenth:
    """Notes the peak of memory when a tenth of the items was answered.

    counts: whether to count what there is when the first item of each part is asked
    """

    def __init__(self, items: int, counts: bool = False) -> None:
        self._tenth, self._counts = items // 10, counts
        self._answered = 0
        self.mb = 0.0
        self.kept: list[tuple[int, int]] = []  # objects of the garbage collector, and blocks of memory

    def count(self) -> None:
        if self._counts and self._answered % PART == 0:
            gc.collect()
            self.kept.append((len(gc.get_objects()), sys.getallocatedblocks()))
        self._answered += 1
        if self._answered == self._tenth:
            self.mb = peak_mb()


COUNTED, WORST = 2_000, 100
"""Items of the run in which is counted what outlives a part, and how many worst answers are kept in it."""
SCORER = ErrorRate("en", ("letters",))


async def ours(items: int, folder: Path, tenth: Tenth) -> None:
    sound = Audio.silence(0.1, 16_000).save(folder / "a.wav")

    class Instant(Scripted):
        async def transcribe(self, audio: Audio) -> str:
            tenth.count()
            return "the same words"

    asked = [Item(str(number), sound, "the same words") for number in range(items)]
    benchmark = Benchmark(
        name="instant",
        title="Instant",
        read=lambda folder: asked,
        scorer=SCORER,
        transcribes=True,
    )
    settings = settings_of("instant", folder, asked, model="instant", seeds=1, limit=None)
    await run_benchmark(benchmark, settings, asked, folder / "run", model=Instant(["x"]), parallel=4)


async def parts(items: int, folder: Path, tenth: Tenth) -> None:
    for start in range(0, items, PART):
        await alone(min(PART, items - start), folder, tenth)
        gc.collect()


async def alone(items: int, folder: Path, tenth: Tenth) -> None:
    import os

    os.environ["INSPECT_DISPLAY"] = "none"
    from inspect_ai import Task, eval_async
    from inspect_ai.dataset import MemoryDataset, Sample
    from inspect_ai.model import GenerateConfig, Model, ModelAPI, ModelOutput, modelapi
    from inspect_ai.scorer import match
    from inspect_ai.solver import generate
    from inspect_ai.util import display_type

    display_type()

    @modelapi(name="instant")
    class Instant(ModelAPI):
        async def generate(self, input: Any, tools: Any, tool_choice: Any, config: Any) -> ModelOutput:
            tenth.count()
            return ModelOutput.from_content("instant", "the same words")

    samples = [Sample(id=str(number), input="words", target="the same words") for number in range(items)]
    await eval_async(
        Task(dataset=MemoryDataset(samples), solver=generate(), scorer=match()),
        model=Model(Instant("instant"), GenerateConfig()), log_dir=str(folder / "logs"), max_samples=4,
        log_realtime=False, log_images=False, log_model_api=False, score_display=False, ctl_server=False,
        log_level="error",
    )  # fmt: skip


async def records(items: int, folder: Path) -> float:
    """Bytes that are kept of each item beyond the first tenth: its place in the ledger and its score."""
    asked = [Item(str(number), folder / "a.wav", "the same words") for number in range(items)]
    answers, kept = Ledger(folder / "answers.jsonl"), Scores(asked)
    answer, before = Answer("the same words", "the same words"), 0
    tracemalloc.start()
    for number, item in enumerate(asked):
        answers.keep(answer_key(item, 1), answer.to_dict())
        kept.add(item, 1, await SCORER.score(item, answer, None))
        if number == items // 10:
            before = tracemalloc.get_traced_memory()[0]
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    answers.close()
    return (after - before) / (items - items // 10)


def child(kind: str, items: int) -> None:
    if kind in ("ours", "kept"):
        share_one_heap()
    if kind == "kept":
        scores.MOST = scores.SPARE = WORST  # so that their number stands after the first part
    with tempfile.TemporaryDirectory() as folder:
        work = {"ours": ours, "heaps": ours, "kept": ours, "alone": alone, "parts": parts}[kind]
        asyncio.run(work(20, Path(folder) / "warm", Tenth(20)))
        tenth = Tenth(items, counts=kind == "kept")
        start, cpu = time.perf_counter(), time.process_time()
        asyncio.run(work(items, Path(folder) / "run", tenth))
        took, cpu = time.perf_counter() - start, time.process_time() - cpu
    found = {"wall_s": took, "cpu_s": cpu, "tenth_mb": tenth.mb, "peak_mb": peak_mb(), "kept": tenth.kept}
    print(json.dumps(found))


def measured(kind: str, items: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--child", kind, "--items", str(items)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def outliving(kept: list[tuple[int, int]]) -> dict[str, float]:
    """What the parts but for the first leave behind, of each of their answers."""
    first, last = 2, len(kept) - 1
    answers = PART * (last - first)
    objects, blocks = ((end - start) / answers for start, end in zip(kept[first], kept[last], strict=True))
    return {
        "agentaudio eval, objects that outlive a part, of each answer": round(objects, 3),
        "agentaudio eval, blocks of memory that outlive a part, of each answer": round(blocks, 2),
    }


def memory(name: str, found: dict[str, Any]) -> dict[str, float]:
    return {
        f"{name}, peak of memory in MB": round(found["peak_mb"]),
        f"{name}, growth after a tenth of the items, %": round(100 * (found["peak_mb"] / found["tenth_mb"] - 1), 1),
        f"{name}, growth after a tenth of the items in MB": round(found["peak_mb"] - found["tenth_mb"], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--json")
    parser.add_argument("--child")
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child, arguments.items)
        return
    items = arguments.items
    base, own, heaps, divided = (measured(kind, items) for kind in ("alone", "ours", "heaps", "parts"))
    kept_of_parts = measured("kept", COUNTED)["kept"]
    with tempfile.TemporaryDirectory() as folder:
        kept = asyncio.run(records(items, Path(folder)))
    publish(
        "overhead of `agentaudio eval` over inspect-ai alone",
        {
            "items": items,
            "inspect-ai alone, ms per item (CPU)": round(1000 * base["cpu_s"] / items, 2),
            "agentaudio eval, ms per item (CPU)": round(1000 * own["cpu_s"] / items, 2),
            "overhead, ms per item (CPU)": round(1000 * (own["cpu_s"] - base["cpu_s"]) / items, 2),
            "overhead, ms per item (wall)": round(1000 * (own["wall_s"] - base["wall_s"]) / items, 2),
            **memory("inspect-ai alone", base),
            **memory("inspect-ai alone, in parts", divided),
            **memory("agentaudio eval", own),
            **memory("agentaudio eval, with heaps of threads", heaps),
            **outliving(kept_of_parts),
            "agentaudio eval, bytes kept of an item after a tenth": round(kept),
            "machine": machine(),
        },
        arguments.json,
    )


if __name__ == "__main__":
    main()
