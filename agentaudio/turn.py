"""`Turn`: one turn of a session. Hear the user, then generate and run tools until the answer is complete."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import assert_never

from agentaudio import events
from agentaudio.cancellation import is_cancelled, is_left_behind
from agentaudio.conversation import AudioPart, Part, Role, ToolOutput
from agentaudio.errors import AgentAudioError, BackendError
from agentaudio.hearing import UserInput, hear
from agentaudio.model.speech_lm import (
    AudioDelta,
    CallDelta,
    CitationDelta,
    End,
    GenerateOptions,
    Heard,
    TextDelta,
    TokensDelta,
    UnspokenDelta,
)
from agentaudio.outbox import Outbox
from agentaudio.playback import Playback
from agentaudio.record import Record
from agentaudio.reply import Reply, StopReason
from agentaudio.setup import SessionState, Setup
from agentaudio.tools.execution import without_result
from agentaudio.tools.external import caller_runs
from agentaudio.turn_checks import Talk
from agentaudio.turn_clock import TurnClock
from agentaudio.turn_generations import Generations
from agentaudio.turn_tools import TurnTools
from agentaudio.turn_voice import TurnVoice
from agentaudio.voice_library.voice import Voice

log = logging.getLogger(__name__)


class Turn:
    """One turn: takes an input, puts events into the outbox, returns a Reply.

    A cancelled turn keeps the speech that was heard, marked as interrupted, and gives every open call an
    output, so that the next turn can follow. A failed turn restores the voice. The conversation keeps the calls
    that ran and the speech that was heard, with the last message marked as `failed`; if there are neither, it is
    restored too, and the same input, such as the results of open calls, can be given again.
    """

    def __init__(
        self,
        setup: Setup,
        state: SessionState,
        outbox: Outbox,
        playback: Playback,
        *,
        number: int,
        options: GenerateOptions,
        voice: str | Voice | None,
    ) -> None:
        self._setup, self._state, self._options, self._wanted_voice = setup, state, options, voice
        self._outbox, self._playback, self._number = outbox, playback, state.turns_before + number
        self._origin = setup.origin
        self._record = Record(number, outbox, playback, self._origin)
        self._record.post(events.TurnStarted)
        if (news := state.compactor.take_news()) is not None:
            self._record.post(events.ConversationCompacted, compacted=news)
        self._voice = TurnVoice(setup, state, self._record)
        self._clock = TurnClock(setup.limits)
        self._added: list[Part] = []  # what the input put into the conversation
        self._given = 0  # number of runs that are the input: results of the caller
        self._tools = TurnTools(setup, state, self._record, self._voice)
        talk = Talk(self._place, self._take_heard)
        self._generations = Generations(setup, state, self._record, self._clock, options, talk)

    async def run(self, user: UserInput | None) -> Reply:
        """Run the turn. Raises its error after a `turn.failed` event; an unexpected error as BackendError."""
        task = asyncio.current_task()
        try:
            async with self._clock:
                await self._voice.begin(self._wanted_voice)
                await self._hear(user)
                stop = await self._generate_and_act()
                if stop in ("answered", "length", "max_steps"):
                    stop = await self._complete(stop)
            return self._finish(stop)
        except BaseException as error:  # a model may raise anything, SystemExit too
            if is_left_behind(task):
                return self._finish("interrupted")
            if isinstance(error, asyncio.CancelledError) and is_cancelled(task):
                raise  # `close` reports the interruption
            failure: BaseException = self._clock.failure() or error
            if failure is error and not isinstance(error, AgentAudioError | KeyboardInterrupt):
                failure = BackendError(f"model {self._setup.model.name!r} failed: {error!r}; see the log, or try again")
            self._fail(failure)
            if failure is error:
                raise
            raise failure from error
        finally:
            self._voice.end()

    def close(self, cancelled: bool) -> None:
        """End the events. cancelled: the task was cancelled, which may have been before it ran."""
        if cancelled:
            self._finish("interrupted")
        self._outbox.close()
        self._tools.close()
        self._generations.close()

    def rewrite_end(self) -> None:
        """Let an unread `turn.finished` say that the answer was interrupted, and what was heard of it."""
        reply = self._record.reply("interrupted", self._state.conversation.open_calls)
        self._outbox.replace(self._record.event(events.TurnFinished, reply=reply))

    async def _hear(self, user: UserInput | None) -> None:
        conversation = self._state.conversation
        waiting = conversation.open_calls
        if isinstance(user, Mapping):
            runs = [self._tools.take_run(run) for run in caller_runs(waiting, user)]
            self._given = len(runs)
            self._add("tool", *(run.output for run in runs))
            for run in runs:
                self._voice.change(run)
            return
        parts = () if user is None else await hear(user, self._setup.model)
        if waiting:
            self._add("tool", *(without_result(call) for call in waiting))
        self._state.bring_in(self._number)
        if parts:
            self._add("user", *parts)
        if known := [part.transcript for part in parts if isinstance(part, AudioPart) and part.transcript is not None]:
            await self._take_heard(Heard(" ".join(known)))

    def _place(self, old: Part, new: Part | None) -> None:
        """Replace a part of the user's message; None removes it."""
        self._state.conversation.replace(old, new)
        changed = [new if part is old else part for part in self._added]
        self._added = [part for part in changed if part is not None]

    def _add(self, role: Role, *parts: Part) -> None:
        self._state.conversation.add(role, *parts, turn=self._number)
        self._added += parts

    async def _generate_and_act(self) -> StopReason:
        last_step, output = self._setup.max_steps, self._generations.output
        for step in range(1, last_step + 1):
            if self._generations.is_spent():
                break
            calls, end = await self._generate(step)
            if calls and not await self._act(calls, offered=step < last_step):
                return "tool_calls"
            if self._record.stop is not None:
                break
            if not calls:
                return "length" if end.reason == "length" else "max_steps" if step == last_step > 1 else "answered"
            if output is not None and output.take(calls) and any(map(len, self._playback.steps)):
                return "answered"
        return self._record.stop or "max_steps"

    async def _complete(self, stop: StopReason) -> StopReason:
        """Ask the model for the data that are missing, without words. Raises OutputError when it gives none."""
        output, step = self._generations.output, len(self._playback.steps)
        while output is not None and output.is_missing and not self._generations.is_spent():
            if asked := output.ask(self._state.conversation):
                self._add("assistant", asked[0])
                self._add("tool", asked[1])
            step += 1
            calls, _ = await self._generate(step, quiet=True)
            if calls:
                await self._act(calls, offered=False)
                output.take(calls)
        return self._record.stop or stop

    async def _generate(self, step: int, *, quiet: bool = False) -> tuple[list[CallDelta], End]:
        """Run one generation: emit its words and sound; returns its calls and its end. quiet: as in Generations"""
        if self._setup.tools and not self._setup.ready:
            await asyncio.to_thread(self._setup.specs)
        voice = await self._voice.permitted()
        held = await self._generations.begin(step, voice, quiet=quiet)
        spoken = self._playback.begin_step(voice)
        calls: list[CallDelta] = []
        end: End | None = None
        await self._record.put(events.StepStarted, step=step)
        task = asyncio.current_task()
        self._clock.generating()
        try:
            async with aclosing(held) as stream:
                async for delta in stream:
                    if is_cancelled(task):
                        raise asyncio.CancelledError
                    self._generations.take(delta)
                    match delta:
                        case Heard():
                            await self._take_heard(delta)
                        case TextDelta(text=text):
                            await self._record.put(events.TextSpoken, text=text)
                            spoken.add(text)
                        case AudioDelta(audio=audio):
                            audio = await self._origin.mark(audio, voice)
                            self._record.time("first_audio")
                            await self._record.put(events.AudioSpoken, audio=audio)
                            spoken.add(audio)
                        case TokensDelta(tokens=tokens):
                            spoken.add_tokens(tokens)
                        case CallDelta():
                            calls.append(delta)
                        case CitationDelta(citation=citation):
                            self._record.cite(citation)
                        case UnspokenDelta(words=words):
                            await self._record.put(events.WordsUnspoken, words=words)
                        case End():
                            spoken.complete, end = True, delta
                        case _:
                            assert_never(delta)
        finally:
            if spoken.complete:
                spoken.part = spoken.heard(None)
                parts: list[Part] = [spoken.part] if spoken.part is not None else []
                parts += [delta.call for delta in calls]
                if parts:
                    self._add("assistant", *parts)
        end = end or End()
        self._generations.ended(end)
        await self._record.step_finished(step, calls, end)
        return calls, end

    async def _act(self, calls: Sequence[CallDelta], *, offered: bool) -> bool:
        """Run the calls and append their outputs, even when cancelled; False when the caller must run some of them.

        A usage limit may forbid them all.
        """
        outputs: list[ToolOutput] = []
        if self._record.stop is not None or self._generations.is_spent(calls):
            self._add("tool", *self._generations.not_run(calls))
            return True
        try:
            left = await self._tools.act(calls, offered=offered, outputs=outputs)
        finally:
            if outputs:
                self._add("tool", *outputs)
        for call in left:
            await self._record.put(events.ToolRequested, call=call)
        return not left

    async def _take_heard(self, heard: Heard) -> None:
        if self._record.heard is not None:
            return
        if heard.final:
            self._record.heard = heard
            self._record.time("heard")
            words = heard.text  # of all sounds of the message: the transcript of the first
            for part in self._added or self._state.conversation.unanswered:
                if isinstance(part, AudioPart):
                    self._place(part, AudioPart(part.audio, words))
                    words = ""
        await self._record.put(events.SpeechHeard, text=heard.text, confidence=heard.confidence, final=heard.final)

    def _finish(self, stop: StopReason) -> Reply:
        if stop == "interrupted":
            self._playback.take_back(self._outbox.withdraw(events.TextSpoken, events.AudioSpoken))
            self._close_step()
        elif stop != "tool_calls" and not self._setup.model.capabilities.cites:
            self._record.cite_used()
        reply = self._record.reply(stop, self._state.conversation.open_calls)
        self._record.post(events.TurnFinished, reply=reply)
        return reply

    def _fail(self, error: BaseException) -> None:
        """Restore the voice; restore the conversation too, unless speech was heard or tools ran."""
        conversation = self._state.conversation
        self._close_step(plays_on=True)
        if len(self._record.runs) > self._given or any(step.part is not None for step in self._playback.steps):
            conversation.mark_failed()
        else:
            for part in self._added:
                conversation.replace(part, None)
        self._voice.undo()
        self._record.post(events.TurnFailed, error=error, reply=self._record.reply("failed", conversation.open_calls))

    def _close_step(self, *, plays_on: bool = False) -> None:
        """Keep the heard part of a step that was cut off, and give its open calls an output.

        plays_on: nobody stops the player, so that all sound so far is going to be heard
        """
        conversation, steps = self._state.conversation, self._playback.steps
        if steps and not steps[-1].complete and steps[-1].part is None:
            steps[-1].part = steps[-1].heard(None) if plays_on else self._playback.heard()[-1]
            if steps[-1].part is not None:
                conversation.add("assistant", steps[-1].part, turn=self._number)
        if not plays_on:
            self._playback.settle(conversation)
        if steps and (open_calls := conversation.open_calls):
            self._add("tool", *(without_result(call) for call in open_calls))
