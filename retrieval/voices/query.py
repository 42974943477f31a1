"""`Request` and `Wish`: what a request for a voice, or the text of a card, says about voices."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from agentaudio.retrieval.voices.clauses import clauses_of
from agentaudio.retrieval.voices.lexing import Token, tokens_of
from agentaudio.retrieval.voices.names import name_term
from agentaudio.retrieval.voices.vocabulary import AGES, CHILD_ONLY, GENDERS, MANNERS, PLACES, WITHIN
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


@dataclass(frozen=True, slots=True)
class Wish:
    """The traits in a text, all of which a voice should have.

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

    @property
    def empty(self) -> bool:
        """Whether it names nothing."""
        return not (self.attributes or self.manners or self.rest or self.contradictory)


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


@dataclass(frozen=True, slots=True)
class Request:
    """What a request for a voice asks for.

    alternatives: at least one; a voice must meet one of them
    excluded: a voice that has everything of one of them is unwanted
    """

    alternatives: tuple[Wish, ...]
    excluded: tuple[Wish, ...] = ()


def read_request(text: str) -> Request:
    """The alternatives and exclusions in a request, in English, Chinese or both."""
    clauses = clauses_of(tokens_of(text))
    alternatives = dict.fromkeys(_wish(tokens) for tokens in clauses.alternatives)
    return Request(tuple(alternatives), tuple(dict.fromkeys(_wish(tokens) for tokens in clauses.excluded)))


def read_wish(text: str) -> Wish:
    """The traits in a description, in English, Chinese or both. Choices are read as if all were said."""
    clauses = clauses_of(tokens_of(text))
    tokens = dict.fromkeys(token for tokens in clauses.alternatives for token in tokens)
    return _wish(tokens)


def _wish(tokens: Iterable[Token]) -> Wish:
    said: list[frozenset[str]] = []
    manners: set[str] = set()
    rest: set[str] = set()
    content: list[str] = []
    small = False
    for token in tokens:
        if token.kind == "trait":
            content.append(token.text)
            said += [group for group in token.traits if not group <= MANNERS.keys()]
            manners.update(*(group for group in token.traits if group <= MANNERS.keys()))
        elif token.text in CHILD_ONLY:
            small = True
        elif token.kind == "word":
            rest.update(root(term) for term in search_terms(token.text))
            content.append(token.text)
    if small and frozenset({"child", "young"}) in said:
        said.append(frozenset({"child"}))
    genders, ages = (_all_of(said, known) for known in (ALL_GENDERS, ALL_AGES))
    places = tuple(dict.fromkeys(group for group in said if group <= PLACES.keys()))
    return Wish(
        genders or frozenset(), ages or frozenset(), places, frozenset(manners), frozenset(rest),
        " ".join(content), contradictory=genders is None or ages is None,
    )  # fmt: skip


def card_prose(card: VoiceCard) -> str:
    """What a card says of the voice: without its transcript, and without the name, which may be any word."""
    return " ".join(part for part in (card.description, card.style, card.accent, *card.tags) if part)


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


def _all_of(said: list[frozenset[str]], known: frozenset[str]) -> frozenset[str] | None:
    """The traits that all groups of one kind share; empty without groups, None when they exclude each other."""
    groups = [group for group in said if group <= known]
    if not groups:
        return frozenset()
    return frozenset.intersection(*groups) or None
