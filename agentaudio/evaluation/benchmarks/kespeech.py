"""KeSpeech: Mandarin and its dialects. Layout: Tasks/ASR/test in Kaldi's, and Audio/."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from agentaudio.evaluation.benchmark import Benchmark
from agentaudio.evaluation.data import kaldi
from agentaudio.evaluation.item import Item
from agentaudio.evaluation.scorers.error_rate import ErrorRate
from agentaudio.model.speech_lm import GenerateOptions


def read(folder: Path) -> Iterator[Item]:
    """The utterances of the test set that were recorded in phase 1."""
    for item in kaldi(folder / "Tasks" / "ASR" / "test", folder, blanks=False):
        if item.audio is not None and "phase1" in item.audio.parts:
            yield item


BENCHMARK = Benchmark(
    name="kespeech",
    title="KeSpeech phase1",
    read=read,
    scorer=ErrorRate("zh", ("kits", "spoken"), "char"),
    needs=("Tasks/ASR/test/wav.scp", "Tasks/ASR/test/text"),
    home="https://github.com/KeSpeech/KeSpeech (by application)",
    licence="academic use",
    size="not published for phase1",
    transcribes=True,
    options=GenerateOptions(temperature=0.0, max_tokens=256),
    note="the report does not define its split any further than as phase1",
)
