"""`stated`: the words of a request that give new values, without what it negates or takes back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from agentaudio.text.numbers import find_numbers
from agentaudio.text.words import LIGHT_WORDS, split_words

FRAME_WORDS = LIGHT_WORDS | frozenset(
    "instead rather prefer preferred mean meant said wanted asked asking talking thinking forget actually sorry oops "
    "wait hold hang nope yes yeah yep hm hmm hum er huh ah same another second extra additional different better nicer "
    "best next question leave keep again also change changed correct correction first last later earlier add would "
    "nice fine good great suits suit works work sounds perhaps way else enough skip check hear over till around about "
    "there will time times hello hey right thing one ones two's may let us mistake wrong misspoke moment bit whoops "
    "pardon up whole entire still already even anyway cool great lovely awesome perfect afterwards please kind though "
    "course no nah".split()
)
"""Words around the new values, which say nothing about what they are."""
PREPOSITIONS = frozenset("in at for by on from about to of with near".split())
ARTICLES = frozenset("the a an my our some".split())
_CORRECTING = re.compile(
    r"\b(?:no wait|wait no|i mean|i meant|no no|i said|or rather|no|sorry|actually|rather|hold on|"
    r"so|that makes|makes it|(?:let us )?make (?:it|that))\b"
)
_BREAKS = re.compile(r"[,.;:!?]+(?=\s|$)")
_NEGATED_PART = re.compile(
    r"^(?:(?:no|and|but|sorry|oh|i) )*(?:(?:did|do) not (?:say|mean|want|ask for|need)|not|never mind|forget)\b"
)


def stated(request: str, arguments: Mapping[str, Any]) -> list[list[str]]:
    """The words of the request between its commas and stops, without what it negates or takes back."""
    # "Oh" opens a sentence; only between numbers ("six oh five") it is one.
    parts = [part for text in _BREAKS.split(request) if (part := split_words(re.sub(r"(?i)^\W*oh\b", "", text)))]
    kept = [part for part in parts if not _NEGATED_PART.match(" ".join(part))]
    # Without a comma: "not ten twenty", "thirty not thirteen".
    for part in parts if not kept else kept:
        if "not" in part:
            part[:] = _without_negated(part, arguments)
    kept = [part for part in (kept or parts) if part]
    # What follows "no, wait" or "so, make it" is meant, and what came before it is not.
    for place in range(len(kept) - 1, -1, -1):
        text = " ".join(kept[place])
        if (last := list(_CORRECTING.finditer(text))) and (after := text[last[-1].end() :].split()):
            if any(word not in FRAME_WORDS for word in after):
                return [after, *kept[place + 1 :]]
    return kept


def _without_negated(words: list[str], arguments: Mapping[str, Any]) -> list[str]:
    place = words.index("not")
    before, after = words[:place], words[place + 1 :]
    olds = sorted((split_words(str(value)) for value in arguments.values()), key=len, reverse=True)
    skipped = 0
    while skipped < len(after) and after[skipped] in PREPOSITIONS | ARTICLES:
        skipped += 1
    numbers = [number for number in find_numbers(after) if number.start == skipped]
    for old in olds:
        if old and after[skipped : skipped + len(old)] == old:
            return before + after[skipped + len(old) :]
    if numbers:
        return before + after[numbers[0].end :]
    has_value = any(word not in FRAME_WORDS for word in before) or bool(find_numbers(before))
    return before if has_value else after
