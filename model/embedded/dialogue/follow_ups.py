"""`whole_request`: a request that depends on the turns before it, written out: "and in London?" as a whole question.

The rules know English sentence frames, no topics: they move phrases between the previous request and this one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentaudio.model.embedded.dialogue.turns import PastTurn
from agentaudio.text.numbers import find_numbers, number_words
from agentaudio.text.words import content_words, split_words

VOICE_TOOL, SUM_TOOL = "audio_search", "calculate"
MISSING = "I need to know the "
"""How an answer begins that asks for a missing argument; see RouterChat."""

_OPENING = (
    r"^(?:(?:and|but|or|so|then|now|okay|ok|well|no|nope|not that|yes|yeah|please|sorry|hmm|oh|wait|actually|"
    r"i mean(?:t)?|make (?:it|that)|let us say|say|try|use|do|change (?:it|that) to|rather|better)\b ?)+"
)
_WHAT_ABOUT = re.compile(
    r"^(?:and |but |so |or |then |okay |no )*(?:what|how) about (?:the one |that )?(?P<what>.+)$|"
    r"^(?:and |but |so |or |then |okay )*(?:what|how) is it (?P<what2>(?:in|at|on|for|with) .+)$|"
    r"^(?:and |but |so |or |then |okay )*(?:the )?same (?:question |thing |again )?(?:for|about|in|with) (?P<what3>.+)$"
)
_TRAILING = re.compile(r" (?:instead|then|too|as well|please|rather|now|for a change|this time)$")
_PREPOSITION = re.compile(r"^(in|at|on|for|from|to|by|with|of|about|near|until|before|after|between)\b (.+)$")
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
_OPERATOR = re.compile(
    r"^(?:(?:and|then|now|okay|please) )*(?P<operator>plus|minus|times|divided by|multiplied by|over|add|subtract|"
    r"multiply (?:it |that )?by|divide (?:it |that )?by|take away|squared|cubed|percent of|to the power of)\b ?"
    r"(?:it |that )?(?P<rest>.*)$"
)
_DEEDS = {"add": "plus", "subtract": "minus", "take away": "minus", "multiply by": "times", "multiplied by": "times",
          "divide by": "divided by", "over": "divided by"}  # fmt: skip
_THING = r"(?: (?:place|building|animal|thing|city|country|person|one))"
_PRONOUN = re.compile(
    r"\b(?:it|its|they|them|their|he|him|his|she|her|this one|that one|there|"
    rf"(?:this|that)(?={_THING}\b|$| (?:built|made|invented|called|is|was)\b)){_THING}?\b"
)
_QUESTION = re.compile(
    r"\b(?:what|how|when|where|who|whose|why|which|is|are|was|were|do|does|did|can|tell|explain|describe)\b"
)
_NO_TOPIC = re.compile(
    r"\b(?:what time is it|how is it going|say it|make it|do it|stop it|"
    r"(?:is|will|was|does) it (?:(?:going to|be|get|getting) )?"
    r"(?:rain|snow|storm|freez|cold|warm|hot|sunny|windy|late|early|dark|time|monday|the weekend)\w*)\b"
)
_COURTESY = frozenset("thanks thank problem worries way idea matter need question that all fine great good".split())
_HEADS = (
    r"(?:tell|teach) (?:me|us)(?: \w+){0,2} about|"
    r"(?:introduction|overview|summary|information|facts) (?:to|of|about|on)|about|describe|explain|"
    r"(?:is|are|was|were|does|do|did|has|have|can)(?: there)?(?: in| on)?|"
    r"built|invented|designed|discovered|wrote|painted|of|visit"
)
_TAILS = (
    r"built|made|invented|founded|discovered|written|painted|located|open|close|live|eat|weigh|cost|work|begin|start|"
    r"end|away|far|old|tall|big|long|high|deep|wide|from the .+|made of|used for|important|famous|called|come from|"
    r"born|die|have|grow|mean|look like|sound like|do"
)
_FRAME = re.compile(rf"^(?P<head>.*?\b(?:{_HEADS}) )(?P<topic>(?:the |a |an )?[^?]+?)(?P<tail>(?: (?:{_TAILS}))*)$")
_PLACE_END = r"(?=$| (?:in|at|on|for|from|to|by|with|today|tomorrow|tonight)\b)"
_SOMEONE = re.compile(
    r"\b(?:voice|man|woman|girl|boy|child|kid|lady|gentleman|guy|person|robot|people|speaker|accent|grandmother|grandfather|"
    r"somebody|someone|whisper\w*|one)\b"
)


def whole_request(request: str, past: Sequence[PastTurn]) -> str:
    """The request with what it leaves out, taken from the turns before; a whole request is returned as it is.

    past: in order; their requests are completed one after the other, since each may depend on the one before
    """
    before: PastTurn | None = None
    for turn in past:
        whole = _completed(turn.request, before)
        if turn.calls or turn.answer.startswith(MISSING) or before is None:
            before = PastTurn(whole, turn.calls, turn.outputs, turn.answer)
    return _completed(request, before)


def _completed(request: str, before: PastTurn | None) -> str:
    if before is None:
        return request
    said = " ".join(split_words(request))
    if not said:
        return request
    for rule in (_answer_to_a_question, _sum, _voice, _changed, _pronouns):
        if (found := rule(said, before)) is not None:
            return found
    return request


def _answer_to_a_question(said: str, before: PastTurn) -> str | None:
    """What the agent asked for: "I need to know the city for that." - "Paris"."""
    if not before.answer.startswith(MISSING) or _QUESTION.match(said) or len(said.split()) > 6:
        return None
    what = re.sub(_OPENING, "", said).strip() or said
    return f"{before.request} {what if _PREPOSITION.match(what) else _with_preposition(before, what)}"


def _with_preposition(before: PastTurn, what: str) -> str:
    asked = before.answer.removeprefix(MISSING)
    for words, preposition in (
        (("city", "place", "location", "country", "room", "timezone"), "in"),
        (("time", "hour"), "at"), (("day", "date"), "on"), (("people", "duration", "minutes", "length"), "for"),
    ):  # fmt: skip
        if any(word in asked for word in words):
            return what if preposition == "on" and not re.match(r"\w+day\b", what) else f"{preposition} {what}"
    return what


def _sum(said: str, before: PastTurn) -> str | None:
    """ "plus 5" after a calculation."""
    match = _OPERATOR.match(said)
    result = next((output.text for output in reversed(before.outputs) if output.name == SUM_TOOL), None)
    if match is None or result is None or not (numbers := re.findall(r"-?\d[\d,]*(?:\.\d+)?", result)):
        return None
    last = numbers[-1].replace(",", "")
    operator = re.sub(r" (?:it|that)\b", "", match["operator"])
    operator = _DEEDS.get(operator, operator)
    rest = re.sub(r" (?:to|from|by) (?:it|that|the result)$| to it$", "", match["rest"]).strip()
    if operator == "percent of" or (not rest and operator not in ("squared", "cubed")):
        return None
    return f"what is {last} {operator} {rest}".strip()


def _voice(said: str, before: PastTurn) -> str | None:
    """ "no, an old woman instead" after a change of voice."""
    if not before.called(VOICE_TOOL) or _QUESTION.match(said) or len(said.split()) > 9:
        return None
    what = re.sub(_OPENING, "", said)
    if match := _WHAT_ABOUT.match(said):
        what = next(group for group in match.groups() if group)
    what = _TRAILING.sub("", what).strip()
    comparative = re.fullmatch(r"(?:a (?:bit|little) |much )?(\w+er|more \w+|less \w+)", what)
    if comparative:
        return f"answer in the voice of a {comparative[1]} person"
    if what == said and not _TRAILING.search(said) and not re.match(r"(?:a|an|the) ", said):
        return None
    return f"answer in the voice of {what}" if _SOMEONE.search(what) or re.match(r"(?:a|an) ", what) else None


def _changed(said: str, before: PastTurn) -> str | None:
    """The previous request with another place, time, number or topic."""
    match = _WHAT_ABOUT.match(said)
    opened = re.match(_OPENING, said)
    what = next((group for group in match.groups() if group), "") if match else re.sub(_OPENING, "", said)
    trailed = _TRAILING.search(what) is not None
    what = _TRAILING.sub("", what).strip()
    if _COURTESY.issuperset(content_words(what)) and not find_numbers(what.split()) and not _WHEN.match(what):
        return None
    if not what or not (match or opened or trailed or _PREPOSITION.match(said)) or len(what.split()) > 7:
        return None
    if _QUESTION.match(what) or (not match and not _PREPOSITION.match(what) and not trailed and len(what.split()) > 4):
        return None
    previous = " ".join(split_words(before.request))
    if _WHEN.match(what):
        if found := _ANY_WHEN.search(previous):
            return f"{previous[: found.start()]}{what}{previous[found.end() :]}".strip()
        return f"{previous} {what}"
    if (numbered := _renumbered(previous, what)) is not None:
        return numbered
    if placed := _PREPOSITION.match(what):
        preposition, thing = placed.groups()
        found = re.search(rf"\b{preposition} (?:the )?[^?]*?{_PLACE_END}", previous)
        if found and found.group() != preposition:
            return f"{previous[: found.start()]}{what}{previous[found.end() :]}".strip()
        return f"{previous} {what}"
    values = [
        str(value).lower() for call in before.calls for value in call.arguments.values() if isinstance(value, str)
    ]
    for value in sorted(values, key=len):
        plain = " ".join(split_words(value))
        if plain and plain != previous and len(plain.split()) <= 4 and re.search(rf"\b{re.escape(plain)}\b", previous):
            article = re.search(rf"\b(?:the|a|an) {re.escape(plain)}\b", previous)
            old = article.group() if article else plain
            return re.sub(rf"\b{re.escape(old)}\b", lambda _: what, previous, count=1)
    if match or trailed:
        place = re.search(r"\b(in|of|to|for|at) (?:the )?[\w' -]+$", previous)
        frame = _FRAME.match(previous)
        if frame and frame["topic"].split()[0] not in ("it", "the time", "time"):
            return f"{frame['head']}{what}{frame['tail']}"
        if place:
            return f"{previous[: place.start()]}{place[1]} {what}"
        return f"{previous} {what}"
    return None


def _renumbered(previous: str, what: str) -> str | None:
    """The previous request with another number: "make it ten minutes"."""
    words = re.sub(r"^(?:for|at) ", "", what).split()
    new, old = find_numbers(words), find_numbers(previous.split())
    if not new or not old or new[0].start > 0 or len(words) - new[0].end > 1:
        return None
    unit = words[new[0].end :]
    before = previous.split()
    rest = before[old[0].end :]
    if unit and rest and not rest[0].startswith(unit[0].rstrip("s")):
        return None
    return " ".join([*before[: old[0].start], number_words(new[0].value), *(unit or rest[:1]), *rest[1:]])


def _pronouns(said: str, before: PastTurn) -> str | None:
    """The request with the previous topic in the place of "it"."""
    if not _QUESTION.search(said) or _NO_TOPIC.search(said) or not (found := _PRONOUN.search(said)):
        return None
    topic = _topic(before)
    if topic is None:
        return None
    owner = found.group().split()[0] in ("its", "their", "his", "her") and found.end() < len(said)
    where = f"in {topic}" if found.group() == "there" else topic
    return f"{said[: found.start()]}{where}{' s' if owner else ''}{said[found.end() :]}"


def _topic(before: PastTurn) -> str | None:
    """What the previous request was about: its noun phrase, else the title of the passage that answered it."""
    previous = " ".join(split_words(before.request))
    if (frame := _FRAME.match(previous)) and not _PRONOUN.fullmatch(frame["topic"]):
        return frame["topic"].strip()
    titles = [passage.title for output in before.outputs for passage in output.passages if passage.title]
    return titles[0] if titles else None
