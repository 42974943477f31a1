"""Splits compound requests into their parts."""

from __future__ import annotations

import re

from agentaudio.model.asked.english import PERSON
from agentaudio.text.words import LIGHT_WORDS, split_words

_VOICE = r"(?:in|with|using) (?:the |a |an )?(?:voice (?:of|like) .+|[\w ]{0,40}\bvoice|[\w ]{0,30}\baccent)"
_STYLE = (
    r"(?:(?:like|as if you were|the way|as) (?:an?|the|my|some|your) [\w' ]{2,40}?"
    r"(?: (?:would|does|do)(?: (?:it|say it|tell it|put it))?)?|in (?:a )?whispers?(?:ing voice)?)"
)
"""A way to say something that does not speak of a voice: "like a pirate"."""
_TALKS = (
    r"(?:answer|say|tell|speak|reply|read|explain|respond|talk|do(?= it| that| this))"
    r"(?: it| that| this| me| to me| the answer| your answer){0,2}"
)
_ASKED = (
    r"(?:tell|explain|describe|give|what|who|when|where|why|how|which|is|are|do|does|did|can you tell|calculate|play|"
    r"set|look|search|find|introduce)"
)
_SAYING = (
    r"(?:and |then |but |please |can you |could you ){0,6}"
    r"(?:(?:answer|say|tell|speak|do|reply|read|give|explain|respond|talk|say)"
    r"(?: it| that| this| me| to me| the answer| your answer){0,4})?"
)
_TRAILING = re.compile(rf"^(?P<rest>.+?) (?P<voice>{_SAYING} ?{_VOICE})$")
_STYLED = re.compile(
    rf"^(?P<rest>.+?) (?P<voice>(?:(?:and|then|but|please|can you|could you) ){{0,4}}(?:{_TALKS} (?:please )?{_STYLE}|"
    r"in a whisper|as if you were an? [\w' ]{2,40}?))(?: please| this time| for me)?$"
)
_TOLD_LIKE = re.compile(
    r"^(?P<rest>(?:(?:please|can you|could you) ){0,3}(?:tell|explain|describe|read|introduce) .+?) "
    rf"(?P<voice>like (?:an?|the) (?:\w+ ){{0,3}}{PERSON})(?: please| this time| for me)?$"
)
_STYLE_FIRST = re.compile(
    rf"^(?P<voice>(?:(?:please|can you|could you) ){{0,3}}(?:{_TALKS} (?:please )?)?{_STYLE}) "
    rf"(?:(?:and|then|please) ){{0,3}}(?P<rest>{_ASKED}\b.+)$"
)
_LEADING = re.compile(
    rf"^(?P<voice>{_SAYING} ?(?:in|with|using) (?:the |a |an )?(?:[\w ]{{0,40}}?\bvoice|[\w ]{{0,30}}?\baccent)"
    r"(?: (?:of|like) [\w ]+?)?) (?:and |then |please ){0,6}"
    rf"(?P<rest>{_ASKED}\b.+)$"
)
_LIKE = re.compile(
    r"^(?P<voice>(?:please |can you |could you )*(?:speak|talk|sound|answer|use|switch|change|take)\b.+?)"
    r" and (?:then )?(?:please )?"
    r"(?P<rest>(?:tell|explain|describe|give|what|who|when|where|why|how|which|calculate|play|set|look|search|find|"
    r"introduce)\b.+)$"
)
_JOINT = re.compile(
    r" (?:and then|and also|then|and after that|and) (?=(?:please |can you |could you ){0,6}(?:tell|explain|describe|"
    r"give|what|who|when|where|why|how|calculate|play|set|start|book|reserve|convert|switch|turn|look|search|find|"
    r"speak|answer|use|change|put|wake|add|multiply|show|read|open|close|go back)\b)"
)
_TALK = frozenset("answer speak talk say tell reply read sound explain respond voice".split())


def clauses(text: str) -> list[str]:
    """The parts of a request that may be for different tools, in order; the whole text when it has one part.

    "tell me about the moon in the voice of an old man" has two parts. The router uses a split only when it
    understands every part by itself.
    """
    said = " ".join(split_words(text))
    for pattern in (_LEADING, _TRAILING, _LIKE, _STYLED, _TOLD_LIKE, _STYLE_FIRST):
        match = pattern.match(said)
        if match and _has_topic(match["rest"]):
            voice = match["voice"].strip()
            if pattern is not _LEADING and pattern is not _LIKE and not _TALK.intersection(voice.split()[:4]):
                voice = f"answer {voice}"
            return [voice, match["rest"].strip()]
    parts = [part.strip() for part in _JOINT.split(said)]
    return parts if 1 < len(parts) <= 3 and all(_has_topic(part) for part in parts) else [text]


def _has_topic(part: str) -> bool:
    return any(word not in LIGHT_WORDS and word not in _TALK for word in part.split())
