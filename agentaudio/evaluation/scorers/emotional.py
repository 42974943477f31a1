"""`Emotional`: speech that was asked for with an emotion, by emotion2vec and by its words."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agentaudio.errors import EvaluationError
from agentaudio.evaluation.emotions import emotions_of
from agentaudio.evaluation.item import Answer, Item
from agentaudio.evaluation.measures import ItemScore, Measure, ratio
from agentaudio.evaluation.scorer import Ask
from agentaudio.evaluation.scorers.error_rate import ErrorRate
from agentaudio.sound.audio import Audio

ALIASES: Mapping[str, str] = {
    "anger": "angry", "happiness": "happy", "joy": "happy", "sadness": "sad", "fear": "fearful", "disgust": "disgusted",
    "surprise": "surprised", "calm": "neutral",
}  # fmt: skip

LONGEST_S = 120.0
"""Longest answer whose emotion is looked for: the memory for attention grows with the square of the length."""


@dataclass(frozen=True, slots=True)
class Emotional:
    """The probability of the wanted emotion, times 1 less the error rate of the words; URO-Bench's GenEmotion.

    rate: of the transcript by the text that was to be said; beyond 1 it counts as 1
    folder: with the weights of emotion2vec_plus_large; "" leaves all items without a score

    The wanted emotion is `item.details["emotion"]`.
    """

    rate: ErrorRate
    folder: str = ""
    needs_judge: bool = False

    @property
    def name(self) -> str:
        return f"probability of the emotion by emotion2vec, times 1 - {self.rate.name}"

    @property
    def measures(self) -> Sequence[Measure]:
        return [ratio("points", "points", "items")]

    async def score(self, item: Item, answer: Answer, ask: Ask | None) -> ItemScore:
        if not self.folder:
            why = "emotion2vec_plus_large scores this set; name the folder of its weights with --emotions"
            return ItemScore(None, shown=answer.text, why=why, problem="no emotion model")
        words = await self.rate.score(item, answer, None)
        if not answer.sounds:
            return ItemScore(None, shown=answer.text, why="there is no speech", problem="no sound")
        speech = await Audio.aload(answer.sounds[0], max_duration_s=LONGEST_S, setting="of emotion2vec")
        found = await asyncio.to_thread(emotions_of, speech, Path(self.folder))
        wanted = str(item.details.get("emotion", "")).strip().lower()
        wanted = ALIASES.get(wanted, wanted)
        if wanted not in found:
            raise EvaluationError(f"item {item.id} wants the emotion {wanted!r}; the model knows {', '.join(found)}")
        value = found[wanted] * (words.value or 0.0)
        why = f"{wanted} {found[wanted]:.2f}; {words.why}"
        return ItemScore(value, {"points": value, "items": 1}, words.shown, why)
