"""The embedded engines: cascades that run anywhere, without torch, a GPU or a language model."""

from __future__ import annotations

from agentaudio.errors import OptionError, WeightsMissing
from agentaudio.model.cascade.cascade import Cascade
from agentaudio.model.embedded.hearing.recogniser import SphinxRecogniser
from agentaudio.model.embedded.router_chat import MAX_REQUEST_CHARS, RouterChat
from agentaudio.model.embedded.speaking.espeak import Espeak
from agentaudio.model.embedded.speaking.synthesiser import EmbeddedSynthesiser
from agentaudio.model.registry import load_recogniser, load_synthesiser
from agentaudio.weights.store import missing

WEIGHTS = ("whisper-base", "kokoro", "misaki")
"""The entries of the ledger that `embedded` needs."""


def load(argument: str | None, *, max_request_chars: int = MAX_REQUEST_CHARS, threads: int = 2) -> Cascade:
    """The entry point `embedded`: Whisper base, a router, and Kokoro, whose voice moves towards the reference.

    max_request_chars: characters of a request; a longer one raises BackendError
    threads: of the CPU, for recognition and for speech

    Raises WeightsMissing, with the command that fetches them, when weights are not on this machine;
    OptionError for an argument: there is only one.
    """
    _refuse("embedded", argument)
    if wanted := [name for name in WEIGHTS if missing(name)]:
        raise WeightsMissing(
            f"the weights {', '.join(wanted)} of the model 'embedded' are not on this machine; run "
            f"`agentaudio models fetch {' '.join(wanted)}`, or use 'embedded-lite', which needs none"
        )
    return Cascade(
        load_recogniser("whisper:base", threads=threads),
        RouterChat(max_request_chars=max_request_chars),
        load_synthesiser("kokoro", threads=threads),
        name="embedded",
    )


def load_lite(argument: str | None, *, max_request_chars: int = MAX_REQUEST_CHARS) -> Cascade:
    """The entry point `embedded-lite`: PocketSphinx, a router, eSpeak NG, and WORLD for the voice; no weights.

    max_request_chars: characters of a request; a longer one raises BackendError

    Raises OptionError for an argument: there is only one.
    """
    _refuse("embedded-lite", argument)
    espeak = Espeak()
    return Cascade(
        SphinxRecogniser(espeak.phonemes),
        RouterChat(max_request_chars=max_request_chars),
        EmbeddedSynthesiser(espeak),
        name="embedded-lite",
    )


def _refuse(name: str, argument: str | None) -> None:
    if argument is not None:
        raise OptionError(f"model {name!r} takes no argument, but was given {argument!r}; write {name!r}")
