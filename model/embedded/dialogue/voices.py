"""`other_voice`: a wish for another voice that refers to the one before: "no, a woman", "the same but calmer"."""

from __future__ import annotations

import re

from agentaudio.model.embedded.answering.answer import VOICE_TOOL
from agentaudio.model.embedded.dialogue.asides import asks_for_voices
from agentaudio.model.embedded.dialogue.changes import CORRECTING, OPENING, TRAILING, WHAT_ABOUT
from agentaudio.model.embedded.dialogue.topics import QUESTION
from agentaudio.model.embedded.dialogue.turns import PastTurn
from agentaudio.text.words import content_words, split_words

_LONGEST = 9
_REACTION = re.compile(r"\b(?:problem|worries|way|matter|idea|good|great|fine|nice|cool|perfect|thanks|really|wrong)\b")
_PEOPLE = (
    r"man|woman|girl|boy|child|kid|lady|gentleman|guy|bloke|male|female|robot|grandmother|grandma|grandfather|grandpa"
)
_PERSON = re.compile(rf"\b(?:{_PEOPLE})(?=s?\b)")
_ANY_PERSON = re.compile(rf"(?:a |an |the )?(?P<person>{_PEOPLE})(?: voice| one)?")
_SOMEONE = re.compile(rf"\b(?:{_PEOPLE}|voice|person|people|speaker|accent|somebody|someone|whisper\w*|one)\b")
_WISH = re.compile(
    r"^(?:(?:i (?:would (?:like|love|prefer|rather)|want|prefer|will take|liked?)|"
    r"(?:can|could|may) i (?:have|get|hear)|give me|take|choose|let me hear|"
    r"(?:something|someone|somebody|anything|anyone) (?:else|different)|"
    r"not (?:that|this)(?: one)?|another one|please)(?: to hear| have)?\b ?)+"
)
_SAME = re.compile(
    r"^(?:the )?same(?: (?:voice|accent|one|person|thing|man|woman))?"
    r"(?: (?:again|only|just|but|and|with|make (?:it|that)|now))+ "
    r"(?:a (?:bit|little) |slightly |much |make it )?(?P<quality>\w+(?: \w+)?)$"
)
_COMPARED = re.compile(
    r"(?:(?:a |one )?(?:a (?:bit|little) |much |even |slightly )?)(?P<quality>\w+er|more \w+|less \w+)(?: one| voice)?"
)
_NOT_COMPARED = frozenset("other another rather either never whisper her number over under after speaker".split())
_OPPOSED = tuple(
    frozenset(words.split())
    for words in (
        "old older elderly aged young younger little",
        "deep deeper low lower high higher dark",
        "slow slower fast faster quick quicker",
        "loud louder quiet quieter soft softer",
        "calm calmer excited lively livelier cheerful happy happier sad sadder stern angry",
        "clear clearer rough rougher hoarse",
    )
)  # fmt: skip
_ARTICLES = ("a", "an", "the")


def other_voice(said: str, before: PastTurn) -> str | None:
    """The whole wish after a change of voice or a question about voices; None for another request.

    A quality alone ("younger", "the same but calmer") is added to the voice before, and a person alone ("a man") takes
    the place of the person before.

    said: in the words of `split_words`, joined by spaces
    """
    if not (before.called(VOICE_TOOL) or asks_for_voices(before.request)):
        return None
    if QUESTION.match(re.sub(r"^(?:can|could|may) i (?:have|get|hear) ", "", said)) or len(said.split()) > _LONGEST:
        return None
    what = re.sub(OPENING, "", said)
    if match := WHAT_ABOUT.match(said):
        what = next(group for group in match.groups() if group)
    what = _WISH.sub("", TRAILING.sub("", what)).strip()
    if same := _SAME.match(TRAILING.sub("", re.sub(r"^(?:(?:and|now|okay|no|please) )+", "", said))):
        what = same["quality"] if not same["quality"].startswith(("a ", "an ")) else same["quality"].partition(" ")[2]
        return _with_quality(what, before)
    compared = _COMPARED.fullmatch(what)
    if compared and compared["quality"] not in _NOT_COMPARED:
        return _with_quality(compared["quality"], before)
    if (alone := _ANY_PERSON.fullmatch(what)) and _PERSON.search(_query(before)):
        return _wish(_PERSON.sub(alone["person"], _query(before), count=1).split())
    someone = _PERSON.search(" ".join(split_words(before.request)))
    person = someone.group() if someone else "person"
    what = re.sub(r" one$", f" {person}", what)
    if what == said and not TRAILING.search(said) and not re.match(r"(?:a|an|the) ", said):
        return None
    if what and CORRECTING.match(said) and len(what.split()) <= 2 and len(content_words(what)) == len(what.split()):
        if not _SOMEONE.search(what) and not _REACTION.search(what):
            return _wish([what, person])
    return f"answer in the voice of {what}" if _SOMEONE.search(what) or re.match(r"(?:a|an) ", what) else None


def _query(before: PastTurn) -> str:
    """The words of the voice that was searched last, without an article; empty without a search."""
    calls = [call for call in before.calls if call.name == VOICE_TOOL]
    words = split_words(str(calls[-1].arguments.get("query") or "")) if calls else []
    return " ".join(words[1:] if words and words[0] in _ARTICLES else words)


def _with_quality(quality: str, before: PastTurn) -> str:
    """The voice before with another quality, in the place of an opposed one ("older" for "young")."""
    held = _query(before) if _SOMEONE.search(_query(before)) else ""
    replaced = next((words for words in _OPPOSED if quality.split()[-1] in words), frozenset())
    kept = [word for word in held.split() if word not in replaced]
    return _wish([quality, *(kept or ["person"])])


def _wish(words: list[str]) -> str:
    article = "an" if words[0][0] in "aeiou" else "a"
    return f"answer in the voice of {article} {' '.join(words)}"
