"""Replies to requests about the conversation itself, by their act."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentaudio.conversation import ToolSpec
from agentaudio.model.embedded.answering.answer import VOICE_TOOL
from agentaudio.model.embedded.answering.small_talk import NOTHING_SPECIAL, abilities, small_talk
from agentaudio.model.embedded.dialogue.manners import LIMITS, SAID, WHICH, asked_manner, granted
from agentaudio.model.embedded.dialogue.turns import PastTurn
from agentaudio.text.sentences import sentences
from agentaudio.text.words import split_words

_MOST_NAMES = 6
_GROUPS = (
    ("women", "woman women female lady ladies girl girls grandmother her".split()),
    ("men", "man men male gentleman boy boys grandfather him".split()),
    ("children", "child children kid kids girl boy girls boys".split()),
)
_KINDS = re.compile(
    r"\b(?P<kind>women|woman|ladies|female|men|man|male|children|child|kids?|girls?|boys?|old|young|elderly|robots?|"
    r"american|british|english|scottish|irish|australian|indian|german|french|italian|spanish|chinese|japanese|russian|"
    r"deep|whispering|funny|natural|human)\b"
)
NO_LIKES = "I am a computer program, so I like nothing more than anything else."
NO_TRANSLATION = "I cannot translate. I understand and speak English only."
IN_OTHER_WORDS = "I can only quote, so I cannot put it in other words. Here it is once more. "
_OTHER_WORDS = re.compile(
    r"\b(?:other words|differently|another way|rephrase|reword|simpler|simply|plain english|explain that|easier)\b"
)
_LIKES = re.compile(
    r"\byour favou?rite\b|\bdo you (?:like|love|enjoy|prefer|hate|believe|wish)\b|\bare you (?:happy|sad|in love|"
    r"bored|afraid)\b"
)
_SOURCE = re.compile(
    r"\b(?:where|how) (?:did|do) you (?:read|know|get|find|learn)\b|\bwhat is your source\b|\bsays? who\b"
)
DROPPED = "All right."
_REPLIES = {
    "language": "I understand and speak English only.",
    "identity": "I am a computer program that listens, uses tools and answers. I do not have a name.",
    "howareyou": "I am well, thank you. What can I do for you?",
    "greeting": "Hello. What can I do for you?",
    "presence": "Hello. Yes, I can hear you.",
    "thanks": "You are welcome.",
    "praise": "I am glad to hear that.",
    "bye": "Goodbye.",
    "cancel": DROPPED,
    "wait": DROPPED,
    "okay": DROPPED,
    "forbid": DROPPED,
    "remark": NOTHING_SPECIAL,
}
ACTS = (*_REPLIES, "repeat", "manner", "shorter", "voices", "whose", "ability", "why", "source")
"""The acts that `reply_to` answers."""


def reply_to(act: str, request: str, tools: Sequence[ToolSpec], past: Sequence[PastTurn]) -> str | None:
    """The reply to a request of this act; None where it cannot be one, as in "why?" after no refusal.

    past: the turns before, in order
    """
    last = _without_openings(next((turn.answer for turn in reversed(past) if turn.answer), ""))
    said = " ".join(split_words(request))
    match act:
        case "repeat":
            if last and _OTHER_WORDS.search(said):
                return f"{IN_OTHER_WORDS}{last}"
            return last or "I have not said anything yet."
        case "manner":
            way = asked_manner(request)
            return " ".join(filter(None, (granted(way, past), last))) if way else WHICH
        case "language" if re.search(r"\btranslat", said) or last == NO_TRANSLATION:
            return NO_TRANSLATION
        case "identity" if _LIKES.search(said):
            return NO_LIKES
        case "source":
            return _source(past, tools)
        case "shorter":
            first, *others = sentences(last) or [last]
            return (first if others else f"That is as short as I can say it. {last}") if last else None
        case "voices":
            return _voices(tools, said)
        case "whose":
            return _present_voice(past) if any(tool.name == VOICE_TOOL for tool in tools) else None
        case "ability" if re.search(r"\b(?:can|able) not|\bnot (?:do|able)|\blimits\b", said):
            return f"I can only do what my tools do. {abilities(tools)}".strip()
        case "ability":
            return abilities(tools) or "Ask me a question, and I will see which of my tools can answer it."
        case "why":
            refused = past and "cannot" in past[-1].answer
            return " ".join(filter(None, ("I have no tool for that.", abilities(tools)))) if refused else None
        case _:
            # "good morning" and "thank you, bye" have a reply of their own.
            special = small_talk(request, tools) if act in ("greeting", "bye", "thanks", "identity", "praise") else ""
            return special if special.startswith(("Good", "You are", "Nice", "I do not have")) else _REPLIES.get(act)


def voice_names(tools: Sequence[ToolSpec]) -> list[str]:
    """The names of the voices that the voice tool can change to."""
    return [name for name, _ in _described_voices(tools)]


def _without_openings(answer: str) -> str:
    """An answer without the sentences about how it is said."""
    for opening in (*SAID.values(), *LIMITS.values(), WHICH, IN_OTHER_WORDS.strip()):
        answer = answer.replace(opening, "")
    return answer.strip()


def _described_voices(tools: Sequence[ToolSpec]) -> list[tuple[str, str]]:
    """The names of the voices that the voice tool can change to, with what describes them."""
    tool = next((tool for tool in tools if tool.name == VOICE_TOOL), None)
    found: list[tuple[str, str]] = []
    for phrase in (phrase for phrase in tool.phrases if isinstance(phrase, str)) if tool is not None else ():
        if match := re.fullmatch(r"answer in the voice of (.+)", phrase):
            found.append((match[1], ""))
        elif found and (match := re.fullmatch(r"speak like (.+)", phrase)):
            found[-1] = (found[-1][0], match[1])
    return found


def voice_kinds(said: str) -> list[frozenset[str]]:
    """Sets of words, of each of which a voice of the kind that a question names has one: British, and male."""
    return [
        frozenset((word, word.removesuffix("s"), *(other for _, group in _GROUPS if word in group for other in group)))
        for word in (match["kind"] for match in _KINDS.finditer(said))
    ]


def _voices(tools: Sequence[ToolSpec], said: str) -> str | None:
    if all(tool.name != VOICE_TOOL for tool in tools):
        return None
    voices = _described_voices(tools)
    if not voices:
        return "I have only my own voice."
    kinds = voice_kinds(said)
    fitting = [
        name for name, description in voices if kinds and all(kind & {*split_words(description)} for kind in kinds)
    ]
    if kinds and not fitting:
        return f"I have no such voice among my {len(voices)} voices. Describe another one."
    names = fitting or [name for name, _ in voices]
    shown = names[:: max(1, len(names) // _MOST_NAMES)][:_MOST_NAMES]
    more = len(names) - len(shown)
    listed = ", ".join(shown[:-1]) + f" and {shown[-1]}" if len(shown) > 1 else shown[0]
    others = f", and {more} more" if more else ""
    count = f"{len(names)} such voice{'s' * (len(names) > 1)}" if fitting else f"{len(names)} voices"
    return f"I can speak in {count}, such as {listed}{others}. Ask for one by name, or describe it."


def _source(past: Sequence[PastTurn], tools: Sequence[ToolSpec]) -> str | None:
    """Where the last answer was found."""
    for turn in reversed(past):
        answered = [output for output in turn.outputs if output.passages]
        if answered:
            titles = dict.fromkeys(
                p.title for p in answered[0].passages if any(s in p.text for s in sentences(turn.answer))
            )
            where = "my documents" if answered[0].name == "search_documents" else "the web"
            return f"I found it in {where}, under {' and '.join(titles)}." if titles else f"I looked it up in {where}."
        if turn.outputs:
            return f"My tool {turn.outputs[-1].name.replace('_', ' ')} gave me that."
    named = {"search_documents": "in my documents", "web_search": "on the web"}
    places = [place for name, place in named.items() if any(tool.name == name for tool in tools)]
    return f"I look things up {' and '.join(places)}, and ask my tools." if places else None


def _present_voice(past: Sequence[PastTurn]) -> str:
    outputs = [output.text for turn in past for output in turn.outputs if output.name == VOICE_TOOL]
    now = next((text for text in reversed(outputs) if text.startswith("The voice is now")), None)
    return sentences(now)[0].partition(": ")[0].rstrip(":.") + "." if now else "This is my own voice."
