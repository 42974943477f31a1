"""A benchmark of your own: one file of facts, which `agentaudio eval run` takes by its path.

    python examples/own_benchmark.py

Its data is a folder with `spoken.tsv`: a sound file and what is said in it a line. Here the recordings of the demo are
used, and the model is a script, so that the figures show how answers are scored and not how well a model hears.
With a real model, the same file is run from the command line:

    agentaudio eval run examples/own_benchmark.py --model embedded --data FOLDER
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from agentaudio.demo.run import questions_folder
from agentaudio.evaluation.benchmark import Benchmark
from agentaudio.evaluation.data import clip, load_items, table
from agentaudio.evaluation.item import Item
from agentaudio.evaluation.measures import in_words
from agentaudio.evaluation.run import run_benchmark, settings_of
from agentaudio.evaluation.scorers.error_rate import ErrorRate
from agentaudio.model.registry import load_model


def read(folder: Path) -> Iterator[Item]:
    for row in table(folder / "spoken.tsv", ("sound", "words")):
        yield Item(Path(row["sound"]).stem, clip(folder, row["sound"]), row["words"])


BENCHMARK = Benchmark(
    name="own-recordings",
    title="Our own recordings",
    read=read,
    scorer=ErrorRate("en", ("spoken",)),  # 17 and "seventeen" are the same words
    needs=("spoken.tsv",),
    home="the recordings of this project's demo",
    licence="Apache-2.0",
    size="two recordings",
    transcribes=True,
)


def write_data(folder: Path) -> None:
    folder.mkdir()
    words = {
        "great-wall.flac": "Give me a brief introduction to the Great Wall of China.",
        "time-in-tokyo.flac": "What is the time in Tokyo right now?",
    }
    lines = [f"{name}\t{said}" for name, said in words.items()]
    (folder / "spoken.tsv").write_text("\n".join(lines), encoding="utf-8")
    for name in words:
        shutil.copy(questions_folder() / name, folder)


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        data, run = Path(folder) / "data", Path(folder) / "run"
        write_data(data)
        model = load_model("scripted")  # it says the same of each recording
        items = load_items(BENCHMARK, data)
        settings = settings_of(BENCHMARK.name, data, items, model="scripted", seeds=1, limit=None)
        result = await run_benchmark(BENCHMARK, settings, items, run, model=model)
        for figure in result.figures:
            print(f"{figure.name}: {figure.value:.1f} ({in_words(figure)}), {figure.items} answers")


if __name__ == "__main__":
    asyncio.run(main())
