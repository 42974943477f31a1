"""Big Bench Audio: spoken reasoning. Layout: metadata.jsonl, in the folder or in data/, beside question_{id}.mp3."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from agentaudio.evaluation.benchmark import Benchmark
from agentaudio.evaluation.data import clip, field_of, json_lines
from agentaudio.evaluation.hub import copies
from agentaudio.evaluation.item import Item
from agentaudio.evaluation.prompts import BIG_BENCH_AUDIO
from agentaudio.evaluation.scorers.judged import CORRECT, Judged
from agentaudio.model.speech_lm import GenerateOptions


def read(folder: Path) -> Iterator[Item]:
    """The questions; the categories are the groups."""
    for path in sorted([*folder.glob("metadata.jsonl"), *folder.glob("data/metadata.jsonl")]):
        for row in json_lines(path):
            name = str(row.get("file_name") or row.get("audio") or f"question_{field_of(row, 'id', path)}.mp3")
            yield Item(
                field_of(row, "id", path),
                clip(path.parent, Path(name).name),
                field_of(row, "official_answer", path),
                group=field_of(row, "category", path),
                details={"question": str(row.get("transcript") or "(spoken)")},
            )


BENCHMARK = Benchmark(
    name="big-bench-audio",
    title="Big Bench Audio",
    read=read,
    scorer=Judged(BIG_BENCH_AUDIO, CORRECT, rule="CORRECT or INCORRECT"),
    needs=("**/metadata.jsonl",),
    home="https://huggingface.co/datasets/ArtificialAnalysis/big_bench_audio",
    hub=copies.BIG_BENCH_AUDIO,
    licence="MIT",
    size="1,000 questions in 4 categories, 4.5 to 60 s each",
    judging=GenerateOptions(temperature=0.5, max_tokens=512),
    options=GenerateOptions(temperature=0.7, max_tokens=2048),
    speaks=True,
    sampled=True,
    expected=dict.fromkeys(("formal_fallacies", "navigate", "object_counting", "web_of_lies"), 250),
    note="whether the published figures had a written instruction after the sound is not known; here there is none",
)
