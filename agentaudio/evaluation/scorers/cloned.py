"""`Cloned`: cloned speech, by the error rate of its transcript and by how similar the voices are."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from agentaudio.errors import VoiceError
from agentaudio.evaluation.item import Answer, Item
from agentaudio.evaluation.measures import ItemScore, Measure, ratio
from agentaudio.evaluation.scorer import Ask
from agentaudio.evaluation.scorers.error_rate import ErrorRate
from agentaudio.sound.audio import Audio
from agentaudio.voice_library.encoders import load_encoder


@dataclass(frozen=True, slots=True)
class Cloned:
    """The error rate of what was spoken, and 100 times the cosine between the embeddings of clip and speech.

    rate: of the transcript
    encoder: speaker encoder, as for `load_encoder`; cosines of different encoders cannot be compared
    """

    rate: ErrorRate
    encoder: str = "embedded"
    needs_judge: bool = False

    @property
    def name(self) -> str:
        return f"{self.rate.name}; cosine by the speaker encoder {self.encoder}"

    @property
    def measures(self) -> Sequence[Measure]:
        return [*self.rate.measures, ratio(f"SIM ({self.encoder})", "cosine", "compared")]

    async def score(self, item: Item, answer: Answer, ask: Ask | None) -> ItemScore:
        score = await self.rate.score(item, answer, None)
        if item.audio is None or not answer.sounds:
            return ItemScore(None, shown=answer.text, why="there is no speech", problem="no sound")
        try:
            cosine = await asyncio.to_thread(_cosine, self.encoder, item.audio, Path(answer.sounds[0]))
        except VoiceError as error:  # silence, or too short to tell a voice
            return ItemScore(score.value, score.counts, score.shown, f"{score.why}; {error}")
        counts = {**score.counts, "compared": 1.0, "cosine": cosine}
        return ItemScore(score.value, counts, score.shown, f"{score.why}; cosine {cosine:.2f}")


def _cosine(encoder: str, clip: Path, speech: Path) -> float:
    made = _encoder(encoder)
    return float(made.encode(Audio.load(clip)) @ made.encode(Audio.load(speech)))


_encoder = cache(load_encoder)
