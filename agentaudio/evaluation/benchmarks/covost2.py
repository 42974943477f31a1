"""CoVoST 2: speech into text of another language. Layout: covost_v2.SOURCE_TARGET.test.tsv beside clips/*.mp3."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from agentaudio.evaluation.benchmark import Benchmark
from agentaudio.evaluation.data import clip, field_of, table
from agentaudio.evaluation.hub import copies
from agentaudio.evaluation.item import Item
from agentaudio.evaluation.scorers.bleu import Bleu
from agentaudio.model.speech_lm import GenerateOptions


def _read(name: str) -> Callable[[Path], Iterator[Item]]:
    def read(folder: Path) -> Iterator[Item]:
        path = folder / name
        for row in table(path):
            place = field_of(row, "path", path)
            yield Item(Path(place).stem, clip(folder / "clips", place), field_of(row, "translation", path))

    return read


def _benchmark(name: str, source: str, target: str, language: str, tokenize: str, size: str) -> Benchmark:
    file = f"covost_v2.{source}_{target}.test.tsv"
    words = {"en": "English", "zh": "Chinese"}[language]
    return Benchmark(
        name=name,
        title=f"CoVoST 2 {source} to {target}",
        read=_read(file),
        scorer=Bleu(language, tokenize),
        needs=(file, "clips"),
        home="https://github.com/facebookresearch/covost, clips of Common Voice 4",
        hub=copies.COVOST2_TO_ENGLISH if target == "en" else copies.COVOST2_TO_CHINESE,
        licence="CC BY-NC 4.0 (translations), CC0 (clips)",
        size=size,
        instruction=f"Translate what is said into {words}. Write down the translation and nothing else.",
        options=GenerateOptions(temperature=0.1, max_tokens=256),
        sampled=True,
        note="the report does not publish its BLEU recipe; this is that of lmms-eval, and plain sacreBLEU",
    )


TO_ENGLISH = _benchmark("covost2-zh-en", "zh-CN", "en", "en", "13a", "4,898 clips")
TO_CHINESE = _benchmark("covost2-en-zh", "en", "zh-CN", "zh", "zh", "about 15,500 clips")
