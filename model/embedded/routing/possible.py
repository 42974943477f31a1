"""`may_serve`: which tools a request cannot be for, by its verb and its tense."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from agentaudio.conversation import ToolSpec
from agentaudio.model.embedded.routing.arithmetic import expression
from agentaudio.model.embedded.routing.choices import is_spelling
from agentaudio.model.embedded.routing.intents import examples, examples_like, is_room
from agentaudio.model.embedded.routing.parameters import parameters, vocabulary
from agentaudio.text.numbers import find_numbers
from agentaudio.text.stems import stem
from agentaudio.text.template import Template
from agentaudio.text.words import QUESTION_WORDS, STOP_WORDS, command_place, is_question, split_words

SEARCHES = frozenset(("search_documents", "web_search"))
_TELLS = frozenset(
    "tell get find search look show list read give say check report return fetch describe explain query retrieve "
    "provide display compute calculate convert translate measure count compare work solve evaluate".split()
)
"""First words of the descriptions of tools that give an answer."""
_DOES = frozenset(
    "set start play book reserve switch turn send call open close order create add make cancel delete change move stop "
    "lock unlock write put buy schedule remind control dim record".split()
)
"""First words of the descriptions of tools that do something."""
_ASKED_FOR = _TELLS | frozenset("let help repeat speak talk answer google do use teach write come go want".split())
"""Verbs of commands that any tool with an answer may serve."""
_FACT = re.compile(
    r"(?:(?:and|but|so|okay|now|then|well) )*(?:who|whose|whom|why|when (?:did|was|were)|where (?:did|was|were|do|"
    r"does)|how (?:old|tall|big|heavy|deep|many people|did|does|do (?:they|the))|what (?:did|was|were|does)|(?:is|are|"
    r"was|were|did|does|has|have) (?!(?:there|that possible|it possible|you|we|i)\b)\w+|(?:can|could|may|should|must) "
    r"(?!(?:you|we|i|somebody|someone|anybody|anyone|that|it|this|the|my|our)\b)(?!\w+ (?:please )?(?:tell|say|read|"
    r"answer|explain|repeat) (?:me|us|it|that|the)\b)\w+|(?:(?:can|could|would|will) you (?:please |just )?(?:tell|"
    r"remind) me|tell me|do you (?:know|remember)|i wonder) (?:who|whose|why|what|where|how (?:old|tall|big|heavy|deep|"
    r"far|long|fast|many people))(?! (?:is|are) (?:on|playing)\b))\b"
)
_ABOUT = re.compile(
    r"(?:(?:and|but|so|okay|now|then|well|please|can you|could you) )*(?:(?:tell|teach) me (?:something |more |a bit "
    r")?about|explain|describe|who|whose|why|how (?:big|old|tall|large|deep|heavy|many people))\b"
)
"""Questions for facts that hold for long."""
_PAST = re.compile(r"\b(?:did|was|were|had)\b(?!.*\b(?:i|you|we) (?:say|said|ask|asked|mean|meant)\b)")
_AT_CLOCK = re.compile(
    r"\b(?:at|until|by) (?:about |around )?(?:(?:half|a quarter|quarter|ten|five|twenty) (?:past|to) )?(?:one|two|"
    r"three|four|five|six|seven|eight|nine|ten|eleven|twelve|noon|midnight|\d{1,2})\b(?! (?:minutes?|hours?|"
    r"seconds?)\b)"
)
_ALARM_FOR = re.compile(
    r"\b(?:alarm|wake|ring|buzz)\b.* for (?:about |around )?"
    r"(?:(?:half|a quarter|quarter|ten|five|twenty) (?:past|to) \w+|"
    r"\w+(?: \w+)? (?:o'clock|o clock|a m|p m|am|pm|in the (?:morning|evening|afternoon)|tomorrow|tonight))\b"
)
_DURATION = re.compile(r"\b(?:minutes?|hours?|seconds?)\b")
_HEARS_ABOUT = re.compile(r"\b(?:hear|know|learn|read|tell (?:me|us)|talk)(?: more| something| a bit)? about\b")
_ONLINE = re.compile(r"\b(?:on|in|over) the (?:internet|web|net)\b|\b(?:online|google)\b")
_MY_VOICE = re.compile(r"\b(?:understand|follow|hear|get|recognise|recognize|know) my (?:\w+ )?(?:accent|voice)\b")
_FIXED = re.compile(
    r"(?:(?:and|but|so|okay|now|then|well) )*(?:who|whose|why|how (?:big|old|tall|large|deep|heavy|many people))\b"
)
_NOW = re.compile(r"\b(?:today|now|current|currently|tonight|weather|forecast)\b")


_WAY = re.compile(
    r"\b(?:(?:best|quickest|fastest|shortest|easiest|nicest) (?:way|route)|directions|"
    r"how (?:do|can|should|could|would|will) (?:i|we)(?: best)? (?:get|go|walk|drive|cycle|travel)|"
    r"how (?:i|we) (?:can |could |should )?(?:get|go|walk|drive|cycle|travel))\b.*"
    r"\b(?:from here|home|to the (?:nearest|next|\w+ station|station|airport|hospital|bus stop|"
    r"city cent\w+|town cent\w+|beach|harbour|supermarket))\b"
)
"""Questions for a way that begins where the speaker is."""
_GUIDES = frozenset(map(stem, ("way", "route", "directions", "navigate", "travel", "journey", "map")))
_WISHES_FOR = re.compile(
    r"\b(?:play\w*|put|stick|chuck|throw|pop|blast|crank|hear(?! (?:about|of)\b)|listen|spin|queue|by|tunes?|songs?|"
    r"music|album|something (?:by|from|else))\b"
)
_PLAYS_AT = re.compile(
    r"\b(?:we|i|they|he|she|you|to) (?:\w+ ){0,3}?play\w* (?:at|with|against|in (?:a|the|our|my)|on (?:a|the|\w+day))\b"
)
_OWN_THING = re.compile(
    r"\b(?:track|put|in|on|to|for|into) (?:it |that |them )?(?:in |on |into |down in )?(?:my|our|his|her|their) "
    r"(?!(?:favou?rite|son|daughter|wife|husband|mum|dad|kids?|children)\b)(?:\w+ )?\w+$"
)
_DAYS = frozenset("monday tuesday wednesday thursday friday saturday sunday weekend today tomorrow".split())
_MAY_WISH = re.compile(
    r"\b(?:please|some|bit of|want|need|fancy|(?:would|i'd|we'd) (?:like|love)|how about|what about|gimme|give|go with|"
    r"mood for|(?:could|can) (?:i|we) (?:get|have))\b"
)
"""What a request says that wishes for something."""
_DARK = re.compile(
    r"\b(?:dark\w*|bright\w*|lights?|lamps?|lit|dim|glow|bulbs?|it|that|them|this|one|ones|everything)\b"
)
_CAPITAL_INSIDE = re.compile(
    r"(?<=[\w,] )(?!(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|January|February|March|April|May|June|July|August|"
    r"September|October|November|December|Christmas|Easter)s?\b)[A-Z]\w+"
)
_CLOCK = re.compile(r"\b(?:times?|dates?|days?|clocks?|hours?|o'clock|late|early|today|calendar|weekday|year|month)\b")
_REMARKS = re.compile(
    r"(?:(?:good|well|oh) )?(?:mornin|morning|afternoon|evenin|evening|hello|hiya|hi|howdy|g'day|hey)\b|"
    r"(?:(?:mm+|oh|ah|aw|ooh) )*(?:that|it|this) (?:is|was|sounds|looks|feels)\b"
)


def may_serve(text: str, tool: ToolSpec, tools: Sequence[ToolSpec]) -> bool:
    """Whether the form of a request allows that it is for this tool.

    A tool that does something does not answer "who built it", a tool that tells something does not serve "open it"
    unless its examples begin with that verb, and one that tells what is so today does not answer "when did it open"
    where another one searches.
    """
    words = split_words(text)
    said = " ".join(words)
    if (units := _CONVERTED.search(said)) is not None and not _has_units(tool, units):
        return False  # nothing else knows how many litres a gallon has
    if (_AT_CLOCK.search(said) or _ALARM_FOR.search(said)) and not _DURATION.search(said) and _counts_only(tool):
        return False  # "wake me at six" is nothing for a tool that takes minutes
    if _WAY.search(said) and not _GUIDES.intersection(vocabulary(tool)):
        return False  # nothing but a map knows where the speaker stands
    if does(tool):
        if "alarm" in words and stem("alarm") not in vocabulary(tool) and not _counts_only(tool):
            return False
        if takes_a_name(tool) and (_PLAYS_AT.search(said) or _OWN_THING.search(said) or _ends_in_a_day(words)):
            return False  # "we have to play at a wedding", "track my run", "please tell me it's Saturday"
        if takes_a_name(tool) and not _speaks_of(tool, words) and not _WISHES_FOR.search(said):
            if re.search(r"\b(?:do|will|would|should) (?:i|we) (?:need|want)\b", said):
                return False  # "do I need a brolly?"
            if _DURATION.search(said) or _REMARKS.match(said) or names_another(said, tool, tools):
                return False  # no artist is called "laundry light back on"
            if len(words) > 1 and not _MAY_WISH.search(said) and not holds_name(text):
                return False  # "lunch break", "the customers love him"
        if _is_of_rooms(tool) and not (any(map(is_room, words)) or _named_in(tool, words) or _DARK.search(said)):
            return False  # "put on Kendrick Lamar" names no room and no light
        if is_question(text) and not _named_in(tool, words) and len(find_numbers(words)) > 1 and expression(words):
            return False  # "what do three pizzas at 11 and two salads at 8 come to" books nothing
        if _MONEY.search(said) and not _named_in(tool, words) and not _speaks_of_money(tool):
            return False  # "28 tickets at three pounds" books no table
        if (deed := command_place(words)) is not None and words[deed] in _OWN_DEEDS and not _speaks_of(tool, words):
            return False  # "buy me a skateboard" is nothing for a tool that plays music
        if _MY_VOICE.search(said) and any(parameter.meaning == "voice" for parameter in parameters(tool)):
            return False  # the user's own
        return not (_FACT.match(said) or _ABOUT.match(said) or _HEARS_ABOUT.search(said))
    if tool.name == "search_documents" and _ONLINE.search(said) and any(other.name == "web_search" for other in tools):
        return False
    if not tells(tool):
        return True
    if _is_clock(tool) and "?" not in text and not QUESTION_WORDS.intersection(words) and not _CLOCK.search(said):
        return False  # "another Monday" asks for no date
    if (
        tool.name not in SEARCHES
        and (_PAST.search(said) or _FIXED.match(said))
        and _NOW.search(tool.description.lower())
    ):
        return not any(other.name in SEARCHES for other in tools)
    if (
        tool.name not in SEARCHES
        and _OTHER_MATTERS.intersection(words)
        and not _mentions(tool, _OTHER_MATTERS.intersection(words))
    ):
        return False
    verb = command_place(words)
    if verb is None or words[verb] in _ASKED_FOR:
        return True
    phrases = tuple(p.filled({}) if isinstance(p, Template) else p for p in tool.phrases[:64])
    return words[verb] in _verbs(tool.name, tool.description, phrases)


_MONEY_WORDS = "pound pounds euro euros dollar dollars cent cents pence quid bucks price prices apiece".split()
_MONEY = re.compile(rf"\b(?:{'|'.join(_MONEY_WORDS)}|how much|at [\w.]+ each)\b")


def _speaks_of_money(tool: ToolSpec) -> bool:
    return any(stem(word) in vocabulary(tool) for word in ("money", *_MONEY_WORDS))


_OWN_DEEDS = frozenset(
    "buy email text pay print download upload post delete sell phone invite draw clean wash fix repair cook bake feed "
    "drive park translate message photograph paint sew iron mow water".split()
)
"""Verbs of commands that say all of what is to be done."""


def holds_name(text: str) -> bool:
    """Whether a word other than the first is written with a capital, and is no day or month."""
    return _CAPITAL_INSIDE.search(text) is not None


_UNIT = (
    r"(?:(?:kilo|centi|milli|deci)?(?:met(?:er|re)|gram(?:me)?|lit(?:er|re))|mile|yard|foot|feet|inch|pound|ounce|"
    r"stone|kilo|tonne?|pint|gallon|quart|cup|acre|hectare|celsius|fahrenheit|kelvin|knot|league|furlong|fathom|"
    r"nautical mile|light year)(?:e?s)?"
)
_CONVERTED = re.compile(
    rf"\bhow many ({_UNIT}) (?:are|is|make|makes|in|does|do)\b.*?\b(?:an?|one|[\w.]+) ({_UNIT})\b|"
    rf"\bconvert .*?\b({_UNIT}) (?:to|into|in) ({_UNIT})\b|"
    rf"\b(?:what is|what are|how much is|how much are) [\w. ]+? (?:degrees )?({_UNIT}) (?:to|into|in) "
    rf"(?:degrees )?({_UNIT})\b|"
    rf"\b(?:how much|how many|what) (?:is|are|would) (?:that|it|this)(?: be)? in ({_UNIT})\b|"
    rf"\bhow (?:much|many) (?:is|are) (?:an?|\d[\d.]*|\w+) ({_UNIT})$"
)


def _has_units(tool: ToolSpec, converted: re.Match[str]) -> bool:
    """Whether a tool knows both units of a conversion."""
    units = {value for value in converted.groups() if value}
    choices = {spelling for p in parameters(tool) for choice in p.choices for spelling in split_words(str(choice))}
    return all(any(is_spelling(unit, choice) for choice in choices) or stem(unit) in vocabulary(tool) for unit in units)


def takes_a_name(tool: ToolSpec) -> bool:
    """Whether all that a tool takes is one free text, which any words may be."""
    held = parameters(tool)
    return len(held) == 1 and held[0].kind == "string" and not held[0].choices and held[0].meaning == "text"


def names_another(said: str, tool: ToolSpec, tools: Sequence[ToolSpec]) -> bool:
    """Whether a request names what another tool that does something is for, and this one takes whatever name it has."""
    words = said.split()
    others = [other for other in tools if other is not tool and does(other) and not takes_a_name(other)]
    return takes_a_name(tool) and any(_named_in(other, words) for other in others)


def _named_in(tool: ToolSpec, words: Sequence[str]) -> bool:
    """Whether the words hold one of the tool's name, its verb left out: "light" for `switch_light`."""
    return bool(
        set(split_words(tool.name.replace("_", " "))[1:]) & {*words, *(word.removesuffix("s") for word in words)}
    )


def _speaks_of(tool: ToolSpec, words: Sequence[str]) -> bool:
    """Whether a word that carries a topic is one of the tool's."""
    known = vocabulary(tool)
    return any(stem(word) in known for word in words if word not in STOP_WORDS)


_OTHER_MATTERS = frozenset(
    "free cost costs price prices ticket tickets admission fee fees entrance expensive cheap parking cafe toilets "
    "toilet wheelchair exhibition exhibitions address directions phone email website".split()
)
"""What one may ask about a place or a thing, and what a tool answers only if it says so."""


def _mentions(tool: ToolSpec, words: frozenset[str]) -> bool:
    """Whether a tool speaks of one of the words, or reckons or converts, where anything may be counted."""
    held = parameters(tool)
    return bool({stem(word) for word in words} & vocabulary(tool)) or any(
        parameter.meaning == "expression" or parameter.kind in ("number", "integer") for parameter in held
    )


def _ends_in_a_day(words: Sequence[str]) -> bool:
    """Whether the last word that carries a topic is a day."""
    left = [word for word in words if word not in STOP_WORDS and word != "please"]
    return bool(left) and left[-1] in _DAYS


def _is_of_rooms(tool: ToolSpec) -> bool:
    """Whether a tool acts on a room, and is named after what it switches there."""
    return any(parameter.noun == "room" for parameter in parameters(tool))


def _is_clock(tool: ToolSpec) -> bool:
    """Whether a tool tells the time, and takes nothing but a time zone."""
    held = parameters(tool)
    return bool(held) and all(parameter.meaning == "timezone" for parameter in held)


def _counts_only(tool: ToolSpec) -> bool:
    """Whether all that a tool takes are numbers."""
    held = parameters(tool)
    return bool(held) and all(parameter.kind in ("integer", "number") for parameter in held)


def tells(tool: ToolSpec) -> bool:
    """Whether a tool gives an answer, rather than doing something."""
    return opens_with(tool.description, _TELLS)


def does(tool: ToolSpec) -> bool:
    """Whether a tool does something, rather than giving an answer."""
    return opens_with(tool.description, _DOES)


def opens_with(description: str, verbs: frozenset[str]) -> bool:
    """Whether the first word of a description is one of the verbs: "get" or "gets"."""
    first = (split_words(description) or [""])[0]
    return first in verbs or first.removesuffix("s") in verbs


@functools.lru_cache(maxsize=512)
def _verbs(name: str, description: str, phrases: tuple[str, ...]) -> frozenset[str]:
    """The verbs of the commands among what people say to a tool."""
    found = set(split_words(name.replace("_", " "))[:1] + split_words(description)[:1])
    for text in (*phrases, *examples().get(name, ()), *examples_like(name, description)):
        words = split_words(text)
        if (place := command_place(words)) is not None:
            found.add(words[place])
    return frozenset(found)
