"""`Wish`: the traits that a request for a voice, or the text of a card, names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from agentaudio.retrieval.voices.vocabulary import (
    AGES,
    ASKING,
    CHILD_ONLY,
    CHINESE,
    CHINESE_ASKING,
    COMPOUND,
    GENDERS,
    MANNERS,
    PLACE_AND_GENDER,
    PLACES,
    WITHIN,
)  # fmt: skip
from agentaudio.text.languages import HAN
from agentaudio.text.stems import root
from agentaudio.text.terms import search_terms
from agentaudio.voice_library.voice import VoiceCard

ALL_GENDERS = frozenset((*GENDERS, "neutral"))
ALL_AGES = frozenset(AGES)

_DEFAULT_VOICE = (
    re.compile(r"\b(default|original|normal|usual|regular|standard|own|your|previous|first)\b"),
    re.compile(r"\bvoice\b"),
)
_DEFAULT = re.compile(
    r"^\W*(default|reset)\W*$"
    r"|默认|原来的|原声|(你|您)(自己|本来)|恢复"
)
_PERSON_TALKING = (
    re.compile(r"\b(person|one|speaker|user)\b"),
    re.compile(r"\b(talking|speaking)\b"),
    re.compile(r"\b(now|moment)\b"),
)
_TALKER = re.compile(
    r"\b(my|mine|our)\s+(own\s+)?voice\b|\bmyself\b|^\W*(me|like me)\W*$|\b(like|as)\s+(me|i do|mine)\b"
    r"|\b(current|this) (speaker|user|talker)\b"
    r"|我的(声音|音色|嗓音)|我自己|(像|跟|和)我(一样)?$|正在说话的人|说话人"
)
_YEARS = re.compile(r"\b(\d{1,3}|[a-z]+)[ -]years?[ -]old\b")
_NUMBERS = "one two three four five six seven eight nine ten eleven twelve".split()
_WORD = re.compile(r"[a-z0-9]+(?:['-][a-z0-9]+)*")
_CHINESE = re.compile(f"[{HAN}]+")
_LONGEST_CHINESE = max(map(len, (*CHINESE, *CHINESE_ASKING)))


@dataclass(frozen=True, slots=True)
class Wish:
    """The traits in a text.

    genders, ages, places: a voice must have one of each group that is not empty
    manners: how the voice should sound, as keys of MANNERS
    rest: roots of the other content words
    english: the request in English, for embedders that only know English
    contradictory: whether no voice can have all traits
    """

    genders: frozenset[str] = frozenset()
    ages: frozenset[str] = frozenset()
    places: tuple[frozenset[str], ...] = ()
    manners: frozenset[str] = frozenset()
    rest: frozenset[str] = frozenset()
    english: str = ""
    contradictory: bool = False

    @property
    def attributes(self) -> tuple[frozenset[str], ...]:
        """Groups of traits; a voice must have one trait of each group."""
        return tuple(group for group in (self.genders, self.ages, *self.places) if group)


def asks_for_default(query: str) -> bool:
    """Whether the query asks for the voice that the agent started with."""
    text = query.lower()
    return (_in_order(text, _DEFAULT_VOICE) or _DEFAULT.search(text) is not None) and not asks_for_talker(query)


def asks_for_talker(query: str) -> bool:
    """Whether the query asks for the voice of the person who is speaking."""
    text = query.lower()
    return _in_order(text, _PERSON_TALKING) or _TALKER.search(text) is not None


def _in_order(text: str, patterns: Iterable[re.Pattern[str]]) -> bool:
    """Whether the patterns follow each other in the text. One pattern with `.*` between them could take O(n ** 3)."""
    end = 0
    for pattern in patterns:
        found = pattern.search(text, end)
        if found is None:
            return False
        end = found.end()
    return True


def read_wish(text: str) -> Wish:
    """The traits in a request or a description, in English, Chinese or both."""
    english, unknown = _translate(text.lower())
    english, age = _age_in_years(english)
    tokens = _WORD.findall(english.replace("’", "'"))
    said: list[frozenset[str]] = [frozenset({age})] if age else []
    manners: set[str] = set()
    rest = set(unknown)
    content: list[str] = []
    at = 0
    while at < len(tokens):
        length, traits = _at(tokens, at)
        phrase = " ".join(tokens[at : at + length])
        negated = at > 0 and tokens[at - 1] in ("not", "no", "without", "never")
        at += length
        if traits is None:
            if phrase not in ASKING and phrase not in CHILD_ONLY:
                rest.update(root(term) for term in search_terms(phrase))
                content.append(phrase)
            continue
        if not negated:
            content.append(phrase)
            said += [group for group in traits if not group <= MANNERS.keys()]
            manners.update(*(group for group in traits if group <= MANNERS.keys()))
    if CHILD_ONLY.intersection(tokens) and frozenset({"child", "young"}) in said:
        said.append(frozenset({"child"}))
    genders, ages = (_all_of(said, known) for known in (ALL_GENDERS, ALL_AGES))
    places = tuple(dict.fromkeys(group for group in said if group <= PLACES.keys()))
    return Wish(
        genders or frozenset(), ages or frozenset(), places, frozenset(manners), frozenset(rest),
        " ".join(content), contradictory=genders is None or ages is None,
    )  # fmt: skip


def card_prose(card: VoiceCard) -> str:
    """The text of a card without its transcript."""
    extras = " ".join(part for part in (card.style, card.accent, *card.tags) if part)
    return f"{card.name}. {card.description} {extras}"


def card_terms(card: VoiceCard) -> list[str]:
    """The search terms of a card: words of its text and transcript, `@trait`, `~root` and `=name`.

    The fields for gender and age take precedence over the text.
    """
    prose = card_prose(card)
    described = read_wish(prose)
    places = {place for group in described.places for place in group}
    language = card.language.lower()
    for place, (_, tags) in PLACES.items():
        if any(language == tag or language.startswith(f"{tag}-") for tag in tags.split()):
            places.add(place)
    places.update(*(WITHIN.get(place, ()) for place in places))
    traits = {
        *({card.gender} if card.gender else described.genders), *({card.age} if card.age else described.ages),
        *places, *described.manners,
    }  # fmt: skip
    return [
        *search_terms(prose), *search_terms(card.transcript),
        *map(trait_term, sorted(traits)), *(f"~{root}" for root in sorted(described.rest)),
        *{name_term(card.name), name_term(card.id)},
    ]  # fmt: skip


def trait_term(trait: str) -> str:
    """The search term of a trait."""
    return f"@{trait.replace(' ', '-')}"


def name_term(name: str) -> str:
    """The search term of a voice's name or id."""
    return f"={'-'.join(name.casefold().split())}"


def names_in(query: str) -> list[str]:
    """Name terms of all runs of up to four words in the query, the longest first."""
    said = re.findall(r"[\w'-]+", query.casefold())[:30]
    spans = ((at, at + length) for length in (4, 3, 2, 1) for at in range(len(said) - length + 1))
    return [name_term(" ".join(said[start:end])) for start, end in spans]


@cache
def _vocabulary() -> dict[str, tuple[frozenset[str], ...]]:
    """The groups of traits of each known word and phrase."""
    found: dict[str, dict[str, set[str]]] = {}
    names = {place: names for place, (names, _) in PLACES.items()}
    for kind, table in (("gender", GENDERS), ("age", AGES), ("place", names), ("manner", MANNERS)):
        for trait, listed in table.items():
            single, *phrases = listed.split("|")
            for word in (*single.split(), *phrases, trait):
                found.setdefault(word, {}).setdefault(kind, set()).add(trait)
    for table in (PLACE_AND_GENDER, {word: genders[0] for word, genders in COMPOUND.items() if genders}):
        for word, gender in table.items():
            found.setdefault(word, {}).setdefault("gender", set()).add(gender)
    for word in ("little girl", "small girl", "tiny girl"):
        found[word]["gender"] = {"female"}
    for word in ("little boy", "small boy", "tiny boy"):
        found[word]["gender"] = {"male"}
    found["young girl"]["gender"], found["young boy"]["gender"] = {"female"}, {"male"}
    found["old man"]["gender"], found["old woman"]["gender"] = {"male"}, {"female"}
    return {word: tuple(frozenset(group) for group in kinds.values()) for word, kinds in found.items()}


@cache
def _roots() -> dict[str, tuple[frozenset[str], ...]]:
    return {root(word): groups for word, groups in _vocabulary().items() if " " not in word}


def _at(tokens: list[str], at: int) -> tuple[int, tuple[frozenset[str], ...] | None]:
    """Length in words and traits of the longest known phrase at this position; None for unknown words."""
    known = _vocabulary()
    for length in (3, 2):
        phrase = " ".join(tokens[at : at + length])
        if at + length <= len(tokens) and phrase in known:
            return length, known[phrase]
    word = tokens[at].removesuffix("'s")
    if word in known:
        return 1, known[word]
    if word in ASKING:
        return 1, None
    return 1, _roots().get(root(word))


def _all_of(said: list[frozenset[str]], known: frozenset[str]) -> frozenset[str] | None:
    """The traits that all groups of one kind share; empty without groups, None when they exclude each other."""
    groups = [group for group in said if group <= known]
    if not groups:
        return frozenset()
    return frozenset.intersection(*groups) or None


def _translate(text: str) -> tuple[str, list[str]]:
    """The text with known Chinese words in English, and the unknown rest as pairs of characters."""
    unknown: list[str] = []

    def english(match: re.Match[str]) -> str:
        found, left, run = [], "", match.group()
        at = 0
        while at < len(run):
            for length in range(min(_LONGEST_CHINESE, len(run) - at), 0, -1):
                piece = run[at : at + length]
                if piece in CHINESE or piece in CHINESE_ASKING:
                    break
            else:
                left, at = left + run[at], at + 1
                continue
            unknown.extend(search_terms(left))
            found.append(CHINESE.get(piece, ""))
            left, at = "", at + length
        unknown.extend(search_terms(left))
        return f" {' '.join(found)} "

    return _CHINESE.sub(english, text), unknown


def _age_in_years(text: str) -> tuple[str, str | None]:
    found = _YEARS.search(text)
    if found is None:
        return text, None
    said = found[1]
    if not said.isdigit() and said not in _NUMBERS:
        age = "young" if said.startswith("twent") or said.endswith("teen") else "adult"
        age = "old" if said[:4] in ("sixt", "seve", "eigh", "nine") else age
    else:
        years = int(said) if said.isdigit() else _NUMBERS.index(said) + 1
        age = "child" if years < 13 else "young" if years < 30 else "adult" if years < 60 else "old"
    return text[: found.start()] + text[found.end() :], age
