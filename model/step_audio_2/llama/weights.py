"""The runtime of llama.cpp: reads prompts, with the audio encoder of torch, and decodes answers."""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Iterator, Sequence

from agentaudio.errors import MissingExtra
from agentaudio.model.generation.stop_flag import StopFlag
from agentaudio.model.step_audio_2.decoding.batching import DecodeBatch
from agentaudio.model.step_audio_2.decoding.hearing import encoded
from agentaudio.model.step_audio_2.decoding.hearing_ahead import HeardAhead, piece_encoder
from agentaudio.model.step_audio_2.decoding.prefix_cache import PrefixCache, States
from agentaudio.model.step_audio_2.decoding.runtime import Wanted
from agentaudio.model.step_audio_2.language.segments import AudioSegment, Prompt
from agentaudio.model.step_audio_2.llama.context import BATCH, Aborted, Context, Float
from agentaudio.model.step_audio_2.llama.passes import LlamaPasses, with_room
from agentaudio.model.step_audio_2.llama.states import LlamaStates
from agentaudio.model.step_audio_2.network.encoder import Ears
from agentaudio.model.step_audio_2.tokens import Vocabulary

try:
    import torch
    from torch import Tensor
except ImportError as error:
    raise MissingExtra("Step-Audio 2", "local") from error

KEPT_STATES = 16
"""Finished generations, at most, whose keys and values are kept."""


def sequences_for(max_rows: int) -> int:
    """Sequences that a context needs: those of answers, those that are kept, and one that is about to be."""
    return max_rows + KEPT_STATES + 1


class LlamaWeights:
    """See `Runtime`. As many generations as the batch has rows have states at the same time; the others wait.

    Each of them may take the whole context: the states that are kept for later turns make room.

    llama: the language model
    ears: the audio encoder
    context: positions of a conversation with its answer
    max_rows: answers that decode together
    decoding: how, for people
    """

    def __init__(
        self, llama: Context, ears: Ears, vocabulary: Vocabulary, *, context: int, max_rows: int, decoding: str
    ) -> None:
        self.llama, self.ears, self.vocabulary = llama, ears, vocabulary
        self.context, self.size, self.decoding = context, llama.size, decoding
        self._encoding = threading.Lock()
        self._kept: PrefixCache | None = None
        self._seats, self._seat_free = max_rows, threading.Condition()
        self._readings: dict[Wanted, StopFlag] = {}
        together = ears.config.pieces_together
        self.ahead = HeardAhead(None if together else piece_encoder(ears.encode_audio, ears.device, self._encoding))
        passes = LlamaPasses(llama, max_rows, self.never, self._make_room)
        self.batch = DecodeBatch(passes, contextlib.nullcontext())
        # The batch's thread would keep the weights in memory.
        weakref.finalize(self, self.batch.close)

    @property
    def never(self) -> tuple[int, ...]:
        """No sound follows an <audio_start> that the model generates, so no later prompt could hold it."""
        return (self.vocabulary.ids.audio_start,)

    @property
    def device(self) -> torch.device:
        """Of token ids and logits."""
        return torch.device("cpu")

    def prepare(self) -> None:
        """There is nothing to prepare."""

    def prefix_cache(self, capacity: int | None) -> PrefixCache:
        """What keeps states. capacity: positions; None for all that there is memory for"""
        self._kept = PrefixCache(
            self.llama.positions if capacity is None else capacity, most=KEPT_STATES, empty=LlamaStates
        )
        return self._kept

    @contextlib.contextmanager
    def seat(self, wanted: Wanted) -> Iterator[None]:
        """A place for one generation with states, of which there are as many as rows."""
        with self._seat_free:
            while (asked := wanted()) and not self._seats:
                self._seat_free.wait()
            self._seats -= asked
        try:
            yield
        finally:
            with self._seat_free:
                self._seats += asked
                self._seat_free.notify_all()

    def interrupt(self) -> None:
        """Break off the passes that read what is no longer wanted, and the waiting for a seat."""
        with self._seat_free:
            for wanted, flag in self._readings.items():
                if not wanted():
                    flag.set()
            self._seat_free.notify_all()

    def close(self) -> None:
        """Stop decoding and free all memory, after the pass that is running."""
        self.batch.close()
        self.batch.wait_closed()
        self.llama.close()

    def read(self, prompt: Prompt, states: States, wanted: Wanted) -> Tensor | None:
        """Read the part of the prompt that the states do not hold yet; see `Runtime`. A pass can be broken off.

        Raises BackendError when there are no cells, or the computation fails; the states hold what was read before.
        """
        rows = encoded(
            prompt,
            len(states),
            wanted,
            self.ears.encode_audio,
            device=self.ears.device,
            lock=self._encoding,
            together=self.ears.config.pieces_together,
            ahead=self.ahead,
        )
        if not wanted():
            return None
        if states.cache is None:
            states.cache = self.llama.begin()
        logits, flag = None, StopFlag()
        with self._seat_free:
            self._readings[wanted] = flag
        try:
            for part in _parts(prompt, len(states), [one.float().cpu().numpy() for one in rows]):
                if not wanted():
                    return None
                logits = self._pass(prompt, states, part, flag)
        except Aborted:
            return None
        finally:
            with self._seat_free:
                del self._readings[wanted]
        return None if logits is None else torch.from_numpy(logits)

    def _pass(self, prompt: Prompt, states: States, part: list[int] | Float, flag: StopFlag) -> Float | None:
        begin, end = len(states), len(states) + len(part)
        last = end == len(prompt.ids)
        logits = with_room(lambda: self.llama.read(states.cache, begin, part, logits=last, flag=flag), self._make_room)
        states.positions += prompt.positions[begin:end]
        return logits

    def _make_room(self) -> bool:
        return self._kept is not None and self._kept.drop()


def _parts(prompt: Prompt, begin: int, sounds: Sequence[Float]) -> Iterator[list[int] | Float]:
    """What a prompt has from a position on, in parts for one pass each: token ids, or input rows of sound.

    sounds: the rows of the pieces of sound that begin there; no piece is divided by the position
    """
    ids: list[int] = []
    left = list(sounds)
    position = 0
    for segment in prompt.segments:
        new = segment.ids[max(0, begin - position) :]
        position += len(segment.ids)
        if isinstance(segment, AudioSegment) and len(new) == len(segment.ids):
            yield from _cut([*ids, new[0]])
            yield from _cut(left.pop(0))
            ids = [new[-1]]
        else:
            ids += new
    yield from _cut(ids)


def _cut(rows: list[int] | Float) -> Iterator[list[int] | Float]:
    return (rows[begin : begin + BATCH] for begin in range(0, len(rows), BATCH))
