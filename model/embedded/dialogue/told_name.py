"""`about_name`: what the agent says of the user's own name, which it has only if it was told in this conversation."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentaudio.model.embedded.dialogue.turns import PastTurn

_CALLED = re.compile(
    r"(?i:\b(?:my (?:first |full )?name(?:['’]s| is)|(?:i am|i['’]m) called|call me)) "
    r"(?P<name>[A-Za-z][\w'’-]+(?: [A-Z][\w'’-]+)?)"
)
_IS_NAME = re.compile(
    r"(?:^|[.,!]\s+)(?i:(?:hello|hi|hey|good \w+)[,.!]? )?(?:I am|I['’]m|This is) "
    r"(?P<name>[A-Z][a-z’'-]+)\s*(?:[.,!]|$)"
)
_ASKS = re.compile(
    r"\b(?:what (?:is|was) my (?:first |full )?name|(?:know|remember|recall|forget|forgotten|got|have|say|tell me) "
    r"(?:what )?my (?:first |full )?name|who (?:am i|i am)|what am i called|what (?:do|did) you call me|"
    r"(?:know|remember|recall) (?:me|who i am|what i am called))\b(?! (?:talking|speaking|hearing|chatting))"
)
_NO_NAMES = frozenset("a an the not no on in late later back maybe if when now tomorrow today so very".split())


def about_name(said: str, request: str, past: Sequence[PastTurn]) -> str | None:
    """The reply to a request that tells the user's name or asks for it; None for another one.

    said: the request in the words of `split_words`, joined by spaces; past: the turns before, in order
    """
    if _ASKS.search(said):
        name = next((name for turn in reversed(past) if (name := _name(turn.request))), None)
        return f"You told me that your name is {name}." if name else "You have not told me your name."
    name = _name(request)
    return f"Nice to meet you, {name}." if name else None


def _name(request: str) -> str | None:
    found = _CALLED.search(request) or _IS_NAME.search(request)
    if found is None or found["name"].split()[0].lower() in _NO_NAMES:
        return None
    return found["name"] if found["name"][0].isupper() else found["name"].title()
