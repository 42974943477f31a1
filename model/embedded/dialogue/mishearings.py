"""`mended`: a request with words put right that recognisers confuse, where English grammar excludes what was heard."""

from __future__ import annotations

import re

_PREPOSITION_OR_QUESTION = r"(?:in|at|on|of|if|about|after|is|are|add|also|a|an|other|how|where|who|what|when|why)\b"
_RIGHT = (
    # At the beginning "an" is "and" before a consonant, a digit, or a word that no article precedes.
    (
        re.compile(
            rf"^(\W*)an(?= (?!hour|honest|honou?r|heir)(?:[^\W\daeiou]|\d|{_PREPOSITION_OR_QUESTION}))", re.IGNORECASE
        ),
        r"\1and",
    ),
    # A noun that is counted does not begin a sentence without an article.
    (re.compile(r"^(\W*)user (?=\w)", re.IGNORECASE), r"\1use a "),
    # A noun stands behind an article.
    (re.compile(r"\b(the) whether\b", re.IGNORECASE), r"\1 weather"),
)


def mended(request: str) -> str:
    """The request, with "an the museum" as "and the museum" and "the whether in Rome" as "the weather in Rome"."""
    for heard, right in _RIGHT:
        request = heard.sub(right, request)
    return request
