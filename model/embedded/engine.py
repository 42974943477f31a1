"""The embedded engine: cascades that run anywhere, without torch, a GPU or a language model."""

from __future__ import annotations

from agentaudio.errors import OptionError
from agentaudio.model.cascade.cascade import Cascade
from agentaudio.model.embedded.hearing.recogniser import SphinxRecogniser
from agentaudio.model.embedded.router_chat import MAX_REQUEST_CHARS, RouterChat
from agentaudio.model.embedded.speaking.espeak import Espeak
from agentaudio.model.embedded.speaking.synthesiser import EmbeddedSynthesiser


def load(argument: str | None, *, max_request_chars: int = MAX_REQUEST_CHARS) -> Cascade:
    """The entry point `embedded`: PocketSphinx, a router, eSpeak NG, and WORLD for the voice.

    Raises OptionError for an argument: there is only one.
    max_request_chars: characters of a written request; a longer one raises BackendError
    """
    if argument is not None:
        raise OptionError(f"model 'embedded' takes no argument, but was given {argument!r}; write 'embedded'")
    espeak = Espeak()
    return Cascade(
        SphinxRecogniser(espeak.phonemes),
        RouterChat(max_request_chars=max_request_chars),
        EmbeddedSynthesiser(espeak),
        name="embedded",
    )
