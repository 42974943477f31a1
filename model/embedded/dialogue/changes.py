"""`changed`: the previous request with another place, time, number or topic: "and in London?", "no, for three"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentaudio.conversation import ToolSpec
from agentaudio.model.embedded.dialogue.topics import FRAME, QUESTION
from agentaudio.model.embedded.dialogue.turns import PastTurn
from agentaudio.model.embedded.routing.parameters import parameters
from agentaudio.text.numbers import FoundNumber, find_numbers, number_words
from agentaudio.text.words import COMMAND_VERBS, content_words, split_words

OPENING = (
    r"^(?:(?:and|but|or|so|then|now|okay|ok|well|no|nope|not that|yes|yeah|please|sorry|hmm|hm|oh|oops|wait|actually|"
    r"what if|"
    r"i mean(?:t)?|i said|i would (?:rather|prefer)(?: to)?(?: (?:hear|have|see|know|take))?|"
    r"i prefer|(?:(?:can|could) (?:we|you) )?make (?:it|that)|let us say|say|try|use|do|change (?:it|that) to|"
    r"rather|better)\b ?)+"
)
WHAT_ABOUT = re.compile(
    r"^(?:and |but |so |or |then |okay |no )*(?:what|how) about (?:the one |that )?(?P<what>.+)$|"
    r"^(?:and |but |so |or |then |okay )*(?:what|how) is it (?P<what2>(?:in|at|on|for|with) .+)$|"
    r"^(?:and |but |so |or |then |okay )*(?:the )?same (?:question |thing |again )?(?:for|about|in|with) (?P<what3>.+)$"
)
TRAILING = re.compile(
    r"(?: (?:instead|then|too|again|also|as well|please|rather|now|for a change|this time|"
    r"(?:would be|is|sounds|works) (?:better|good|fine|nicer)|"
    r"(?:would|will) (?:suit|work)(?: (?:me|us))?(?: (?:better|best|well|fine))?|will do))+$"
)
PREPOSITION = re.compile(r"^(in|at|on|for|from|to|by|with|of|about|near|until|before|after|between)\b (.+)$")
CORRECTING = re.compile(r"^(?:no|nope|sorry|oops|wait|actually|not that|i mean(?:t)?|i said)\b")
_ANOTHER = re.compile(
    r"^(?:one|another|a second|one more|the other)(?: (?!for|at|in|of|by|from|to|about)\w+)? "
    r"(?=(?:for|at|in|of|by|from|to|about)\b)"
)
_HOW_MANY = re.compile(r"^(?:there (?:are|will be)|we (?:are|will be)|it is for|it will be) (?:only |just )?(?=\w+)")
_PEOPLE = re.compile(r" (?:of us|people|persons|guests)$")
_HERE = re.compile(r"^(?:over )?here$|^at home$|^where (?:i am|we are)$|^at my place$")
_NOT_A_PHRASE = re.compile(
    r"^(?:i|you|we|he|she|it|they|that|this|there|these|those|not|hello|hi|hey|yes|no|okay|ok|sure|right|exactly|nothing|"
    r"everything|really|wow|nice|cool|great|perfect|wonderful|interesting|never|enough)\b"
)
_WHEN = re.compile(
    r"^(?:on |at |for |until |by )?(?:(?:this|next|last) )?"
    r"(?:today|tonight|tomorrow|yesterday|noon|midnight|morning|afternoon|evening|weekend|week|month|year|"
    r"monday|tuesday|wednesday|thursday|friday|saturday|sunday|"
    r"january|february|march|april|may|june|july|august|september|october|november|december)"
    r"(?: (?:morning|afternoon|evening|night|at .+))?$"
)
_ANY_WHEN = re.compile(
    r"\b(?:(?:on|this|next|last|at|for) )?(?:today|tonight|tomorrow|yesterday|noon|midnight|the weekend|"
    r"(?:mon|tues|wednes|thurs|fri|satur|sun)day)(?: (?:morning|afternoon|evening|night))?\b"
)
_CLOCK = re.compile(r"\b(?:past|o'clock|am|pm|a m|p m|quarter to)\b")
_SUITS = re.compile(r"\b(?:would|will) (?:be better|suit|work)\b|\b(?:suits|works|sounds|is) (?:me |us )?better\b")
_DURATION = re.compile(r"(?:second|minute|hour|day|week)s?")
_SEARCHES = ("search_documents", "web_search")
_COURTESY = frozenset("thanks thank problem worries way idea matter need question that all fine great good".split())
_PLACE_END = r"(?=$| (?:in|at|on|for|from|to|by|with|today|tomorrow|tonight|please|right now|now)\b)"
_LONGEST = 7
_LONGEST_PHRASE = 4


def changed(said: str, before: PastTurn, tools: Sequence[ToolSpec] = ()) -> str | None:
    """The previous request with what `said` changes in it; None for a request that stands alone.

    said: in the words of `split_words`, joined by spaces
    tools: those whose calls may be changed; their choices ("on", "off") are replaced by one another only
    """
    previous = " ".join(split_words(before.request))
    if (exchanged := _exchanged(said, previous)) is not None:
        return exchanged
    match = WHAT_ABOUT.match(said)
    opened = re.match(OPENING, said)
    what = next((group for group in match.groups() if group), "") if match else re.sub(OPENING, "", said)
    trailed = TRAILING.search(what) is not None
    what = _ANOTHER.sub("", TRAILING.sub("", what).strip())
    counted = _HOW_MANY.match(what) if find_numbers(what.split()) else None
    if counted:
        shared = re.search(r"\b(?:between|among) ", previous)
        what = f"{shared.group() if shared else ''}{what[counted.end() :]}"
    if (match or opened or trailed) and what in _choices(before, tools):
        return _revalued(previous, what, before, tools)
    if (match or opened) and _HERE.match(what):
        return re.sub(rf" in (?:the )?[^?]+?{_PLACE_END}", "", previous, count=1)
    if _COURTESY.issuperset(content_words(what)) and not find_numbers(what.split()) and not _WHEN.match(what):
        return None
    if (
        not what
        or not (match or opened or trailed or counted or PREPOSITION.match(said))
        or len(what.split()) > _LONGEST
    ):
        return None
    free = match is not None or trailed or PREPOSITION.match(what) is not None
    if (
        QUESTION.match(what)
        or (not match and _NOT_A_PHRASE.match(what))
        or (not free and len(what.split()) > _LONGEST_PHRASE)
    ):
        return None
    if what.split()[0] in COMMAND_VERBS and not match and len(what.split()) > 1:
        return None
    what = _with_noun(what, before)
    if _WHEN.match(what):
        if found := _ANY_WHEN.search(previous):
            return f"{previous[: found.start()]}{what}{previous[found.end() :]}".strip()
        return f"{previous} {what}"
    if _CLOCK.search(what) or _SUITS.search(said):
        if (moved := _revalued(previous, re.sub(r"^at ", "", what), before, tools, numbers=True)) is not None:
            return moved
    if (numbered := _renumbered(previous, what, before)) is not None:
        return numbered
    if placed := PREPOSITION.match(what):
        preposition, _ = placed.groups()
        found = re.search(rf"\b{preposition} (?:the )?[^?]*?{_PLACE_END}", previous)
        if found and found.group() != preposition:
            return f"{previous[: found.start()]}{what}{previous[found.end() :]}".strip()
        return f"{previous} {what}"
    if (revalued := _revalued(previous, what, before, tools)) is not None:
        return revalued
    if match or trailed or CORRECTING.match(said) or re.match(r"(?:and|or) ", said):
        return _reframed(previous, what, before)
    return None


def _exchanged(said: str, previous: str) -> str | None:
    """The previous request after "not at seven, at eight" or "the Nile, not the Amazon"."""
    words = re.sub(OPENING, "", said).split()
    if "not" not in words or len(words) > 2 * _LONGEST:
        return None
    place = words.index("not")
    if place:
        new, old = " ".join(words[:place]), " ".join(words[place + 1 :])
        return _replaced(previous, old, new) if old else None
    rest = words[1:]
    for end in range(len(rest) - 1, 0, -1):
        new = re.sub(r"^(?:but|rather) ", "", " ".join(rest[end:]))
        if (found := _replaced(previous, " ".join(rest[:end]), new)) is not None:
            return found
    return None


def _replaced(text: str, old: str, new: str) -> str | None:
    found, count = re.subn(rf"\b{re.escape(old)}\b", lambda _: new, text, count=1)
    return found if count else None


def _renumbered(previous: str, what: str, before: PastTurn) -> str | None:
    """The previous request with another number: "make it ten minutes"."""
    people = _PEOPLE.search(what)
    preposition = re.match(r"^(for|at|in|between|among) ", what)
    words = re.sub(r"^(?:for|at|in|between|among) ", "", _PEOPLE.sub("", what)).split()
    new, held = find_numbers(words), previous.split()
    if not new or new[0].start > 0 or len(words) - new[0].end > 1:
        return None
    old = _number_meant(held, preposition[1] if preposition else None, before if people else None)
    if old is None:
        return None
    unit, rest = words[new[0].end :], held[old.end :]
    if unit and rest and not rest[0].startswith(unit[0].rstrip("s")):
        if not (_DURATION.fullmatch(unit[0]) and _DURATION.fullmatch(rest[0])):
            return None
    return " ".join([*held[: old.start], number_words(new[0].value), *(unit or rest[:1]), *rest[1:]])


def _number_meant(words: Sequence[str], preposition: str | None, before: PastTurn | None) -> FoundNumber | None:
    """The number of a request that another one replaces.

    preposition: of the new number; a number of the request behind the same one is meant
    before: given when people are counted: a number that is an argument of its calls is meant
    """
    found = find_numbers(words)
    if preposition is not None:
        same = [number for number in found if number.start and words[number.start - 1] == preposition]
        if same or any(words[max(0, number.start - 1)] in ("for", "at", "in") for number in found):
            return same[0] if same else None
    if before is not None:
        counts = {value for call in before.calls for value in call.arguments.values() if isinstance(value, int | float)}
        found = [number for number in found if number.value in counts] or found
    return found[0] if found else None


def _revalued(
    previous: str, what: str, before: PastTurn, tools: Sequence[ToolSpec], *, numbers: bool = False
) -> str | None:
    """The previous request with `what` in the place of an argument of its calls.

    numbers: replaces only a text that holds a number, such as the hour "half past seven"
    """
    choices = _choices(before, tools)
    values = [
        " ".join(split_words(value))
        for call in before.calls
        for value in call.arguments.values()
        if isinstance(value, str)
    ]
    for plain in sorted(values, key=len):
        if (plain in choices) is not (what in choices) or plain == previous or len(plain.split()) > _LONGEST_PHRASE:
            continue
        if numbers and not find_numbers(plain.split()):
            continue
        if not plain or not re.search(rf"\b{re.escape(plain)}\b", previous):
            continue
        article = re.search(rf"\b(?:the|a|an) {re.escape(plain)}\b", previous)
        return _replaced(previous, article.group() if article else plain, _with_owner(what, plain))
    return None


def _choices(before: PastTurn, tools: Sequence[ToolSpec]) -> set[str]:
    """The values that the called tools offer to choose from, such as "on" and "off"."""
    return {
        str(choice).lower()
        for tool in tools
        if before.called(tool.name)
        for parameter in parameters(tool)
        for choice in parameter.choices
    }


def _with_noun(what: str, before: PastTurn) -> str:
    """ "the railway museum" for "the railway one", after a call about the science museum."""
    match = re.fullmatch(r"(?P<lead>(?:the |a |an )?\w+(?: \w+)?) one", what)
    values = [str(value) for call in before.calls for value in call.arguments.values() if isinstance(value, str)]
    nouns = [words[-1] for value in values if 1 < len(words := split_words(value)) <= _LONGEST_PHRASE]
    return f"{match['lead']} {nouns[0]}" if match and nouns else what


def _reframed(previous: str, what: str, before: PastTurn) -> str:
    """The previous request with another topic or place."""
    place = re.search(r"\bin (?:the )?[\w' -]+$", previous)
    if place and not any(call.name in _SEARCHES for call in before.calls):
        return f"{previous[: place.start()]}in {what}"
    frame = FRAME.match(previous)
    if frame and frame["topic"].split()[0] not in ("it", "the time", "time"):
        return f"{frame['head']}{_with_owner(what, frame['topic'])}{frame['tail']}"
    if place := re.search(r"\b(in|of|to|for|at) (?:the )?[\w' -]+$", previous):
        return f"{previous[: place.start()]}{place[1]} {what}"
    return f"{previous} {what}"


def _with_owner(what: str, topic: str) -> str:
    """ "a year on mars" for "a year", in the place of "a day on mars"."""
    owner = re.match(r"^an? [\w-]+ (?P<owner>(?:in|on|of|at) .+)$", topic)
    return f"{what} {owner['owner']}" if owner and re.fullmatch(r"an? [\w-]+", what) else what
