"""`plain`: what a request says, without how it happened to be said."""

from __future__ import annotations

from agentaudio.model.embedded.dialogue.mishearings import mended
from agentaudio.model.embedded.dialogue.politeness import direct
from agentaudio.model.embedded.dialogue.prices import with_prices
from agentaudio.model.embedded.dialogue.repairs import repaired
from agentaudio.model.embedded.dialogue.spelling import unspelled, written_out
from agentaudio.model.embedded.dialogue.thanks import is_thanks
from agentaudio.model.embedded.dialogue.topic_first import with_topic_in_place


def plain(request: str) -> str:
    """The request with mishearings and restarts put right, without spelling, fillers and circumlocution, and in the
    usual order of words."""
    if is_thanks(request):
        return request
    return with_topic_in_place(direct(repaired(with_prices(unspelled(written_out(mended(request)))))))
