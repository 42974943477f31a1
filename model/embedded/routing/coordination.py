"""`coordinated`: the calls of a request that joins values or deeds by "and": "the weather in Paris and Rome"."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

from agentaudio.conversation import ToolSpec
from agentaudio.model.embedded.routing.intents import is_room
from agentaudio.model.embedded.routing.parameters import Parameter, parameters
from agentaudio.model.embedded.routing.route import Route
from agentaudio.model.embedded.routing.slots import fill
from agentaudio.model.embedded.routing.time_zones import find_zones, zones_by_place
from agentaudio.text.words import split_words

MOST_PARTS = 3
MOST_WORDS = 4
"""Words of a name such as "museum of modern art"."""
LEAST_SURE = 0.5
"""Probability of each call of a request that joins several."""
_AND = re.compile(
    r"\s*(?:,\s*(?:and|plus|then)|\band then|\band also|\band|\bplus|&|;),?\s+(?:then |also |please )*", re.IGNORECASE
)
_ANOTHER = re.compile(
    r"\s*,?\s*\b(?:and|plus)(?: then| also)? (?:another|a second|one more|a further)(?: one| timer| table|"
    r" alarm)?(?= (?:for|at|of|in|to)\b)",
    re.IGNORECASE,
)
_OPENING = re.compile(r"^\W*(?:(?:and|but|so|now|then|okay|ok|right|well|oh)\b[\s,]*)+", re.IGNORECASE)
_COMMA = re.compile(r"\s*,\s*(?:and\s+)?|\s+and\s+|\s*&\s*|\s+plus\s+", re.IGNORECASE)
_LEAD = re.compile(
    r"^(?:(?:in|for|at|on|to|the|of|what about|how about|also|both|over in|about|one for|another for) )+|"
    r"(?: (?:too|as well|please|open|close|today|tomorrow|now|right now|lights?|lamps?|on|off))+$"
)
_OWN_VERB = re.compile(
    r"(?:(?:please|also|then|can you|could you) )*(?:what|when|where|who|why|how|is|are|do|does|tell|give|show|set|"
    r"play|book|turn|switch|convert|start|wake|check|say|find|search|look)\b"
)
"""How a part begins that asks by itself."""
_CAPITALISED = re.compile(r"(?:(?:in|for|at) )?[A-Z][\w'’-]+(?: (?:of|the|de|la|upon|[A-Z][\w'’-]+)){0,3}")
_BEFORE_DEED = re.compile(rf",\s+(?={_OWN_VERB.pattern})", re.IGNORECASE)
_SAYS_NOTHING = re.compile(r"\W*(?:please|thanks|thank you|cheers|then|now|too)?\W*", re.IGNORECASE)
_WHOLE = ("time", "date", "weather")
"""Single words that ask for something."""
_APART = ("search_documents", "web_search", "audio_search", "calculate")
"""Tools for which "and" joins words of one request."""


def coordinated(text: str, tools: Sequence[ToolSpec], route: Callable[[str], Route]) -> list[Route] | None:
    """The routes in the order of the words; None for a request that asks for one thing.

    route: the best route of a part of the request by itself
    """
    text = _OPENING.sub("", text)
    if _AND.search(text) is None:
        return None
    if (two := _of_another(text, tools, route)) is not None:
        return two
    return _of_values(text, tools, route) or _of_noun(text, tools, route) or _of_deeds(text, tools, route)


def lists_deeds(text: str) -> bool:
    """Whether a comma stands before a deed of its own: "light the hall, set a timer, and play Bach"."""
    return _BEFORE_DEED.search(text) is not None


def _of_deeds(text: str, tools: Sequence[ToolSpec], route: Callable[[str], Route]) -> list[Route] | None:
    """Parts that each ask for a call: "a table for two at six and the hours of the toy museum"."""
    finer = [part.strip(" ,") for whole in _AND.split(text) for part in _BEFORE_DEED.split(whole)]
    coarser = [part.strip(" ,") for part in _AND.split(text)]
    if len(finer) > len(coarser) and (routes := _each_called(finer, tools, route)):
        return routes
    return _each_called(coarser, tools, route)


def _each_called(parts: Sequence[str], tools: Sequence[ToolSpec], route: Callable[[str], Route]) -> list[Route] | None:
    """The calls of the parts where each asks for one of its own."""
    if not 2 <= len(parts) <= MOST_PARTS or any(
        len(split_words(part)) < 2 and part.lower() not in _WHOLE for part in parts
    ):
        return None
    routes = _with_shared_place(parts, [route(part) for part in parts], tools)
    called = [(found.tool, found.arguments) for found in routes]
    if any(
        found.tool is None or found.missing or found.confidence < LEAST_SURE or found.tool in _APART[:2]
        for found in routes
    ):
        return None
    apart = all(one not in called[:place] for place, one in enumerate(called))
    alike = any(one.tool == other.tool and not _named(tools, one, other) for one, other in pairwise(routes))
    return routes if apart and not alike else None


def _with_shared_place(parts: Sequence[str], routes: list[Route], tools: Sequence[ToolSpec]) -> list[Route]:
    """The routes with the place that the last part names, or the first: "the time and the weather in Cairo"."""
    if len(parts) != 2 or any(found.tool is None for found in routes) or _OWN_VERB.match(parts[1].lower()):
        return routes
    places = [find_zones(split_words(part)) for part in parts]
    if bool(places[0]) == bool(places[1]) or re.search(r"\b(?:here|at home)\b", " ".join(parts)):
        return routes
    lacking = 0 if places[1] else 1
    start, end, zone = places[1 - lacking][-1]
    tool = next(tool for tool in tools if tool.name == routes[lacking].tool)
    for parameter in parameters(tool):
        if parameter.meaning == "timezone" or parameter.names_place:
            place = " ".join(split_words(parts[1 - lacking])[start:end])
            value = zone if parameter.meaning == "timezone" else place
            found = routes[lacking]
            missing = tuple(name for name in found.missing if name != parameter.name)
            arguments = {**found.arguments, parameter.name: value}
            # What it lacked made it half as sure.
            sure = min(1.0, found.confidence * (2 if found.missing and not missing else 1))
            routes[lacking] = replace(found, arguments=arguments, missing=missing, confidence=sure)
            break
    return routes


def _named(tools: Sequence[ToolSpec], one: Route, other: Route) -> bool:
    """Whether two calls of one tool are for things with names: two lights, not "an hour" and "fifteen minutes"."""
    tool = next(tool for tool in tools if tool.name == one.tool)
    named = [p for p in parameters(tool) if p.kind == "string" and not p.choices and p.meaning in ("text", "timezone")]
    values = [(p, route.arguments.get(p.name)) for p in named for route in (one, other)]
    return (
        one.tool not in _APART
        and bool(values)
        and all(
            isinstance(value, str) and (p.meaning == "timezone" or _value(value, p) is not None) for p, value in values
        )
    )


def _of_values(text: str, tools: Sequence[ToolSpec], route: Callable[[str], Route]) -> list[Route] | None:
    """Several values of one parameter: "the weather in Paris, Rome and Oslo", "the toy museum and the war museum"."""
    parts = [part for part in _COMMA.split(text) if not _SAYS_NOTHING.fullmatch(part)]
    if len(parts) < 2:
        return None
    for first in range(len(parts) - 1):
        head = " and ".join(parts[: first + 1])
        found = route(head)
        if found.tool is None or found.tool in _APART or len(parts) - first > MOST_PARTS + 1:
            continue
        tool = next(tool for tool in tools if tool.name == found.tool)
        for parameter in parameters(tool):
            values = [_value(part, parameter) for part in parts[first + 1 :]]
            own = found.arguments.get(parameter.name)
            if isinstance(own, str) and parameter.meaning == "timezone":
                values = [zones_by_place().get(value) if value else None for value in values]
            elif not isinstance(own, str) or _value(_as_written(own, text), parameter) is None:
                continue
            if all(value is not None and value != own for value in values):
                whole = route(text) if found.missing else found
                if whole.tool != found.tool or (whole.missing and set(whole.missing) != {parameter.name}):
                    continue
                rest = {**whole.arguments}
                return [
                    replace(whole, arguments={**rest, parameter.name: value}, missing=()) for value in (own, *values)
                ]
    return None


def _as_written(value: str, text: str) -> str:
    """A value with the capitals that it has in the text."""
    found = re.search(rf"\b{re.escape(value)}\b", text, re.IGNORECASE)
    return found[0] if found is not None else value


def _of_another(text: str, tools: Sequence[ToolSpec], route: Callable[[str], Route]) -> list[Route] | None:
    """A second one of what the first part asks for: "a timer for 5 minutes and another one for 15 minutes"."""
    parts = _ANOTHER.split(text)
    if len(parts) != 2:
        return None
    one = route(parts[0])
    if one.tool is None or one.missing or one.tool in _APART:
        return None
    found = fill(parts[1], next(tool for tool in tools if tool.name == one.tool)).arguments
    other = {**one.arguments, **found}
    return [one, replace(one, arguments=other)] if found and other != one.arguments else None


def _of_noun(text: str, tools: Sequence[ToolSpec], route: Callable[[str], Route]) -> list[Route] | None:
    """Two values before what they are of: "hall and kitchen lights on"."""
    found = route(text)
    if found.tool is None or found.missing or found.tool in _APART:
        return None
    said = " ".join(split_words(text))
    for parameter in parameters(next(tool for tool in tools if tool.name == found.tool)):
        own = found.arguments.get(parameter.name)
        if not isinstance(own, str):
            continue
        joined = [_value(part, parameter) for part in own.split(" and ")]
        if len(joined) > 1 and all(joined):
            return [replace(found, arguments={**found.arguments, parameter.name: one}) for one in joined]
        if _value(own, parameter) is None:
            continue
        before = re.search(rf"(?P<long>(?:\w+ )?(?P<short>\w+)) and (?:the )?{re.escape(own)}\b", said)
        for value in (_value(before[name], parameter) for name in ("long", "short")) if before else ():
            if value is not None and value != own and not value.endswith(own):
                return [replace(found, arguments={**found.arguments, parameter.name: one}) for one in (value, own)]
    return None


def _value(part: str, parameter: Parameter) -> str | None:
    """The value that a part of a list is, where its form leaves no doubt: a place, a room, or "toy museum"."""
    said = " ".join(split_words(part))
    for _ in range(3):
        said = _LEAD.sub("", said).strip()
    if not said:
        return None
    if parameter.names_place or parameter.meaning == "timezone":
        known = said in zones_by_place() or _CAPITALISED.fullmatch(part.strip(" .,;:!?")) is not None
        return said if known else None
    if parameter.kind != "string" or parameter.choices or parameter.meaning != "text":
        return None
    if parameter.noun == "room":
        return said if len(said.split()) <= 2 and is_room(said.split()[-1]) else None
    return said if said.split()[-1] == parameter.noun and 1 < len(said.split()) <= MOST_WORDS else None
