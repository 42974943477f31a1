"""`unspelled`: a request with its spelled words written out: "in Cork, C O R K"."""

from __future__ import annotations

import re

_LETTERS = re.compile(
    r"(?P<lead>[,;:]?\s*(?:(?:that is|that['’]s|spelled|spelt|spelling|as in|i spell|it is spelled|which is)[\s,]+)*)"
    r"(?<![\w'’])(?P<letters>[a-z](?:[\s.\-]+[a-z](?![\w'’])){2,})\.?(?![\w'’])",
    re.IGNORECASE,
)


_SHORT_IS = re.compile(
    r"\b(?P<word>(?:that|this|which|other|last|first|next|\w+er|\w+est) one|how \w+|what time)['’]s (?!own\b)",
    re.IGNORECASE,
)


def written_out(request: str) -> str:
    """The request with "is" in full where it would be taken for an owner: "how long's that", "which one's bigger"."""
    return _SHORT_IS.sub(r"\g<word> is ", request)


def unspelled(request: str) -> str:
    """The request without letters that spell a word before them, and with other spelled words joined."""

    def written(match: re.Match[str]) -> str:
        word = re.sub(r"[^a-z]", "", match["letters"], flags=re.IGNORECASE)
        said = re.sub(r"[^a-z]", "", request[: match.start()].lower())
        if said.endswith(word.lower()):
            return ""
        return f"{' ' if match.start() else ''}{word}"

    return _LETTERS.sub(written, request)
