"""MMAU: questions about sound, speech and music. Layout: mmau-test-mini.json beside the clips that it names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from agentaudio.errors import EvaluationError
from agentaudio.evaluation.benchmark import Benchmark
from agentaudio.evaluation.data import clip, field_of
from agentaudio.evaluation.hub import copies
from agentaudio.evaluation.item import Item
from agentaudio.evaluation.scorers.choice import WordChoice
from agentaudio.model.speech_lm import GenerateOptions

QUESTIONS = "mmau-test-mini.json"


def read(folder: Path) -> Iterator[Item]:
    """The questions; the tasks are the groups."""
    path = folder / QUESTIONS
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EvaluationError(f"{path} cannot be read: {error}; fetch it again") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise EvaluationError(f"{path} is not a list of questions; fetch it again")
    for row in rows:
        choices = row.get("choices")
        if not isinstance(choices, list) or not choices or not all(isinstance(one, str) for one in choices):
            raise EvaluationError(f"a question of {path} has no choices; fetch it again")
        question = f"{field_of(row, 'question', path)}\nOptions: [{', '.join(map(repr, choices))}]\n"
        yield Item(
            field_of(row, "id", path),
            clip(folder, field_of(row, "audio_id", path)),
            field_of(row, "answer", path),
            question + "Give the right option in the form <RESPONSE>option</RESPONSE>.",
            group=field_of(row, "task", path),
            details={"choices": choices, "difficulty": row.get("difficulty", "")},
        )


BENCHMARK = Benchmark(
    name="mmau",
    title="MMAU test-mini",
    read=read,
    scorer=WordChoice(),
    needs=(QUESTIONS,),
    home="https://github.com/Sakshi113/MMAU (questions) and its clips",
    hub=copies.MMAU,
    licence="Apache-2.0 (questions); the clips come from many sets",
    size="1,000 questions: 333 on sound, 333 on speech, 334 on music",
    instruction="You are an expert in analysing sound, speech and music. Listen to the clip and answer the question.",
    options=GenerateOptions(temperature=0.0, max_tokens=256),
    averages={"mean accuracy": ("sound", "speech", "music")},
    expected={"sound": 333, "speech": 333, "music": 334},
    note="the published model decodes with 2 beams; here decoding is greedy. Version 05.15.25 revised the questions",
)
