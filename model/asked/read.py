"""`read_wishes`: the voice and the search that a request asks for."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentaudio.model.asked import chinese, english
from agentaudio.model.asked.wish import Wishes
from agentaudio.text.languages import HAN

MAX_CHARS = 1000
"""A longer text asks for nothing: it is a document that was pasted, and a sentence in it is not a request."""

_HAN = re.compile(f"[{HAN}]")


def read_wishes(text: str, names: Sequence[str] = ()) -> Wishes:
    """Read a request, in English or Chinese, as it was written or recognised, with or without punctuation.

    names: of voices, which may be asked for without a description: "use Angus from now on"

    The rules prefer to miss a wish: "speak faster", "I like her voice" and "search your heart" ask for nothing.
    """
    if len(text) > MAX_CHARS:
        return Wishes()
    rules = chinese if _HAN.search(text) else english
    voice, rest = rules.voice_asked(text, names)
    return Wishes(voice, rules.search_asked(rest))
