"""`Generations`: what a turn asks of its model, and what checks and usage limits leave of the answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from agentaudio.compactor import Seen
from agentaudio.conversation import ToolOutput
from agentaudio.deltas import checked
from agentaudio.events import ConversationCompacted
from agentaudio.model.speech_lm import (
    AudioDelta,
    CallDelta,
    Delta,
    End,
    GenerateOptions,
    TextDelta,
    TokensDelta,
    with_context,
)
from agentaudio.record import Record
from agentaudio.setup import SessionState, Setup
from agentaudio.tools.execution import not_run
from agentaudio.turn_checks import Talk, TurnChecks
from agentaudio.turn_clock import TurnClock
from agentaudio.turn_output import OUTPUT_TOOL, TurnOutput
from agentaudio.usage import Usage
from agentaudio.voice_library.voice import Voice


class Generations:
    """The generations of one turn.

    talk: what checks need of the turn
    output: takes the answer as data; None when nobody wants them
    """

    def __init__(
        self,
        setup: Setup,
        state: SessionState,
        record: Record,
        clock: TurnClock,
        options: GenerateOptions,
        talk: Talk,
    ) -> None:
        self._setup, self._state, self._record, self._clock, self._options = setup, state, record, clock, options
        self._usage = Usage(setup.limits, state.used) if setup.limits.counts_usage else None
        self._checks: TurnChecks | None = None
        if setup.input_checks or setup.output_checks:
            self._checks = TurnChecks(setup, state, record, talk, progressed=clock.take)
        self.output = TurnOutput(setup.output, record) if setup.output is not None and setup.gives_output else None

    async def begin(self, step: int, voice: Voice | None, *, quiet: bool) -> AsyncGenerator[Delta, None]:
        """Begin a generation.

        step: its number; the last of a turn gets no tools, but for the one that takes the output
        quiet: nothing but the output is asked for, and words are dropped
        """
        setup, conversation = self._setup, self._state.conversation
        # What the first answer had to call, the next one tells.
        chosen = self._options
        if step > 1 and chosen.must_call is not None:
            chosen = replace(chosen, must_call=None)
        tools = setup.last_specs() if quiet or step >= setup.max_steps else setup.specs()

        if with_context(setup.model) is not None:
            done = await self._state.compactor.make_room(setup.model, conversation, Seen(tools, chosen))
            if done is not None:
                await self._record.put(ConversationCompacted, compacted=done)

        def generate(options: GenerateOptions) -> AsyncGenerator[Delta, None]:
            if self._usage is not None:
                self._usage.add("requests", 1)
            shown = self._state.compactor.view(conversation).for_model()
            deltas = setup.model.generate(shown, tools=tools, voice=voice, options=options)
            return checked(setup.model, deltas, options, limits=setup.limits, used_ids=conversation.call_ids)

        if quiet:
            answer = self._without_words(generate(replace(chosen, speak=False, must_call=None)))
        elif self._checks is not None:
            answer = self._checks.deltas(generate, voice=voice, options=chosen, is_first=step == 1)
        else:
            answer = generate(chosen)
        return answer if self._usage is None else self._usage.metered(answer, self._stopped)

    def take(self, delta: Delta) -> None:
        """The generation goes on."""
        if self._checks is None:  # they tell the clock themselves, as they may hold a delta
            self._clock.take(delta)

    def ended(self, end: End) -> None:
        """A generation has ended, and its answer stands in the conversation."""
        if {"input_tokens", "output_tokens"} <= end.usage.keys():
            tokens = end.usage["input_tokens"] + end.usage["output_tokens"]
            self._state.compactor.measured(tokens, self._state.conversation)

    def close(self) -> None:
        """The turn has ended. Frees it without the garbage collector's help."""
        self._checks = None

    def is_spent(self, calls: Sequence[CallDelta] | None = None) -> bool:
        """Whether a usage limit ends the turn here. Calls that it permits are counted.

        calls: of the last generation, which have to run first; None asks for another generation only
        """
        made = None if calls is None else [one.call for one in calls if one.call.name != OUTPUT_TOOL]
        if self._usage is None or made == []:
            return False
        limit = self._usage.spent(calls=len(made or ()))
        if limit:
            self._stopped(limit)
        elif made:
            self._usage.add("tool_calls", len(made))
        return bool(limit)

    def not_run(self, calls: Sequence[CallDelta]) -> list[ToolOutput]:
        """The outputs of calls that a usage limit forbids."""
        return [not_run(one.call, self._record.stopped_by) for one in calls]

    def _stopped(self, limit: str) -> None:
        self._record.stopped("usage_limit", limit)

    async def _without_words(self, generation: AsyncGenerator[Delta, None]) -> AsyncGenerator[Delta, None]:
        async with aclosing(generation) as deltas:
            async for delta in deltas:
                self._clock.take(delta)
                if not isinstance(delta, TextDelta | AudioDelta | TokensDelta):
                    yield delta
