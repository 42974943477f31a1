"""What the words heard so far say about the user's turn: whether it is complete, and whether it is one at all."""

from __future__ import annotations

import re
from typing import Literal

from agentaudio.text.words import split_words

Completeness = Literal["complete", "unclear", "open", "dictated"]

# Words after which something follows, even where a recogniser ends the sentence with a full stop.
_ALWAYS_OPEN = frozenset("a an the my your our their every and or but because if um uh er erm than".split())
_OPEN_BEFORE_A_STOP = frozenset(
    "his its some any at by for from into of onto via with without between during until towards in on to about "
    "is are was were am be been has had would could should may might must so while although unless whether which whose "
    "as half i we they he she very really quite maybe perhaps named called give show want need tell wants needs".split()
)
"""Words after which a statement goes on; a question may end in them."""
_OPENERS = re.compile(
    r"^(?:(?:um|uh|er|erm|so|well|okay|ok|and|but|oh|hey|hi|hello|excuse me|i think|i mean|you know|let me see"
    r"|let me think|actually|listen|what i wanted to ask is"
    r"|my (?:\w+ )?(?:number|name|address|code|email) is)\b[ ,]*)+$"
)
_TRAILS_OFF = re.compile(r"(?:\.\.\.|[,…—–\-、，:])$")
_ENDED = re.compile(r"[.!。！]['\"”’)]*$")
_COMMANDS = frozenset("stop wait no halt pause quiet silence enough hold cancel".split())
_DIGITS = frozenset(
    "oh zero one two three four five six seven eight nine double triple dot dash hyphen underscore slash plus".split()
)
_ASKS_TO_DICTATE = re.compile(
    r"\b(?:number|spell|code|address|e-?mail|digits?|pin|postcode|zip|iban|serial|plate|letter by letter)\b.*\?"
    r"|号码|拼|邮箱|地址|验证码"
)
_BACK_CHANNEL = frozenset(
    "mm mmm mhm mmhm mhmm hmm hm uh huh uhhuh aha ah ahh oh ooh yeah yes yep yup ok okay right sure "
    "i see got it wow cool nice great exactly really indeed fine true good go on of course all alright "
    "嗯 哦 啊 对 是 好 好的 是的 对对 嗯嗯 行".split()
)
_HEARD_OF_NOISE = re.compile(r"^[\W_]*(?:\[[^\]]*\]|\([^)]*\)|\*[^*]*\*|♪.*|thanks? for watching|you)?[\W_]*$", re.I)
_CHINESE_OPEN = re.compile(r"(?:的|和|跟|在|把|给|从|到|因为|所以|但是|然后|如果|那个|就是|想要?|一个|这个)[，…]*$")


def completeness(text: str, *, dictating: bool = False) -> Completeness:
    """Whether the words heard before a pause are a whole utterance.

    text: as a recogniser writes it, with punctuation where it writes some
    dictating: the agent asked for a number, a spelling or an address
    """
    words = split_words(text)
    if not words:
        return "unclear"
    text = text.rstrip()
    last = words[-1]
    if dictating or _is_dictated(words):
        return "dictated"
    if _OPENERS.match(" ".join(words)) or last in _ALWAYS_OPEN or _TRAILS_OFF.search(text):
        return "open"
    if text.endswith(("?", "？")):
        return "complete"
    if (last in _OPEN_BEFORE_A_STOP and len(words) > 1) or _CHINESE_OPEN.search(text.rstrip("。.")):
        return "open"
    return "complete" if _ENDED.search(text) else "unclear"


def asks_to_dictate(text: str) -> bool:
    """Whether an answer of the agent ends in a question for a number, a spelling or an address."""
    return bool(_ASKS_TO_DICTATE.search(text.lower()[-200:]))


def is_back_channel(text: str) -> bool:
    """Whether words only say that the user is listening ("mm-hm", "I see"), or are none at all."""
    if is_noise(text):
        return True
    words = split_words(text.replace("-", " "))
    if any(word in _COMMANDS for word in words):
        return False
    return len(words) <= 4 and all(word in _BACK_CHANNEL for word in words)


def is_noise(text: str) -> bool:
    """Whether a recogniser heard no words: nothing, or what it writes for music and noise."""
    return _HEARD_OF_NOISE.match(text) is not None


def _is_dictated(words: list[str]) -> bool:
    """Whether the words end in at least two digits or single letters, and in no other number such as "twenty"."""
    count = 0
    for word in reversed(words):
        if word in _DIGITS or (len(word) == 1 and word not in "ai") or (word.isdigit() and word.isascii()):
            count += len(word) if word.isdigit() else 1
        else:
            break
    return count >= 3
