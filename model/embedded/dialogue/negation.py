"""Commands that forbid something: "do not switch the light off", alone or before another command."""

from __future__ import annotations

import re

from agentaudio.text.words import COMMAND_VERBS, command_place, split_words

_LEADS = r"(?:(?:please|no|oh|and|but|then|now|okay|well|so|wait|just|you|must|should|can|could|i want you to)\b )*"
_FORBIDS = re.compile(
    rf"^{_LEADS}(?:do not|never|(?:i )?(?:would rather|want) you not to|i do not want you to|not to) "
    rf"(?:ever )?(?P<verb>\w+)\b(?P<rest>.*)$"
)
_CONTRAST = re.compile(r"\b(?:but|instead|rather|until|unless|without|except)\b")
_PARTS = re.compile(r"\s*[.,;:!?]+\s+(?:but\s+)?|\s+(?:but|rather)\s+")
_EXCEPTION = re.compile(
    r",?\s+(?:but|and) not (?:(?:in|on|at|for|with|by|to) )?(?:the |my |a |an )?[\w' -]{2,40}$", re.IGNORECASE
)
_ASIDE_VERBS = frozenset("forget know understand mind worry bother let get think see want need like hesitate".split())


def forbids(request: str) -> bool:
    """Whether the request only says what not to do: "please do not change your voice"."""
    said = " ".join(split_words(request))
    match = _FORBIDS.match(said)
    if match is None or match["verb"] in _ASIDE_VERBS or _CONTRAST.search(said):
        return False
    return match["verb"] in COMMAND_VERBS and without_forbidden(request) == request


def without_forbidden(request: str) -> str:
    """The request without a leading part that forbids something when another command follows, and without an exception.

    "do not play Bach, play Mozart" gives "play Mozart", and "the light in the hall but not in the kitchen" is about
    the hall.
    """
    match = _FORBIDS.match(" ".join(split_words(request)))
    if match is None or match["verb"] in _ASIDE_VERBS:
        kept = _EXCEPTION.sub("", request.rstrip(" .!?"))
        return kept if len(split_words(kept)) > 2 and command_place(split_words(kept)) is not None else request
    first, *others = _PARTS.split(request, maxsplit=1)
    rest = others[0].strip() if others else ""
    words = split_words(rest)
    return rest if words and command_place(words) is not None and _FORBIDS.match(" ".join(words)) is None else request
