"""Comparing what was said, given and read with what a suite expects."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from agentaudio.errors import ToolError
from agentaudio.evaluation.suites.schema import Rule, Value
from agentaudio.text.numbers import find_numbers, year_words
from agentaudio.text.sentences import sentences
from agentaudio.text.terms import search_terms
from agentaudio.text.words import split_words
from agentaudio.tools.builtin.calculate import calculate

LEAST_SHARE = 0.5
"""Share of the words of a sentence that its evidence must hold."""
LEAST_TERMS = 3
"""A sentence of fewer words that carry a topic, such as "Yes, of course.", states nothing."""
_OF_AGENT = re.compile(r"\s*(?:I\b|我)")
_GROUPED = re.compile(r"(?<=\d)[,\u202f\u00a0](?=\d{3}(?!\d))")
_LETTER = "[a-z\u00df-\u024f\u0370-\u052f]"
"""Of the scripts that put blanks between words: Latin, Greek and Cyrillic."""
_OTHER = re.compile(r"[^\w.%+*/=-]+|\.(?!\d)|-(?!\d)|(?<=\w)-")


def comparable(text: str) -> str:
    """A text without case, punctuation, compatibility forms and the commas within numbers."""
    plain = _GROUPED.sub("", unicodedata.normalize("NFKC", text).casefold().replace("’", "'"))
    return " ".join(_OTHER.sub(" ", plain).split())


def missing(wanted: Iterable[str], text: str) -> list[str]:
    """The entries of `wanted` that `text` does not hold; "a|b" is held where either is."""
    inside = comparable(text)
    return [entry for entry in wanted if not any(_holds(inside, one) for one in entry.split("|"))]


def _holds(inside: str, wanted: str) -> bool:
    """Whether the words stand in a text. They must stand there whole: 21 is not in 211 or -21, and ice not in voice."""
    words = comparable(wanted)
    if not words:
        return False
    before = r"(?<![\d.-])" if words[0].isdigit() else f"(?<!{_LETTER})" if re.match(_LETTER, words[0]) else ""
    after = r"(?!\.?\d)" if words[-1].isdigit() else f"(?!{_LETTER})" if re.match(_LETTER, words[-1]) else ""
    return re.search(before + re.escape(words) + after, inside) is not None


def argument_fault(rule: Rule | Value, given: Any) -> str | None:
    """Why an argument is not as the rule says; None when it is."""
    if not isinstance(rule, Rule):
        return None if _same(rule, given) else f"is {given!r}, not {rule!r}"
    if rule.contains is not None:
        lacks = missing(rule.contains, str(given))
        return f"is {given!r}, without {', '.join(map(repr, lacks))}" if lacks else None
    if rule.any_of is not None:
        return None if any(_same(one, given) for one in rule.any_of) else f"is {given!r}, none of {rule.any_of}"
    try:
        computed = float(calculate(str(given)).rpartition("=")[2])
    except (ToolError, ValueError):
        return f"is {given!r}, which cannot be computed"
    assert rule.computes is not None
    return None if math.isclose(computed, rule.computes, rel_tol=1e-6) else f"is {given!r}, which is {computed:g}"


def _same(wanted: Value, given: Any) -> bool:
    if isinstance(wanted, bool) or wanted is None or isinstance(given, bool) or given is None:
        return wanted is given
    if isinstance(wanted, int | float):
        try:
            return math.isclose(float(given), wanted, rel_tol=1e-9)
        except (TypeError, ValueError):
            return False
    return comparable(str(given)) == comparable(wanted)


def unsupported(answer: str, evidence: Sequence[str]) -> list[str]:
    """The sentences of an answer that its evidence does not support, by their words.

    A sentence is supported when the evidence holds each of its numbers, in digits or in English words, and
    LEAST_SHARE of its other words. Of a sentence about the agent, such as "I found nothing about that", only the
    numbers count. It tells inventions by what they name; a denial of the evidence in its own words passes, as only a
    judge can tell.
    """
    numbers = {number for text in evidence for number in _numbers(split_words(_plain(text)))}
    terms = {term for text in evidence for term in search_terms(text)}
    found = []
    for sentence in sentences(answer):
        words = _with_years(split_words(_plain(sentence)), numbers)
        spans = [range(one.start, one.end) for one in find_numbers(words)]
        others = " ".join(word for place, word in enumerate(words) if not any(place in span for span in spans))
        mine = [term for term in set(search_terms(others)) if not term[0].isdigit()]
        unread = [term for term in mine if term not in terms]
        strange = _numbers(words) - numbers
        states = len(mine) >= LEAST_TERMS and not _OF_AGENT.match(sentence)
        if strange or states and len(unread) > len(mine) * (1 - LEAST_SHARE):
            found.append(sentence.strip())
    return found


def _numbers(words: Sequence[str]) -> set[float]:
    """The numbers in a list of words."""
    # "one" is more often a pronoun than a number.
    return {float(number.value) for number in find_numbers(words) if number.value != 1}


def _with_years(words: Sequence[str], numbers: Iterable[float]) -> list[str]:
    """The words, with the known years among the numbers in digits: "eighteen eighty nine" is 1889."""
    text = " ".join(words)
    for year in (int(number) for number in numbers if 1000 <= number < 3000 and number.is_integer()):
        text = re.sub(rf"\b{year_words(year)}\b", str(year), text)
    return text.split()


def _plain(text: str) -> str:
    return _GROUPED.sub("", unicodedata.normalize("NFKC", text))
