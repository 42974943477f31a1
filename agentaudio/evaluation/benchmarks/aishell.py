"""AISHELL: read Chinese. Layouts: AISHELL-1 as data_aishell/{wav,transcript}, AISHELL-2 as CHANNEL/test in Kaldi's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from agentaudio.errors import EvaluationError
from agentaudio.evaluation.benchmark import Benchmark
from agentaudio.evaluation.data import kaldi, text_lines
from agentaudio.evaluation.hub import copies
from agentaudio.evaluation.item import Item
from agentaudio.evaluation.scorers.error_rate import ErrorRate
from agentaudio.model.speech_lm import GenerateOptions

TRANSCRIPT = "data_aishell/transcript/aishell_transcript_v0.8.txt"
GREEDY = GenerateOptions(temperature=0.0, max_tokens=256)


def read_1(folder: Path) -> Iterator[Item]:
    """The utterances below data_aishell/wav/test."""
    words = dict(line.partition(" ")[::2] for _, line in text_lines(folder / TRANSCRIPT))
    for path in sorted(folder.glob("data_aishell/wav/test/*/*.wav")):
        if path.stem not in words:
            raise EvaluationError(f"{folder / TRANSCRIPT} has no words for {path.stem}; fetch AISHELL-1 again")
        yield Item(path.stem, path, words[path.stem].replace(" ", ""))


def read_2(folder: Path) -> Iterator[Item]:
    """The utterances of each channel that is there: iOS, Android and Mic. The channels are the groups."""
    for path in sorted(folder.glob("*/test/wav.scp")):
        channel = path.parts[-3]
        for item in kaldi(path.parent, path.parent, channel, "trans.txt", blanks=False):
            yield Item(f"{channel}/{item.id}", item.audio, item.reference, group=channel)


AISHELL_1 = Benchmark(
    name="aishell-1",
    title="AISHELL-1",
    read=read_1,
    scorer=ErrorRate("zh", ("kits", "spoken"), "char"),
    needs=(TRANSCRIPT, "data_aishell/wav/test"),
    home="https://www.openslr.org/33",
    hub=copies.AISHELL_1,
    licence="Apache-2.0",
    size="7,176 utterances",
    transcribes=True,
    options=GREEDY,
    expected={"": 7176},
)
AISHELL_2 = Benchmark(
    name="aishell-2",
    title="AISHELL-2",
    read=read_2,
    scorer=ErrorRate("zh", ("kits", "spoken"), "char"),
    needs=("*/test/wav.scp", "*/test/trans.txt"),
    home="https://www.aishelltech.com/aishell_2 (by application)",
    licence="academic use",
    size="5,000 utterances for each channel",
    transcribes=True,
    options=GREEDY,
    expected={"iOS": 5000, "Android": 5000, "Mic": 5000},
    note="the report does not say which channel it used; Kimi-Audio-Evalkit uses iOS",
)
