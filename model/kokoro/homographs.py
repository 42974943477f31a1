"""The part of speech of an English word that is said in two ways, guessed from its neighbours."""

from __future__ import annotations

from collections.abc import Sequence

_DETERMINERS = frozenset(
    "a an the this that these those my your his her its our their no every each some any another one which whose "
    "of in on for with by from at new old first last next own good great long short".split()
)
_BEFORE_VERBS = frozenset(
    "to will would can could shall should may might must do does did don't doesn't didn't won't can't cannot "
    "i you we they he she it who let's let please not never always often".split()
)
_BEFORE_PARTICIPLES = frozenset("have has had having was were is are be been being i've you've we've they've".split())
_PAST = frozenset("yesterday ago last".split())
_LIVING = frozenset("people they we you i who birds fish animals children many most".split())


def part_of_speech(word: str, before: Sequence[str], after: Sequence[str]) -> str:
    """NOUN, VERB, VBD, VBN, ADJ or DEFAULT, as the keys of the lexicon.

    word: in lower case, as are the words around it
    """
    last = before[-1] if before else ""
    if last in _BEFORE_PARTICIPLES:
        return "VBN"
    if word == "used" and after[:1] == ["to"]:
        return "VBD"
    if last in _BEFORE_VERBS:
        past = (
            word == "read" and last not in ("to", "will", "can", "could", "would", "please") and bool(_PAST & {*after})
        )
        return "VBD" if past else "VERB"
    if word == "live" and last in _LIVING:
        return "VERB"
    if last in _DETERMINERS:
        return "NOUN"
    if not before and after:
        return "VERB"  # an imperative
    return "DEFAULT"
