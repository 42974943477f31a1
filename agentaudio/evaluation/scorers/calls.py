"""`Calls`: whether a model calls the right tool when it should, by the metrics of StepEval-Audio-Toolcall."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agentaudio.evaluation.item import Answer, Item
from agentaudio.evaluation.measures import ItemScore, Measure, ratio
from agentaudio.evaluation.scorer import Ask
from agentaudio.evaluation.scorers.judged import YES_NO, filled
from agentaudio.model.call_arguments import read_json
from agentaudio.model.loose_calls import json_calls

_FRAME = re.compile(r"<tool_call>\s*(.*?)\s*(?:</tool_call>|\Z)", re.DOTALL)
_NAMED = re.compile(r"(?:function\s+)?([\w.\-]+)\s*(\{.*\})?\s*\Z", re.DOTALL)

PARAMETERS = (
    "A user of a voice assistant asked for something, and the assistant called a tool. Are the arguments of its call "
    "reasonable for the request? They need not be worded like the reference.\n"
    "Tool: {tool}\nArguments of the reference: {expected}\nArguments of the call: {called}\n"
    "Answer with one word, Yes or No."
)


def written_calls(text: str) -> tuple[list[dict[str, Any]], int]:
    """The calls that a text spells out, and how many calls in it cannot be read.

    Read are `<tool_call>function NAME {...}</tool_call>`, as Step-Audio 2 writes them, JSON in such a frame, and JSON
    that is the whole text.
    """
    found: list[dict[str, Any]] = []
    malformed = 0
    frames = _FRAME.findall(text)
    for body in frames:
        named = _NAMED.match(body)
        arguments = read_json(named[2] or "{}") if named else None
        if named and isinstance(arguments, dict):
            found.append({"name": named[1], "arguments": arguments})
        elif calls := json_calls(body, {}):
            found += [{"name": call.name, "arguments": dict(call.arguments)} for call in calls]
        else:
            malformed += 1
    if not frames and text.lstrip().startswith(("{", "[", "```")):
        found += [{"name": call.name, "arguments": dict(call.arguments)} for call in json_calls(text, {}, strict=True)]
    return found, malformed


@dataclass(frozen=True, slots=True)
class Calls:
    """The four metrics, for items with details "tool", "positive" and, for positives, "expected" arguments.

    trigger precision: positives with a call, by these and the negatives in which the target tool was called
    trigger recall: positives with a call, by all positives
    type accuracy: positives with a call whose call is of the target tool, by all of them
    parameter accuracy: of the calls of the right type, those with reasonable arguments, by a judge; "equal parameters"
        needs no judge, and asks for the arguments of the reference

    aliases: other names of tools, to the benchmark's own
    without_parameters: tools whose arguments are not judged

    A call that cannot be read is counted as malformed, and is not a trigger.
    Source: the card of stepfun-ai/StepEval-Audio-Toolcall. That a trigger of a positive may be a call of any tool
    follows from its published figures: type accuracy is below 100 where recall is 100.
    """

    aliases: Mapping[str, str] = field(default_factory=dict, hash=False)
    without_parameters: tuple[str, ...] = ()
    needs_judge: bool = False
    name: str = "calls of the target tool; a trigger of a positive is a call of any tool"

    @property
    def measures(self) -> Sequence[Measure]:
        return [
            ratio("trigger precision", "right triggers", "triggers", binary=True),
            ratio("trigger recall", "triggered positives", "positives", binary=True),
            ratio("type accuracy", "right type", "typed", binary=True),
            ratio("parameter accuracy", "reasonable", "judged", binary=True),
            ratio("equal parameters", "equal", "compared", binary=True),
            ratio("malformed calls", "malformed", "items", lower_is_better=True, binary=True),
            ratio("unparsed votes", "unparsed", "asked votes", lower_is_better=True, binary=True),
        ]

    async def score(self, item: Item, answer: Answer, ask: Ask | None) -> ItemScore:
        written, malformed = written_calls(answer.text) if not answer.calls else ([], 0)
        calls = [call for call in (*answer.calls, *written) if "problem" not in call]
        malformed += len(answer.calls) + len(written) - len(calls)
        names = [self.aliases.get(str(call["name"]), str(call["name"])) for call in calls]
        target = str(item.details["tool"])
        shown = (
            "; ".join(f"{name}({call['arguments']})" for name, call in zip(names, calls, strict=True)) or answer.text
        )
        counts: dict[str, float] = {"items": 1, "malformed": float(malformed > 0)}
        if not item.details["positive"]:
            wrong = float(target in names)
            counts |= {"right triggers": 0, "triggers": wrong}
            return ItemScore(1.0 - wrong, counts, shown, "a call of the target tool" if wrong else "no such call")
        triggered = float(bool(calls))
        counts |= {"positives": 1, "triggered positives": triggered, "right triggers": triggered, "triggers": triggered}
        if not calls:
            return ItemScore(0.0, counts, shown, "no call")
        right = target in names
        counts |= {"typed": 1, "right type": float(right)}
        if not right:
            return ItemScore(0.0, counts, shown, f"a call of another tool than {target}")
        if target in self.without_parameters:
            return ItemScore(1.0, counts, shown, "the right tool")
        call = calls[names.index(target)]
        equal = float(_plain(call["arguments"]) == _plain(item.details.get("expected", {})))
        counts |= {"compared": 1, "equal": equal}
        value, why = equal, "the same arguments" if equal else "other arguments than the reference"
        if ask is not None:
            asked = Item(item.id, details={**item.details, "called": call["arguments"]})
            vote = await ask(filled(PARAMETERS, asked, answer), 0, YES_NO)
            counts |= {"asked votes": 1, "unparsed": float(vote.value is None)}
            if vote.value is not None:
                counts |= {"judged": 1, "reasonable": vote.value}
                value, why = vote.value, f"judged {vote.reply}"
        return ItemScore(value, counts, shown, why)


def _plain(arguments: Any) -> Any:
    return {str(name): str(value).strip().casefold() for name, value in dict(arguments).items()}
