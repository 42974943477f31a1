"""`changed_call`: a call before with other values: "and in London?", "no, for three", "thirty, not thirteen"."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentaudio.conversation import ToolSpec
from agentaudio.model.embedded.dialogue.acts import says_act
from agentaudio.model.embedded.dialogue.clock import minutes_of
from agentaudio.model.embedded.dialogue.stated import ARTICLES, FRAME_WORDS, PREPOSITIONS, stated
from agentaudio.model.embedded.routing.choices import choose
from agentaudio.model.embedded.routing.intents import is_room
from agentaudio.model.embedded.routing.parameters import NEVER_PLACES, Parameter, parameters, vocabulary
from agentaudio.model.embedded.routing.slots import CLOCK, NEVER_VALUES, fill, named_words
from agentaudio.model.embedded.routing.time_zones import zones_by_place
from agentaudio.text.numbers import FoundNumber, find_numbers, parse_number
from agentaudio.text.stems import stem
from agentaudio.text.words import COMMAND_VERBS, command_place, split_words

_JOINTS = frozenset("of the and de la".split())
_LEADING = PREPOSITIONS | frozenset("and or about now then no sorry meant mean said try near also".split())
_PERSONS = frozenset("i you he she her him them they we us me".split())
_AROUND_A_ROOM = frozenset(
    "and or no not but sorry oh the my our then now please too also as well again i meant said mean one light lamp "
    "lights lamps on off back turn switch put try what about how room in actually rather that instead".split()
)
_TO_TIME = frozenset("at by around until before after past o'clock pm am".split())
_TIME_SAID = re.compile(
    r"\b(?:later|earlier|o'clock|pm|am|time|possible|available|free|better|suits?|evening|noon|midnight|sooner)\b"
)
_COUNTED = re.compile(r"^(?:people|persons?|guests?|of us|adults|kids|friends|in all|altogether|more people)\b")
_WE_ARE = re.compile(r"\b(?:we|there|they|us) (?:are|will be|were|would be|makes?)(?: only| just| about)?$")
_COUNT_SAID = re.compile(
    r"\b(?:people|persons|guests|of us|there (?:are|will be)|we (?:are|will be)|makes|joining|coming|come|join|"
    r"bringing|party|friends?|kids|just|only)\b"
)
_HERE = re.compile(r"\b(?:here|at home|where (?:i am|we are)|my place)\b")
_STRONG_CLOCK = re.compile(
    r"past|to |o'clock|clock|thirty|fifteen|forty|noon|midnight| (?:am|pm|a m|p m|in the|at night)"
)
_PREDICATES = re.compile(
    r"(?!.*\b(?:you have|you got)\b)(?:(?:and|but|so|okay|now|then) )*(?:is|are|was|were|do|does|did|has|have|can|"
    r"could|will) (?:it|that|this|they|he|she|i|we|you)\b"
)
"""A question with a verb of its own: the value is only the object of that verb."""
_MOVES = frozenset("push move shift bring postpone delay put".split())
_LONGEST_VALUE = 5


@dataclass(frozen=True, slots=True)
class Change:
    """A call with other values.

    typed: whether a new value is of a kind that is told by its form (a number, a place, a time, a choice)
    fit: from 0 to 1, how much of the request the values and FRAME_WORDS are
    """

    arguments: dict[str, Any]
    typed: bool
    fit: float


def changed_call(
    request: str, arguments: Mapping[str, Any], tool: ToolSpec, missing: Sequence[str] = ()
) -> Change | None:
    """The arguments with what the request changes in them; None where it changes none.

    missing: parameters that the user was asked for; they take values first
    """
    parts = stated(request, arguments)
    words = [word for part in parts for word in part]
    if not words or len(words) > 3 * len(FRAME_WORDS):
        return None
    ends = set(itertools.accumulate(map(len, parts)))
    found = _Values(words, arguments, tool, missing, ends, named_words(request))
    if not found.new and not found.dropped:
        return None
    if not found.typed and _PREDICATES.match(" ".join(words)) and not found.prepositional:
        return None
    merged = {name: value for name, value in arguments.items() if name not in found.dropped} | found.new
    if merged == dict(arguments):
        return None
    ordered = {p.name: merged[p.name] for p in parameters(tool) if p.name in merged}
    return Change(ordered, found.typed, found.fit())


def _is_pronoun(words: Sequence[str], place: int) -> bool:
    """Whether the word is "one" after a word that singles something out: "another one"."""
    if words[place] != "one":
        return False
    return words[place + 1 : place + 2] == ["more"] or words[max(0, place - 1)] in (
        "another", "second", "extra", "has", "have", "got", "already", "other", "last", "first", "next", "this", "that",
    ) or words[place + 1 : place + 2] in (["is"], ["was"], ["needs"], ["takes"], ["has"])  # fmt: skip


class _Values:
    """The new values that words give for the parameters of a tool."""

    def __init__(
        self, words: Sequence[str], arguments: Mapping[str, Any], tool: ToolSpec, missing: Sequence[str],
        ends: set[int], names: frozenset[str],
    ) -> None:  # fmt: skip
        if "one" in words and (place := list(words).index("one")) + 1 < len(words) and words[place + 1] == "of":
            # "the one of natural history"
            noun = next((p.noun for p in parameters(tool) if p.kind == "string" and p.meaning == "text"), "one")
            words = [*words[:place], noun, *words[place + 1 :]]
        # "another one for fifteen" counts nothing.
        kept = [place for place in range(len(words)) if not _is_pronoun(words, place)]
        words = [words[place] for place in kept]
        self._ends = {n for n in range(1, len(words)) if any(kept[n - 1] < end <= kept[n] for end in ends)}
        self._words, self._held, self._tool, self._names = words, arguments, tool, names
        self._taken = [False] * len(words)
        self.new: dict[str, Any] = {}
        self.dropped: set[str] = set()
        self.typed = self.prepositional = False
        held = parameters(tool)
        self._wanted = [p for p in held if p.name in missing] + [p for p in held if p.name not in missing]
        self._missing = missing
        self._places()
        self._times_and_numbers()
        self._choices()
        self._texts()

    def fit(self) -> float:
        """The share of the words that are values or FRAME_WORDS; those of the tool count half."""
        known = vocabulary(self._tool)
        open_words = [
            word for word, taken in zip(self._words, self._taken, strict=True) if not taken and word not in FRAME_WORDS
        ]
        left = sum(0.3 if stem(word) in known else 1.0 for word in open_words)
        return 1.0 - left / max(len(self._words), 4)

    def _take(self, start: int, end: int) -> None:
        for place in range(start, end):
            self._taken[place] = True

    def _places(self) -> None:
        known = zones_by_place()
        found = [
            (start, end, " ".join(self._words[start:end]))
            for end in range(len(self._words), 0, -1)
            for start in range(max(0, end - 4), end)
            if " ".join(self._words[start:end]) in known
        ]
        for parameter in self._wanted:
            if parameter.meaning != "timezone" and not parameter.names_place:
                continue
            if found:
                start, end, said = found[0]
                self.new[parameter.name] = known[said] if parameter.meaning == "timezone" else said
                self._take(start, end)
                self.typed = True
            elif not parameter.required and parameter.name in self._held and _HERE.search(" ".join(self._words)):
                self.dropped.add(parameter.name)
                self.typed = True

    def _times_and_numbers(self) -> None:
        times = [p for p in self._wanted if p.meaning == "time" and p.kind == "string"]
        counts = [p for p in self._wanted if p.kind in ("integer", "number") and not p.choices]
        if not times:
            if counts:
                self._numbers(counts)
            return
        said = " ".join(self._words)
        spans = []
        for match in re.finditer(rf"\b({CLOCK.pattern})(?= |$)", said):
            start = said[: match.start()].count(" ")
            spans.append((start, start + len(match[1].split()), match[1]))
        people = [span for span in spans if self._is_count(span)]
        clocks = [span for span in spans if span not in people and self._is_time(span)]
        bare = [span for span in spans if span not in people and span not in clocks]
        asked = next((p for p in (*times, *counts) if p.name in self._missing), None)
        for span in bare:
            only_time = (
                not counts or asked in times or people or (_TIME_SAID.search(said) and not _COUNT_SAID.search(said))
            )
            if counts and asked is None and not only_time and not _COUNT_SAID.search(said):
                only_time = self._nearer_time(span[2], times[0], counts[0])
            (clocks if only_time else people).append(span)
        if counts and people:
            start, end, _ = people[-1]
            numbers = [n for n in find_numbers(self._words) if n.start == start]
            if numbers and float(numbers[0].value).is_integer() and numbers[0].value >= 1:
                self.new[counts[0].name] = int(numbers[0].value)
                self._take(start, numbers[0].end)
                self.typed = True
        elif counts and not clocks:
            self._numbers(counts)
        if clocks:
            start, end, text = clocks[-1]
            self.new[times[0].name] = text
            self._take(start, end)
            self.typed = True

    def _nearer_time(self, said: str, time: Parameter, count: Parameter) -> bool:
        """Whether a bare number is nearer to the clock time held than to the count: "nine" for five people at eight."""
        number = parse_number(said)
        at, held = minutes_of(str(self._held.get(time.name, ""))), self._held.get(count.name)
        if number is None or at is None or not isinstance(held, int) or not 1 <= number <= 12:
            return False
        hours = abs((number * 60 - at + 360) % 720 - 360) / 60
        return hours < abs(number - held)

    def _is_count(self, span: tuple[int, int, str]) -> bool:
        start, end, _ = span
        before = self._words[start - 1] if start else ""
        return _COUNTED.match(" ".join(self._words[end : end + 3])) is not None or (
            (before == "for" or bool(_WE_ARE.search(" ".join(self._words[:start]))))
            and not _STRONG_CLOCK.search(span[2])
        )

    def _is_time(self, span: tuple[int, int, str]) -> bool:
        start, end, text = span
        before = self._words[start - 1] if start else ""
        after = self._words[end] if end < len(self._words) else ""
        moved_to = before == "to" and bool(_MOVES.intersection(self._words))
        return bool(_STRONG_CLOCK.search(text)) or before in _TO_TIME or after in ("o'clock", "pm", "am") or moved_to

    def _numbers(self, counts: Sequence[Parameter]) -> None:
        """The numbers as `fill` finds them, durations and units included."""
        given = fill(" ".join(self._words), self._tool).arguments
        for parameter in counts:
            value = given.get(parameter.name)
            if isinstance(value, int | float) and (parameter.smallest is None or value >= parameter.smallest):
                if parameter.kind == "integer" and not (float(value).is_integer() and value >= 1):
                    continue
                self.new[parameter.name] = value
                self.typed = True
                number: FoundNumber
                for number in find_numbers(self._words):
                    self._take(number.start, number.end)

    def _choices(self) -> None:
        enums = [p for p in self._wanted if p.choices]
        if not enums:
            return
        numbers = [n for n in find_numbers(self._words) if self._taken[n.start]]
        chosen = choose(self._words, enums, numbers, [False] * len(self._words))
        # A unit alone ("and in kilometers?") is the one that is wanted, not the one that was given.
        if len(chosen) == 1 and len(enums) == 2 and enums[0].choices == enums[1].choices and not numbers:
            chosen = {enums[1].name: next(iter(chosen.values()))}
        for name, value in chosen.items():
            self.new[name] = value
            self.typed = True
            said = {stem(word) for word in split_words(str(value))}
            for place, word in enumerate(self._words):
                if stem(word) in said:
                    self._take(place, place + 1)

    def _texts(self) -> None:
        wanted = [
            p for p in self._wanted
            if p.kind == "string" and not p.choices and p.meaning == "text" and p.name not in self.new
        ]  # fmt: skip
        if not wanted or any(p.names_place and p.name in self.new for p in self._wanted):
            return
        parameter = wanted[0]
        spans = self._free_spans(parameter)
        if not spans:
            return
        start, end = max(spans, key=lambda span: (self._worth(span, parameter), span[0]))
        if end - start > _LONGEST_VALUE:
            return
        value = self._words[start:end]
        if parameter.names_place and not self._missing and not self._led(start, end):
            return
        if parameter.noun == "room" and parameter.name not in self._missing and not self._is_room(start, end):
            return
        if value and value[-1] in ("one", "ones"):
            old = split_words(str(self._held.get(parameter.name, "")))
            noun = parameter.noun if parameter.noun in old else old[-1] if len(old) > 1 else ""
            value = [*value[:-1], *filter(None, [noun])]
        if value:
            self.new[parameter.name] = " ".join(value)
            self.prepositional = start > 0 and self._words[start - 1] in PREPOSITIONS
            self._take(start, end)

    def _is_verb(self, place: int) -> bool:
        """Whether a word is the verb of a command that follows a comma, or whose object is a pronoun: "undo that"."""
        word, behind = self._words[place], self._words[place + 1 : place + 2]
        if word in self._names:
            return False
        return behind in (["it"], ["that"], ["them"]) or (place in self._ends and word in COMMAND_VERBS)

    def _is_room(self, start: int, end: int) -> bool:
        """Whether words may be a room: a known one, or after "in the", or all that a fragment names."""
        before = [word for word in self._words[max(0, start - 3) : start] if word not in ARTICLES]
        told = {"is", "was", "it"}.intersection(self._words[:start]) or self._words[:2] == ["put", "on"]
        led = bool(before) and before[-1] in ("in", "at", "for", "of")
        whole = self._words[start:end] != ["done"] and set(self._words[:start] + self._words[end:]) <= _AROUND_A_ROOM
        return is_room(" ".join(self._words[start:end])) or led or (whole and not told)

    def _led(self, start: int, end: int) -> bool:
        """Whether a word that no list of places has may be one by what leads to it: "and in Bree", "no, Bree"."""
        if _PERSONS.intersection(self._words[end:]):
            return False  # "lucky her"
        if self._names.intersection(self._words[start:end]) or (start > 0 and self._words[start - 1] in _LEADING):
            return True
        alone = self._words[0] if end == 1 else ""
        return start == 0 and not says_act(alone) and not alone.endswith(("er", "est", "ly"))  # "shorter"

    def _worth(self, span: tuple[int, int], parameter: Parameter) -> float:
        start, end = span
        before = [word for word in self._words[max(0, start - 2) : start] if word not in ARTICLES]
        worth = float(bool(before) and before[-1] in PREPOSITIONS)
        worth += any(stem(word) == stem(parameter.noun) for word in self._words[start:end])
        worth += all(word in self._names or word in _JOINTS for word in self._words[start:end])
        return worth + 0.5 * (start > 0 and self._words[start - 1] in ARTICLES)

    def _free_spans(self, parameter: Parameter) -> list[tuple[int, int]]:
        """Runs of words that are not FRAME_WORDS, nor taken, nor words of the tool but its noun."""
        known, noun = vocabulary(self._tool), stem(parameter.noun)
        examples = {word for example in parameter.examples for word in split_words(example)}
        verb = command_place(self._words)
        counted = {place for n in find_numbers(self._words) for place in range(n.start, n.end + 1)}

        def free(place: int) -> bool:
            word = self._words[place]
            if self._is_verb(place):
                return False
            if parameter.names_place and word in NEVER_PLACES:
                return False
            if self._taken[place] or word in FRAME_WORDS or place == verb or place in counted:
                return False
            if word in NEVER_VALUES and word not in self._names:
                return False
            return word in self._names or stem(word) not in known or word in examples or stem(word) == noun

        spans: list[tuple[int, int]] = []
        place = 0
        while place < len(self._words):
            if not free(place):
                place += 1
                continue
            end = place + 1
            while end < len(self._words) and end not in self._ends and (
                free(end) or (self._words[end] in _JOINTS and end + 1 < len(self._words) and free(end + 1))
                or (self._words[end] == "of" and end + 2 < len(self._words) and free(end + 2))
            ):  # fmt: skip
                end += 1
            if end < len(self._words) and self._words[end] in ("one", "ones"):
                end += 1
            stop = end
            if noun in (own := [stem(word) for word in self._words[place:end]]) and own[0] != noun:
                stop = place + own.index(noun) + 1  # "the toy museum interests me"
            if any(stem(word) != noun for word in self._words[place:stop]):
                spans.append((place, stop))
            place = end
        return spans
