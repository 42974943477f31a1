"""`TurnVoice`: the voice that a turn speaks in, and what the session's voice is afterwards."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from agentaudio.errors import ConsentError
from agentaudio.events import VoiceChanged
from agentaudio.record import Record
from agentaudio.setup import SessionState, Setup
from agentaudio.tools.execution import ToolRun
from agentaudio.voice_library.voice import Voice

log = logging.getLogger(__name__)


class TurnVoice:
    """Changes the voice in force during one turn.

    A voice that was asked for one turn ends with it. A voice that a tool found stays, unless the turn fails.
    """

    def __init__(self, setup: Setup, state: SessionState, record: Record) -> None:
        self._setup, self._state, self._record = setup, state, record
        self._before = self._first = state.voice
        self._found = False

    async def begin(self, wanted: str | Voice | None) -> None:
        """Take the voice that was asked for this turn. Raises what `Setup.find_voice` raises."""
        if wanted is not None:
            self._first = self._state.voice = await asyncio.to_thread(self._setup.find_voice, wanted)

    async def permitted(self) -> Voice | None:
        """The voice in force; the model's own once that one was revoked or its consent has ended."""
        voice = self._state.voice
        try:
            return None if voice is None else await asyncio.to_thread(voice.require, "synthesis")
        except ConsentError as refusal:
            log.warning("%s; the model's own voice is used", refusal)
            self._found = True
            self._speak_in(None)
            return None

    def change(self, run: ToolRun) -> None:
        """Take the voice of a tool's result, if it has one."""
        voice = run.result.voice
        if voice is not None and run.status == "done":
            self._found = True
            self._speak_in(self._setup.voice if voice == "default" else voice)

    def undo(self) -> None:
        """Go back to the voice that the turn began with. The results of calls that changed it say so."""
        for run in self._record.runs:
            if run.result.voice is not None and run.status == "done":
                text = f"{run.result.text} (The turn failed, so the voice was not changed.)"
                self._state.conversation.replace_output(replace(run.output, text=text))
        self._found = False
        self._speak_in(self._first)

    def end(self) -> None:
        """Leave the session with the voice that it had, unless a tool has found another."""
        if not self._found:
            self._state.voice = self._before

    def _speak_in(self, voice: Voice | None) -> None:
        if voice != self._state.voice:
            self._state.voice = voice
            self._record.post(VoiceChanged, voice=voice)
