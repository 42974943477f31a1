"""The words of a text, and how much each word of an English request says."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Sequence

from agentaudio.text.languages import CJK
from agentaudio.text.stems import stem

_WORD = re.compile(r"[a-z]+/[a-z_/]+|\d[\d,]*(?:\.\d+)?|[^\W\d_]+(?:['’][^\W\d_]+)*|[+*/^%×÷()-]")
_HYPHEN = re.compile(r"(?<=[^\W\d_])-(?=[^\W\d_])")
"""Between letters it joins words; elsewhere it is a minus."""
_UNIT = re.compile(rf"[{CJK}]|[^\W_{CJK}]+")
LONGEST_KEPT = 200
"""Characters of a text whose words are kept, since requests are split again and again."""
CJK_PER_WORD = 1.5
"""Chinese or Japanese characters that take as long to say as a word."""

_CONTRACTIONS = {
    "what's": "what is", "who's": "who is", "where's": "where is", "when's": "when is", "how's": "how is",
    "it's": "it is", "that's": "that is", "i'm": "i am", "i'd": "i would", "i'll": "i will", "i've": "i have",
    "let's": "let us", "don't": "do not", "can't": "can not", "cannot": "can not", "won't": "will not",
    "doesn't": "does not", "didn't": "did not", "isn't": "is not", "aren't": "are not", "you're": "you are",
    "we're": "we are", "we'd": "we would", "gonna": "going to", "wanna": "want to", "gimme": "give me",
    "shan't": "shall not",
    # Recognisers leave out apostrophes.
    "whats": "what is", "thats": "that is", "hows": "how is", "wheres": "where is", "whos": "who is", "im": "i am",
    "ive": "i have", "dont": "do not", "didnt": "did not", "doesnt": "does not", "isnt": "is not", "cant": "can not",
    "arent": "are not", "wont": "will not", "youre": "you are", "lets": "let us",
}  # fmt: skip
_ENDINGS = {"'ll": "will", "'re": "are", "'ve": "have", "n't": "not"}

STOP_WORDS = frozenset(
    "a an the this that these those there here it its i me my mine we us our you your he him his she her they "
    "them their is are am was were be been being do does did doing have has had having can could will would "
    "shall should may might must not no nor so too very just only also and or but if then else than as of at "
    "by for with about against between into through during before after above below to from up down in out "
    "on off over under again further once what which who whom whose when where why how all any both each few "
    "more most other some such own same let get got give make tell say please thanks thank okay ok oh well um "
    "uh hey hi like want need know".split()
)
"""Words that do not carry a topic."""

LIGHT_WORDS = STOP_WORDS | frozenset(
    "now today tonight tomorrow currently right already something anything someone anyone thing things bit "
    "little lot really maybe perhaps kindly quickly would'nt look show find put take go come see hear listen "
    "help start begin try use going long much many far often kind sort quick instead".split()
)
"""Words that are rarely part of the value of a tool's argument."""

COMMAND_VERBS = frozenset(
    "tell give show make order buy call send write play sing draw open close start stop turn switch set book reserve "
    "find read dance cook bring get take drive translate remind schedule cancel pay clean wash fix help teach count "
    "guess pick choose go come look put convert calculate add subtract multiply divide speak talk say answer search "
    "google change use delete email text phone post print save upload download lock unlock wake dim raise lower "
    "explain describe do let repeat check watch record mute pause dial ring invite ask".split()
)
"""Verbs that open a command."""
_POLITE_OPENING = frozenset(
    "please okay ok hey well so and then now also just can could would will you kindly i want need to like".split()
)

QUESTION_WORDS = frozenset("what which who whom whose when where why how".split())
_ASKING_VERBS = frozenset("is are was were do does did can could will would has have had should".split())


def word_count(text: str) -> float:
    """Words of a text in any script; a Chinese or Japanese character is part of one."""
    parts = _UNIT.findall(text)
    cjk = sum(1 for part in parts if re.match(f"[{CJK}]", part))
    return len(parts) - cjk + cjk / CJK_PER_WORD


def split_words(text: str) -> list[str]:
    """Lower-case words, numbers and arithmetic signs of a text, in NFC; contractions are written out."""
    return list(_split_short(text) if len(text) <= LONGEST_KEPT else _split(text))


@functools.lru_cache(maxsize=2048)
def _split_short(text: str) -> tuple[str, ...]:
    return tuple(_split(text))


def _split(text: str) -> list[str]:
    found: list[str] = []
    plain = unicodedata.normalize("NFC", text.lower()).replace("’", "'")
    for word in _WORD.findall(_HYPHEN.sub(" ", plain) if "-" in plain else plain):
        found.extend(_written_out(word).split())
    return found


def _written_out(word: str) -> str:
    if (whole := _CONTRACTIONS.get(word)) is not None:
        return whole
    for ending, meant in _ENDINGS.items():
        if word.endswith(ending) and word != ending:
            return f"{word.removesuffix(ending)} {meant}"
    return word.removesuffix("'s")


def content_words(text: str) -> list[str]:
    """The words that carry a topic, in order."""
    return [word for word in split_words(text) if word not in STOP_WORDS]


@functools.lru_cache(maxsize=50_000)
def stems(text: str) -> frozenset[str]:
    """Stems of the words that carry a topic."""
    return frozenset(stem(word) for word in content_words(text))


def command_place(words: Sequence[str]) -> int | None:
    """The index of the verb that opens a command; None for words that are not a command."""
    place = next((place for place, word in enumerate(words) if word not in _POLITE_OPENING), None)
    return place if place is not None and words[place] in COMMAND_VERBS else None


def is_question(text: str) -> bool:
    """Whether the text asks for a fact: it starts with an auxiliary verb or holds a question word."""
    words = split_words(text)
    if not words:
        return False
    if words[0] in ("can", "could", "will", "would") and words[1:2] == ["you"]:
        words = words[2:]
        return bool(words) and words[0] in QUESTION_WORDS
    return words[0] in QUESTION_WORDS | _ASKING_VERBS or bool(
        QUESTION_WORDS.intersection(words[:8]) and {"tell", "know", "explain", "wonder"}.intersection(words[:6])
    )
