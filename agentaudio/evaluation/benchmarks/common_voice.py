"""Common Voice: sentences read by volunteers. Layout: of one language, test.tsv beside clips/*.mp3."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from agentaudio.evaluation.benchmark import Benchmark
from agentaudio.evaluation.data import clip, field_of, table
from agentaudio.evaluation.hub import copies
from agentaudio.evaluation.item import Item
from agentaudio.evaluation.scorers.error_rate import ErrorRate
from agentaudio.model.speech_lm import GenerateOptions


def read(folder: Path) -> Iterator[Item]:
    """The clips of test.tsv."""
    path = folder / "test.tsv"
    for row in table(path):
        name = field_of(row, "path", path)
        yield Item(Path(name).stem, clip(folder / "clips", name), field_of(row, "sentence", path))


def _benchmark(name: str, language: str, unit: str, size: str) -> Benchmark:
    return Benchmark(
        name=name,
        title=f"Common Voice {language}",
        read=read,
        scorer=ErrorRate(language, ("kits", "spoken"), unit),
        needs=("test.tsv", "clips"),
        home="https://commonvoice.mozilla.org/datasets",
        hub=copies.common_voice(language),
        licence="CC0",
        size=size,
        transcribes=True,
        options=GenerateOptions(temperature=0.0, max_tokens=256),
        note="the report does not say which version of Common Voice it used; kits use 15",
    )


ENGLISH = _benchmark("common-voice-en", "en", "word", "about 16,000 clips")
CANTONESE = _benchmark("common-voice-yue", "yue", "char", "about 5,600 clips")
