"""The entry point `cascade`: parts by name."""

from __future__ import annotations

from agentaudio.errors import OptionError
from agentaudio.model.cascade.cascade import Cascade
from agentaudio.model.registry import load_chat_model, load_recogniser, load_synthesiser


def load(
    argument: str | None,
    *,
    recogniser: str | None = "sphinx",
    chat: str = "router",
    synthesiser: str | None = "espeak",
) -> Cascade:
    """Load a cascade of parts by name.

    argument: must be None
    recogniser: such as `whisper:base`; None for a cascade that takes text only
    chat: such as `openai:gpt-4o-mini`
    synthesiser: such as `kokoro`; None for a cascade without sound

    For parts with options of their own, load them and write `Cascade(recogniser, chat, synthesiser)`.
    Raises OptionError for an argument, and what the parts' loaders raise.
    """
    if argument is not None:
        raise OptionError(
            f"model 'cascade' takes its parts as options, but was given {argument!r}; "
            "write recogniser=..., chat=..., synthesiser=..."
        )
    return Cascade(
        load_recogniser(recogniser) if recogniser else None,
        load_chat_model(chat),
        load_synthesiser(synthesiser) if synthesiser else None,
    )
