"""`whole_request`: a request that depends on the turns before it, written out: "and in London?" as a whole question.

The rules know English sentence frames, no topics: they move phrases between the previous request and this one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentaudio.conversation import ToolSpec
from agentaudio.model.embedded.dialogue.asides import asks_for_voices, cancels, is_courtesy
from agentaudio.model.embedded.dialogue.changes import CORRECTING, OPENING, PREPOSITION, TRAILING, WHAT_ABOUT, changed
from agentaudio.model.embedded.dialogue.sums import next_sum
from agentaudio.model.embedded.dialogue.topics import QUESTION, with_topic
from agentaudio.model.embedded.dialogue.turns import PastTurn
from agentaudio.text.words import command_place, content_words, split_words

VOICE_TOOL = "audio_search"
MISSING = "I need to know the "
"""How an answer begins that asks for a missing argument; see RouterChat."""
_LONGEST_ANSWER = 8
_REMARK = re.compile(r"^i (?:do not|am|was|have|had|can not|did|love|hate)\b")
_REACTION = re.compile(r"\b(?:problem|worries|way|matter|idea|good|great|fine|nice|cool|perfect|thanks|really|wrong)\b")
_PERSON = re.compile(r"\b(?:man|woman|girl|boy|child|lady|gentleman|robot|grandmother|grandfather)\b")
_SOMEONE = re.compile(
    r"\b(?:voice|man|woman|girl|boy|child|kid|lady|gentleman|guy|person|robot|people|speaker|accent|grandmother|grandfather|"
    r"somebody|someone|whisper\w*|one)\b"
)


def whole_request(request: str, past: Sequence[PastTurn], tools: Sequence[ToolSpec] = ()) -> str:
    """The request with what it leaves out, taken from the turns before; a whole request is returned as it is.

    past: in order; their requests are completed one after the other, since each may depend on the one before
    tools: those that may be called
    """
    before: PastTurn | None = None
    for turn in past:
        if cancels(turn.request):
            # A question of the agent is closed by "never mind"; a request that was answered can still be changed.
            before = None if before is not None and before.answer.startswith(MISSING) else before
            continue
        whole = _completed(turn.request, before, tools)
        if turn.calls or turn.answer.startswith(MISSING) or before is None or asks_for_voices(turn.request):
            before = PastTurn(whole, turn.calls, turn.outputs, turn.answer)
    return _completed(request, before, tools)


def _completed(request: str, before: PastTurn | None, tools: Sequence[ToolSpec]) -> str:
    said = " ".join(split_words(request))
    if before is None or not said or cancels(request) or is_courtesy(request):
        return request
    for rule in (_answer_to_a_question, next_sum, _voice):
        if (found := rule(said, before)) is not None:
            return found
    found = changed(said, before, tools) or with_topic(said, before)
    return request if found is None else found


def _answer_to_a_question(said: str, before: PastTurn) -> str | None:
    """What the agent asked for: "I need to know the city for that." - "Paris"."""
    if not before.answer.startswith(MISSING) or QUESTION.match(said) or len(said.split()) > _LONGEST_ANSWER:
        return None
    what = TRAILING.sub("", re.sub(OPENING, "", said).strip() or said)
    if QUESTION.match(what) or command_place(what.split()) is not None or _REMARK.match(what):
        return None
    return f"{before.request} {what if PREPOSITION.match(what) else _with_preposition(before, what)}"


def _with_preposition(before: PastTurn, what: str) -> str:
    if re.search(r" (?:people|persons|guests|of us|minutes?|hours?)$", what):
        return f"for {what}"
    asked = before.answer.removeprefix(MISSING)
    for words, preposition in (
        (("city", "place", "location", "country", "room", "timezone"), "in"),
        (("time", "hour"), "at"), (("day", "date"), "on"), (("people", "duration", "minutes", "length"), "for"),
    ):  # fmt: skip
        if any(word in asked for word in words):
            return what if preposition == "on" and not re.match(r"\w+day\b", what) else f"{preposition} {what}"
    return what


def _voice(said: str, before: PastTurn) -> str | None:
    """ "no, an old woman instead" after a change of voice, or "the whispering one" after a question about voices."""
    if not (before.called(VOICE_TOOL) or asks_for_voices(before.request)):
        return None
    if QUESTION.match(said) or len(said.split()) > 9:
        return None
    what = re.sub(OPENING, "", said)
    if match := WHAT_ABOUT.match(said):
        what = next(group for group in match.groups() if group)
    what = re.sub(
        r"^(?:i (?:would like|want|prefer|will take)|give me|take|choose|let me hear)(?: to hear)? ", "", what
    )
    what = TRAILING.sub("", what).strip()
    comparative = re.fullmatch(r"(?:a (?:bit|little) |much )?(\w+er|more \w+|less \w+)", what)
    someone = _PERSON.search(" ".join(split_words(before.request)))
    person = someone.group() if someone else "person"
    if comparative:
        return f"answer in the voice of a {comparative[1]} {person}"
    if someone:
        what = re.sub(r" one$", f" {person}", what)
    if what == said and not TRAILING.search(said) and not re.match(r"(?:a|an|the) ", said):
        return None
    if what and CORRECTING.match(said) and len(what.split()) <= 2 and len(content_words(what)) == len(what.split()):
        if not _SOMEONE.search(what) and not _REACTION.search(what):
            return f"answer in the voice of {'an' if what[0] in 'aeiou' else 'a'} {what} {person}"
    return f"answer in the voice of {what}" if _SOMEONE.search(what) or re.match(r"(?:a|an) ", what) else None
