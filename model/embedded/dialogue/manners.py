"""Wishes for how fast and how loud the agent speaks: "slower, please", and which of them are in force."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentaudio.model.embedded.dialogue.turns import PastTurn
from agentaudio.model.manner import Manner
from agentaudio.text.sentences import sentences
from agentaudio.text.words import split_words

SAID = {
    "slower": "I will speak more slowly.",
    "faster": "I will speak faster.",
    "louder": "I will speak louder.",
    "quieter": "I will speak more quietly.",
    "normal": "I will speak at my normal speed and volume again.",
}
"""What the agent answers to each wish. The wishes in force are read from these sentences in its answers."""
LIMITS = {
    "slower": "I cannot speak any slower.", "faster": "I cannot speak any faster.",
    "louder": "I cannot speak any louder.", "quieter": "I cannot speak any more quietly.",
}  # fmt: skip
WHICH = "I can speak slower or faster, and louder or more quietly. Which of them?"
RATE_STEP, GAIN_STEP_DB = 1.25, 5.0
SLOWEST, FASTEST = 0.6, 1.6
QUIETEST_DB, LOUDEST_DB = -15.0, 10.0

_TOO = r"(?:too|so|that|very|terribly|awfully)"
_WAYS = (
    ("normal", r"\b(?:normal|usual|regular|ordinary|original) (?:speed|pace|volume|rate|loudness|tempo)\b|"
               r"\b(?:speak|talk) normally\b"),
    ("slower", rf"\b(?:slower|slowly|slow (?:it |that )?down|less (?:fast|quickly)|{_TOO} (?:fast|quick|quickly)|"
               rf"not so (?:fast|quick)|"
               r"half as fast|rush|mumble|mumbling|clearly|clearer|(?:can not|can hardly|could not) (?:keep up|follow)|"
               r"take your time|at half speed|(?:lower|reduce) (?:the|your) speed)\b"),
    ("faster", rf"\b(?:faster|quicker|quickly|speed (?:it |that |things )?up|hurry|{_TOO} (?:slow|slowly)|not so slow|"
               r"(?:raise|increase) (?:the|your) speed)\b"),
    ("quieter", rf"\b(?:quieter|quietly|softer|softly|{_TOO} loud|not so loud|less loud|shout|shouting|(?:turn|"
                rf"keep|bring|put) "
                r"(?:it|that|the volume|your voice|yourself|the sound)? ?down|volume down|lower (?:the volume|your "
                r"voice)|tone it down|down a notch|less volume)\b"),
    ("louder", rf"\b(?:louder|loudly|loud|speak up|talk up|{_TOO} (?:quiet|quietly|soft|softly|low)|(?:turn|bring|put) "
               r"(?:it|that|the volume|yourself|the sound)? ?up|volume up|more volume|(?:raise|increase) (?:the volume|"
               r"your voice)|(?:can not|can hardly|can barely|could not) hear|up a notch)\b"),
)  # fmt: skip
_WISH = {way: re.compile(pattern) for way, pattern in _WAYS}
_SPEAKS = re.compile(r"\b(?:speak|speaking|talk|talking|voice|volume|speed|sound|pace|turn|loudness|hear|up|down)\b")
_BARE = re.compile(
    r"(?:(?:and|but|okay|ok|now|then|so|please|maybe|no|oh|just|even|still|rather|too|a|bit|little|tad|touch|wee|lot|"
    r"much|more|slightly) )*(?:slower|slowly|faster|quickly|louder|loudly|quieter|quietly)(?: (?:please|now|then|"
    r"though|again|still|this|time|from|on|for|me|thanks|if|you|can))*"
)
_JOINED = re.compile(
    r"(?:,? (?:and|but)|,) (?:please |also |do it |say it |speak |talk |read it )*(?:a (?:bit|little) |much |rather |"
    r"quite )?(?P<how>slower|more slowly|slowly|faster|more quickly|louder|quieter|more quietly|softly|softer)(?: "
    r"please)?\W*$",
    re.IGNORECASE,
)


def asked_manner(request: str) -> str | None:
    """Which of SAID a request for another manner means; None where that is not told."""
    said = " ".join(split_words(request))
    return next((way for way, pattern in _WISH.items() if pattern.search(said)), None)


def names_manner(request: str) -> bool:
    """Whether a request names a speed or a volume, or the speaking itself."""
    return asked_manner(request) is not None or _SPEAKS.search(" ".join(split_words(request))) is not None


def is_bare_manner(request: str) -> bool:
    """Whether the last sentence of a request is nothing but another speed or volume: "a bit quieter now"."""
    last = ([part for part in sentences(request) if split_words(part)] or [""])[-1]
    return _BARE.fullmatch(" ".join(split_words(last))) is not None


def without_manner(request: str) -> tuple[str, str | None]:
    """A request for something else without the manner at its end, and that manner: "like an old man and slower"."""
    match = _JOINED.search(request)
    if match is None or len(split_words(request[: match.start()])) < 3:
        return request, None
    return request[: match.start()], asked_manner(match["how"])


def manner_of(answers: Sequence[str]) -> Manner:
    """The manner after the wishes that these answers granted, in order."""
    rate, gain = 1.0, 0.0
    for answer in answers:
        for way, sentence in SAID.items():
            if sentence not in answer:
                continue
            match way:
                case "slower":
                    rate = max(SLOWEST, rate / RATE_STEP)
                case "faster":
                    rate = min(FASTEST, rate * RATE_STEP)
                case "louder":
                    gain = min(LOUDEST_DB, gain + GAIN_STEP_DB)
                case "quieter":
                    gain = max(QUIETEST_DB, gain - GAIN_STEP_DB)
                case _:
                    rate, gain = 1.0, 0.0
    return Manner(round(rate, 3), gain)


def granted(way: str, past: Sequence[PastTurn]) -> str:
    """The sentence that grants a wish, or that says that this goes no further."""
    before = [turn.answer for turn in past]
    return SAID[way] if way == "normal" or manner_of([*before, SAID[way]]) != manner_of(before) else LIMITS[way]
