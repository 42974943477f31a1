"""One answer of the model, from its prompt to its last token: what a worker thread does."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from typing import Literal

from agentaudio.errors import BackendError, MissingExtra
from agentaudio.model.speech_lm import CallDelta, End, TextDelta
from agentaudio.model.step_audio_2.decoding.batching import Answer, DecodeBatch
from agentaudio.model.step_audio_2.decoding.prefix_cache import PrefixCache, States, usable
from agentaudio.model.step_audio_2.decoding.sampling import Sampler, Sampling
from agentaudio.model.step_audio_2.language.answer import AnswerDelta, AnswerReader
from agentaudio.model.step_audio_2.language.dialect import Translation
from agentaudio.model.step_audio_2.language.interleave import OutputReader
from agentaudio.model.step_audio_2.language.prompt import PromptBuilder
from agentaudio.model.step_audio_2.language.segments import AudioSegment, Prompt, SoundPosition
from agentaudio.model.step_audio_2.language.stop_strings import StopStrings
from agentaudio.model.step_audio_2.network.features import PIECE_SAMPLES, Float, batch, features
from agentaudio.model.step_audio_2.network.modeling import StepAudio2ForCausalLM
from agentaudio.model.step_audio_2.tokens import Vocabulary
from agentaudio.sound.audio import Audio

try:
    import torch
    from torch import Tensor
except ImportError as error:
    raise MissingExtra("Step-Audio 2", "local") from error

READ_AT_ONCE = 2048
"""Positions of a prompt between two looks at whether the answer is still wanted; it also bounds the memory."""
ENCODED_AT_ONCE = 8
"""Pieces of sound, 25 s each, that go through the encoder together."""
THOUGHT_TOKENS = 2048
ROOM_FOR_ANSWER = 512
"""Positions that a thought leaves free."""

Emit = Callable[[AnswerDelta, int], None]


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of one generation.

    prompt: with mode "think", the thought comes first
    max_tokens: of the answer
    stop: the answer ends before any of these strings
    speak: how the answer begins after a thought; otherwise the prompt says it
    """

    prompt: Prompt
    translation: Translation
    sampling: Sampling
    max_tokens: int
    stop: tuple[str, ...] = ()
    speak: bool = True


class Weights:
    """The model and its limits, shared by all generations.

    turns: held around every pass of the model, where the device bears only one at a time
    compiled: of the batch
    batch: decodes the tokens of all generations
    """

    def __init__(
        self,
        model: StepAudio2ForCausalLM,
        vocabulary: Vocabulary,
        turns: AbstractContextManager[object],
        *,
        compiled: bool = False,
    ) -> None:
        self.model = model
        self.vocabulary = vocabulary
        model.config.audio_start_token_id = vocabulary.ids.audio_start
        model.config.audio_patch_token_id = vocabulary.ids.audio_patch
        self.context: int = model.config.text_config.max_position_embeddings
        self.size: int = model.config.text_config.vocab_size
        self._turns = turns
        self.batch = DecodeBatch(model, turns, compiled=compiled)
        weakref.finalize(self, self.batch.close)  # its thread would keep the model

    @property
    def device(self) -> torch.device:
        """Where token ids go, and where logits come out."""
        embedding: Tensor = self.model.get_input_embeddings().weight
        return embedding.device

    def read(self, prompt: Prompt, states: States, wanted: Callable[[], bool]) -> Tensor | None:
        """Read what the states do not hold of the prompt yet. Only sounds that begin there are encoded.

        returns: (vocab_size,) logits of what follows the prompt; None once it is not wanted any more
        """
        rows = self._encoded(prompt, len(states), wanted)
        logits = None
        while wanted():
            begin = len(states)
            if begin == len(prompt.ids):
                return logits
            end = _cut(prompt, min(begin + READ_AT_ONCE, len(prompt.ids)))
            heard = [rows.pop(0) for number in prompt.ids[begin:end] if number == self.vocabulary.ids.audio_start]
            logits = self._forward(prompt.ids[begin:end], states, heard)
            states.positions += prompt.positions[begin:end]
        return None

    def _forward(self, ids: Sequence[int], states: States, heard: Sequence[Tensor]) -> Tensor:
        with self._turns:
            output = self.model(
                input_ids=torch.tensor([ids], device=self.device),
                past_key_values=states.cache,
                use_cache=True,
                logits_to_keep=1,
                audio_embeds=list(heard) or None,
            )
        logits: Tensor = output.logits[0, -1]
        return logits

    def _encoded(self, prompt: Prompt, begin: int, wanted: Callable[[], bool]) -> list[Tensor]:
        """The encoder's rows of every piece of sound from a position on."""
        pieces = _log_mels(prompt, begin)
        at_once = len(pieces) if self.model.config.pieces_together else ENCODED_AT_ONCE
        rows: list[Tensor] = []
        while len(rows) < len(pieces) and wanted():
            stacked = batch(pieces[len(rows) : len(rows) + at_once])
            with self._turns:
                rows += self.model.encode_audio(
                    torch.from_numpy(stacked.input_features).to(self.device), torch.from_numpy(stacked.feature_lengths)
                )
        return rows


class Generation:
    """One answer on its way.

    request: what was asked
    prompt: what the answer follows; after a thought, the thought is part of it
    generated: the answer's ids so far
    whole: the answer holds all of `generated`; a stop string cuts it off before
    """

    def __init__(self, weights: Weights, prompts: PromptBuilder, kept: PrefixCache, request: Request) -> None:
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
        answer = self._decoding
        if answer is not None:
            self._weights.batch.cancel(answer)

    @torch.inference_mode()
    def run(self, emit: Emit) -> End | None:
        """Work until the answer ends; None when it was stopped. Its states go back to the prefix cache.

        emit: takes each delta and the number of ids up to it

        Raises BackendError when the prompt does not fit.
        """
        self._check()
        states = self._kept.take(self.prompt)
        usage = {"input_tokens": len(self.prompt.ids), "cached_tokens": len(states)}
        if self.prompt.mode == "think":
            self._think(states)
        reason = self._answer(states, emit)
        self._kept.put(states)
        if self._stopping.is_set():
            return None
        usage |= {"output_tokens": len(self.generated) + self._thought}
        return End(reason, usage | ({"thought_tokens": self._thought} if self._thought else {}))

    def _check(self) -> None:
        prompt, limit = self.prompt, self._weights.context
        needed = len(prompt.ids) + (ROOM_FOR_ANSWER if prompt.mode == "think" else 0) + 1
        if needed > limit:
            sound = sum(len(segment.ids) for segment in prompt.audio)
            raise BackendError(
                f"the conversation takes {len(prompt.ids):,} tokens, {sound:,} of them for sound, and the model's "
                f"limit is {limit:,} with the answer; shorten the sound (750 tokens a minute) or begin a new session"
            )

    def _think(self, states: States) -> None:
        reader = OutputReader(self._weights.vocabulary, "think")
        room = self._weights.context - len(self.prompt.ids) - ROOM_FOR_ANSWER
        thought: list[int] = []
        with closing(self._tokens(states, min(THOUGHT_TOKENS, room))) as tokens:
            for number in tokens:
                if number in self._weights.vocabulary.ids.stop:
                    break
                thought.append(number)
                reader.feed(number)
                if reader.mode != "think":
                    break
        self._thought = len(thought)
        self.prompt = self._prompts.after_thought(self.prompt, thought, speak=self.request.speak)
        states.crop(usable(self.prompt, states.positions))

    def _answer(self, states: States, emit: Emit) -> Literal["stop", "length", "tool_calls"]:
        reader = AnswerReader(self._weights.vocabulary, self.prompt.mode, self.request.translation)
        deltas = _Deltas(StopStrings(self.request.stop), lambda delta: emit(delta, len(self.generated)))
        ended = False
        room = self._weights.context - len(self.prompt.ids)
        with closing(self._tokens(states, min(self.request.max_tokens, room))) as tokens:
            for number in tokens:
                self.generated.append(number)
                ended = number in self._weights.vocabulary.ids.stop
                if deltas.take(reader.feed(number)) or ended:
                    break
        if self._stopping.is_set():
            return "stop"
        if not deltas.cut:
            deltas.take(reader.finish())
            deltas.flush()
        self.whole = not deltas.cut
        if not (ended or deltas.cut):
            return "length"
        return "tool_calls" if deltas.calls else "stop"

    def _tokens(self, states: States, limit: int) -> Generator[int]:
        """What the model goes on with, id by id. A token is worked on only when it is asked for.

        The states hold nothing until this is closed.
        """
        weights = self._weights
        sampler = Sampler(
            self.request.sampling,
            weights.size,
            weights.device,
            prompt=self.prompt.ids,
            # There is no sound behind a mark that the model makes up, and no prompt can hold it later.
            never=(weights.vocabulary.ids.audio_start,),
        )
        logits = weights.read(self.prompt, states, self._wanted)
        answer = None
        try:
            for count in range(1, limit + 1):
                if logits is None or not self._wanted():
                    return
                number = sampler.choose(logits)
                yield number
                if count == limit:
                    return
                if answer is None:
                    answer = self._decoding = Answer(states)
                # Looked at after `_decoding` is set, so that `stop` either finds it or is seen here.
                if not self._wanted():
                    return
                logits = weights.batch.step(answer, number)
        finally:
            self._decoding = None
            if answer is not None:
                weights.batch.leave(answer)

    def _wanted(self) -> bool:
        return not self._stopping.is_set()


class _Deltas:
    """Passes deltas on, up to the first stop string."""

    def __init__(self, stops: StopStrings, emit: Callable[[AnswerDelta], None]) -> None:
        self._stops, self._emit = stops, emit
        self.calls = 0

    @property
    def cut(self) -> bool:
        return self._stops.found

    def take(self, deltas: Sequence[AnswerDelta]) -> bool:
        """Whether a stop string came."""
        for delta in deltas:
            if self.cut:
                break
            if isinstance(delta, TextDelta):
                self._say(self._stops.feed(delta.text))
                continue
            if isinstance(delta, CallDelta):
                self.calls += 1
                self.flush()
            self._emit(delta)
        return self.cut

    def flush(self) -> None:
        self._say(self._stops.finish())

    def _say(self, text: str) -> None:
        if text:
            self._emit(TextDelta(text))


def _cut(prompt: Prompt, end: int) -> int:
    """The last place up to `end` where the prompt may be cut: a piece of sound is read in one go."""
    while end < len(prompt.ids) and isinstance(prompt.positions[end], SoundPosition):
        end -= 1
    # Now at <audio_start> if it was cut; that one is read with its sound.
    return end


def _log_mels(prompt: Prompt, begin: int) -> list[Float]:
    """Log-mels of the pieces that begin at a position or after it, (128, frames) each."""
    wanted: list[AudioSegment] = []
    position = 0
    for segment in prompt.segments:
        if isinstance(segment, AudioSegment) and position >= begin:
            wanted.append(segment)
        position += len(segment.ids)
    computed: dict[int, tuple[Audio, list[Float]]] = {}
    for segment in wanted:
        if id(segment.audio) not in computed:
            computed[id(segment.audio)] = segment.audio, features(segment.audio)
    return [computed[id(segment.audio)][1][segment.start // PIECE_SAMPLES] for segment in wanted]
