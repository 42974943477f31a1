"""LibriSpeech: read English, by utterance. Layout: test-clean/SPEAKER/CHAPTER/SPEAKER-CHAPTER.trans.txt beside FLAC."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from agentaudio.evaluation.benchmark import Benchmark
from agentaudio.evaluation.data import clip, text_lines
from agentaudio.evaluation.hub import copies
from agentaudio.evaluation.item import Item
from agentaudio.evaluation.scorers.error_rate import ErrorRate
from agentaudio.model.speech_lm import GenerateOptions


def read(folder: Path) -> Iterator[Item]:
    """The utterances of all sets, such as test-clean and test-other, which are the groups."""
    for path in sorted(folder.glob("*/*/*/*.trans.txt")):
        for _, line in text_lines(path):
            name, _, words = line.partition(" ")
            audio = clip(path.parent, f"{name}.flac")
            yield Item(name, audio, words, group=path.relative_to(folder).parts[0])


BENCHMARK = Benchmark(
    name="librispeech",
    title="LibriSpeech",
    read=read,
    scorer=ErrorRate("en", ("kits", "spoken")),
    needs=("*/*/*/*.trans.txt",),
    home="https://www.openslr.org/12",
    hub=copies.LIBRISPEECH,
    licence="CC BY 4.0",
    size="test-clean 2,620 and test-other 2,939 utterances, 350 MB each",
    transcribes=True,
    options=GenerateOptions(temperature=0.0, max_tokens=256),
    expected={"test-clean": 2620, "test-other": 2939},
)
