"""`WebPassage`: a passage that tells when its page was published."""

from __future__ import annotations

from dataclasses import dataclass

from agentaudio.conversation import Passage


@dataclass(frozen=True, slots=True)
class WebPassage(Passage):
    """source: the URL of its page; date: YYYY-MM-DD, or empty where nobody tells."""

    date: str = ""
