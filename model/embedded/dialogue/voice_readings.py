"""Readings of a request as a wish for another voice, and the calls of readings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from agentaudio.conversation import ToolSpec
from agentaudio.model.embedded.answering.answer import VOICE_TOOL
from agentaudio.model.embedded.dialogue.parts import is_statement
from agentaudio.model.embedded.dialogue.reading import Reading
from agentaudio.model.embedded.dialogue.replies import voice_names
from agentaudio.model.embedded.dialogue.voices import changed_voice
from agentaudio.model.embedded.routing.parameters import parameters
from agentaudio.model.embedded.routing.route import Route
from agentaudio.model.embedded.routing.router import LEAST_CONFIDENCE
from agentaudio.text.words import split_words

_WHOLE, _COMPARED = 0.3, 0.75
"""Probability of a change, whatever the words around it, when the request holds nothing but a description."""
_FRAGMENT, _FEW_WORDS = 0.7, 4
"""Least probability of a voice in a few words that are nothing but its description, just after another voice."""
_TOO = re.compile(
    r"(?:(?:that|this|it|you) (?:is|are|was) )?(?:much |far |way |a bit )?too "
    r"(?:fast|slow|quick|loud|quiet)(?: for me)?"
)
_COMPARES = re.compile(r"\b(?:too|more|less|bit|not so|even|still|\w{2,}er)\b")


def voice_readings(
    request: str, held: str, chances: Mapping[str, float], weight: float, tools: Sequence[ToolSpec],
    *, just_now: bool,
) -> Iterator[Reading]:  # fmt: skip
    """The request as another wish for a voice than `held`, the one before.

    chances: of each act; weight: how much such a change counts
    just_now: whether the last call was one for a voice, or voices were just named
    """
    if _TOO.fullmatch(" ".join(split_words(request))):
        return  # it is the way of speaking
    change = changed_voice(request, held, voice_names(tools))
    if change is not None:
        chance = chances["voice"] + 0.7 * chances["edit"] + 0.3 * chances["new"]
        if change.fit == 1.0 and just_now and not is_statement(request) and len(split_words(request)) <= _FEW_WORDS:
            chance = max(chance, _FRAGMENT)
        if change.fit == 1.0:
            chance += (_WHOLE if not held or not _COMPARES.search(request) else _COMPARED) * (1 - chance)
        yield from to_voice(request, change.query, weight * chance * change.fit, tools)


def to_voice(request: str, query: str, score: float, tools: Sequence[ToolSpec]) -> Iterator[Reading]:
    """The request as a change to a voice; nothing without a tool for that."""
    tool = next((tool for tool in tools if tool.name == VOICE_TOOL), None)
    name = next((p.name for p in parameters(tool) if p.meaning == "voice"), None) if tool is not None else None
    if tool is not None and name is not None:
        yield Reading("voice", request, score, (route_to(tool, {name: query}),))


def route_to(tool: ToolSpec, arguments: Mapping[str, object]) -> Route:
    """The call of a tool with these arguments, and what it lacks."""
    missing = tuple(p.name for p in parameters(tool) if p.required and p.name not in arguments)
    return Route(tool.name, dict(arguments), LEAST_CONFIDENCE, "tool", missing)
