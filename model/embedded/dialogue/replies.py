"""Replies about the conversation itself: repeating an answer, and naming the voices."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentaudio.conversation import ToolSpec
from agentaudio.model.embedded.dialogue.turns import PastTurn
from agentaudio.text.words import split_words

_MISSED = r"i did not (?:get|hear|catch|understand) (?:that|it|you)"
_LEADS = rf"(?:please|sorry|excuse me|pardon|what|can you|could you|would you|{_MISSED}|no|and|now|then|so)"
_OBJECTS = r"(?: (?:that|it|this|me|your answer|the answer|the last (?:one|thing)))*"
_AGAIN = re.compile(
    rf"^(?:{_LEADS} )*(?:"
    rf"(?:say|repeat|tell me|read|answer|speak){_OBJECTS}"
    r"(?: (?:again|once more|one more time|back|slowly|slower|louder|more slowly))+|"
    rf"repeat{_OBJECTS}|repeat yourself|come again|pardon(?: me)?|once more|one more time|again|"
    r"(?:a (?:bit|little) )?(?:slower|faster|louder|quieter|more slowly)|slow down|not so fast|too fast|"
    r"speak (?:up|slower|more slowly|louder)|what did you (?:just )?say|what was that|"
    rf"{_MISSED})(?: (?:please|for me))*$"
)
_MANNER = re.compile(r"\b(slow(?:er|ly| down)?|faster|louder|quieter|up|fast)\b")
_VOICES = re.compile(
    r"\b(?:what|which|how many|list|name|show|tell me)\b.*\bvoices?\b.*"
    r"\b(?:do you|have|are there|can you|could you|available|there are|know|all|the|your)\b|"
    r"\b(?:list|show|name|which|what|what other)\b(?: \w+)? voices\b|"
    r"\bwho (?:else )?can you (?:sound|speak|talk) (?:like|as)\b"
)
_WHOSE = re.compile(
    r"\b(?:whose voice|which voice (?:is|are) (?:this|that|you)|"
    r"who(?:se)? (?:is|are) (?:that|this|you) (?:voice|speaking|talking|now))\b"
)
_MOST_NAMES = 6


def said_again(request: str, past: Sequence[PastTurn]) -> str | None:
    """The last answer once more, for a request that asks for it; None for another request."""
    said = " ".join(split_words(request))
    if not _AGAIN.fullmatch(said):
        return None
    last = next((turn.answer for turn in reversed(past) if turn.answer), None)
    if last is None:
        return "I have not said anything yet."
    last = last.removeprefix(_UNABLE).strip()
    return f"{_UNABLE}{last}" if _MANNER.search(said) else last


_UNABLE = "I cannot change how I speak, so here it is once more. "


def about_voices(request: str, tools: Sequence[ToolSpec], past: Sequence[PastTurn]) -> str | None:
    """Which voices there are, or whose voice is heard; None for another request, or without the voice tool."""
    said = " ".join(split_words(request))
    tool = next((tool for tool in tools if tool.name == "audio_search"), None)
    if tool is None:
        return None
    if _WHOSE.search(said):
        outputs = [output.text for turn in past for output in turn.outputs if output.name == "audio_search"]
        now = next((text for text in reversed(outputs) if text.startswith("The voice is now")), None)
        return re.split(r"(?<=[.:]) |: ", now)[0].rstrip(":.") + "." if now else "This is my own voice."
    if not _VOICES.search(said):
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
