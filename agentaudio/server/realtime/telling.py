"""What the events of a turn mean for the response that it makes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from agentaudio import events
from agentaudio.events import BaseEvent
from agentaudio.live.events import NoticeFinished, NoticeSound, NoticeSpoken
from agentaudio.plain import plain
from agentaudio.server.errors import as_api_error
from agentaudio.server.realtime.context import Context
from agentaudio.server.realtime.response import Response
from agentaudio.server.realtime.shortening import MOST_FACT_BYTES, MOST_FACTS_BYTES, shortened, size
from agentaudio.server.realtime.voices import shown
from agentaudio.tools.execution import ToolRun

INCOMPLETE = {"length": "max_output_tokens", "usage_limit": "max_output_tokens", "refused": "content_filter"}
"""Why an answer is not whole, by the stop of its turn."""

LONGEST_PROGRESS = 1_000
"""Bytes of what a tool says of its progress."""
AFTER_SPEECH_S = 0.03
"""Between the end of the user's speech and a call: some clients lose results that come before they are ready."""


class Telling:
    """Writes the events of turns into responses.

    heard: takes the user's words as the model understood them; None for responses beside the conversation
    """

    def __init__(self, context: Context, heard: Callable[[str], None] | None = None) -> None:
        self._context, self._heard = context, heard
        self.speech_ended_at = 0.0  # by time.monotonic

    async def tell(self, response: Response, event: BaseEvent) -> None:
        """Tell the client of an event of the turn of a response."""
        metrics = self._context.state.metrics
        match event:
            case NoticeSpoken(text=text):
                await response.notice(text)
            case NoticeFinished(reason=reason):
                await response.step_ended()
                if response.failure is not None:
                    fail(response, response.failure)
                elif reason in ("idle", "notice"):
                    await response.complete({})
            case events.SpeechHeard(text=text, final=True):
                response.facts["heard"] = text
                if self._heard is not None:
                    self._heard(text)
            case events.TextSpoken(text=text):
                await response.words(text)
            case events.AudioSpoken(audio=audio):
                metrics.sound_s.labels("out").inc(audio.duration)
                self._context.state.limits.count_sound(self._context.caller, audio.duration)
                await response.sound(audio, is_notice=isinstance(event, NoticeSound))
            case events.StepStarted(step=step):
                response.step = step
            case events.StepFinished():
                await response.step_ended()
            case events.ToolRequested(call=call):
                await asyncio.sleep(max(0.0, self.speech_ended_at + AFTER_SPEECH_S - time.monotonic()))
                await response.call(call)
            case events.ToolProgress(call=call, message=message, share=share):
                tools = response.facts.setdefault("progress", {})
                tools[call.name] = {"message": shortened(message, LONGEST_PROGRESS), "share": share}
            case events.ToolFinished(run=run):
                _add_run(response.facts.setdefault("tools", []), run)
            case events.VoiceChanged(voice=voice):
                response.facts["voice"] = shown(voice)
                if self._heard is not None:
                    self._context.settings.show_voice("default" if voice is None else voice.id)
            case events.TurnFinished(reply=reply):
                response.facts["citations"] = shortened([plain(one) for one in reply.citations], MOST_FACT_BYTES)
                response.facts["timings"] = plain(reply.timings)
                metrics.turns.labels(reply.stop).inc()
                if reply.stop == "interrupted":
                    response.cancel("client_cancelled")
                else:
                    await response.complete(reply.usage, reason=INCOMPLETE.get(reply.stop))
            case events.TurnFailed(error=error):
                metrics.turns.labels("failed").inc()
                await response.step_ended()
                response.failure = error


def fail(response: Response, error: BaseException) -> None:
    """End a response with an error, in words that clients may read."""
    known = as_api_error(error)
    response.fail(known.code, known.message)


def _add_run(runs: list[Any], run: ToolRun) -> None:
    """Show a run of a tool, as far as there is room: how it ended, and at least the beginning of its result's text."""
    left = MOST_FACTS_BYTES - size(runs, MOST_FACTS_BYTES)
    if left <= 0:
        return
    shown = plain(run)
    half = min(MOST_FACT_BYTES, left) // 2
    shown["call"] = shortened(shown["call"], half)
    if size(shown["result"], half) > half:
        shown["result"] = {"text": shortened(run.result.text, half)}
    runs.append(shown)
