"""How the agent asks for what a request left out."""

from __future__ import annotations

import pytest

from agentaudio.conversation import ToolSpec
from agentaudio.model.embedded.dialogue.missing import asked_for

TOOL = ToolSpec(
    "order",
    "Order a meal.",
    {
        "type": "object",
        "properties": {
            "people": {"type": "integer", "description": "how many guests"},
            "price": {"type": "number"},
            "museum_name": {"type": "string"},
            "state": {"enum": ["on", "off"]},
            "expression": {"type": "string", "description": 'a sum, such as "2 + 3"'},
            "query": {"type": "string", "description": "words to search for"},
            "to": {"type": "string", "description": "the street and the house, without the town"},
        },
    },
)


@pytest.mark.parametrize(
    ("names", "question"),
    [
        (["people"], "I need to know how many people."),
        (["price"], "I need to know what price."),
        (["museum_name"], "I need to know which museum."),
        (["state"], "I need to know which state, on or off."),
        (["expression"], "I need to know what to calculate."),
        (["query"], "I need to know what to look for."),
        (["to"], "I need to know the street and the house."),
        (["people", "museum_name"], "I need to know how many people and which museum."),
    ],
)
def test_what_is_missing_is_asked_for_as_people_ask(names: list[str], question: str) -> None:
    assert asked_for(TOOL, names) == question
