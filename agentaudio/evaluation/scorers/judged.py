"""`Judged`: answers scored by the votes of a judge."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agentaudio.evaluation.item import Answer, Item
from agentaudio.evaluation.measures import ItemScore, Measure, ratio
from agentaudio.evaluation.scorer import DEAF, Ask
from agentaudio.evaluation.scorers.verdicts import Parse, level, word

YES_NO = word({"yes": 1.0, "no": 0.0})
CORRECT = word({"correct": 1.0, "incorrect": 0.0})
ONE_TO_FIVE = level(1, 5)

_FIELD = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Judged:
    """The mean of a judge's votes.

    prompt: for the judge; {question}, {reference}, {answer} and the names of `Item.details` in braces are filled in
    parse: reads a vote from a reply
    highest: vote of a perfect answer, so that a vote of 5 of 5 is 100
    rule: the parse rule, in words
    prompts: for some values of `Item.details["kind"]`, in place of `prompt`
    hears: whether the judge hears the answer; an answer without sound has no score then, and neither has any answer
        from a judge that does not hear
    majority: whether an answer is as good as more than half of its votes say, and not as their mean

    Votes that could not be read and votes that failed are counted, and are not part of the mean. An item without a
    vote has no score. An empty answer has the lowest vote without asking.
    """

    prompt: str
    parse: Parse = field(hash=False)
    highest: float = 1.0
    lowest: float = 0.0
    votes: int = 1
    rule: str = "one word"
    prompts: Mapping[str, str] = field(default_factory=dict, hash=False)
    measure: str = "accuracy"
    hears: bool = False
    majority: bool = False
    needs_judge: bool = True

    @property
    def name(self) -> str:
        judge = "a judge that hears" if self.hears else "a judge"
        taken = "the majority of " if self.majority else ""
        return f"{self.measure} by {taken}{self.votes} votes of {judge}, read as {self.rule}"

    @property
    def measures(self) -> Sequence[Measure]:
        return [
            ratio(self.measure, "points", "items", binary=(self.votes == 1 or self.majority) and self.highest == 1),
            ratio("unparsed votes", "unparsed", "asked votes", lower_is_better=True, binary=True),
            ratio("failed votes", "failed", "asked votes", lower_is_better=True, binary=True),
        ]

    async def score(self, item: Item, answer: Answer, ask: Ask | None) -> ItemScore:
        if ask is None:
            return ItemScore(None, shown=answer.text, why="there is no judge", problem="no judge")
        if not answer.text.strip() and not (self.hears and answer.sounds):
            points = self.lowest / self.highest
            return ItemScore(points, {"points": points, "items": 1}, "", "an empty answer")
        if self.hears and not answer.sounds:
            return ItemScore(None, shown=answer.text, why="the judge has nothing to hear", problem="no sound")
        sounds = answer.sounds if self.hears else ()
        prompt = filled(self.prompts.get(str(item.details.get("kind", "")), self.prompt), item, answer)
        votes = [await ask(prompt, number, self.parse, sounds=sounds) for number in range(self.votes)]
        values = [vote.value for vote in votes if vote.value is not None]
        failed = sum(vote.failed for vote in votes)
        counts: dict[str, float] = {
            "asked votes": len(votes), "failed": failed, "unparsed": len(votes) - len(values) - failed,
        }  # fmt: skip
        why = "; ".join(vote.reply or "no reply" for vote in votes)[:300]
        if not values:
            reason = "judge failed" if failed == len(votes) else "unparsed"
            deaf = all(vote.reply == DEAF for vote in votes)
            return ItemScore(None, counts, answer.text, why, "judge does not hear" if deaf else reason)
        points = sum(values) / len(values) / self.highest
        if self.majority:
            points = float(points > 0.5)
        return ItemScore(points, {**counts, "points": points, "items": 1}, answer.text, why)


def filled(prompt: str, item: Item, answer: Answer) -> str:
    """A prompt with the fields of an item. The fields are put in as they are: braces in them mean nothing."""
    fields = {"question": item.text, **item.details, "reference": item.reference, "answer": answer.text}
    return _FIELD.sub(lambda found: str(fields.get(found[1], found[0])), prompt)
