"""Replies about the conversation itself: repeating an answer, how it is spoken, the voices, what cannot be done."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentaudio.conversation import ToolSpec
from agentaudio.model.embedded.answering.small_talk import abilities, asks_ability, not_understood, small_talk
from agentaudio.model.embedded.dialogue.asides import asks_for_voices, cancels, is_courtesy, is_remark, short_words
from agentaudio.model.embedded.dialogue.negation import forbids
from agentaudio.model.embedded.dialogue.turns import PastTurn
from agentaudio.model.embedded.routing.parameters import vocabulary
from agentaudio.text.sentences import sentences
from agentaudio.text.stems import stem

_MISSED = (
    r"(?:i missed (?:that|it|what you said)|"
    r"i (?:did not|could not|can not|can hardly|can barely) (?:quite |really |even )?"
    r"(?:get|hear|catch|understand|follow) (?:that|it|you|a word|anything|the last (?:bit|part)))"
)
_LEADS = (
    r"(?:please|sorry|excuse me|pardon|what|can you|could you|would you|i want you to|i would like you to|"
    rf"{_MISSED}|no|and|now|then|so|oh|okay|hmm|wait)"
)
_OBJECTS = r"(?: (?:that|it|this|me|your answer|the answer|the last (?:one|thing|part|sentence)))*"
_ENDS = (
    rf"(?: (?:{_MISSED}|please|very well|well|properly|clearly|at all|for me|again|now|a bit|a little|if you can|"
    r"when you speak))*"
)
_SPEAKING = (
    r"(?:(?:say|repeat|tell me|read|answer|speak|talk|go|be|make|keep)"
    rf"{_OBJECTS}|you (?:are|were) (?:speaking|talking|going)|you (?:are|were|speak|talk)|"
    r"(?:your voice is|that (?:is|was)|it is) (?:a (?:bit|little) )?(?:too|so|not)(?: (?:too|so|very))?)"
)
_DEGREE = r"(?:(?:again|once more|a (?:bit|little)|much|even|too|so|far|way|really|very|more|less|not|just) )*"
_HOW = r"(?:slow(?:er|ly)?|fast(?:er)?|quick(?:er|ly)?|loud(?:er|ly)?|quiet(?:er|ly)?|clear(?:er|ly))"
_AGAIN = re.compile(
    rf"(?:{_LEADS} )*(?:"
    rf"(?:say|repeat|tell me|read|answer|speak){_OBJECTS}(?: (?:again|once more|one more time|back))+|"
    rf"repeat{_OBJECTS}|repeat yourself|come again|pardon(?: me)?|once more|one more time|again|"
    r"what (?:did|have|had) you (?:just )?(?:say|said|tell me)|what|huh|what was that|what was (?:it|the answer)|"
    rf"{_MISSED}){_ENDS}"
)
_MANNER = re.compile(
    rf"(?:{_LEADS} )*(?:{_SPEAKING} {_DEGREE}{_HOW}|"
    rf"(?:a (?:bit|little) |much |even |not so |too |more |less ){_DEGREE}{_HOW}|"
    r"(?:slow|quick|loud|quiet|fast)(?:er)|(?:more )?slowly|slow (?:it )?down|speed (?:it )?up|speak up|hurry up|"
    r"(?:turn|put) (?:it|the volume|the sound|your voice|yourself) (?:up|down)|(?:the )?volume (?:up|down)|"
    rf"raise (?:the volume|your voice)){_ENDS}"
)
_SHORTER = re.compile(
    rf"(?:{_LEADS} )*(?:{_SPEAKING} )?(?:"
    r"(?:a (?:bit|little) |much )?(?:shorter|briefer|more briefly|less long)|"
    r"(?:(?:that|it|this|your answer) (?:is|was) )?(?:too|so) long|(?:be )?brief|"
    r"(?:keep it|make it) (?:short|brief)|"
    r"in (?:one sentence|short|brief|a few words|fewer words)|(?:give me |just )*"
    r"(?:the|a) (?:short(?:er)?|quick|brief) (?:version|answer|one)|"
    r"(?:just )?(?:sum|summarise|summarize|shorten)(?: (?:it|that|this))?(?: up)?|"
    r"(?:just )?(?:give me )?the (?:gist|main point|summary|essentials)(?: of it)?|"
    r"(?:just )?the (?:first|main) (?:sentence|point)|"
    rf"(?:with )?(?:less|fewer) (?:details|words)){_ENDS}"
)
_WHY = re.compile(
    r"(?:(?:and|but|oh|okay|so|well) )*(?:why(?: not| can (?:not )?you(?: not)?| is that)?|how come)(?: please)?"
)
_LANGUAGE = re.compile(
    r"\b(?:do|can|could) you (?:also )?(?:speak|understand|talk|know|answer)(?: (?:in|to me in))? "
    r"(?P<language>english|german|french|spanish|italian|chinese|mandarin|japanese|russian|portuguese|dutch|arabic|hindi|"
    r"korean|turkish|polish|swedish|greek|other languages|any other languages?|another language)\b|"
    r"\b(?:what|which|how many) languages (?:do|can) you\b"
)
_WHOSE = re.compile(
    r"\b(?:whose voice|which voice (?:is|are) (?:this|that|you)|"
    r"who(?:se)? (?:is|are) (?:that|this|you) (?:voice|speaking|talking|now))\b"
)
_WAIT = re.compile(
    r"(?:(?:please|oh|no|okay|sorry) )*(?:wait|hold on|hang on|(?:just )?(?:a|one) (?:second|moment|minute)|"
    r"give me a (?:second|moment|minute))(?: (?:a (?:second|moment|minute)|please))*"
)
_UNDO = re.compile(
    r"(?:(?:please|can you|could you|would you|now|okay|and|then|no) )*"
    r"(stop|cancel|pause|undo|delete|remove|resume|mute) "
    r"(?:the|my|this|that|all|your|it)\b"
)
_PARTS = re.compile(r"\s*[.,;:!?]+\s*")
_THANKS = re.compile(r"(?<!no )\b(?:thanks|thank you)\b")
_MOST_NAMES = 6
_FIXED_MANNER = "I cannot change how fast or how loud I speak."
_ONCE_MORE = f"{_FIXED_MANNER} Here it is once more. "
_ONE_LANGUAGE = "I understand and speak English only."
DROPPED = "All right."


def about_conversation(request: str, tools: Sequence[ToolSpec], past: Sequence[PastTurn]) -> str | None:
    """The reply to a request about the conversation itself; None for another request."""
    said = short_words(request)
    if cancels(request) or _WAIT.fullmatch(said):
        return small_talk(request) if _THANKS.search(said) else DROPPED
    if is_courtesy(request):
        return small_talk(request, tools)
    more = said.endswith("what else") and any(turn.calls for turn in past)
    if asks_ability(request) and not more and (able := abilities(tools)):
        return able
    if forbids(request):
        return DROPPED
    if _undoes(said, tools):
        return not_understood(request, tools)
    if _LANGUAGE.search(said):
        return _ONE_LANGUAGE
    if _WHY.fullmatch(said) and past and "cannot" in past[-1].answer:
        return " ".join(filter(None, ("I have no tool for that.", abilities(tools))))
    return said_again(request, past) or about_voices(request, tools, past) or _to_remark(request)


def _undoes(said: str, tools: Sequence[ToolSpec]) -> bool:
    """Whether the request wants to take back or interrupt what a tool did, which no tool can do."""
    match = _UNDO.match(said)
    return match is not None and not any(stem(match[1]) in vocabulary(tool) for tool in tools)


def _to_remark(request: str) -> str | None:
    return small_talk(request) if is_remark(request) else None


def said_again(request: str, past: Sequence[PastTurn]) -> str | None:
    """The last answer once more, or shorter, for a request that asks for it; None for another request."""
    kinds = _kinds_of_repeat(request)
    if not kinds:
        return None
    shorter, manner = _SHORTER in kinds, _MANNER in kinds
    last = next((turn.answer for turn in reversed(past) if turn.answer), None)
    if last is None:
        return _FIXED_MANNER if manner else "I have not said anything yet."
    last = last.removeprefix(_ONCE_MORE).strip()
    if shorter:
        first, *others = sentences(last) or [last]
        return first if others else f"That is as short as I can say it. {last}"
    return f"{_ONCE_MORE}{last}" if manner else last


def _kinds_of_repeat(request: str) -> set[re.Pattern[str]]:
    """Which of _SHORTER, _MANNER and _AGAIN the request, or all parts between its commas and stops, match."""
    for parts in ([request], _PARTS.split(request)):
        found = [_kind_of_repeat(short_words(part)) for part in parts if short_words(part)]
        if found and None not in found:
            return {kind for kind in found if kind is not None}
    return set()


def _kind_of_repeat(said: str) -> re.Pattern[str] | None:
    return next((kind for kind in (_SHORTER, _MANNER, _AGAIN) if kind.fullmatch(said)), None)


def about_voices(request: str, tools: Sequence[ToolSpec], past: Sequence[PastTurn]) -> str | None:
    """Which voices there are, or whose voice is heard; None for another request, or without the voice tool."""
    said = short_words(request)
    tool = next((tool for tool in tools if tool.name == "audio_search"), None)
    if tool is None:
        return None
    if _WHOSE.search(said):
        outputs = [output.text for turn in past for output in turn.outputs if output.name == "audio_search"]
        now = next((text for text in reversed(outputs) if text.startswith("The voice is now")), None)
        return sentences(now)[0].partition(": ")[0].rstrip(":.") + "." if now else "This is my own voice."
    if not asks_for_voices(request):
        return None
    names = [match[1] for phrase in tool.phrases if isinstance(phrase, str)
             and (match := re.fullmatch(r"answer in the voice of (.+)", phrase))]  # fmt: skip
    if not names:
        return "I have only my own voice."
    shown = names[:: max(1, len(names) // _MOST_NAMES)][:_MOST_NAMES]
    more = len(names) - len(shown)
    listed = ", ".join(shown[:-1]) + f" and {shown[-1]}" if len(shown) > 1 else shown[0]
    others = f", and {more} more" if more else ""
    return f"I can speak in {len(names)} voices, such as {listed}{others}. Ask for one by name, or describe it."
