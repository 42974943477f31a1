"""Names that end in a mark of a sentence: "Yahoo! is", "Guess? makes"."""

from __future__ import annotations

import re
from collections.abc import Callable

_KNOWN = frozenset("yahoo jeopardy wham oklahoma airplane kahoot joomla guess yum ahoy mia rouge dolly".split())
"""Last words of names with a mark that often stand before another capitalised word, such as "Yahoo! Mail"."""
_GREETINGS = frozenset(
    "hello hi hey wow oh ah ok okay yes no yeah yep nope great sure thanks stop please sorry well right good nice cool "
    "welcome congratulations look wait help bye goodbye morning alas hooray what why how really never always go run "
    "listen damn hmm ouch oops bravo cheers enough amazing awesome perfect excellent fantastic wonderful".split()
)
"""Words that are sentences by themselves."""
_GOES_ON = frozenset(
    "is was are were has had have will would can could may might does did do and or but in on at by with to from of as "
    "than for says said makes made offers also became won lost 's".split()
)
_OPENERS = frozenset(
    "a an the this that these those there here it he she we they you i his her its our their my what who when where "
    "why how if please let then now and but so do did is are was can could will would yes no not".split()
)


def after_mark(before: str, mark: str) -> Callable[[str, bool], bool | None] | None:
    """Whether the sentence goes on with a word after "!" or "?", given also whether all of the word is there.

    before: the sentence up to the mark
    mark: "!" or "?"; after the latter only known names go on
    returns: None when the mark ends the sentence, whatever follows; the function's None is: not known yet
    """
    words = re.findall(r"[\w'’]+", before[-80:])
    if not words or not before[-1:].isalpha() or not words[-1][0].isupper() or words[-1].lower() in _GREETINGS:
        return None
    name, inside = words[-1].lower(), len(words) > 1
    if mark == "?" and name not in _KNOWN:
        return None

    def goes_on(word: str, whole: bool) -> bool | None:
        if word[0].islower():
            if inside or name in _KNOWN:
                return True
            return word in _GOES_ON if whole else None
        if name in _KNOWN and word[0].isupper():
            return word.lower() not in _OPENERS if whole else None
        return False

    return goes_on
