"""Sums that are told as stories: "four tickets at 23 euros each", "and 15 for the parking on top"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentaudio.text.numbers import FoundNumber, find_numbers, parse_number
from agentaudio.text.stems import stem

_ASKS = re.compile(
    r"\b(?:how (?:much|many|long)|what|total|altogether|all together|in all|come to|comes to|add up|work out|works out|"
    r"change|left|calculate|figure out|tell me|makes?)\b"
)
_SHARED = re.compile(
    r"\b(?:each|apiece|per (?:person|head|piece)|a head|split|shared?|divided?|between us|among us|every one of us|"
    r"everyone|(?:my|our|his|her|your) share|do (?:we|i|they) (?:each )?owe|does each)\b"
)
_WHOLE = re.compile(
    r"\b(?:bill|total|cost|costs|paid|rent|owe|spent|came to|comes to|altogether|all together|in all|in total|for "
    r"all|price)\b"
)
_MONEY = re.compile(r"\b(?:euros?|dollars?|pounds?|bucks|cents?)\b")
_EACH = re.compile(
    r"^(?:euros?|dollars?|pounds?|cents?|minutes?|hours?|grams?|miles?|meters?|kilometers?|kilos?|pages?|rows?|"
    r"points?)? ?(?:each|apiece|a piece|per \w+|(?:a|an|every|the) (?:\w+)|for each|for one)\b"
)
_PRICED = re.compile(r"\b(?:at|for|costing|cost|costs|with|of|is|are)(?: about| only| just)? ?$")
_AT = re.compile(r"\b(?:at|for|costing|costs?)(?: about| only| just)? ?$")
_PER = re.compile(r"\b(?:per|in (?:one|each|every)|fit (?:in|into|on)|to (?:one|each|every)|each|every)(?: \w+)?\b")
_HAS = re.compile(
    r"\b(?:have|has|had|got|take|takes|need|buy|bought|drink|eat|want|order|make|use|go|work|run|sell|sold|do)\b"
)
_GAINED = re.compile(r"\b(?:get|got|buy|bought|find|found|add|receive|received|earn|earned|more|another|win|won)\b")
_LOST = re.compile(
    r"\b(?:give away|gave away|gave|lose|lost|spend|spent|eat|ate|use|used|sell|sold|paid|take away|took|left|broke|"
    r"already read|drank)\b"
)
_PAYS = re.compile(r"\b(?:pay|paid|paying|hand over|give (?:them|him|her)|with) (?:with )?(?:a |the )?$")
_CHANGE = re.compile(r"\b(?:back|change|returned)\b")
_LESS = re.compile(
    r"^(?:(?:and|but|so) )*after\b|\b(?:left|remains?|remaining|off|minus|less|without|discount|already|take away|take "
    r"off|knock off|spent|gave|lost|paid|deduct|subtract|cheaper|reduced|reduction|down|ate|eat|eaten|sold|refund)\b"
)
_MORE = re.compile(
    r"\b(?:all together|altogether|in total|in all|on top|as well|too|extra|another|plus|add|added|also|more|further|"
    r"then there is|there is|there are|including|include|with (?:that|it|the)|increase|tip|surcharge|costs?|comes?|"
    r"is)\b"
)
_TIMES = re.compile(
    r"\b(?:times|days?|nights?|weeks?|months?|years?|of (?:them|those|these)|people want|everyone|a piece|apiece|"
    r"per \w+|each|a page|a person|a day|a week|a month|an hour|such|people)\b"
)
_SHARE_OF = re.compile(
    r"\b(?:on|of|for)(?: (?:a|an|the|my|our|your))?(?: (?:bill|price|total|meal|dinner|cost)(?: of)?)?$"
)
_PACKED = re.compile(r"(?!of\b|percent\b)[a-z]+ of|(?!times\b|and\b)[a-z]+s (?:with|containing|holding)")
_HOLDS = re.compile(
    r"^(?P<what>[a-z]+?)s\b.*\b(?:a|an|one|each|every|per) (?P=what) (?:has|is|holds|contains|costs|takes|have)"
    r"(?: about| only)?$"
)
_HOLDS_SO_MANY = re.compile(
    r"\b(?:an?|one|each|every) (?P<box>[a-z]+) (?:holds|takes|seats|carries|fits|has)(?: about| only)?$"
)
_COST = re.compile(r"\b(?:and|plus)\b.*\b(?:is|are|was|were|costs?|for|at|came to|another)(?: about| only)?$")
_EARNS = re.compile(r"\b(?:earn|earned|make|made|get|got|budget|saved|salary|wage|wages|paid|pension)\b")
_GOES_ON = re.compile(
    r"\b(?:and|then|now|so|but|if|plus|on top|with that|that|it|all together|altogether|in total|another|extra|also|as "
    r"well|total|sum|result|answer|delivery|tip|tax|off)\b"
)
_OTHER = re.compile(
    r"\b(?:than|timer|table|weather|degrees|o'clock|museum|light|voice|play|feet|meters|miles|kilometers|wake)\b"
)


def told_sum(words: Sequence[str]) -> str | None:
    """The expression of a question with two numbers that are told as a story; None for another request."""
    said = " ".join(words)
    if (exchanged := _exchanged(words)) is not None:
        return exchanged
    numbers = _counted(words)
    if len(numbers) == 4 and not _OTHER.search(said) and _ASKS.search(said):
        return _priced_pairs(words, numbers)
    if len(numbers) != 2 or _OTHER.search(said):
        return None
    one, two = numbers
    after = " ".join(words[two.end : two.end + 4])
    if words[one.end : one.end + 1] in (["percent"], ["%"]) and _SHARE_OF.search(" ".join(words[one.end : two.start])):
        return f"{one.value}/100*{two.value}"
    if not (_ASKS.search(said) or said.endswith(("each", "apiece"))):
        return None
    if (held := _HOLDS_SO_MANY.search(" ".join(words[: one.start]))) is not None:
        return _divided(one, two) if re.search(rf"\bhow many {held['box']}(?:e?s)?\b", said) else None
    if re.search(r"\b(?:left|remains?|remaining)\b", said) and _EARNS.search(said):
        return f"{one.value}-{two.value}"
    if (
        packed := re.search(r"\b(?:in|into) (?P<boxes>[a-z]+?)e?s of$", " ".join(words[one.end : two.start]))
    ) is not None:
        return _divided(one, two) if f"how many {packed['boxes']}" in said else None
    if _PACKED.fullmatch(" ".join(words[one.end : two.start])) or _HOLDS.search(" ".join(words[one.end : two.start])):
        return f"{one.value}*{two.value}"
    between = " ".join(words[one.end : two.start])
    if two.start - one.end >= 1 and _EACH.match(after) and _PRICED.search(between):
        return f"{one.value}*{two.value}"
    if re.search(r"\bat(?: about| only| just)?$", between) and _MONEY.match(after):
        return f"{one.value}*{two.value}"  # "28 tickets at 3.50 pounds, what is that?"
    if _EACH.match(" ".join(words[one.end : one.end + 4])) and two.start - one.end >= 1:
        if re.search(r"\bhow many\b", said) and _PER.search(between):
            return _divided(one, two)
        if not _WHOLE.search(said):
            return f"{one.value}*{two.value}"
    if _SHARED.search(said) and (_WHOLE.search(said) or _MONEY.search(said)):
        return _divided(one, two)
    if re.search(r"\bhow many\b", said) and _PER.search(" ".join(words[two.end : two.end + 3])):
        return _divided(one, two)
    if re.search(r"\b(?:is|are|costs?|takes?)(?: about| only)? $", " ".join(words[: one.start]) + " ") and _HAS.search(
        between
    ):
        return f"{one.value}*{two.value}"
    if re.search(r"\b(?:together|altogether|in total|in all|the total|come to)\b", said) and _COST.search(between):
        return f"{one.value}+{two.value}"  # "the pizza was 36 and the drinks were 14"
    if _CHANGE.search(said) and (_PAYS.search(" ".join(words[: one.start]) + " ") or _PAYS.search(between + " ")):
        return f"{max(one.value, two.value)}-{min(one.value, two.value)}"
    if re.search(r"\b(?:have|had|has|got|were|there are)\b", " ".join(words[: one.start])) and between:
        if _LOST.search(between) or _LOST.search(after):
            return f"{one.value}-{two.value}"
        if _GAINED.search(between):
            return f"{one.value}+{two.value}"
    return None


def _exchanged(words: Sequence[str]) -> str | None:
    """The expression of "if one dollar is 0.9 euros, how many euros is 250 dollars?", and of its reverse."""
    rate = _RATE.search(" ".join(words))
    if rate is None:
        return None
    value, amount = parse_number(rate["rate"]), parse_number(rate["amount"])
    one, other, asked, given = (stem(rate[name]) for name in ("one", "other", "asked", "given"))
    if value is None or amount is None or one == other or {asked, given} != {one, other}:
        return None
    return f"{amount}*{value}" if given == one else f"{amount}/{value}"


_RATE = re.compile(
    r"\b(?:one|a|an|1|each|every) (?P<one>[a-z]+) (?:is|are|equals|costs|makes|gives|gets(?: me| you)?)(?: about)? "
    r"(?P<rate>[\w. ]+?) (?P<other>[a-z]+)(?: then| and| so| now)* (?:how (?:many|much)|what(?: is| are)?)(?: in)? "
    r"(?P<asked>[a-z]+) (?:is|are|for|do i get for|does|do|would i get for|make|makes|cost)(?: about)? "
    r"(?P<amount>[\w. ]+?) (?P<given>[a-z]+)(?: cost| make| then)*$"
)


def carried_on(said: str, last: str) -> str | None:
    """The expression that goes on from the result `last` with the one number of a story; None for another request.

    said: in the words of `split_words`, joined by spaces
    """
    words = said.split()
    numbers = _counted(words)
    if len(numbers) == 2 and not _OTHER.search(said) and _AT.search(_between(words, *numbers)):
        more = re.search(r"\b(?:and|plus|add|another|more|also|with)\b", " ".join(words[: numbers[1].start]))
        return f"{last}+{numbers[0].value}*{numbers[1].value}" if more else None
    if len(numbers) != 1 or _OTHER.search(said) or not (_GOES_ON.search(said) or _TIMES.search(said)):
        return None
    number = numbers[0]
    before, after = " ".join(words[: number.start]), " ".join(words[number.end :])
    value = str(number.value)
    if after.startswith(("percent", "%", "per cent")):
        if after.split(" ")[1:2] == ["of"] and "that" not in after and "it" not in after.split():
            return None
        share = float(number.value) / 100
        if _LESS.search(said):
            return f"{last}*{1 - share:g}"
        if re.search(r"\b(?:plus|add|on top|tip|tax|vat|more|extra|increase|service|raise)\b", said):
            return f"{last}*{1 + share:g}"
        return f"{last}*{share:g}" if re.search(r"\bof (?:that|it|this|the)\b", after) else None
    if _CHANGE.search(said) and (_PAYS.search(before + " ") or re.search(r"\b(?:with|from|out of|note)\b", said)):
        return f"{value}-{last}"
    if _SHARED.search(said) and not re.search(r"\b(?:euros?|dollars?|pounds?)\b", after):
        return f"{last}/{value}"
    if re.search(r"\b(?:from|out of)(?: the| a)? $", before + " "):
        return f"{value}-{last}"
    if _LESS.search(said):
        return f"{last}-{value}"
    if _TIMES.search(after) and not re.search(r"\b(?:more|extra|on top|another|other)\b", said):
        return f"{last}*{value}"
    if re.search(r"\btimes $", before + " "):
        return f"{last}*{value}"
    return f"{last}+{value}" if _MORE.search(said) else None


def _priced_pairs(words: Sequence[str], numbers: Sequence[FoundNumber]) -> str | None:
    """The sum of two counts with their prices: "four adults at 12.50 and two kids at six"."""
    one, price, other, other_price = numbers
    pairs = _AT.search(_between(words, one, price)) and _AT.search(_between(words, other, other_price))
    if not pairs or not re.search(r"\b(?:and|plus|with)\b", f"{_between(words, price, other)} and"):
        return None
    return f"{one.value}*{price.value}+{other.value}*{other_price.value}"


def _between(words: Sequence[str], one: FoundNumber, other: FoundNumber) -> str:
    """The words between two numbers; empty where they touch."""
    return " ".join(words[one.end : other.start])


def _divided(one: FoundNumber, two: FoundNumber) -> str:
    return f"{max(one.value, two.value)}/{min(one.value, two.value)}"


def _counted(words: Sequence[str]) -> list[FoundNumber]:
    """The numbers that count something: not "one" in "the first one", nor a sigh."""
    kept = []
    for number in find_numbers(words):
        alone = number.end - number.start == 1
        if alone and words[number.start] in ("one", "half", "second", "third", "quarter", "oh", "o"):
            continue
        kept.append(number)
    return kept
