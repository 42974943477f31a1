"""FLEURS: read sentences in many languages. Layout: LANGUAGE/test.tsv beside LANGUAGE/audio/test/*.wav."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from agentaudio.evaluation.benchmark import Benchmark
from agentaudio.evaluation.data import clip, table
from agentaudio.evaluation.hub import copies
from agentaudio.evaluation.item import Item
from agentaudio.evaluation.scorers.error_rate import ErrorRate
from agentaudio.model.speech_lm import GenerateOptions

COLUMNS = ("id", "file_name", "raw_transcription", "transcription", "characters", "samples", "gender")


def _read(code: str) -> Callable[[Path], Iterator[Item]]:
    def read(folder: Path) -> Iterator[Item]:
        for row in table(folder / code / "test.tsv", COLUMNS):
            name = row["file_name"]
            yield Item(Path(name).stem, clip(folder / code / "audio" / "test", name), row["transcription"])

    return read


def _benchmark(name: str, code: str, language: str, unit: str, size: int) -> Benchmark:
    return Benchmark(
        name=name,
        title=f"FLEURS {code}",
        read=_read(code),
        scorer=ErrorRate(language, ("kits", "spoken"), unit),
        needs=(f"{code}/test.tsv",),
        home="https://huggingface.co/datasets/google/fleurs",
        hub=copies.fleurs(code),
        licence="CC BY 4.0",
        size=f"{size} utterances",
        transcribes=True,
        options=GenerateOptions(temperature=0.0, max_tokens=256),
        expected={"": size},
    )


ENGLISH = _benchmark("fleurs-en", "en_us", "en", "word", 647)
CHINESE = _benchmark("fleurs-zh", "cmn_hans_cn", "zh", "char", 945)
JAPANESE = _benchmark("fleurs-ja", "ja_jp", "ja", "char", 650)
ARABIC = _benchmark("fleurs-ar", "ar_eg", "ar", "word", 428)
