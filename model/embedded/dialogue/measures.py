"""`converted`: the quantity of the answer before in another unit: "how far is that in miles"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from agentaudio.conversation import ToolSpec
from agentaudio.model.embedded.routing.choices import choose
from agentaudio.model.embedded.routing.parameters import parameters
from agentaudio.text.numbers import find_numbers
from agentaudio.text.stems import stem
from agentaudio.text.words import split_words

_ASKS = re.compile(
    r"(?:(?:and|but|okay|ok|so|now|please|then|hm+|what|how|would|could|can|will|you|i|me|tell|say|give|do|know|"
    r"convert|change|turn|is|are|was|were|be|that|it|this|they|those|the|same|much|many|far|tall|long|high|deep|wide|"
    r"big|heavy|to|in|into|as|about|expressed|measured|value|distance|length|height|number|answer|result|again|instead|"
    r"for|which|does|make|makes|have|want|need|would|like) )*(?P<unit>[\w ]+?)(?: (?:please|then|instead|though|is "
    r"that|is it|are that|are there|would that be|does that make|be))*"
)


def converted(said: str, answer: str, tools: Sequence[ToolSpec]) -> tuple[ToolSpec, dict[str, Any]] | None:
    """The tool that converts the first quantity of an answer into the unit that a request names, and its arguments.

    A converting tool has a number and two choices between the same units.

    said: in the words of `split_words`, joined by spaces
    """
    if (asked := _ASKS.fullmatch(said)) is None:
        return None
    for tool in tools:
        wanted = parameters(tool)
        numbers = [p for p in wanted if p.kind in ("number", "integer") and not p.choices]
        units = [p for p in wanted if p.choices]
        if len(numbers) != 1 or len(units) != 2 or units[0].choices != units[1].choices:
            continue
        words = asked["unit"].split()
        target = choose(words, units[1:], [], [False] * len(words)).get(units[1].name)
        if target is None or len(words) > 2:
            continue
        if (quantity := _quantity(answer, [str(choice) for choice in units[0].choices], str(target))) is not None:
            value, unit = quantity
            return tool, {numbers[0].name: value, units[0].name: unit, units[1].name: target}
    return None


def _quantity(answer: str, units: Sequence[str], target: str) -> tuple[float, str] | None:
    """The first number of the text that stands before one of the units, but not before the target."""
    words = split_words(answer)
    stems = {stem(unit): unit for unit in units}
    for number in find_numbers(words):
        after = words[number.end : number.end + 1]
        unit = stems.get(stem(after[0])) if after else None
        if unit is not None and unit != target:
            return number.value, unit
    return None
