"""The features of a request and a tool that the router weighs."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agentaudio.conversation import ToolSpec
from agentaudio.model.embedded.routing.arithmetic import expression
from agentaudio.model.embedded.routing.intents import CHAT, UNKNOWN, examples, examples_like, may_stand_for
from agentaudio.model.embedded.routing.parameters import MANY_PHRASES, Parameter, parameters, vocabulary
from agentaudio.model.embedded.routing.slots import Slots, fill
from agentaudio.model.embedded.routing.time_zones import find_zones, zones_by_place
from agentaudio.text.embedding import Embed
from agentaudio.text.numbers import find_numbers
from agentaudio.text.stems import stem
from agentaudio.text.template import Template
from agentaudio.text.words import STOP_WORDS, content_words, is_question, split_words, stems

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FEATURES = (
    "description", "phrase", "no_phrases", "explained", "rarest", "name_said", "filled", "missing", "exact_template",
    "number_fits", "number_ignored", "choice_said", "place_fits", "voice_said", "sum", "command_unmatched",
    "documents", "documents_question", "documents_lead", "documents_overlap", "documents_fresh", "documents_statement",
    "web", "web_said", "web_question", "web_fresh", "web_alone_question",
    "chat", "chat_near", "chat_question", "chat_statement", "chat_short",
    "unknown", "unknown_near", "unknown_question", "unknown_command", "unknown_statement",
)  # fmt: skip
"""Names of the features, in the order of Candidate.features. Those before "documents" apply to every tool, the others
to one candidate each."""

DOCUMENTS, WEB = "search_documents", "web_search"
PHRASES_COMPARED = 12
HANDLED = 0.5
"""Cosine of a command and a description at which the tool is assumed to handle the command."""

LIKE = 0.55
"""Cosine at which an example of a tool's domain counts as a phrase of the tool."""
LESS = 0.85
"""Weight of such an example beside a phrase of the tool itself."""

SAME = 0.93
"""Cosine at which a request is what people say to a tool of the domain, whatever words it has."""

_LEAD = re.compile(
    r"\b(?:tell (?:me|us) (?:something |more |a bit |a little )?about|introduction|explain|describe|"
    r"know about|learn|interested in|history of|curious|overview|summary|what happened)\b"
)
_WEB_SAID = re.compile(
    r"\b(?:web|internet|online|google|website|net|browse|news(?! (?:presenter|reader|anchor|announcer))|headlines?|"
    r"search engine)\b"
)
_VOICE_SAID = re.compile(
    r"^(?:(?:please|now|and|just|can you|could you) )*whisper\b|\bin (?:a )?whispers?(?:ing)?\b|"
    r"\b(?:voice|accent|imitate|impersonate|pretend to be|sound(?:ing)? (?:like|more|as)|"
    r"(?:speak|talk|answer|reply)(?:ing)? (?:to me |to us |\w+ )?(?:like|as|with|normally)|"
    r"(?:hear|listen to|talk to|have) (?:someone|somebody|a person) (?:from|with|who|old|young|else)\b|"
    r"(?:hear|listen to) (?:an?|the) \w+(?: \w+)? (?:man|woman|girl|boy|lady|person|child|voice))\b"
)
_FRESH = re.compile(
    r"\b(?:news|latest|headlines?|yesterday|last (?:night|week|weekend|month)|recent(?:ly)?|this (?:week|morning|year)|"
    r"right now|currently|at the moment|today|tonight|next (?:week|month|year)|newest|current)\b"
)
_DURATION = re.compile(
    r"\b(?:half an hour|(?:a |three )?quarters? of an hour|(?:an|one) hour(?: and a (?:half|quarter))?|"
    r"(?:a|one) minute(?: and a half)?|an hour and [\w ]+? minutes)\b"
)
_STATEMENT = re.compile(
    r"^(?:(?:i|we|he|she|they|it|my|our|his|her|the|a|that|there|this|you|your|most|some|yesterday|last|in|on) )"
    r"(?!(?:want|need|would|like|am interested|could|can|should|must|wish|have to)\b)"
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A possible target of a request.

    name: of the tool, or "chat" or "unknown"
    tool: None for "chat" and "unknown"
    features: in the order of FEATURES
    """

    name: str
    tool: ToolSpec | None
    features: tuple[float, ...]


def candidates(text: str, tools: Sequence[ToolSpec], embed: Embed, hide: str | None = None) -> list[Candidate]:
    """All tools, "chat" and "unknown", with their features for the request.

    embed: text embedder; it should cache, since descriptions and phrases recur
    hide: an example to leave out of comparisons, for fitting on that example
    """
    said = " ".join(split_words(text)) or text
    speakers = _speakers(tools)
    heard = [_heard(text, said, tool, speakers) for tool in tools]
    # One batch, which takes less time than one text after the other; the cache gives each of them back below.
    request = embed(list(dict.fromkeys([said, *(way for one in heard for way in (one.bare, *one.frames))])))[0]
    asked = is_question(said)
    lead = bool(_LEAD.search(said))
    fresh = bool(_FRESH.search(said))
    statement = bool(_STATEMENT.match(said)) and not lead
    command = not asked and not lead and not statement
    rarity = _rarity(tools)
    found: list[Candidate] = []
    for tool, one in zip(tools, heard, strict=True):
        shared = _of_tool(one, said, request, tool, embed, rarity, hide, command)
        if tool.name == DOCUMENTS:
            shared |= {
                "documents": 1.0,
                "documents_question": float(asked),
                "documents_lead": float(lead),
                "documents_overlap": _overlap(said, tool),
                "documents_fresh": float(fresh),
                "documents_statement": float(statement),
            }
        elif tool.name == WEB:
            alone = all(other.name != DOCUMENTS for other in tools)
            shared |= {
                "web": 1.0,
                "web_said": float(bool(_WEB_SAID.search(said))),
                "web_question": float(asked),
                "web_fresh": float(fresh),
                "web_alone_question": float(alone and (asked or lead)),
            }
        found.append(_candidate(tool.name, tool, shared))
    chat, _ = _nearest(request, examples()[CHAT], embed, hide)
    other, _ = _nearest(request, _unhandled(tools, embed), embed, hide)
    found.append(
        _candidate(
            CHAT,
            None,
            {
                "chat": 1.0,
                "chat_near": chat,
                "chat_question": float(asked),
                "chat_statement": float(statement),
                "chat_short": 1.0 / len(said.split()) if said.split() else 1.0,
            },
        )
    )
    found.append(
        _candidate(
            UNKNOWN,
            None,
            {
                "unknown": 1.0,
                "unknown_near": other,
                "unknown_question": float(asked),
                "unknown_command": float(command),
                "unknown_statement": float(statement),
            },
        )
    )
    return found


def _candidate(name: str, tool: ToolSpec | None, values: dict[str, float]) -> Candidate:
    return Candidate(name, tool, tuple(values.get(feature, 0.0) for feature in FEATURES))


@dataclass(frozen=True, slots=True)
class _Heard:
    """What a request holds for a tool.

    bare: the request without its values; frames: as the examples of domains are written
    """

    slots: Slots
    bare: str
    frames: tuple[str, ...]


def _heard(text: str, said: str, tool: ToolSpec, speakers: frozenset[str]) -> _Heard:
    slots, wanted = fill(text, tool), parameters(tool)
    frames: list[str] = []
    if examples_like(tool.name, tool.description):
        frames.append(_pointing(said, slots.arguments, wanted))
        if not slots.missing:
            frames.append(_framed(said, slots.arguments, wanted, speakers))
    return _Heard(slots, _without_values(said, slots.arguments, wanted), tuple(dict.fromkeys(frames)))


def _of_tool(
    heard: _Heard,
    said: str,
    request: NDArray[np.float32],
    tool: ToolSpec,
    embed: Embed,
    rarity: dict[str, float],
    hide: str | None,
    command: bool,
) -> dict[str, float]:
    shown = _described(tool)
    rows = embed(shown)
    description = float((rows @ request).max())
    bank = (*_comparable(said, tool), *examples().get(tool.name, ()))
    phrase, _ = _nearest(request, bank, embed, hide)
    known = vocabulary(tool)
    words = content_words(said)
    weights = {word: rarity.get(stem(word), _UNSEEN) for word in words}
    total = sum(weights.values())
    explained = sum(weight for word, weight in weights.items() if stem(word) in known)
    rarest = max((weight for word, weight in weights.items() if stem(word) in known), default=0.0)
    slots, wanted = heard.slots, parameters(tool)
    if heard.bare != said:
        description = max(description, float((rows @ embed([heard.bare])[0]).max()))
    near = examples_like(tool.name, tool.description)
    like = max((_nearest(vector, near, embed, hide)[0] for vector in embed(heard.frames)), default=0.0)
    if like >= LIKE:
        phrase = max(phrase, LESS * like)
    if like >= SAME:
        rarest = _UNSEEN
    required = [parameter for parameter in wanted if parameter.required]
    takes_number = any(parameter.kind in ("integer", "number") for parameter in wanted)
    got_number = any(isinstance(value, int | float) for value in slots.arguments.values())
    names = {stem(word) for word in re.split(r"[\W_]+", tool.name.lower()) if word not in STOP_WORDS}
    return {
        "description": description,
        "phrase": phrase,
        "no_phrases": float(not bank and like < LIKE),
        "explained": explained / total if total else 0.0,
        "rarest": rarest / _UNSEEN,
        "name_said": len(names & {stem(word) for word in words}) / max(1, len(names)),
        "filled": 1.0 - len(slots.missing) / len(required) if required else 0.5,
        "missing": float(bool(slots.missing)),
        "exact_template": float(slots.exact),
        "number_fits": float(takes_number and got_number),
        "number_ignored": float(not takes_number and _has_number(said) and not _takes_sum(tool)),
        "choice_said": float(any(p.choices and p.name in slots.arguments for p in wanted)),
        "place_fits": _place_fits(slots.arguments, wanted),
        "voice_said": float(any(p.meaning == "voice" for p in wanted) and bool(_VOICE_SAID.search(said))),
        "sum": float(_takes_sum(tool) and expression(said.split()) is not None),
        "command_unmatched": float(command and explained == 0),
    }


def _place_fits(arguments: Mapping[str, Any], wanted: Sequence[Parameter]) -> float:
    """1 where a place is the value of a parameter for places, -1 where it is that of another free one, else 0."""
    held = [p for p in wanted if p.meaning == "text" and arguments.get(p.name) in zones_by_place()]
    if any(p.names_place for p in held):
        return 1.0
    return -1.0 if held and not any(p.choices or p.kind != "string" for p in held) else 0.0


def _without_values(said: str, arguments: Mapping[str, Any], wanted: Sequence[Parameter]) -> str:
    """The request with free values replaced by the names of their parameters: "a song by artist"."""
    for parameter in wanted:
        value = arguments.get(parameter.name)
        if parameter.meaning == "text" and isinstance(value, str) and not parameter.choices:
            said = f" {said} ".replace(f" {value} ", f" {parameter.noun} ", 1).strip()
    return said


def _pointing(said: str, arguments: Mapping[str, Any], wanted: Sequence[Parameter]) -> str:
    """The request with "there" for its places, as in the examples of domains."""
    for parameter in wanted:
        value = arguments.get(parameter.name)
        if parameter.names_place and isinstance(value, str):
            said = re.sub(rf"\b(?:(?:over )?(?:in|for|at|to) )?{re.escape(value)}\b", "there", said, count=1)
    words = split_words(said)
    for start, end, _ in reversed(find_zones(words)):
        start -= start > 0 and words[start - 1] in ("in", "for", "at", "to")
        words[start:end] = ["there"]
    return " ".join(words)


def _framed(said: str, arguments: Mapping[str, Any], wanted: Sequence[Parameter], speakers: frozenset[str]) -> str:
    """The request with a word for each value: "put some artist on there", "wake me in ten minutes"."""
    free = [
        parameter for parameter in wanted
        if not parameter.names_place and _fits_noun(str(arguments.get(parameter.name, "")), parameter, speakers)
    ]  # fmt: skip
    said = _without_values(_DURATION.sub("ten minutes", said), arguments, free)
    words = said.split()
    for number in reversed(find_numbers(words)):
        words[number.start : number.end] = ["ten"]
    return _pointing(" ".join(words), arguments, wanted)


def _fits_noun(value: str, parameter: Parameter, speakers: frozenset[str]) -> bool:
    """Whether the noun of a parameter may stand for a value: "museum" only for one of those that end in "museum"."""
    if value.lower() in speakers:
        return False  # "I want to hear Frank", who is one of the voices
    return may_stand_for(parameter.noun, value)


def _speakers(tools: Sequence[ToolSpec]) -> frozenset[str]:
    """The names of voices among the phrases of the tools, in lower case."""
    opening = "answer in the voice of "
    phrases = (phrase for tool in tools for phrase in tool.phrases if isinstance(phrase, str))
    return frozenset(phrase.removeprefix(opening).lower() for phrase in phrases if phrase.startswith(opening))


_UNSEEN = 3.0


def _rarity(tools: Sequence[ToolSpec]) -> dict[str, float]:
    """Inverse document frequency of stems, with tools as documents."""
    counts = Counter(word for tool in tools for word in vocabulary(tool))
    return {word: max(0.2, min(_UNSEEN, math.log((1 + len(tools)) / count))) for word, count in counts.items()}


def _unhandled(tools: Sequence[ToolSpec], embed: Embed) -> list[str]:
    """Examples of commands that no tool handles, without those that one of these tools may handle."""
    bank = examples()[UNKNOWN]
    shown = [text for tool in tools for text in _described(tool)]
    if not shown:
        return list(bank)
    import numpy as np

    # Not `@`: BLAS divides a product of this size among threads, and a busy core keeps it waiting for milliseconds.
    nearest = np.vecdot(embed(bank)[:, None], embed(shown)).max(axis=1)
    return [sentence for sentence, near in zip(bank, nearest, strict=True) if near < HANDLED]


def _described(tool: ToolSpec) -> list[str]:
    """The whole description, its sentences, and the name as words."""
    sentences = [part for part in re.split(r"[.;:]\s+", tool.description) if len(part.split()) > 2]
    return list(dict.fromkeys([tool.description, *sentences[:6], tool.name.replace("_", " ")]))


def _comparable(said: str, tool: ToolSpec) -> list[str]:
    """Phrases to compare with the request: all of a few, or those that share the most words with it."""
    phrases = [phrase.filled({}) if isinstance(phrase, Template) else phrase for phrase in tool.phrases]
    if len(phrases) <= MANY_PHRASES:
        return phrases
    words = stems(said)
    shared = [(len(words & stems(phrase)), -place) for place, phrase in enumerate(phrases)]
    best = sorted(shared, reverse=True)[:PHRASES_COMPARED]
    return [phrases[-place] for count, place in best if count]


def _nearest(request: NDArray[np.float32], bank: Sequence[str], embed: Embed, hide: str | None) -> tuple[float, str]:
    """The highest cosine with a bank of sentences, and that sentence; (0, "") for an empty bank."""
    kept = [sentence for sentence in bank if sentence != hide]
    if not kept:
        return 0.0, ""
    cosines = embed(kept) @ request
    best = int(cosines.argmax())
    return float(cosines[best]), kept[best]


def _overlap(said: str, tool: ToolSpec) -> float:
    """The largest share of the request's words in one phrase, for tools whose phrases are sentences of documents."""
    words = stems(said)
    if not words or len(tool.phrases) <= MANY_PHRASES:
        return 0.0
    return max(len(words & stems(phrase)) for phrase in tool.phrases if isinstance(phrase, str)) / len(words)


def _takes_sum(tool: ToolSpec) -> bool:
    return any(parameter.meaning == "expression" for parameter in parameters(tool))


def _has_number(said: str) -> bool:
    return bool(find_numbers(said.split()))
