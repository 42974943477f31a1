"""`Notices`: what the agent says of its own accord, apart from the model's answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from agentaudio.errors import AgentAudioError
from agentaudio.live.events import NoticeFinished, NoticeReason, NoticeSound, NoticeSpoken
from agentaudio.live.loudspeaker import Loudspeaker
from agentaudio.model.parts import Speaks
from agentaudio.setup import Setup
from agentaudio.sound.audio import Audio
from agentaudio.text.apology import apology
from agentaudio.text.languages import has_cjk
from agentaudio.voice_library.voice import Voice

log = logging.getLogger(__name__)


class Notices:
    """Says notices, in the voice that is given, if the model can speak given words.

    emit: makes an event and hands it out
    wants: whether a turn wants more sound
    filler_s: how long a tool may work before its filler is said
    """

    def __init__(
        self,
        setup: Setup,
        emit: Callable[..., None],
        wants: Callable[[Loudspeaker], bool],
        *,
        filler_s: float,
    ) -> None:
        self._setup, self._emit, self._wants, self._filler_s = setup, emit, wants, filler_s
        self._language: str | None = None
        self._saying: set[asyncio.Task[None]] = set()

    def heard(self, text: str) -> None:
        """Take the user's words, which tell the language of apologies where the options name none."""
        if text.strip():
            self._language = "zh" if has_cjk(text) else None

    def apology(self) -> str:
        """What is said when a turn has failed."""
        return apology(self._setup.options.language or self._language)

    async def fill(self, tool_name: str, speaker: Loudspeaker, voice: Voice | None) -> None:
        """Say the filler of a tool that takes its time, unless the model said words of its own."""
        await asyncio.sleep(self._filler_s)
        tool = self._setup.tools.get(tool_name)
        if tool is not None and tool.filler and not speaker.left_s:
            # Once begun, it is said to its end: the answer waits for its last word.
            saying = asyncio.create_task(self.say(tool.filler, "tool", speaker, voice))
            self._saying.add(saying)
            saying.add_done_callback(self._saying.discard)
            await asyncio.shield(saying)

    async def say(
        self,
        text: str,
        reason: NoticeReason,
        speaker: Loudspeaker,
        voice: Voice | None,
        *,
        is_protected: bool = False,
    ) -> None:
        """Say a notice, as a part of the sound of a turn. is_protected: nobody may interrupt it"""
        self._emit(NoticeSpoken, text=text, reason=reason)
        try:
            async with aclosing(self._spoken(text, voice)) as sounds:
                async for sound in sounds:
                    if not self._wants(speaker):
                        return  # the user or another turn has interrupted
                    speaker.add(sound, is_notice=True, is_protected=is_protected)
                    self._emit(NoticeSound, audio=sound)
        finally:
            self._emit(NoticeFinished, reason=reason)

    async def aclose(self) -> None:
        """Stop what is being said."""
        for saying in list(self._saying):
            saying.cancel()
        await asyncio.gather(*self._saying, return_exceptions=True)

    async def _spoken(self, text: str, voice: Voice | None) -> AsyncGenerator[Audio, None]:
        """The sound of a notice, in a voice; nothing for a model that cannot speak given words."""
        model = self._setup.model
        if not isinstance(model, Speaks) or not self._setup.options.speak:
            return
        try:
            async with aclosing(model.say(text, voice=voice, language=self._setup.options.language)) as sounds:
                async for sound in sounds:
                    yield await self._setup.origin.mark(sound, voice)
        except AgentAudioError as error:
            log.warning("the notice %r could not be spoken: %s", text, error)
