"""Generates one answer, from its prompt to its last token. It blocks, so it runs in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from agentaudio.errors import BackendError, MissingExtra
from agentaudio.model.speech_lm import End
from agentaudio.model.step_audio_2.decoding.batching import Answer
from agentaudio.model.step_audio_2.decoding.prefix_cache import PrefixCache, States, usable
from agentaudio.model.step_audio_2.decoding.runtime import Runtime
from agentaudio.model.step_audio_2.decoding.sampling import Samplers
from agentaudio.model.step_audio_2.language.answer import AnswerDelta, AnswerReader, UntilStop
from agentaudio.model.step_audio_2.language.dialect import Translation
from agentaudio.model.step_audio_2.language.interleave import OutputReader
from agentaudio.model.step_audio_2.language.prompt import PromptBuilder
from agentaudio.model.step_audio_2.language.segments import Prompt
from agentaudio.model.step_audio_2.settings import Sampling

try:
    import torch
except ImportError as error:
    raise MissingExtra("Step-Audio 2", "local") from error

MAX_THOUGHT_TOKENS = 2048
RESERVED_FOR_ANSWER = 512
"""Positions of the context that a thought must leave free."""

Emit = Callable[[AnswerDelta, int], None]
"""Takes a delta, and how many generated ids it and the deltas before it were made of."""


@dataclass(frozen=True, slots=True)
class Request:
    """The input of one generation.

    prompt: its mode is "think" if the model is to reason first
    translation: of the tools in the prompt
    max_tokens: limit of the answer, without the thought
    stop: the answer ends before the first of these strings
    speak: whether the answer after a thought is spoken; without a thought, the prompt decides
    opening: ids that the answer begins with
    """

    prompt: Prompt
    translation: Translation
    sampling: Sampling
    max_tokens: int
    stop: tuple[str, ...] = ()
    speak: bool = True
    opening: tuple[int, ...] = ()


class Generation:
    """One run of the model for one Request.

    prompt: what the answer follows, including a thought that has ended
    generated: the answer's ids so far
    whole: False once a stop string has ended the answer before the last of `generated`
    """

    def __init__(self, weights: Runtime, prompts: PromptBuilder, kept: PrefixCache, request: Request) -> None:
        self._weights, self._prompts, self._kept = weights, prompts, kept
        self.request = request
        self._stopping = threading.Event()
        self._decoding: Answer | None = None
        self._thought = 0
        self.prompt = request.prompt
        self.generated: list[int] = []
        self.whole = True

    def stop(self) -> None:
        """Stop after the pass that is running, from any thread."""
        self._stopping.set()
        self._weights.interrupt()
        answer = self._decoding
        if answer is not None:
            self._weights.batch.cancel(answer)

    @torch.inference_mode()
    def run(self, emit: Emit) -> End | None:
        """Generate until the answer ends; None when it was stopped. The states then go to the prefix cache.

        End.reason is "length" only if max_tokens or the context ended the answer. End.usage counts
        `input_tokens` and, of these, `cached_tokens` and `input_audio_tokens`; `output_tokens` and, of
        these, `output_audio_tokens` and, after a thought, `thought_tokens`.

        Raises BackendError when the prompt does not fit into the context.
        """
        self._check()
        with self._weights.seat(self._wanted):
            return self._run(emit) if self._wanted() else None

    def _run(self, emit: Emit) -> End | None:
        states = self._kept.take(self.prompt)
        usage = {
            "input_tokens": len(self.prompt.ids),
            "cached_tokens": len(states),
            "input_audio_tokens": sum(segment.n_tokens for segment in self.prompt.audio),
        }
        if self.prompt.mode == "think":
            self._think(states)
        reason = self._answer(states, emit)
        self._kept.put(states)
        if self._stopping.is_set():
            return None
        usage["output_tokens"] = len(self.generated) + self._thought
        ids = self._weights.vocabulary.ids
        usage["output_audio_tokens"] = sum(ids.code_of(number) is not None for number in self.generated)
        if self._thought:
            usage["thought_tokens"] = self._thought
        return End(reason, usage)

    def _check(self) -> None:
        prompt, limit = self.prompt, self._weights.context
        needed = (
            len(prompt.ids) + len(self.request.opening) + (RESERVED_FOR_ANSWER if prompt.mode == "think" else 0) + 1
        )
        if needed > limit:
            sound = sum(len(segment.ids) for segment in prompt.audio)
            raise BackendError(
                f"the conversation takes {len(prompt.ids):,} tokens, {sound:,} of them for sound, and the model's "
                f"limit is {limit:,} including the answer; shorten the sound (750 tokens a minute) or begin a new "
                "session"
            )

    def _think(self, states: States) -> None:
        reader = OutputReader(self._weights.vocabulary, "think")
        room = self._weights.context - len(self.prompt.ids) - RESERVED_FOR_ANSWER
        thought: list[int] = []

        def take(number: int) -> bool:
            if number in self._weights.vocabulary.ids.stop:
                return True
            thought.append(number)
            reader.feed(number)
            return reader.mode != "think"

        self._decode(self.prompt, states, min(MAX_THOUGHT_TOKENS, room), take)
        self._thought = len(thought)
        self.prompt = self._prompts.after_thought(self.prompt, thought, speak=self.request.speak)
        states.crop(usable(self.prompt, states.positions))

    def _answer(self, states: States, emit: Emit) -> Literal["stop", "length", "tool_calls"]:
        reader = AnswerReader(self._weights.vocabulary, self.prompt.mode, self.request.translation)
        deltas = UntilStop(self.request.stop, lambda delta: emit(delta, len(self.generated)))
        stop = self._weights.vocabulary.ids.stop

        def take(number: int) -> bool:
            self.generated.append(number)
            return deltas.take(reader.feed(number)) or number in stop

        prompt = self.prompt
        if opening := self.request.opening:
            prompt = prompt.extended(opening, self._weights.vocabulary, mode=prompt.mode, lead=prompt.lead)
            for number in opening:
                take(number)
        room = self._weights.context - len(prompt.ids)
        self._decode(prompt, states, min(self.request.max_tokens, room), take)
        if self._stopping.is_set():
            return "stop"
        if not deltas.cut:
            deltas.take(reader.finish())
            deltas.flush()
        self.whole = not deltas.cut
        if not (deltas.cut or self.generated[-1] in stop):
            return "length"
        return "tool_calls" if deltas.calls else "stop"

    def _decode(self, prompt: Prompt, states: States, limit: int, take: Callable[[int], bool]) -> None:
        """Read a prompt and generate ids, until `take` returns whether the answer ends with the id it was given.

        limit: of ids
        take: called with one id after the other, the first in this thread and the others in the batch's
        """
        weights = self._weights
        logits = weights.read(prompt, states, self._wanted)
        if logits is None or not self._wanted():
            return
        samplers = Samplers(1, weights.size, weights.device, weights.never)
        samplers.set(0, self.request.sampling, prompt.ids)
        last = torch.tensor([len(prompt.ids) - 1], device=weights.device)
        first = int(samplers.choose(logits[None], last))
        if take(first) or limit == 1:
            return
        answer = self._decoding = Answer(states, first, samplers, limit - 1, take)
        try:
            # Looked at after `_decoding` is set, so that `stop` either finds it or is seen here.
            if self._wanted():
                weights.batch.run(answer)
        finally:
            self._decoding = None

    def _wanted(self) -> bool:
        return not self._stopping.is_set()
