"""`RequestReader`: what a request of several sentences means, of which some ask and the others only tell."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from agentaudio.conversation import ToolCall, ToolSpec
from agentaudio.model.embedded.dialogue.parts import (
    is_statement,
    is_topic,
    place_said,
    request_parts,
    title_said,
    topic_said,
    unmarked,
)
from agentaudio.model.embedded.dialogue.reading import Reading
from agentaudio.model.embedded.dialogue.replies import DROPPED
from agentaudio.model.embedded.dialogue.returns import topic_returned_to
from agentaudio.model.embedded.dialogue.sums import SUM_TOOL
from agentaudio.model.embedded.dialogue.titles import titles_of
from agentaudio.model.embedded.dialogue.topics import SEARCHES, is_short_question, with_topic
from agentaudio.model.embedded.dialogue.turns import PastTurn
from agentaudio.model.embedded.dialogue.understanding import REACTIONS, Understanding
from agentaudio.model.embedded.routing.intents import is_room
from agentaudio.model.embedded.routing.parameters import parameters
from agentaudio.model.embedded.routing.possible import may_serve
from agentaudio.model.embedded.routing.route import Route
from agentaudio.model.embedded.routing.router import Router
from agentaudio.model.embedded.routing.slots import fill
from agentaudio.model.embedded.routing.time_zones import zones_by_place
from agentaudio.model.embedded.routing.word_problems import told_sum
from agentaudio.text.words import command_place, content_words, is_question, split_words, stems

MOST_PARTS = 5
"""Sentences of a request that are read one by one; a longer request is read as a whole."""
_LEAST_ASKED, _LEAST_REPLY, _SURE = 0.25, 0.35, 0.5
_FRAGMENT = 3
"""Words of a part that only adds to a request: "three minutes"."""
_SEARCHED = 0.5
"""Score of a search for a question that no other tool answers."""
_THERE = re.compile(r"\b(?:over |up |down )?there\b(?! (?:is|are|was|were|any|a)\b)", re.IGNORECASE)
_WHAT_ABOUT = re.compile(
    r"^\W*(?:and |so |but )?(?:what|how) about (?:her|him|them|it|that|that one|us|me)\W*$", re.IGNORECASE
)
_POINTS = re.compile(r"\b(?:it|that|this|them|those|(?:that|this) (?:one|light|lamp))\b", re.IGNORECASE)
_SUBJECT = re.compile(r"^\W*(?:it|that|this|you|i|we|there|my|our|the|he|she|they)\b", re.IGNORECASE)
_MANNERS = ("repeat", "manner", "shorter", "bye", "thanks", "cancel")


class RequestReader:
    """Reads the parts of a request one by one, and takes the last one that asks for something.

    The parts before it give what it refers to: the place, or the thing that its pronoun stands for. Several threads may
    share one.

    router: routes what stands alone
    """

    def __init__(self, router: Router) -> None:
        self._understand = Understanding(router)

    def __call__(self, request: str, past: Sequence[PastTurn], tools: Sequence[ToolSpec]) -> Reading:
        """The best reading.

        past: the turns before, in order
        """
        parts = [request] if topic_returned_to(request, past) is not None else request_parts(request)
        if not 2 <= len(parts) <= MOST_PARTS:
            return self._understand(unmarked(request), past, tools)
        if (figured := _sum_over_sentences(request, tools)) is not None:
            return figured
        if all(_is_fragment(part) for part in parts) and (short := self._telegram(parts, past, tools)) is not None:
            return short
        whole = self._understand(request, past, tools)
        read = [self._part(parts, place, past, tools) for place in range(len(parts))]
        asked = [(place, reading) for place, reading in enumerate(read) if _asks(reading)]
        if not asked:
            return self._without_question(read, whole)
        while len(asked) > 1 and _SUBJECT.match(parts[asked[-1][0]]) and asked[-1][1].reply is not None:
            asked.pop()  # "could you play something? It is so quiet in here"
        while len(asked) > 1 and _only_adds_to(parts[asked[-1][0]], asked[-1][1], asked[-2][1]):
            asked.pop()  # "what time is it in Sydney? My son lives there"
        place, reading = asked[-1]
        dropped = next((one for one in read[:place] if one.act == "cancel" and one.score >= _SURE), None)
        if dropped is not None and is_statement(parts[place]):
            return dropped
        if len(asked) > 1 and (both := _both([one for _, one in asked])) is not None:
            return both
        if _same_tools(whole, reading) and _typed(whole) > _typed(reading):
            return whole
        if len(asked) > 1 and _same_tools(asked[0][1], whole) and not _same_tools(whole, reading):
            # "Book a table. Four at eight." is one request; "play Bach. How old is he?" is answered as its last part.
            return whole if _typed(whole) > _typed(reading) and reading.act == "edit" else reading
        return reading

    def _telegram(self, parts: Sequence[str], past: Sequence[PastTurn], tools: Sequence[ToolSpec]) -> Reading | None:
        """Fragments that say one request together: "Timer. Three minutes. Soft-boiled."; None for several requests."""
        alone = [self._understand(part, past, tools) for part in parts]
        called = {r.tool for one in alone for r in one.routes if r.tool and not r.missing and one.score >= _LEAST_ASKED}
        whole = self._understand(" ".join(" ".join(split_words(part)) for part in parts), past, tools)
        complete = bool(whole.routes) and all(route.tool is not None and not route.missing for route in whole.routes)
        replying = any(
            one.reply is not None and one.act not in REACTIONS and one.score >= _LEAST_REPLY for one in alone
        )
        complete = complete and whole.act == "new" and not replying  # "Perfect. Slower, though."
        return whole if complete and called <= {route.tool for route in whole.routes} else None

    def _part(self, parts: Sequence[str], place: int, past: Sequence[PastTurn], tools: Sequence[ToolSpec]) -> Reading:
        """One part, with what the parts before it name in the place of what it leaves out."""
        told = parts[:place]
        part = _with_place(parts[place], " ".join(told))
        said = " ".join(split_words(part))
        reading: Reading | None = None
        own = self._understand(part, past, tools)
        if own.reply is not None and own.act in _MANNERS and own.score >= _SURE:
            return own
        if told and (named := self._named(said, told, past, tools)) is not None:
            reading = self._about(named, past, tools)
        reading = reading or own
        if told and not any(route.tool for route in reading.routes) and (room := _room_said(told[-1])) is not None:
            reading = self._understand(_POINTS.sub(f"the {room}", part, count=1), past, tools)
        reading = _pointed(_with_told(reading, told, tools), part, told, tools)
        if is_statement(part) and reading.act == "edit" and not _typed(reading):
            return Reading("remark", part, 0.0)
        return _placed(reading, " ".join(told), tools)

    def _named(self, said: str, told: Sequence[str], past: Sequence[PastTurn], tools: Sequence[ToolSpec]) -> str | None:
        """The part with the thing that the parts before it name in the place of its pronoun."""
        search = next((tool.name for tool in tools if tool.name in SEARCHES), None)
        if search is None:
            return None
        for before in reversed(told):
            if (is_topic(before) or len(split_words(before)) <= 3) and (turn := _turn_about(before, past)) is not None:
                return with_topic(said, turn)
            names = is_topic(before) or is_statement(before) or (_is_name(before) and is_short_question(said))
            titles = titles_of(tools)
            topic = topic_said(before, titles) if names else title_said(before, titles)
            if topic is None or place_said(before) == topic:
                continue
            spoken = PastTurn(f"tell me about {topic}", [ToolCall("", search, {"query": topic})])
            if (whole := with_topic(said, spoken)) is not None:
                return whole
        return None

    def _about(self, named: str, past: Sequence[PastTurn], tools: Sequence[ToolSpec]) -> Reading:
        """A question that names its topic; a search where no other tool answers it."""
        reading = self._understand(named, past, tools)
        search = next((tool for tool in tools if tool.name in SEARCHES and may_serve(named, tool, tools)), None)
        if search is not None and (reading.reply is not None or all(route.tool is None for route in reading.routes)):
            arguments = fill(named, search).arguments
            return Reading("about", named, _SEARCHED, (Route(search.name, arguments, _SEARCHED, "tool"),), sure=True)
        return replace(reading, sure=True)

    @staticmethod
    def _without_question(read: Sequence[Reading], whole: Reading) -> Reading:
        """The reading of a request none of whose parts asks for anything."""
        reacting = [reading for reading in read if reading.act in ("cancel", "wait") and reading.score >= _SURE]
        if reacting:
            return reacting[-1]
        if not whole.routes or _typed(whole) or whole.reply is not None:
            return whole
        replying = [reading for reading in read if reading.reply not in (None, DROPPED)]
        best = max(replying, key=lambda reading: reading.score, default=whole)
        unserved = [reading for reading in read if reading.act == "new" and reading.score >= _LEAST_REPLY]
        unserved = [reading for reading in unserved if not is_statement(reading.text)]
        if unserved and best.score < _LEAST_REPLY:
            return unserved[-1]  # "would you open the window? It is stuffy in here"
        return best


def _asks(reading: Reading) -> bool:
    """Whether a part asks for something by itself."""
    if reading.reply is not None:
        return reading.act not in REACTIONS and reading.score >= _LEAST_REPLY
    if (
        reading.act == "new"
        and reading.routes
        and all(route.tool is not None and not route.missing and route.confidence >= _SURE for route in reading.routes)
    ):
        return True
    return any(route.tool is not None for route in reading.routes) and reading.score >= _LEAST_ASKED


def _only_adds_to(part: str, reading: Reading, before: Reading) -> bool:
    """Whether a part only tells something after a question that is complete, and would change an earlier call."""
    complete = before.act == "new" and before.score >= _SURE and not any(route.missing for route in before.routes)
    return is_statement(part) and reading.act == "edit" and complete and not _same_tools(reading, before)


def _is_fragment(part: str) -> bool:
    """Whether a part is a few words without a verb or a question."""
    words = split_words(part)
    verbless = command_place(words) is None and not is_statement(part) and not is_question(part)
    return len(words) <= _FRAGMENT and verbless


def _is_name(part: str) -> bool:
    """Whether a part is a word or two that carry a topic: "Bees."."""
    words = split_words(part)
    return len(words) <= 2 and "?" not in part and set(content_words(part)) == set(words)


def _with_place(part: str, told: str) -> str:
    """The part with the place that was told before in the place of "there", or of "her" in "what about her"."""
    place = place_said(told) if told else None
    if place is None:
        return part
    if _WHAT_ABOUT.match(part):
        return f"what about {place}"
    return _THERE.sub(f"in {place}", part, count=1)


def _sum_over_sentences(request: str, tools: Sequence[ToolSpec]) -> Reading | None:
    """A sum of which each sentence has one number: "we were seven and the bill was 154. What is that each?"."""
    tool = next((tool for tool in tools if tool.name == SUM_TOOL), None)
    whole = told_sum(split_words(request)) if tool is not None else None
    if tool is None or whole is None or (slots := fill(f"what is {whole}", tool)).missing:
        return None
    return Reading("sum", f"what is {whole}", 1.0, (Route(SUM_TOOL, slots.arguments, 1.0, "tool"),))


def _with_told(reading: Reading, told: Sequence[str], tools: Sequence[ToolSpec]) -> Reading:
    """The reading with what its call lacks from the sentences before: "the cellar light is on. Turn it off"."""
    if not told or len(reading.routes) != 1 or not reading.routes[0].missing:
        return reading
    route = reading.routes[0]
    tool = next(tool for tool in tools if tool.name == route.tool)
    found = fill(" ".join(told), tool).arguments
    places = [p.name for p in parameters(tool) if p.names_place]
    if not all(name in found and (name not in places or place_said(" ".join(told))) for name in route.missing):
        return reading
    arguments = {
        p.name: route.arguments.get(p.name, found.get(p.name))
        for p in parameters(tool)
        if p.name in route.arguments or p.name in route.missing
    }
    return replace(reading, routes=(replace(route, arguments=arguments, missing=()),))


def _pointed(reading: Reading, part: str, told: Sequence[str], tools: Sequence[ToolSpec]) -> Reading:
    """The reading with the room that was told just before in the place of an earlier one.

    "I'm done in the garage. Switch that one off" is about the garage, whatever was switched last.
    """
    route = reading.routes[0] if len(reading.routes) == 1 else None
    tool = next((tool for tool in tools if route is not None and tool.name == route.tool), None)
    if route is None or tool is None or not told or not _POINTS.search(part):
        return reading
    own, before = fill(part, tool).arguments, fill(told[-1], tool).arguments
    new = {
        p.name: before[p.name]
        for p in parameters(tool)
        if p.name in before and p.name not in own and p.name in route.arguments
        and p.noun == "room" and is_room(str(before[p.name]))
    }  # fmt: skip
    return replace(reading, routes=(replace(route, arguments={**route.arguments, **new}),)) if new else reading


def _room_said(told: str) -> str | None:
    """The room that a sentence names, in up to two words."""
    words = split_words(told)
    runs = [
        " ".join(words[start:end]) for end in range(len(words), 0, -1) for start in (end - 2, end - 1) if start >= 0
    ]
    return next((run.removeprefix("the ") for run in runs if is_room(run)), None)


def _same_tools(one: Reading, other: Reading) -> bool:
    return {route.tool for route in one.routes} == {route.tool for route in other.routes}


def _typed(reading: Reading) -> int:
    """How many arguments are told by their form: numbers, places, times and choices."""
    return sum(_has_form(value) for route in reading.routes for value in route.arguments.values())


def _has_form(value: Any) -> bool:
    if not isinstance(value, str):
        return True
    return value in zones_by_place() or "/" in value or any(word.isdigit() for word in value.split())


def _both(readings: Sequence[Reading]) -> Reading | None:
    """Two requests for different tools that both stand alone, as one."""
    routes = [route for reading in readings for route in reading.routes]
    names = [route.tool for route in routes]
    alone = all(
        reading.act in ("new", "voice") and reading.score >= _SURE and len(reading.routes) == 1 for reading in readings
    )
    if not alone or len(set(names)) < len(names) or any(route.tool is None or route.missing for route in routes):
        return None
    ordered = sorted(routes, key=lambda route: route.tool != "audio_search")
    return replace(readings[-1], routes=tuple(ordered), text=" ".join(reading.text for reading in readings))


def _placed(reading: Reading, told: str, tools: Sequence[ToolSpec]) -> Reading:
    """The reading with the place that was told before, where its call lacks one."""
    place = place_said(told) if told else None
    if place is None or len(reading.routes) != 1 or reading.routes[0].tool is None:
        return reading
    route = reading.routes[0]
    tool = next(tool for tool in tools if tool.name == route.tool)
    for parameter in parameters(tool):
        if parameter.name in route.arguments or not (parameter.names_place or parameter.meaning == "timezone"):
            continue
        value = zones_by_place().get(place) if parameter.meaning == "timezone" else place
        if value:
            arguments: Mapping[str, Any] = {**route.arguments, parameter.name: value}
            missing = tuple(name for name in route.missing if name != parameter.name)
            return replace(reading, routes=(replace(route, arguments=dict(arguments), missing=missing),))
    return reading


def _turn_about(named: str, past: Sequence[PastTurn]) -> PastTurn | None:
    """The newest turn that called a tool about what is named."""
    wanted = stems(named)
    for turn in reversed(past):
        titles = " ".join(passage.title for output in turn.outputs for passage in output.passages[:1])
        if turn.calls and wanted and wanted <= stems(" ".join((turn.request, titles, turn.answer))):
            return turn
    return None
