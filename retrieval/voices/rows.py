"""Rows of the voices whose cards have what a wish names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from agentaudio.retrieval.text.bm25 import TextIndex
from agentaudio.retrieval.vectors.id_set import IdSet
from agentaudio.retrieval.voices.names import words_in
from agentaudio.retrieval.voices.query import Wish, trait_term


def with_attributes(index: TextIndex, wish: Wish, among: IdSet) -> IdSet:
    """Rows that have a trait of each group of the wish: gender, age and places."""
    found = among
    for group in wish.attributes:
        either = IdSet()
        for trait in group:
            either |= index.holding(trait_term(trait))
        found &= either
    return found


def excluded(index: TextIndex, wishes: Iterable[Wish]) -> IdSet:
    """Rows that have everything that one of the wishes names, or are called what it says."""
    found = IdSet()
    for wish in wishes:
        named = holding_any(index, words_in(wish.english))
        if len(named):
            found |= named
            continue
        if "young" in wish.ages:  # who is unwanted as too young is so as a child
            wish = replace(wish, ages=wish.ages | {"child"})
        rows: IdSet | None = None if not wish.attributes else with_attributes(index, wish, index.ids())
        for term in (*map(trait_term, wish.manners), *(f"~{root}" for root in wish.rest)):
            rows = index.holding(term) if rows is None else rows & index.holding(term)
        found |= rows if rows is not None else IdSet()
    return found


def holding_any(index: TextIndex, terms: Iterable[str]) -> IdSet:
    """Rows that hold the first of the terms that any row holds."""
    for term in terms:
        rows = index.holding(term)
        if len(rows):
            return rows
    return IdSet()
