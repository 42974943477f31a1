"""Finds the arguments of a tool call in a request, by rules and the tool's schema."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agentaudio.conversation import ToolSpec
from agentaudio.model.asked.queries import search_query, voice_query
from agentaudio.model.embedded.routing.arithmetic import expression
from agentaudio.model.embedded.routing.choices import choose
from agentaudio.model.embedded.routing.intents import is_room
from agentaudio.model.embedded.routing.parameters import NEVER_PLACES, Parameter, parameters, vocabulary
from agentaudio.model.embedded.routing.quantities import take_numbers
from agentaudio.model.embedded.routing.spans import Span, are_a_pair, divide
from agentaudio.model.embedded.routing.time_zones import find_zone, find_zones, zones_by_place
from agentaudio.text.numbers import find_numbers
from agentaudio.text.stems import stem
from agentaudio.text.template import Template
from agentaudio.text.words import LIGHT_WORDS, command_place, split_words

_PREPOSITIONS = frozenset("in at of for by from to with about on named called into near".split())
_JOINTS = frozenset("of the and de la".split())
_LINKS = frozenset("and or the over versus than is".split())
_ARTICLES = frozenset("the a an my our your his her their".split())
_FRAGMENT = 3
"""Words of a request that is hardly more than a value: "weather bree"."""
CLOCK = re.compile(
    r"(?:(?:(?:half|a quarter|quarter|five|ten|twenty|twenty five) (?:past|to)|half) )?"
    r"(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|noon|midnight|\d{1,2})"
    r"(?: (?:o'clock|oh clock|oh? five|fifteen|thirty|forty five|ten|twenty|forty|fifty|\d\d))?"
    r"(?: (?:a m|p m|am|pm|in the (?:morning|afternoon|evening)|at night))?"
)
_AT_TIME = re.compile(rf"\b(?:at|by|around|from|until|before|after) ({CLOCK.pattern})(?= |$)")
_LATEST_HOUR = 24
_TIMELY = re.compile(
    r"\d|\b(?:noon|midnight|morning|afternoon|evening|night|tonight|today|tomorrow|lunch\w*|dinner\w*|breakfast|supper|"
    r"(?:mon|tues|wednes|thurs|fri|satur|sun)day|later|now|hour|hours|o'clock|am|pm|one|two|three|four|five|six|seven|"
    r"eight|nine|ten|eleven|twelve|week|month|january|february|march|april|may|june|july|august|september|october|"
    r"november|december|next|soon|minutes?)\b"
)
"""Words of which a time has one."""
_NOT = frozenset("not no without never off disable stop".split())
NEVER_VALUES = frozenset(
    "free moment least guess suppose maybe perhaps lovely nice great good fine okay pls plz please stay dunno cheers "
    "ta mate honestly basically literally actually probably definitely obviously anyway though yet still even else "
    "ever once wonderful brilliant perfect excellent super awesome cool alright idea fancy feel mood love loved enjoy "
    "wish hope afternoon sort kinda cos because since while until till whilst whether if unless although would could "
    "should might may shall cannot let's gonna wanna gotta ah aw ooh hmm mm nah yeah yep nope oi yo quickly quick real "
    "back myself yourself ourselves everyone anyone someone everybody anybody somebody us left meant mean said kill "
    "flip hit brighten illuminate stick pop throw flick chuck bung whack crank blast shove get got getting "
    "going gone doing being been having had".split()
)
"""Words that are never a value by themselves, nor the edge of one."""
_NAME = re.compile(r"(?<=[\w,;:] )[A-Z][\w'’-]*")


@dataclass(frozen=True, slots=True)
class Slots:
    """The arguments that were found for a tool.

    missing: required parameters that were not found
    exact: whether the request matches one of the tool's templates that gives all required parameters
    """

    arguments: dict[str, Any]
    missing: tuple[str, ...]
    exact: bool = False


def fill(text: str, tool: ToolSpec) -> Slots:
    """The arguments for a tool in the words of a request.

    Enums match by word, plural or similar spelling; numbers may be words ("seventeen", "two and a half"); booleans
    are true unless the request negates them; strings are queries, arithmetic, time zones, clock times, or the words
    of the request that the tool's description does not contain.
    """
    words = split_words(text)
    wanted = parameters(tool)
    taken = [False] * len(words)
    values = _by_template(words, tool, wanted, taken)
    exact = values is not None and all(p.name in values for p in wanted if p.required)
    values = dict(values or {})
    open_ones = [parameter for parameter in wanted if parameter.name not in values]
    values.update(_by_meaning(words, open_ones, text, taken))
    open_ones = [parameter for parameter in open_ones if parameter.name not in values]
    numbers = take_numbers(words, taken, open_ones, values)
    values.update(choose(words, open_ones, numbers, taken))
    open_ones = [parameter for parameter in open_ones if parameter.name not in values]
    values.update(_remaining(words, open_ones, taken, tool, named_words(text)))
    ordered = {p.name: values[p.name] for p in wanted if p.name in values}
    return Slots(ordered, tuple(p.name for p in wanted if p.required and p.name not in ordered), exact)


def named_words(text: str) -> frozenset[str]:
    """The words of a text that begin with a capital within a sentence; none of a text that is all in capitals."""
    if text.isupper():
        return frozenset()
    return frozenset(word for name in _NAME.findall(text) for word in split_words(name) if word != "i")


def _by_template(
    words: Sequence[str], tool: ToolSpec, wanted: Sequence[Parameter], taken: list[bool]
) -> dict[str, Any] | None:
    """Values from the longest template of the tool that the request matches word for word; their words are taken."""
    said = _without_politeness(words)
    by_name = {parameter.name: parameter for parameter in wanted}
    for template in sorted((p for p in tool.phrases if isinstance(p, Template)), key=len, reverse=True):
        found = template.match(said)
        if found is None:
            continue
        values: dict[str, Any] = {}
        for name, words_of in found.items():
            parameter = by_name.get(name)
            value = _typed(words_of, parameter) if parameter else None
            if value is None:
                break
            values[name] = value
        else:
            for words_of in found.values():
                _take_words(words, words_of.split(), taken)
            return values
    return None


def _take_words(words: Sequence[str], said: Sequence[str], taken: list[bool]) -> None:
    for start in range(len(words) - len(said), -1, -1):
        if list(words[start : start + len(said)]) == list(said) and not any(taken[start : start + len(said)]):
            taken[start : start + len(said)] = [True] * len(said)
            return


def _typed(said: str, parameter: Parameter) -> Any:
    """The words of a slot as a value for the parameter; None when they are not one."""
    words = said.split()
    if parameter.choices:
        return choose(words, [parameter], [], [False] * len(words)).get(parameter.name)
    if parameter.kind in ("integer", "number"):
        numbers: dict[str, Any] = {}
        take_numbers(words, [False] * len(words), [parameter], numbers)
        return numbers.get(parameter.name)
    if parameter.kind == "boolean":
        return not _NOT.intersection(words)
    if parameter.kind != "string":
        return None
    if parameter.meaning == "timezone":
        return find_zone(words)
    if parameter.meaning == "expression":
        return expression(words)
    return _as_written(said) if parameter.meaning == "time" else said


def _without_politeness(words: Sequence[str]) -> list[str]:
    kept = list(words)
    while kept and kept[-1] in ("please", "thanks", "now", "thank"):
        kept.pop()
    while kept and kept[0] in ("please", "okay", "ok", "hey", "well", "so", "and", "then"):
        kept.pop(0)
    return kept


def _by_meaning(words: Sequence[str], wanted: Sequence[Parameter], text: str, taken: list[bool]) -> dict[str, Any]:
    """The values of the string parameters that are found by their meaning. Each says something else."""
    values: dict[str, Any] = {}
    by_meaning: dict[str, list[Parameter]] = {}
    for parameter in sorted(wanted, key=lambda parameter: not parameter.required):
        if parameter.kind == "string" and not parameter.choices:
            by_meaning.setdefault(parameter.meaning, []).append(parameter)
    counted = any(parameter.kind in ("integer", "number") for parameter in wanted)
    values.update(_times(words, by_meaning.pop("time", []), taken, counted))
    values.update(_zones(words, by_meaning.pop("timezone", []), taken))
    for parameter in by_meaning.pop("text", []):
        if (example := _example(words, parameter)) and example not in values.values():
            values[parameter.name] = example
    read: dict[str, Any] = {
        "query": lambda: search_query(text),
        "voice": lambda: voice_query(text),
        "expression": lambda: expression(words),
    }
    for meaning, (first, *_) in by_meaning.items():  # the whole request is one value
        if value := read[meaning]():
            values[first.name] = value
    return values


def _times(words: Sequence[str], wanted: Sequence[Parameter], taken: list[bool], counted: bool) -> dict[str, str]:
    """Clock times, whose words are taken.

    counted: whether the tool also takes a number, so that the only number is not a time
    """
    if not wanted:
        return {}
    said = " ".join(words)
    after_preposition = _AT_TIME.search(said)
    found = list(re.finditer(rf"\b({CLOCK.pattern})(?= |$)", said))
    # "a table for two for seven": without "at", the last number that can be a time.
    last = found[-1:] if len(found) > counted else []
    spans = []
    for match in found if len(wanted) > 1 else [after_preposition] if after_preposition else last:
        start = said[: match.start(1)].count(" ")
        end = start + len(match[1].split())
        if not any(taken[start:end]):
            spans.append(Span(start, end, _as_written(match[1]), 1.0))
    values = {}
    for name, span in divide(words, [(parameter, spans) for parameter in wanted], taken).items():
        taken[span.start : span.end] = [True] * (span.end - span.start)
        values[name] = span.value
    return values


def _as_written(time: str) -> str:
    """A clock time with a colon between hour and minute where both are digits."""
    return re.sub(r"\b(\d{1,2}) (\d\d)\b", r"\1:\2", time)


def _zones(words: Sequence[str], wanted: Sequence[Parameter], taken: Sequence[bool]) -> dict[str, str]:
    free = ["" if held else word for word, held in zip(words, taken, strict=True)]
    if len(wanted) == 1:
        zone = find_zone(free)
        return {wanted[0].name: zone} if zone else {}
    spans = [Span(start, end, zone, 1.0) for start, end, zone in find_zones(free)]
    return {name: span.value for name, span in divide(words, [(p, spans) for p in wanted], taken).items()}


def _example(words: Sequence[str], parameter: Parameter) -> str | None:
    """An example of the schema that the request holds word for word."""
    said = f" {' '.join(words)} "
    found = [item for item in parameter.examples if f" {' '.join(split_words(item))} " in said]
    return max(found, key=len, default=None)


def _remaining(
    words: Sequence[str], wanted: Sequence[Parameter], taken: Sequence[bool], tool: ToolSpec, names: frozenset[str]
) -> dict[str, Any]:
    """Values of the booleans, and of the strings: runs of words that are neither the tool's nor LIGHT_WORDS.

    names: words that are written as names
    """
    values: dict[str, Any] = {}
    texts: list[Parameter] = []
    for parameter in wanted:
        if parameter.kind == "boolean":
            place = next((i for i, w in enumerate(words) if stem(w) in parameter.stems), None)
            if place is not None:
                values[parameter.name] = not _NOT.intersection(words[max(0, place - 3) : place + 3])
        elif parameter.kind == "string" and not parameter.choices and parameter.meaning in ("text", "time"):
            texts.append(parameter)
    parts = are_a_pair(texts)
    known = vocabulary(tool)
    spans = [(parameter, _runs(words, parameter, known, taken, names, parts=parts)) for parameter in texts]
    spans = [
        (p, [run for run in runs if p.meaning != "time" or _is_timely(words, run)]) for p, runs in spans
    ]  # fmt: skip
    return values | {name: span.value for name, span in divide(words, spans, taken).items()}


def _is_timely(words: Sequence[str], run: Span) -> bool:
    """Whether a run holds a time; the "evening" of the greeting "good evening" is none, nor is 52."""
    if any(float(number.value) > _LATEST_HOUR for number in find_numbers(words[run.start : run.end])):
        return False
    return _TIMELY.search(str(run.value)) is not None and words[run.start - 1 : run.start] != ["good"]


def _runs(
    words: Sequence[str], parameter: Parameter, known: frozenset[str], taken: Sequence[bool], names: frozenset[str],
    *, parts: bool,
) -> list[Span]:  # fmt: skip
    """The runs of words that may be the parameter's value, preferably after a preposition.

    parts: also the parts of a run that holds "and"
    """
    noun = stem(parameter.noun)
    verb = command_place(words)
    free = [
        not taken[place]
        and place != verb
        and (word in names or word not in LIGHT_WORDS | NEVER_VALUES)
        and word not in ("called", "named", "whole", "entire")
        and not (parameter.names_place and word in NEVER_PLACES)
        and (stem(word) not in known or _is_example(word, parameter) or word in names)
        for place, word in enumerate(words)
    ]
    runs: list[tuple[int, int]] = []
    place = 0
    while place < len(words):
        if not free[place]:
            place += 1
            continue
        end = place + 1
        while end < len(words) and (
            free[end] or (words[end] in _JOINTS and any(free[end + 1 : end + 3]) and words[end + 1 : end + 2] != ["in"])
        ):
            end += 1
        runs.append((place, end))
        runs += _within(words, place, end, names, places=parameter.names_place)
        if parts and "and" in words[place:end]:
            joint = words.index("and", place)
            runs += [(place, joint), (joint + 1, end)]
        place = end
    spans = []
    for place, end in runs:
        start, stop = _with_noun(words, place, end, noun)
        if not _is_of_type(words, start, stop, parameter, names):
            continue
        score = 1.0 + 0.1 * (stop - start) + 0.01 * start
        before = [word for word in words[max(0, start - 2) : start] if word not in ("the", "a", "an", "my", "our")]
        score += bool(before) and before[-1] in _PREPOSITIONS
        score += 0.5 * (start > 0 and words[start - 1] == "the")
        score += 2.0 * (parameter.names_place and " ".join(words[start:stop]) in zones_by_place())
        score += 1.0 * (stop - start > end - place)
        score += 1.5 * all(word in names or word in _JOINTS for word in words[start:stop])
        spans.append(Span(start, stop, " ".join(words[start:stop]), score))
    return spans


def _is_of_type(words: Sequence[str], start: int, end: int, parameter: Parameter, names: frozenset[str]) -> bool:
    """Whether words may be a value of the parameter's type, where that is a place or a room.

    A word that no list has is one by what stands around it: "in Bree", "the orangery light", but not "the weather
    looking" or "turn it off".
    """
    value, before = words[start:end], words[start - 1] if start else ""
    if parameter.names_place:
        if find_numbers(value):
            return False
        known = " ".join(value) in zones_by_place() or any(word in names for word in value)
        linked = before in _LINKS and (before != "is" or words[0] in ("how", "what", "and"))  # "our app is broken"
        return known or before in _PREPOSITIONS or linked or parameter.noun in value or 1 < len(words) <= _FRAGMENT
    if parameter.noun != "room" or is_room(" ".join(value)):
        return True
    if find_numbers(value) or " ".join(value) in zones_by_place():
        return False
    behind = words[end] if end < len(words) else ""
    of_it = before in _ARTICLES or before in ("in", "at", "of", "for", "and")
    return of_it or stem(behind) in ("light", "lamp") or parameter.noun in value


def _within(
    words: Sequence[str], start: int, end: int, names: frozenset[str], *, places: bool
) -> list[tuple[int, int]]:
    """The names, or the places that are known, which are only a part of `words[start:end]`."""
    found: list[tuple[int, int]] = []
    if places:
        found += [(start + first, start + last) for first, last, _ in find_zones(words[start:end])]
    place = start
    while place < end:
        stop = place
        while stop < end and (words[stop] in names or (words[stop] in _JOINTS and stop > place)):
            stop += 1
        while stop > place and words[stop - 1] in _JOINTS:
            stop -= 1
        if stop > place:
            found.append((place, stop))
        place = max(stop, place + 1)
    return [span for span in found if span != (start, end)]


def _is_example(word: str, parameter: Parameter) -> bool:
    return any(word in split_words(example) for example in parameter.examples) and stem(word) != stem(parameter.noun)


def _with_noun(words: Sequence[str], start: int, end: int, noun: str) -> tuple[int, int]:
    """A span extended by the parameter's noun next to it: "science" becomes "science museum"."""
    if end < len(words) and stem(words[end]) == noun:
        return start, end + 1
    before = start - 1
    while before > 0 and words[before] in _JOINTS:
        before -= 1
    if before >= 0 and stem(words[before]) == noun and (start - before > 1):
        return before, end
    return start, end
