"""`Instructions`: whether an answer does what was asked for, by the rules of IFEval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import EvaluationError
from agentaudio.evaluation.item import Answer, Item
from agentaudio.evaluation.measures import ItemScore, Measure, Sums, ratio
from agentaudio.evaluation.scorer import Ask
from agentaudio.evaluation.scorers.instruction_rules import follows, variants

_PARTS = (("strict prompts", "items"), ("strict instructions", "instructions"), ("loose prompts", "items"),
          ("loose instructions", "instructions"))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Instructions:
    """The four accuracies of IFEval, and their mean, for items with the detail "instructions".

    The mean is the figure of VoiceBench's board: of the accuracies of prompts and of instructions, each strict and
    loose (MatthewCYM/VoiceBench, issue 2; AU-Harness and Ultravox, whose figures agree with the board, compute it so).

    "instructions" is a list of {"rule", "arguments"}. A prompt is right when all of its instructions are followed.
    Loosely, one of the `variants` of the answer has to follow the instruction. An empty answer follows none.
    """

    needs_judge: bool = False
    name: str = "rules of IFEval, mean of strict and loose accuracies of prompts and of instructions"

    @property
    def measures(self) -> Sequence[Measure]:
        return [
            Measure("IFEval", _mean, "items"),
            *(ratio(f"IFEval {above}", above, below, binary=True) for above, below in _PARTS),
        ]

    async def score(self, item: Item, answer: Answer, ask: Ask | None) -> ItemScore:
        rules = _rules(item)
        strict = [follows(name, answer.text, arguments) for name, arguments in rules]
        forms = variants(answer.text)
        loose = [any(follows(name, form, arguments) for form in forms) for name, arguments in rules]
        counts: dict[str, float] = {
            "items": 1, "instructions": len(rules), "strict prompts": float(all(strict)),
            "loose prompts": float(all(loose)), "strict instructions": sum(strict), "loose instructions": sum(loose),
        }  # fmt: skip
        missed = [name for (name, _), done in zip(rules, strict, strict=True) if not done]
        why = f"not followed: {', '.join(missed)}" if missed else "all instructions were followed"
        value = sum(counts[above] / counts[below] for above, below in _PARTS) / len(_PARTS)
        return ItemScore(value, counts, answer.text, why)


def _mean(sums: Sums) -> NDArray[np.float64]:
    shares = [sums[above] / np.where(sums[below] > 0, sums[below], np.nan) for above, below in _PARTS]
    return np.asarray(100 * np.mean(shares, axis=0), np.float64)


def _rules(item: Item) -> list[tuple[str, Mapping[str, Any]]]:
    found = item.details.get("instructions")
    if not isinstance(found, list) or not found:
        raise EvaluationError(f"item {item.id} names no instructions")
    return [(str(one["rule"]), one["arguments"]) for one in found]


def instructions_of(names: Any, arguments: Any, place: str) -> list[dict[str, Any]]:
    """The detail "instructions" of an item, from the fields `instruction_id_list` and `kwargs` of the published data.

    Raises EvaluationError when these are not lists of the same length.
    """
    if not isinstance(names, list) or not isinstance(arguments, list) or not 0 < len(names) == len(arguments):
        raise EvaluationError(f"a row of {place} has no instruction_id_list and kwargs of the same length; it holds "
                              "another version of IFEval")  # fmt: skip
    return [
        {"rule": str(name), "arguments": {key: value for key, value in (given or {}).items() if value is not None}}
        for name, given in zip(names, arguments, strict=True)
    ]
