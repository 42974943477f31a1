"""Sentences that people may say to a set of tools, for the recogniser's language model."""

from __future__ import annotations

import functools
import itertools
import json
import re
from collections.abc import Iterator, Sequence

from agentaudio.conversation import ToolSpec
from agentaudio.model.embedded.routing.intents import CHAT, UNKNOWN, examples
from agentaudio.model.embedded.routing.parameters import Parameter, parameters
from agentaudio.text.numbers import find_numbers, number_words
from agentaudio.text.sentences import sentences
from agentaudio.text.spoken_form import spoken_form
from agentaudio.text.template import Phrase, Template
from agentaudio.text.words import split_words

MOST_SENTENCES = 4000
MOST_OF_ONE_TOOL = 1400
FILLINGS_OF_A_PHRASE = 24

_VALUES = {
    "city": (
        "london paris berlin new_york tokyo sydney madrid rome vienna chicago boston moscow beijing "
        "cairo dublin amsterdam los_angeles san_francisco toronto mumbai athens oslo lisbon prague"
    ),
    "country": "france germany china japan india italy spain england america brazil",
    "room": "kitchen bedroom living_room bathroom hallway office dining_room garage garden cellar",
    "hour": "six seven eight nine noon half_past_seven half_past_eight six_thirty eight_o'clock",
    "time": "six seven eight nine noon half_past_seven half_past_eight six_thirty eight_o'clock",
    "day": "monday tuesday wednesday thursday friday saturday sunday today tomorrow",
}
_NUMBERS = (*range(1, 21), 25, 30, 35, 40, 42, 45, 50, 55, 60, 70, 75, 80, 90, 100)
_SUMS = (
    "what is {a} plus {b}", "what is {a} minus {b}", "what is {a} times {b}", "what is {a} divided by {b}",
    "how much is {a} plus {b}", "how much is {a} times {b}", "how much is {a} minus {b}",
    "calculate {a} divided by {b}", "what is {a} percent of {b}", "multiply {a} by {b}", "add {a} and {b}",
    "divide {a} by {b}", "subtract {a} from {b}", "what is the square root of {a}", "what is {a} squared",
)  # fmt: skip
_ABOUT = (
    "tell me about {}", "give me a brief introduction to {}", "give me a short introduction to {}",
    "what is {}", "tell me something about {}", "what do you know about {}", "explain {}", "where is {}",
    "how long is {}", "how tall is {}", "how old is {}", "how far is {}", "how big is {}", "when was {} built",
    "when was {} invented", "who built {}", "who invented {}", "who designed {}", "why is {}", "how does {} work",
    "how many people visit {}", "what is {} made of", "how do i get to {}", "where does {} live", "what does {} eat",
)  # fmt: skip
_TOPICS = (
    "what is the {topic} in {value}", "what are the {topic} of {value}", "give me the {topic} for {value}",
    "tell me the {topic} of {value}", "how is the {topic} in {value}", "{topic} {value}",
)  # fmt: skip
_DEEDS = (
    "{verb} {topic} by {value}", "{verb} the {topic} in the {value}", "{verb} the {value} {topic}",
    "{verb} some {topic} by {value}", "please {verb} the {topic} {value}", "{verb} {value}",
)  # fmt: skip
_FETCHING = frozenset("get find show tell list read lookup fetch query check".split())
_DOING = frozenset(
    "play switch set book start stop turn open close send add make order call put run lock convert change".split()
)
_VOICES = (
    "answer in the voice of {}", "please answer in the voice of {}", "speak like {}", "sound like {}",
    "tell me about it in the voice of {}", "change your voice to {}",
)  # fmt: skip


def expected_sentences(tools: Sequence[ToolSpec]) -> list[str]:
    """Sentences that a user of these tools may say: lower case, numbers as words, no punctuation.

    The tools' phrases with the slots of templates filled, their descriptions, chat, and for the tools that
    come with agentaudio their intent examples, sums and questions about the documents' titles.
    Deterministic, at most MOST_SENTENCES, each once.
    """
    # The key is what the sentences depend on; a specification may hold a dict, which cannot be one.
    schemas = [json.dumps(tool.parameters, default=str) for tool in tools]
    keys = ((tool.name, tool.description, schema, tool.phrases) for tool, schema in zip(tools, schemas, strict=True))
    return list(_expected(tuple(keys)))


@functools.lru_cache(maxsize=8)
def _expected(keys: tuple[tuple[str, str, str, tuple[Phrase, ...]], ...]) -> tuple[str, ...]:
    found = dict.fromkeys(_plain(sentence) for sentence in (*examples()[CHAT], *examples()[UNKNOWN]))
    tools = [ToolSpec(name, description, json.loads(schema), phrases) for name, description, schema, phrases in keys]
    of_tools = [list(dict.fromkeys(filter(None, map(_plain, _of(tool))))) for tool in tools]
    # Where there are too many, the tools with most to say leave out the last of it.
    for own in sorted(of_tools, key=len):
        found.update(dict.fromkeys(own[:MOST_OF_ONE_TOOL]))
    return tuple(itertools.islice(found, MOST_SENTENCES))


def _of(tool: ToolSpec) -> Iterator[str]:
    held = {parameter.name: parameter for parameter in parameters(tool)}
    yield from examples().get(tool.name, ())
    if any(parameter.meaning == "expression" for parameter in held.values()):
        yield from _sums()
    if any(parameter.meaning == "timezone" for parameter in held.values()):
        for place in _VALUES["city"].split() + _VALUES["country"].split():
            yield f"what time is it in {place}"
    phrases = [phrase for phrase in tool.phrases if isinstance(phrase, Template) or phrase.strip()]
    sentences = [phrase for phrase in phrases if isinstance(phrase, str)]
    if any(parameter.meaning == "query" for parameter in held.values()):
        for title in (phrase for phrase in sentences if len(phrase.split()) <= 6 and not phrase.endswith(".")):
            yield from (about.format(title) for about in _ABOUT)
    if any(parameter.meaning == "voice" for parameter in held.values()):
        for who in (match[1] for phrase in sentences if (match := re.search(r"(?:voice of|like) (.+)", phrase))):
            yield from (wish.format(who) for wish in _VOICES)
    counted = any(parameter.kind in ("integer", "number") for parameter in held.values())
    for phrase in phrases:
        if isinstance(phrase, Template):
            yield from _filled(phrase, held)
            continue
        yield phrase
        if counted:
            yield from _renumbered(phrase)
    if not phrases:
        yield from _named(tool, held)
    yield from _described(tool, held)


def _sums() -> Iterator[str]:
    numbers = [number_words(number) for number in (*range(1, 101), *range(110, 1000, 10), 1000, 1500, 2000)]
    for place, number in enumerate(numbers):
        # Each number is on both sides of a few operators, which is enough for a trigram model.
        for step in range(3):
            request = _SUMS[(place * 3 + step) % len(_SUMS)]
            yield request.format(a=number, b=numbers[(place * 37 + step * 11) % len(numbers)])


def _filled(template: Template, held: dict[str, Parameter]) -> Iterator[str]:
    """The template with values of its parameters; a slot without any keeps the words of its name."""
    values = {slot: found for slot in template.slots if slot in held and (found := _values(held[slot]))}
    rows = max((len(options) for options in values.values()), default=1)
    for row in range(min(rows, FILLINGS_OF_A_PHRASE)):
        yield template.filled({slot: options[(row * 7 + len(slot)) % len(options)] for slot, options in values.items()})


def _renumbered(sentence: str) -> Iterator[str]:
    """The sentence with other numbers in place of its own: "a timer for ten minutes"."""
    words = sentence.lower().split()
    for number in find_numbers(words):
        for value in _NUMBERS:
            yield " ".join([*words[: number.start], number_words(value), *words[number.end :]])


def _described(tool: ToolSpec, held: dict[str, Parameter]) -> Iterator[str]:
    """The sentences of the description, and the first one with values in place of "a city"."""
    parts = [part for whole in sentences(tool.description) for part in re.split(r"(?<=[:;])\s+", whole)]
    yield from parts
    for parameter in held.values():
        for value in _values(parameter)[:FILLINGS_OF_A_PHRASE]:
            yield value
            for sentence in parts[:1]:
                # Not `sub`, which would read the value as a template.
                pieces = re.split(rf"\b(?:an?|the) {re.escape(parameter.noun)}\b", sentence.lower())
                if len(pieces) > 1:
                    yield value.join(pieces)


def _named(tool: ToolSpec, held: dict[str, Parameter]) -> Iterator[str]:
    """Sentences made of the tool's name, for tools without phrases."""
    words = [word for word in tool.name.lower().split("_") if word]
    verb = words[0] if words and words[0] in _DOING else ""
    topic = " ".join(words[1:] if verb or (words and words[0] in _FETCHING) else words)
    for parameter in held.values():
        if parameter.kind == "string" and parameter.meaning == "text":
            for value in _values(parameter)[:FILLINGS_OF_A_PHRASE]:
                for request in _DEEDS if verb else _TOPICS:
                    yield request.format(verb=verb, topic=topic, value=value)


def _values(parameter: Parameter) -> tuple[str, ...]:
    if parameter.choices:
        return tuple(str(choice).replace("_", " ") for choice in parameter.choices)
    if parameter.kind in ("integer", "number"):
        return tuple(number_words(number) for number in _NUMBERS)
    usual = "" if parameter.examples else parameter.noun
    common = _VALUES.get(parameter.noun, usual).split()
    return tuple(dict.fromkeys([*parameter.examples, *(value.replace("_", " ") for value in common)]))


def _plain(sentence: str) -> str:
    return " ".join(word for word in split_words(spoken_form(sentence)) if word[0].isalpha())
