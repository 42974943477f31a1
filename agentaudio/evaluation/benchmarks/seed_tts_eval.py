"""seed-tts-eval: speech in the voice of a clip. Layout: {en|zh}/meta.lst with name|words of the clip|clip|text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from agentaudio.errors import EvaluationError
from agentaudio.evaluation.benchmark import Benchmark
from agentaudio.evaluation.data import clip, text_lines
from agentaudio.evaluation.item import Item
from agentaudio.evaluation.scorers.cloned import Cloned
from agentaudio.evaluation.scorers.error_rate import ErrorRate


def _read(language: str, name: str) -> Callable[[Path], Iterator[Item]]:
    def read(folder: Path) -> Iterator[Item]:
        path = folder / language / name
        for number, line in text_lines(path):
            values = line.split("|")
            if len(values) < 4:
                raise EvaluationError(f"line {number} of {path} has {len(values)} values between bars, and not 4")
            yield Item(values[0], clip(path.parent, values[2]), values[3], text=values[3])

    return read


def _benchmark(name: str, language: str, unit: str, size: str, file: str = "meta.lst") -> Benchmark:
    return Benchmark(
        name=name,
        title=f"seed-tts-eval {language}{' hard' if 'hard' in file else ''}",
        read=_read(language, file),
        scorer=Cloned(ErrorRate(language, ("seed-tts",), unit, per_item=True)),
        needs=(f"{language}/{file}",),
        home="https://github.com/BytedanceSpeech/seed-tts-eval",
        licence="of Common Voice (en, CC0) and DiDiSpeech-2 (zh)",
        size=size,
        clones=True,
        note="published similarities are cosines of WavLM-large; those of another encoder cannot be compared",
    )


ENGLISH = _benchmark("seed-tts-eval-en", "en", "word", "about 1,000 texts")
CHINESE = _benchmark("seed-tts-eval-zh", "zh", "char", "about 2,000 texts")
HARD = _benchmark("seed-tts-eval-zh-hard", "zh", "char", "not published", "hardcase.lst")
