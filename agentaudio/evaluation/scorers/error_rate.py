"""`ErrorRate`: word and character error rates, of the corpus and as the mean of the items' rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agentaudio.errors import MissingExtra
from agentaudio.evaluation.item import Answer, Item
from agentaudio.evaluation.measures import ItemScore, Measure, ratio
from agentaudio.evaluation.normalisers import profile, tokens
from agentaudio.evaluation.scorer import Ask


@dataclass(frozen=True, slots=True)
class Edits:
    """How a transcript differs from its reference, in tokens."""

    substitutions: int
    deletions: int
    insertions: int
    units: int

    @property
    def total(self) -> int:
        return self.substitutions + self.deletions + self.insertions


def edits(reference: Sequence[str], transcript: Sequence[str]) -> Edits:
    """Count the fewest edits between two token sequences, by jiwer. Raises MissingExtra without the extra `eval`."""
    try:
        import jiwer
    except ImportError:
        raise MissingExtra("error rates", "eval") from None
    if not reference or not transcript:  # jiwer refuses an empty reference
        return Edits(0, len(reference), len(transcript), len(reference))
    # Tokens may hold spaces in no profile, so joining and splitting them changes nothing.
    found = jiwer.process_words(" ".join(reference), " ".join(transcript))
    return Edits(found.substitutions, found.deletions, found.insertions, len(reference))


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """Edits by reference units, after a normaliser profile has been applied to both texts.

    language: BCP-47 code of the references, which a profile may need
    profiles: names of normalisers; the first gives the headline figure
    unit: "word", "char", or "mixed": Chinese characters and whole Latin words
    per_item: whether the headline is the mean of the items' rates, as in URO-Bench and seed-tts-eval, and not the rate
        of the corpus; both are given

    A missing answer counts as deletions. An item whose reference is empty after normalisation has insertions only.
    """

    language: str = "en"
    profiles: tuple[str, ...] = ("spoken",)
    unit: str = "word"
    per_item: bool = False
    needs_judge: bool = False

    @property
    def name(self) -> str:
        return f"{self._rate} of {self.unit}s, normalised by {', '.join(self.profiles)} ({self.language})"

    @property
    def _rate(self) -> str:
        return {"word": "WER", "char": "CER", "mixed": "CER"}[self.unit]

    @property
    def measures(self) -> Sequence[Measure]:
        found = []
        for name in self.profiles:
            corpus = ratio(f"{self._rate} ({name})", f"{name} edits", f"{name} units", lower_is_better=True)
            mean = ratio(f"mean {self._rate} ({name})", f"{name} rate", "items", lower_is_better=True)
            found += [mean, corpus] if self.per_item else [corpus, mean]
        return found

    async def score(self, item: Item, answer: Answer, ask: Ask | None) -> ItemScore:
        counts: dict[str, float] = {"items": 1}
        shown, value, why = "", 0.0, ""
        for name in reversed(self.profiles):  # the first comes last, and is the one that is shown
            normalise = profile(name, self.language)
            expected, said = normalise(item.reference), normalise(answer.text)
            found = edits(tokens(expected, self.unit), tokens(said, self.unit))
            rate = found.total / found.units if found.units else float(found.total > 0)
            counts |= {f"{name} edits": found.total, f"{name} units": found.units, f"{name} rate": rate}
            shown, value = said, max(0.0, 1.0 - rate)
            why = f"{found.substitutions} wrong, {found.deletions} missing, {found.insertions} added of {found.units}"
        return ItemScore(value, counts, shown, why)
