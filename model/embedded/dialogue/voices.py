"""`changed_voice`: the voice before with another person, accent or quality: "no, a woman", "the same but calmer"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agentaudio.model.asked.queries import voice_query
from agentaudio.model.embedded.dialogue.stated import FRAME_WORDS
from agentaudio.text.words import split_words

CHARACTERS = frozenset(
    "pirate sailor butler presenter newsreader storyteller commentator announcer professor teacher witch wizard king "
    "queen prince princess monster alien ghost cowboy soldier santa captain vampire android computer navigation nanny "
    "pensioner lad lass gal chap dude fellow whisper whisperer singer actor "
    "female-sounding englishman frenchman scotsman irishman englishwoman".split()
)
"""Whom a voice can be like, beside people."""
PEOPLE = CHARACTERS | frozenset(
    "man woman girl boy child kid lady gentleman guy bloke male female robot grandmother grandma granny grandfather "
    "grandpa grandad person teenager baby narrator men women".split()
)
_VERBS = frozenset("a an the sound sounds speak talk whisper like".split())
AGED = frozenset("old older young younger little elderly".split())
ACCENTS = frozenset(
    "american british english scottish irish welsh australian indian german french italian spanish russian "
    "chinese japanese dutch swedish polish canadian african mexican brazilian portuguese turkish greek arabic "
    "southern northern london texan european asian norwegian danish finnish korean italy france germany spain "
    "scotland ireland england america russia china japan india australia wales".split()
)
_OPPOSED = tuple(
    (one.split(), other.split())
    for one, other in (
        ("older old elderly aged", "younger young little youthful"),
        ("deeper deep lower low dark darker", "higher high light lighter bright brighter"),
        ("slower slow", "faster fast quicker quick"),
        ("louder loud", "quieter quiet softer soft whispering whispery gentle gentler"),
        ("calmer calm relaxed serious stern sad sadder tired boring",
         "livelier lively excited cheerful happier happy energetic funny enthusiastic brighter"),
        ("clearer clear smooth smoother", "rougher rough hoarse raspy"),
        ("friendlier friendly warmer warm kind kinder nice", "colder cold angrier angry creepy stern robotic"),
    )
)  # fmt: skip
QUALITIES = frozenset(word for sides in _OPPOSED for side in sides for word in side)
_LESS = re.compile(r"\b(?:not (?:quite |that |as |too )?(?:so |as )?|less |too )$")
_AS_BEFORE = re.compile(
    r"\bnormal\b|^(?:(?:ok|okay|no|right|and|now|so|go) )*back to (?:(?:the )?(?:start|beginning)\b|"
    r"(?:how|what|the way) you (?:were|sounded|spoke)$)|"
    r"\bback to how\b.*\b(?:at first|before|in the beginning|to start with|earlier)\b"
)
_VOICE_WORDS = frozenset(
    "voice voices accent accents speaker speak speaking sound sounds sounding talk talking like version use using "
    "switch kind tone more less much slightly again same quite him her them he she one back somebody character "
    "hear".split()
)


@dataclass(frozen=True, slots=True)
class VoiceChange:
    """query: the whole description of the new voice; fit: from 0 to 1, how much of the request it explains"""

    query: str
    fit: float


def changed_voice(request: str, held: str, names: Sequence[str] = ()) -> VoiceChange | None:
    """What the request makes of the voice that was asked for last; None where it says nothing of a voice.

    held: the query of that voice; empty without one
    names: of the voices that there are
    """
    words = split_words(request)
    said = " ".join(words)
    if voice_query(said) == "default" or _AS_BEFORE.search(said):
        return VoiceChange("default", _share(words, frozenset({"normal", "usual", "own", "default", "regular"})))
    named = next((name for name in names if set(split_words(name)) & set(words)), None)
    if named is not None:
        return VoiceChange(named, _share(words, frozenset(split_words(named))))
    people, accents, qualities = _described(words)
    known = frozenset((*people, *accents, *qualities))
    if not known:
        return None
    known |= {word for word in words if word in QUALITIES}
    if re.search(r"\b(?:else|different|another)\b", said) and (people or qualities or accents):
        held = ""
    own = [word for word in split_words(held) if word not in _VERBS]
    fit = _share(words, known | {word for word in words if word in own})
    if people and [word for word in qualities if word in AGED or word not in own] and not re.search(r"\bsame\b", said):
        return VoiceChange(_wish([*qualities, *accents, *people[-1:]]), fit)
    kept = list(own)
    if people:
        places = [place for place, word in enumerate(kept) if word in PEOPLE]
        for place in reversed(places):
            del kept[place]
        kept.insert(places[0] if places else len(kept), people[-1])
        kept = [word for word in kept if word not in ("accent", "voice") or any(w in ACCENTS for w in kept)]
    if accents:
        kept = [word for word in kept if word not in ACCENTS]
        if kept[-1:] == ["from"] or "from" in kept:
            kept = kept[: kept.index("from")]
        kept = [*accents, *kept]
    for quality in qualities:
        base = set(own) & {quality}
        opposed = {word for sides in _OPPOSED for side in sides if quality in side for word in (*sides[0], *sides[1])}
        kept = [quality, *(word for word in kept if word not in opposed and word not in base)]
    if not any(word in PEOPLE or word in ("voice", "accent") for word in kept):
        kept.append("accent" if accents and not people else "person")
    return VoiceChange(_wish(kept), fit)


def _described(words: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """The people, accents and qualities that the words name; "not so deep" is the opposite of deep."""
    people, accents, qualities = [], [], []
    groups = [(word, sides, place) for sides in _OPPOSED for place in (0, 1) for word in sides[place]]
    for place, word in enumerate(words):
        before = " ".join(words[:place]) + " "
        negated = bool(_LESS.search(before)) or bool(re.search(r"\bnot (?:a |an |the )?$", before))
        if word in PEOPLE and not negated:
            people.append(word)
        elif word in ACCENTS and not negated:
            accents.append(word)
        elif (found := next((one for one in groups if one[0] == word), None)) is not None:
            if words[place - 1 : place] == ["like"] and word in ("nice",):
                continue
            _, sides, side = found
            qualities.append(sides[1 - side][0] if negated else word)
        elif words[place - 1 : place] in (["more"], ["less"]) and word not in FRAME_WORDS:
            qualities.append(word)
    unique = list(dict.fromkeys(qualities))
    return people, accents, [word for word in unique if word not in ("nice", "kind", "nicer")]


def _share(words: Sequence[str], known: frozenset[str]) -> float:
    left = [word for word in words if word not in known and word not in FRAME_WORDS and word not in _VOICE_WORDS]
    return 1.0 - len(left) / max(len(words), 3)


def _wish(words: list[str]) -> str:
    return f"{'an' if words[0][0] in 'aeiou' else 'a'} {' '.join(words)}"
