"""`is_thanks`: whether a sentence only thanks, also somebody by name: "perfect, thank you, mademoiselle"."""

from __future__ import annotations

import re

from agentaudio.model.embedded.dialogue.acts import holds_value
from agentaudio.model.embedded.routing.intents import is_room
from agentaudio.text.words import split_words

_THANKS = re.compile(
    r"(?:(?:perfect|lovely|great|grand|good|fine|wonderful|excellent|brilliant|super|smashing|magic|ace|nice|okay|ok|"
    r"right|well|oh|ah|and|yes|no|that is all|all right|splendid|champion) )*"
    r"(?:thank you|thanks|ta|cheers|merci|gracias|danke|grazie|obrigad[oa]|tack|takk|bless you|much obliged)"
    r"(?: (?:very|so|ever so|much|a lot|a bunch|a million|indeed|kindly))*(?P<whom>(?: (?:my )?[a-z]+){0,2})"
)


def is_thanks(text: str) -> bool:
    """Whether the text thanks, and names no value beside."""
    thanks = _THANKS.fullmatch(" ".join(split_words(text))) if "?" not in text else None
    return thanks is not None and not holds_value(text) and not any(map(is_room, thanks["whom"].split()))
