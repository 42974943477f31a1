"""A prefix cache: the keys and values of finished generations, for later prompts that begin the same."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from agentaudio.errors import MissingExtra
from agentaudio.model.step_audio_2.language.segments import AudioSegment, Position, Prompt

try:
    from transformers import DynamicCache
except ImportError as error:
    raise MissingExtra("Step-Audio 2", "local") from error


class States:
    """Keys and values of the positions that a model has read. It shares no tensors and has one owner at a time.

    positions: what was read: token ids, and positions in sounds
    cache: the keys and values of each position, as the runtime takes them: here a DynamicCache, for
        `StepAudio2ForCausalLM`
    """

    def __init__(self, positions: Sequence[Position] = (), cache: Any = None) -> None:
        self.positions = list(positions)
        self.cache = DynamicCache() if cache is None else cache

    def __len__(self) -> int:
        return len(self.positions)

    def crop(self, length: int) -> None:
        """Drop all positions after the first `length`."""
        if length < len(self):
            self.cache.crop(length - len(self))
            del self.positions[length:]

    def copy(self, length: int) -> States:
        """A copy of the first `length` positions."""
        if not length:
            return States()
        rows = ((layer.keys[..., :length, :], layer.values[..., :length, :]) for layer in self.cache.layers)
        return States(self.positions[:length], DynamicCache(rows))


class PrefixCache:
    """States of finished generations, found by the longest prefix that a prompt shares with them.

    `take` returns copies, so several generations may continue from the same prefix at once. All
    methods may be called from any thread.

    capacity: positions kept in total, 0 for none; the least recently used states are dropped first.
        A position takes 57 kB with Step-Audio 2 mini in bfloat16: 28 layers * 4 heads * 128 * 2 * 2 bytes.
    most: states kept in total; None for any number
    empty: makes the states of a prompt that nothing is known of
    """

    def __init__(self, capacity: int, *, most: int | None = None, empty: Callable[[], States] = States) -> None:
        self._capacity, self._most, self._empty = capacity, most, empty
        self._kept: list[States] = []  # most recently used last
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Positions that are kept in total."""
        return sum(map(len, self._kept))

    def take(self, prompt: Prompt) -> States:
        """A copy of the states of the longest known prefix of the prompt, which is never all of it; maybe empty."""
        with self._lock:
            lengths = [usable(prompt, states.positions) for states in self._kept]
            best = max(range(len(lengths)), key=lengths.__getitem__, default=None)
            if best is None or not lengths[best]:
                return self._empty()
            found = self._kept.pop(best)
            self._kept.append(found)
            return found.copy(lengths[best])

    def put(self, states: States) -> None:
        """Keep these states, which the caller gives up, and drop those that are a prefix of them.

        States longer than the capacity are not kept.
        """
        with self._lock:
            self._kept = [one for one in self._kept if states.positions[: len(one)] != one.positions]
            if len(states) > self._capacity:
                return
            self._kept.append(states)
            while len(self) > self._capacity or len(self._kept) > (self._most or len(self._kept)):
                self._kept.pop(0)

    def drop(self) -> bool:
        """Drop the least recently used states. Returns whether there were any."""
        with self._lock:
            return bool(self._kept) and self._kept.pop(0) is not None

    def clear(self) -> None:
        """Drop all states."""
        with self._lock:
            self._kept.clear()

    def close(self) -> None:
        """Drop all states, and keep none from now on."""
        self._capacity = -1
        self.clear()


def usable(prompt: Prompt, cached: Sequence[Position]) -> int:
    """Number of leading positions of the prompt that need not be read again.

    At least one position is left, as its pass gives the logits of the first new token. A piece of
    sound is encoded as a whole: if the shared prefix ends inside one, it is cut before `<audio_start>`.
    """
    shared = min(prompt.shared_with(cached), len(prompt.ids) - 1)
    begun = 0
    for segment in prompt.segments:
        length = len(segment.ids)
        if isinstance(segment, AudioSegment) and begun < shared < begun + length - 1:
            return begun
        begun += length
        if begun >= shared:
            break
    return max(shared, 0)
