"""CVSS: speech into speech of another language.

Layout: test.tsv with a clip and its English text a line, clips/ of Common Voice, and test/ with the English speech.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from agentaudio.evaluation.benchmark import Benchmark
from agentaudio.evaluation.data import clip, field_of, table
from agentaudio.evaluation.item import Item
from agentaudio.evaluation.scorers.bleu import Bleu
from agentaudio.model.speech_lm import GenerateOptions

COLUMNS = ("clip", "translation")
SENTENCES = "covost_v2.zh-CN_en.test.tsv"
SPOKEN = GenerateOptions(temperature=0.7, max_tokens=2048)
HOME = "https://github.com/google-research-datasets/cvss, clips of Common Voice 4"


def read_to_english(folder: Path) -> Iterator[Item]:
    """Chinese clips, with the English text of CVSS as the reference."""
    for row in table(folder / "test.tsv", COLUMNS):
        yield Item(Path(row["clip"]).stem, clip(folder / "clips", row["clip"]), row["translation"])


def read_to_chinese(folder: Path) -> Iterator[Item]:
    """The English speech of CVSS, with the Chinese sentence of its clip as the reference."""
    path = folder / SENTENCES
    for row in table(path):
        name = Path(field_of(row, "path", path))
        yield Item(name.stem, clip(folder / "test", f"{name.name}.wav"), field_of(row, "sentence", path))


TO_ENGLISH = Benchmark(
    name="cvss-zh-en",
    title="CVSS zh-CN to en",
    read=read_to_english,
    scorer=Bleu("en", "13a"),
    needs=("test.tsv", "clips"),
    home=HOME,
    licence="CC BY 4.0",
    size="4,898 clips",
    instruction="Translate what is said into English, and speak the translation.",
    options=SPOKEN,
    speaks=True,
    sampled=True,
    note="the report does not say which recogniser its ASR-BLEU uses",
)
TO_CHINESE = Benchmark(
    name="cvss-en-zh",
    title="CVSS en to zh-CN",
    read=read_to_chinese,
    scorer=Bleu("zh", "zh"),
    needs=(SENTENCES, "test"),
    home=HOME,
    licence="CC BY 4.0 (speech), CC0 (sentences)",
    size="4,898 clips",
    instruction="Translate what is said into Chinese, and speak the translation.",
    options=SPOKEN,
    speaks=True,
    sampled=True,
    note="CVSS is into English only; this reversal is the likeliest reading of the report, which does not describe it",
)
