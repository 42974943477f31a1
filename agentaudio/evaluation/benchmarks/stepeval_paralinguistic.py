"""StepEval-Audio-Paralinguistic: how a voice sounds. Layout: metadata.jsonl, with audio, task_name and task_answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from agentaudio.errors import EvaluationError
from agentaudio.evaluation.benchmark import Benchmark
from agentaudio.evaluation.data import clip, field_of, json_lines
from agentaudio.evaluation.hub import copies
from agentaudio.evaluation.item import Item
from agentaudio.evaluation.prompts import PARALINGUISTIC, PARALINGUISTIC_FRAME
from agentaudio.evaluation.scorers.judged import YES_NO, Judged
from agentaudio.model.speech_lm import GenerateOptions

ALIASES = {"voice_style": "voice_styles", "style": "voice_styles", "timbre": "voice_tone", "scenario": "scene",
           "emotions": "emotion", "vocal": "vocalsound", "vocal_sound": "vocalsound"}  # fmt: skip


def read(folder: Path) -> Iterator[Item]:
    """The clips; the tasks are the groups. The question is spoken in the clip."""
    path = folder / "metadata.jsonl"
    for number, row in enumerate(json_lines(path)):
        task = field_of(row, "task_name", path)
        task = ALIASES.get(task, task)
        if task not in PARALINGUISTIC:
            raise EvaluationError(f"{path} has the task {task!r}; known are {', '.join(PARALINGUISTIC)}")
        name = field_of(row, "audio", path)
        yield Item(
            f"{task}/{number}-{Path(name).stem}",
            clip(folder, name),
            field_of(row, "task_answer", path),
            group=task,
            details={"kind": task},
        )


BENCHMARK = Benchmark(
    name="stepeval-paralinguistic",
    title="StepEval-Audio-Paralinguistic",
    read=read,
    scorer=Judged(
        "", YES_NO, prompts={task: PARALINGUISTIC_FRAME % question for task, question in PARALINGUISTIC.items()}
    ),
    needs=("metadata.jsonl",),
    home="https://huggingface.co/datasets/stepfun-ai/StepEval-Audio-Paralinguistic",
    hub=copies.PARALINGUISTIC,
    licence="not stated; it holds parts of AudioSet, so do not pass it on",
    size="550 clips, 50 for each of 11 tasks",
    instruction="You are a voice assistant. Talk with the user, and answer by voice.",
    options=GenerateOptions(temperature=0.7, max_tokens=2048),
    speaks=True,
    sampled=True,
    averages={"mean accuracy": tuple(PARALINGUISTIC)},
    expected=dict.fromkeys(PARALINGUISTIC, 50),
    note="the judge and the prompts of the published figures are not known",
)
