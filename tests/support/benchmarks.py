"""Folders of benchmarks, in the layout in which they are published, and models that answer in a known way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from agentaudio.conversation import AudioPart, Conversation, ToolSpec
from agentaudio.evaluation.benchmark import Benchmark
from agentaudio.evaluation.data import load_items
from agentaudio.evaluation.item import Item
from agentaudio.evaluation.result import Result
from agentaudio.evaluation.run import run_benchmark, settings_of
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import Delta, ReferenceVoice, SpeechLM, TextDelta
from agentaudio.sound.audio import Audio

SAMPLES = Path(__file__).parents[2].parent / "shared" / "samples"

needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the recordings of benchmarks are not beside the tree")


def sound(path: Path, seconds: float = 0.5) -> Path:
    """A sound file of a length by which a model can tell it from others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return Audio.silence(seconds, 16_000).save(path)


def librispeech(folder: Path, words: Mapping[str, str], part: str = "test-clean") -> Path:
    """LibriSpeech with one utterance for each name such as 1-2-0000; the n-th is n tenths of a second long."""
    for number, (name, text) in enumerate(words.items(), start=1):
        speaker, chapter, _ = name.split("-")
        place = folder / part / speaker / chapter
        sound(place / f"{name}.flac", number / 10)
        with open(place / f"{speaker}-{chapter}.trans.txt", "a", encoding="utf-8") as file:
            file.write(f"{name} {text}\n")
    return folder


class Answering(Scripted):
    """Answers every question by a function of the seconds of its sound, and counts the questions.

    It transcribes the same way, as models do that are trained to.
    """

    def __init__(self, answer: Callable[[float], str]) -> None:
        super().__init__([self._step])
        self.asked = 0
        self._answer = answer

    def _step(self, conversation: Conversation, tools: Sequence[ToolSpec], voice: ReferenceVoice | None) -> list[Delta]:
        user = conversation.last_user
        assert user is not None
        seconds = next((part.audio.duration for part in user.parts if isinstance(part, AudioPart)), 0.0)
        return [TextDelta(self._say(seconds))]

    async def transcribe(self, audio: Audio) -> str:
        return self._say(audio.duration)

    def _say(self, seconds: float) -> str:
        self.asked += 1
        return self._answer(round(seconds, 2))


async def measured(
    benchmark: Benchmark, data: Path, out: Path, model: SpeechLM | None, *, seeds: int = 1, limit: int | None = None,
    judge: SpeechLM | None = None, items: Sequence[Item] | None = None, **more: Any,
) -> Result:  # fmt: skip
    """Run a benchmark as the command line does."""
    asked = load_items(benchmark, data) if items is None else items
    settings = settings_of(
        benchmark.name, data, asked, model="model", seeds=seeds, limit=limit, judge="judge" if judge else ""
    )
    return await run_benchmark(benchmark, settings, asked, out, model=model, judge=judge, **more)


def value(result: Result, name: str, group: str = "") -> float:
    """A figure of a result, to two places."""
    return next(round(one.value, 2) for one in result.figures if (one.name, one.group) == (name, group))
