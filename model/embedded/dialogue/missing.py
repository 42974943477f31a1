"""`asked_for`: how the agent asks for arguments that a request left out."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentaudio.conversation import ToolSpec
from agentaudio.model.embedded.routing.parameters import Parameter, parameters

MISSING = "I need to know "
"""How an answer begins that asks for a missing argument."""
_PREPOSITIONS = frozenset("to from of by at in for".split())
_PLURALS = frozenset("people children men women feet".split())
_MOST_CHOICES = 3
"""Choices that a question names."""


def asked_for(tool: ToolSpec, names: Sequence[str]) -> str:
    """What asks for these parameters of a tool: "I need to know how many people and which hour." """
    held = {parameter.name: parameter for parameter in parameters(tool)}
    return f"{MISSING}{' and '.join(_question(held[name]) for name in names)}."


def _question(parameter: Parameter) -> str:
    name = re.sub(r"(?<=\w) (?:name|title|id)$", "", parameter.name.replace("_", " "))
    if name in _PREPOSITIONS and parameter.description:
        return re.split(r"[,.;:(]", parameter.description)[0].strip()
    if parameter.meaning == "expression":
        return "what to calculate"
    if parameter.meaning == "query":
        return "what to look for"
    if parameter.kind == "integer" and (name.endswith("s") or name in _PLURALS):
        return f"how many {name}"
    if 0 < len(parameter.choices) <= _MOST_CHOICES:
        return f"which {name}, {' or '.join(map(str, parameter.choices))}"
    return f"{'what' if parameter.kind in ('integer', 'number') else 'which'} {name}"
