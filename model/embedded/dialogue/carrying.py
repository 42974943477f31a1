"""What a request takes over from the turns before it: their place, and their question."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from agentaudio.conversation import ToolCall, ToolSpec
from agentaudio.model.embedded.dialogue.reading import Reading
from agentaudio.model.embedded.dialogue.slot_changes import changed_call
from agentaudio.model.embedded.dialogue.turns import PastTurn
from agentaudio.model.embedded.dialogue.voice_readings import route_to
from agentaudio.model.embedded.routing.intents import is_room
from agentaudio.model.embedded.routing.parameters import parameters
from agentaudio.model.embedded.routing.route import Route
from agentaudio.model.embedded.routing.slots import fill
from agentaudio.model.embedded.routing.time_zones import find_zones, zones_by_place
from agentaudio.text.words import split_words

TURNS_BACK = 3
"""Earlier turns whose place is taken over."""
_GOES_ON = re.compile(r"^(?:and|now|then|okay|ok|but|no|so|also|plus|what about|how about|or)\b")
_POINTS = re.compile(
    r"(?<!is )(?<!are )\bthere\b(?! (?:is|are)\b)|\bfor (?:him|her|them)\b|\b(?:do|does|have|has) (?:he|she|they)\b|"
    r"\b(?:he|she|they) (?:has|have) got\b"
)
"""What stands for a place, or for who is there: "what time is it for him?"."""
_IN_THERE = re.compile(r"\b(?:there|it|that room|that one)\b")
_LONGEST = 6
"""Words of a request that goes on from a place without naming it."""


def carried_place(
    request: str, routes: Sequence[Route], past: Sequence[PastTurn], tools: Sequence[ToolSpec]
) -> tuple[Route, ...] | None:
    """The call of a request that names no place, with the place of an earlier turn; None where it needs none.

    A required place is taken from the last TURNS_BACK turns, and an optional one from the last turn, where the request
    goes on from it: "and now the time".
    """
    if len(routes) != 1 or routes[0].tool is None:
        return None
    route = routes[0]
    tool = next(tool for tool in tools if tool.name == route.tool)
    words = split_words(request)
    if "here" in words:
        return None  # "and the date here?"
    for parameter in parameters(tool):
        said = " ".join(words)
        if parameter.noun == "room" and parameter.name in route.missing and _IN_THERE.search(said):
            room = next(
                filter(None, (_room_named(turn, tool, parameter.name) for turn in reversed(past[-TURNS_BACK:]))), None
            )
            if room is not None and route.missing == (parameter.name,):
                return (
                    replace(route, arguments=_ordered(tool, {**route.arguments, parameter.name: room}), missing=()),
                )
        if parameter.name in route.arguments or not (parameter.names_place or parameter.meaning == "timezone"):
            continue
        goes_on = len(words) <= _LONGEST and _GOES_ON.match(said) is not None
        points = _POINTS.search(said) is not None
        goes_on = goes_on or points
        if not parameter.required and not goes_on:
            continue
        place = _place(past[-TURNS_BACK if parameter.required or points else -1 :], tools)
        value = zones_by_place().get(place) if parameter.meaning == "timezone" and place else place
        if value:
            missing = tuple(name for name in route.missing if name != parameter.name)
            return (
                replace(route, arguments=_ordered(tool, {**route.arguments, parameter.name: value}), missing=missing),
            )
    return None


def is_asked_again(said: str, last: PastTurn) -> bool:
    """Whether the request only repeats how the question before began: "how many?" after "how many arms has it"."""
    before, now = split_words(last.request), said.removeprefix("and ").split()
    return bool(last.answer) and 2 <= len(now) < len(before) and now[0] == "how" and before[: len(now)] == now


def carried_rest(
    request: str, routes: Sequence[Route], past: Sequence[PastTurn], tools: Sequence[ToolSpec]
) -> tuple[Route, ...] | None:
    """The call of a request that goes on, with what it lacks from the call of the same tool just before.

    "And if the wall is fifteen feet?" takes its other unit from "how many meters are twelve feet".
    """
    if len(routes) != 1 or routes[0].tool is None or not routes[0].missing or not routes[0].arguments or not past:
        return None
    route = routes[0]
    before = next((call for call in reversed(past[-1].calls) if call.name == route.tool), None)
    words = " ".join(split_words(request))
    if before is None or not (_GOES_ON.match(words) or re.search(r"\bif\b", words)):
        return None
    tool = next(tool for tool in tools if tool.name == route.tool)
    if all(parameter.choices for parameter in parameters(tool) if parameter.name in route.arguments):
        return None  # "and I meant meters" changes the call before
    held = {name: before.arguments[name] for name in route.missing if name in before.arguments}
    if len(held) < len(route.missing) or set(map(str, held.values())) & set(map(str, route.arguments.values())):
        return None
    return (replace(route, arguments=_ordered(tool, {**route.arguments, **held}), missing=()),)


_ASKED_BACK = re.compile(
    r"(?:(?:and|but|so|sorry|wait|again|okay|pardon|huh) )*(?:(?:from when )?(?:till|until|to) when|from when(?: to "
    r"when)?|from what time|what time|when|how much|how many|how long|which one|where|what number|which number)(?: "
    r"(?:again|was it|was that|exactly|please|did you say))*"
)


def is_asked_back(said: str, last: PastTurn) -> bool:
    """Whether a short question only asks for a part of the answer of a tool once more: "from when till when?"."""
    tools = [call.name for call in last.calls if call.name not in ("search_documents", "web_search", "audio_search")]
    return bool(tools) and _ASKED_BACK.fullmatch(said) is not None


def _place(turns: Sequence[PastTurn], tools: Sequence[ToolSpec]) -> str | None:
    """The newest place that calls were made for, or that was named where none was made, as it was said."""
    by_name = {tool.name: tool for tool in tools}
    for turn in reversed(turns):
        if not turn.calls and (place := place_named(turn)):
            return place  # "buy me a ticket to Vienna", which no tool can do
        for call in reversed(turn.calls):
            if call.name in by_name and (place := _place_of(call, by_name[call.name], turn)):
                return place
    return None


def _room_named(turn: PastTurn, tool: ToolSpec, name: str) -> str | None:
    """The room in the request of a turn, whatever was asked of it."""
    room = fill(turn.request, tool).arguments.get(name)
    if isinstance(room, str) and is_room(room):
        return room
    return next((word for word in reversed(split_words(turn.request)) if is_room(word)), None)


def place_named(turn: PastTurn) -> str | None:
    """The last known place in the request of a turn."""
    words = split_words(turn.request)
    zones = find_zones(words)
    return " ".join(words[zones[-1][0] : zones[-1][1]]) if zones else None


def _place_of(call: ToolCall, tool: ToolSpec, turn: PastTurn) -> str | None:
    for parameter in parameters(tool):
        held = call.arguments.get(parameter.name)
        if not isinstance(held, str) or not held:
            continue
        if parameter.meaning == "timezone":
            words = split_words(turn.request)
            said = [" ".join(words[start:end]) for start, end, zone in find_zones(words) if zone == held]
            return said[0] if said else held.rpartition("/")[2].replace("_", " ").lower()
        if parameter.names_place:
            return held
    return None


def _ordered(tool: ToolSpec, arguments: Mapping[str, object]) -> dict[str, object]:
    return {p.name: arguments[p.name] for p in parameters(tool) if p.name in arguments}


def answered(request: str, asked: Route, chance: float, tools: Sequence[ToolSpec]) -> Reading | None:
    """The request as the answer to what the agent asked for."""
    tool = next((tool for tool in tools if tool.name == asked.tool), None)
    change = changed_call(request, asked.arguments, tool, asked.missing) if tool is not None else None
    if tool is None or change is None:
        return None
    return Reading("edit", request, (0.4 + 0.6 * chance) * change.fit, (route_to(tool, change.arguments),))
