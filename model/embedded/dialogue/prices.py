"""`with_prices`: prices that are said in two numbers, as one: "three pounds fifty" is "3.50 pounds"."""

from __future__ import annotations

import re

from agentaudio.text.numbers import parse_number

_ONES = "one|two|three|four|five|six|seven|eight|nine"
_TEENS = "ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen"
_TENS = "twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
_SMALL = rf"(?:(?:{_TENS})(?:[- ](?:{_ONES}))?|{_TEENS}|{_ONES})"
_WHOLE = rf"(?P<whole>\d{{1,4}}|(?:(?:an?|{_ONES}) hundred(?: and)? )?{_SMALL}|an?)"
_PART = rf"(?P<part>\d\d|(?:{_TENS})(?:[- ](?:{_ONES}))?|{_TEENS}|(?:oh )?(?:five|nine)(?= (?:pence|cents?|p)\b))"
_EACH = (
    r"(?:each|apiece|a ?piece|per \w+|an? (?:head|person|pop|bag|box|bottle|go|night|day|week|month|ticket|pack|kilo))"
)
_ENDS = (
    rf"(?=\s*(?:$|[,.;:?!])|\s+(?:{_EACH}|pence|cents?|p|for|on|and|at|please|off|plus|minus|times|now|then|in|with|"
    rf"what|"
    r"how|so|is|altogether|to)\b)(?:\s+(?:pence|cents?|p)\b)?"
)
_PRICE = re.compile(
    rf"\b{_WHOLE} (?P<unit>pounds?|euros?|dollars?|quid|bucks?|francs?|crowns?)(?: and)? {_PART}{_ENDS}", re.IGNORECASE
)
_BARE = re.compile(rf"\b(?P<at>at|for|costs?|is|are) {_WHOLE} {_PART}(?=\s+{_EACH}\b)", re.IGNORECASE)
"""A price without its unit, which "each" tells from the time of day."""
_ASKED = re.compile(rf"\b(?P<at>at|costs?) {_WHOLE} {_PART}(?=\s*(?:$|[,.;?!])|\s+and\b)", re.IGNORECASE)
_HOW_MUCH = re.compile(
    r"\b(?:how much|altogether|in total|(?:come|comes|came) to|the total|the damage)\b", re.IGNORECASE
)


def with_prices(request: str) -> str:
    """The request with each price as one number; "at twelve fifty" is one where the request asks how much it makes."""
    request = _PRICE.sub(lambda price: f"{_number(price)} {price['unit']}", request)
    request = _BARE.sub(lambda price: f"{price['at']} {_number(price)}", request)
    if _HOW_MUCH.search(request):
        request = _ASKED.sub(lambda price: f"{price['at']} {_number(price)}", request)
    return request


def _number(price: re.Match[str]) -> str:
    whole = 1 if price["whole"].lower() in ("a", "an") else parse_number(price["whole"])
    part = parse_number(price["part"].lower().removeprefix("oh "))
    return f"{whole}.{part:02d}" if isinstance(whole, int) and isinstance(part, int) else price[0]
