"""`Notices`: what the agent says of its own accord, apart from the model's answers."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from agentaudio.errors import AgentAudioError
from agentaudio.model.parts import Speaks
from agentaudio.setup import Setup
from agentaudio.sound.audio import Audio
from agentaudio.text.apology import apology
from agentaudio.text.languages import has_cjk
from agentaudio.voice_library.voice import Voice

log = logging.getLogger(__name__)


class Notices:
    """Finds the words of notices, and speaks them with the model's voice where the model can speak given words."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._language: str | None = None

    def heard(self, text: str) -> None:
        """Take the user's words, which tell the language of apologies where the options name none."""
        if text.strip():
            self._language = "zh" if has_cjk(text) else None

    def apology(self) -> str:
        """What is said when a turn has failed."""
        return apology(self._setup.options.language or self._language)

    def filler(self, tool_name: str) -> str:
        """What is said while a tool runs; empty for a tool without words for that."""
        tool = self._setup.tools.get(tool_name)
        return tool.filler if tool is not None else ""

    async def spoken(self, text: str, voice: Voice | None) -> AsyncGenerator[Audio, None]:
        """The sound of a notice, in a voice; nothing for a model that cannot speak given words."""
        model = self._setup.model
        if not isinstance(model, Speaks) or not self._setup.options.speak:
            return
        try:
            async with aclosing(model.say(text, voice=voice, language=self._setup.options.language)) as sounds:
                async for sound in sounds:
                    yield sound
        except AgentAudioError as error:
            log.warning("the notice %r could not be spoken: %s", text, error)
