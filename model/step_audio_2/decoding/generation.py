"""Generates one answer, from its prompt to its last token. It blocks, so it runs in a thread of its own."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from typing import Literal

from agentaudio.errors import BackendError, MissingExtra
from agentaudio.model.generation.stop_strings import StopStrings
from agentaudio.model.speech_lm import CallDelta, End, TextDelta
from agentaudio.model.step_audio_2.decoding.batching import MAX_ROWS, Answer, DecodeBatch
from agentaudio.model.step_audio_2.decoding.prefix_cache import PrefixCache, States, usable
from agentaudio.model.step_audio_2.decoding.sampling import Sampler, Sampling
from agentaudio.model.step_audio_2.language.answer import AnswerDelta, AnswerReader
from agentaudio.model.step_audio_2.language.dialect import Translation
from agentaudio.model.step_audio_2.language.interleave import OutputReader
from agentaudio.model.step_audio_2.language.prompt import PromptBuilder
from agentaudio.model.step_audio_2.language.segments import AudioSegment, Prompt, SoundPosition
from agentaudio.model.step_audio_2.network.features import PIECE_SAMPLES, Float, batch, features
from agentaudio.model.step_audio_2.network.modeling import StepAudio2ForCausalLM
from agentaudio.model.step_audio_2.tokens import Vocabulary
from agentaudio.sound.audio import Audio

try:
    import torch
    from torch import Tensor
except ImportError as error:
    raise MissingExtra("Step-Audio 2", "local") from error

PREFILL_CHUNK = 2048
"""Prompt tokens read in one pass. It bounds the memory of a pass, and the time until `stop` takes effect."""
ENCODER_BATCH = 8
"""Pieces of sound, at most 25 s each, that go through the encoder together."""
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
    """

    prompt: Prompt
    translation: Translation
    sampling: Sampling
    max_tokens: int
    stop: tuple[str, ...] = ()
    speak: bool = True


class Weights:
    """The model, its limits and its decode batch, shared by all generations.

    device_lock: held during each pass, for devices that allow one thread at a time
    compiled, max_rows: see DecodeBatch

    context: positions that a prompt and its answer may take together
    size: rows of the vocabulary, the length of the logits
    batch: decodes the tokens of all generations
    """

    def __init__(
        self,
        model: StepAudio2ForCausalLM,
        vocabulary: Vocabulary,
        device_lock: AbstractContextManager[object],
        *,
        compiled: bool = False,
        max_rows: int = MAX_ROWS,
    ) -> None:
        self.model = model
        self.vocabulary = vocabulary
        model.config.audio_start_token_id = vocabulary.ids.audio_start
        model.config.audio_patch_token_id = vocabulary.ids.audio_patch
        self.context: int = model.config.text_config.max_position_embeddings
        self.size: int = model.config.text_config.vocab_size
        self._device_lock = device_lock
        self.batch = DecodeBatch(model, device_lock, compiled=compiled, max_rows=max_rows)
        # The batch's thread would keep the model in memory.
        weakref.finalize(self, self.batch.close)

    @property
    def device(self) -> torch.device:
        """The device of token ids and logits."""
        embedding: Tensor = self.model.get_input_embeddings().weight
        return embedding.device

    def read(self, prompt: Prompt, states: States, wanted: Callable[[], bool]) -> Tensor | None:
        """Read the part of the prompt that the states do not hold yet; only the sounds in that part are encoded.

        wanted: asked before each pass
        returns: (vocab_size,) logits of the token after the prompt; None when it is no longer wanted
        """
        rows = self._encoded(prompt, len(states), wanted)
        logits = None
        while wanted():
            begin = len(states)
            if begin == len(prompt.ids):
                return logits
            end = _cut(prompt, min(begin + PREFILL_CHUNK, len(prompt.ids)))
            heard = [rows.pop(0) for number in prompt.ids[begin:end] if number == self.vocabulary.ids.audio_start]
            logits = self._forward(prompt.ids[begin:end], states, heard)
            states.positions += prompt.positions[begin:end]
        return None

    def _forward(self, ids: Sequence[int], states: States, heard: Sequence[Tensor]) -> Tensor:
        with self._device_lock:
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
        """The encoder's output for each piece of sound that begins at `begin` or later: (n_tokens, hidden) each."""
        pieces = _log_mels(prompt, begin)
        at_once = len(pieces) if self.model.config.pieces_together else ENCODER_BATCH
        rows: list[Tensor] = []
        while len(rows) < len(pieces) and wanted():
            stacked = batch(pieces[len(rows) : len(rows) + at_once])
            with self._device_lock:
                rows += self.model.encode_audio(
                    torch.from_numpy(stacked.input_features).to(self.device), torch.from_numpy(stacked.feature_lengths)
                )
        return rows


class Generation:
    """One run of the model for one Request.

    prompt: what the answer follows, including a thought that has ended
    generated: the answer's ids so far
    whole: False once a stop string has ended the answer before the last of `generated`
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
        """Generate until the answer ends; None when it was stopped. The states then go to the prefix cache.

        End.reason is "length" only if max_tokens or the context ended the answer. End.usage counts
        `input_tokens` and, of these, `cached_tokens` and `input_audio_tokens`; `output_tokens` and, of
        these, `output_audio_tokens` and, after a thought, `thought_tokens`.

        Raises BackendError when the prompt does not fit into the context.
        """
        self._check()
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
        needed = len(prompt.ids) + (RESERVED_FOR_ANSWER if prompt.mode == "think" else 0) + 1
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
        with closing(self._tokens(states, min(MAX_THOUGHT_TOKENS, room))) as tokens:
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
        """The ids that the model generates. Each is computed when it is requested.

        The batch may hold the states' keys and values until this generator is closed.
        """
        weights = self._weights
        sampler = Sampler(
            self.request.sampling,
            weights.size,
            weights.device,
            prompt=self.prompt.ids,
            # No sound follows an <audio_start> that the model generates, so no later prompt could hold it.
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
    """Emits deltas up to the first stop string.

    calls: how many were emitted
    """

    def __init__(self, stops: StopStrings, emit: Callable[[AnswerDelta], None]) -> None:
        self._stops, self._emit = stops, emit
        self.calls = 0

    @property
    def cut(self) -> bool:
        """Whether a stop string has come."""
        return self._stops.found

    def take(self, deltas: Sequence[AnswerDelta]) -> bool:
        """Emit deltas. Returns whether a stop string has come."""
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
        """Emit text that was held back because a stop string might begin in it."""
        self._say(self._stops.finish())

    def _say(self, text: str) -> None:
        if text:
            self._emit(TextDelta(text))


def _cut(prompt: Prompt, end: int) -> int:
    """The last position up to `end` where the prompt may be cut; a piece of sound is read in one pass."""
    while end < len(prompt.ids) and isinstance(prompt.positions[end], SoundPosition):
        end -= 1
    # If a sound was cut, this is one past its <audio_start>, which is read with the sound.
    return end


def _log_mels(prompt: Prompt, begin: int) -> list[Float]:
    """Log-mels of the pieces of sound that begin at position `begin` or later: (128, frames) each."""
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
