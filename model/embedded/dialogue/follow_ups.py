"""`whole_request`: a request that depends on the turns before it, written out: "and in London?" as a whole question.

The rules know English sentence frames, no topics: they move phrases between the previous request and this one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agentaudio.conversation import ToolSpec
from agentaudio.model.embedded.answering.answer import VOICE_TOOL
from agentaudio.model.embedded.dialogue.asides import asks_for_voices, cancels, is_courtesy, without_reaction
from agentaudio.model.embedded.dialogue.changes import OPENING, PREPOSITION, TRAILING, changed
from agentaudio.model.embedded.dialogue.negation import without_forbidden
from agentaudio.model.embedded.dialogue.objects import with_object
from agentaudio.model.embedded.dialogue.returns import topic_returned_to
from agentaudio.model.embedded.dialogue.sums import next_sum
from agentaudio.model.embedded.dialogue.topics import QUESTION, with_topic
from agentaudio.model.embedded.dialogue.turns import PastTurn
from agentaudio.model.embedded.dialogue.voices import other_voice
from agentaudio.model.embedded.routing.clauses import clauses
from agentaudio.text.words import command_place, split_words

MISSING = "I need to know the "
"""How an answer begins that asks for a missing argument; see RouterChat."""
_LONGEST_ANSWER = 8
_REMARK = re.compile(r"^i (?:do not|am|was|have|had|can not|did|love|hate)\b")
_REACTION = re.compile(r"\b(?:problem|worries|way|matter|idea|good|great|fine|nice|cool|perfect|thanks|really|wrong)\b")
_VOICE_PART = re.compile(r"\b(?:voice|accent|speak|talk|sound|whisper|like)\b")
_PLACED = re.compile(
    r"^(?:(?:well|and|so|but|oh) )*(?:i|we|my|our|his|her|he|she|they|a|the)\b(?: (?!what|how|when|where|who)\w+)*? "
    r"(?P<place>(?:in|at) \w+(?: \w+)??) (?P<question>(?:(?:and|so|but) )?(?:what|how|when|is|are|will|do|does)\b.*)$"
)


@dataclass(frozen=True, slots=True)
class WholeRequest:
    """A request written out.

    tool: that the turn before called, where the request only changes a part of it ("and in Rome?"); else None
    """

    text: str
    tool: str | None = None


_BACK_TO_A_VOICE = re.compile(r"\b(?:back|return)\b.*\bvoices?\b")


def whole_request(request: str, past: Sequence[PastTurn], tools: Sequence[ToolSpec] = ()) -> WholeRequest:
    """The request with what it leaves out, taken from the turns before; a whole request is returned as it is.

    past: in order; their requests are completed one after the other, since each may depend on the one before
    tools: those that may be called
    """
    whole: list[PastTurn] = []
    before: PastTurn | None = None
    for turn in past:
        if cancels(turn.request):
            # A question of the agent is closed by "never mind"; a request that was answered can still be changed.
            before = None if before is not None and before.answer.startswith(MISSING) else before
            continue
        completed = PastTurn(_completed(turn.request, before, whole, tools).text, turn.calls, turn.outputs, turn.answer)
        if turn.calls or turn.answer.startswith(MISSING) or before is None or asks_for_voices(turn.request):
            before = completed
            whole.append(completed)
    return _completed(request, before, whole, tools)


def _completed(
    request: str, before: PastTurn | None, past: Sequence[PastTurn], tools: Sequence[ToolSpec]
) -> WholeRequest:
    """before: the turn that the request may go on from; past: all whole turns up to it"""
    request = without_forbidden(without_reaction(request))
    said = " ".join(split_words(request))
    if not said or cancels(request) or is_courtesy(request) or _BACK_TO_A_VOICE.search(said):
        return WholeRequest(request)
    if (placed := _PLACED.match(said)) and re.search(r"\bthere\b", placed["question"]):
        # "my sister is in Cardiff, how is it there"
        said = request = re.sub(r"\b(?:over )?there\b", placed["place"], placed["question"])
    if before is None:
        return WholeRequest(_with_own_places(request))
    if returned := topic_returned_to(request, past):
        before, request = returned
        said = " ".join(split_words(request))
    for rule in (_answer_to_a_question, next_sum, other_voice):
        if (found := rule(said, before)) is not None:
            return WholeRequest(found)
    for part in reversed(_parts(before)):
        if (found := changed(said, part, tools)) is not None:
            return WholeRequest(found, part.calls[0].name if len(part.calls) == 1 else None)
        if (found := with_object(said, part) or with_topic(said, part)) is not None:
            return WholeRequest(_with_own_places(found))
    return WholeRequest(_with_own_places(request))


def _with_own_places(request: str) -> str:
    """A compound request with the place of an earlier part in the place of "there": "the time in Rome and the weather
    there"."""
    parts = clauses(request)
    if len(parts) < 2:
        return request
    whole = parts[:1]
    for part in parts[1:]:
        whole.append(with_topic(part, PastTurn(whole[-1])) or part)
    return request if whole == parts else " and ".join(whole)


def _parts(before: PastTurn) -> list[PastTurn]:
    """The parts of a compound turn, each with its call; the turn itself when it has one part."""
    parts = clauses(before.request)
    if len(parts) < 2 or len(parts) != len(before.calls):
        return [before]
    # A change of voice is called first, wherever it was said.
    if before.called(VOICE_TOOL):
        parts.sort(key=lambda part: _VOICE_PART.search(part) is None)
    outputs = {output.call_id: output for output in before.outputs}
    return [
        PastTurn(part, [call], [outputs[call.id]] if call.id in outputs else [], before.answer)
        for part, call in zip(parts, before.calls, strict=True)
    ]


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
