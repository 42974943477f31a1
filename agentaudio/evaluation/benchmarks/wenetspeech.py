"""WenetSpeech: Chinese from the web and from meetings. Layout: test_net and test_meeting in Kaldi's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from agentaudio.evaluation.benchmark import Benchmark
from agentaudio.evaluation.data import kaldi
from agentaudio.evaluation.hub import copies
from agentaudio.evaluation.item import Item
from agentaudio.evaluation.scorers.error_rate import ErrorRate
from agentaudio.model.speech_lm import GenerateOptions


def read(folder: Path) -> Iterator[Item]:
    """The utterances of the sets that are there, which are the groups."""
    for path in sorted(folder.glob("test_*/wav.scp")):
        yield from kaldi(path.parent, folder, path.parent.name, blanks=False)


BENCHMARK = Benchmark(
    name="wenetspeech",
    title="WenetSpeech",
    read=read,
    scorer=ErrorRate("zh", ("kits", "spoken"), "char"),
    needs=("test_*/wav.scp", "test_*/text"),
    home="https://wenet.org.cn/WenetSpeech (by a form), cut into utterances by wenet's recipe",
    hub=copies.WENETSPEECH,
    licence="non-commercial, by a form",
    size="test_net about 24,800 and test_meeting about 8,400 utterances",
    transcribes=True,
    options=GenerateOptions(temperature=0.0, max_tokens=256),
)
