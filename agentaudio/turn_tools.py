"""`TurnTools`: the tool calls of one turn, and what their results change in its session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agentaudio import events
from agentaudio.conversation import ToolCall, ToolOutput
from agentaudio.model.speech_lm import CallDelta
from agentaudio.record import Record
from agentaudio.setup import SessionState, Setup
from agentaudio.tools.context import RunContext
from agentaudio.tools.execution import NOT_OFFERED, ToolRun, TurnCalls
from agentaudio.tools.external import left_to_caller
from agentaudio.tools.result import ToolResult
from agentaudio.turn_voice import TurnVoice


class TurnTools:
    """Runs the calls of a turn's generations. Voices that they find are changed, late results are kept."""

    def __init__(self, setup: Setup, state: SessionState, record: Record, voice: TurnVoice) -> None:
        self._setup, self._state, self._record, self._voice = setup, state, record, voice
        self._calls: TurnCalls | None = None  # made for the first call

    async def act(self, deltas: Sequence[CallDelta], *, offered: bool, outputs: list[ToolOutput]) -> list[ToolCall]:
        """Run the calls of a generation; returns those that the caller of the agent must run.

        offered: whether the model was given tools, other than the one that takes its output
        outputs: takes the results of the calls that ran, in the order of the calls, even when this is cancelled
        """
        output = self._setup.output.name if self._setup.output is not None else None
        problems = {
            d.call.id: d.problem or NOT_OFFERED for d in deltas if d.problem or not (offered or d.call.name == output)
        }
        calls = [delta.call for delta in deltas]
        left = left_to_caller(calls, self._setup.tools, problems)
        before = len(self._record.runs)
        try:
            own = [call for call in calls if call not in left] if left else calls
            self._calls = self._calls or self._turn_calls()
            await self._calls.run(own, self._context(), problems=problems)
        finally:
            runs = self._record.runs[before:]
            if len(runs) > 1:
                order = {call.id: position for position, call in enumerate(calls)}
                self._record.runs[before:] = runs = sorted(runs, key=lambda run: order[run.call.id])
            outputs += [run.output for run in runs]
        for run in runs:
            self._voice.change(run)
        return left

    def close(self) -> None:
        """The turn has ended; calls may still go on. Frees this turn without the garbage collector's help."""
        self._calls = None

    def take_run(self, run: ToolRun) -> ToolRun:
        """Record how a call ended."""
        model = self._setup.model
        if run.result.voice is not None and model.capabilities.voices != "any":
            run = replace(run, status="failed", result=ToolResult(f"Model {model.name!r} cannot change its voice."))
        self._record.runs.append(run)
        self._record.post(events.ToolFinished, run=run)
        return run

    def _turn_calls(self) -> TurnCalls:
        return TurnCalls(
            self._setup.tools,
            started=lambda call: self._record.post(events.ToolStarted, call=call),
            finished=self.take_run,
            progressed=lambda call, message, share: self._record.post(
                events.ToolProgress, call=call, message=message, share=share
            ),
            approve=self._setup.approve,
            late=self._take_late,
        )

    def _context(self) -> RunContext:
        conversation, voice = self._state.conversation.copy(), self._state.voice
        if not self._setup.tools:
            return RunContext(conversation, voice)
        return self._setup.resources.context(conversation, voice, self._state.deps)

    def _take_late(self, run: ToolRun) -> None:
        """Take the result of a call that ended after it was reported as timed out, cancelled or running."""
        runs = self._record.runs
        is_news = self._setup.tools[run.call.name].background
        run = self._state.take_late(run, is_news=is_news)
        runs[:] = [run if old.call.id == run.call.id and not is_news else old for old in runs]
