"""`WebPassage`: a passage with the date of its page."""

from __future__ import annotations

from dataclasses import dataclass

from agentaudio.conversation import Passage


@dataclass(frozen=True, slots=True)
class WebPassage(Passage):
    """A passage of a web page.

    source: the URL of the page
    date: of publication, YYYY-MM-DD, or empty when unknown
    """

    date: str = ""
