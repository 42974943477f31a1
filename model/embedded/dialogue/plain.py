"""`plain`: what a request says, without how it happened to be said."""

from __future__ import annotations

from agentaudio.model.embedded.dialogue.mishearings import mended
from agentaudio.model.embedded.dialogue.politeness import direct
from agentaudio.model.embedded.dialogue.repairs import repaired
from agentaudio.model.embedded.dialogue.spelling import unspelled


def plain(request: str) -> str:
    """The request with mishearings and restarts put right, and without spelling, fillers and circumlocution."""
    return direct(repaired(unspelled(mended(request))))
