"""What a model has read already, kept for the turn that goes on from there."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from agentaudio.errors import MissingExtra
from agentaudio.model.step_audio_2.language.segments import AudioSegment, Position, Prompt

try:
    from transformers import DynamicCache
except ImportError as error:
    raise MissingExtra("Step-Audio 2", "local") from error


class States:
    """Keys and values of the positions that a model has read: one owner at a time, and no tensor is shared.

    positions: what was read: token ids, and places in sounds
    cache: for `StepAudio2ForCausalLM`, with a row of keys and values for each position
    """

    def __init__(self, positions: Sequence[Position] = (), cache: DynamicCache | None = None) -> None:
        self.positions = list(positions)
        self.cache = DynamicCache() if cache is None else cache

    def __len__(self) -> int:
        return len(self.positions)

    def crop(self, length: int) -> None:
        """Forget what comes after so many positions."""
        if length < len(self):
            self.cache.crop(length - len(self))
            del self.positions[length:]

    def copy(self, length: int) -> States:
        """The first positions, in tensors of their own."""
        if not length:
            return States()
        rows = ((layer.keys[..., :length, :], layer.values[..., :length, :]) for layer in self.cache.layers)
        return States(self.positions[:length], DynamicCache(rows))


class PrefixCache:
    """States of finished generations, found again by what they have read.

    The states that are handed out are copies, so any number of generations may go on from the same
    beginning at the same time.

    capacity: positions kept altogether, 0 for none; the states used longest ago go first. A position
        takes 57 kB with Step-Audio 2 mini in bfloat16.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._kept: list[States] = []  # the last one was used last
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Positions that are kept."""
        return sum(map(len, self._kept))

    def take(self, prompt: Prompt) -> States:
        """States of as much of the prompt as is known, never all of it; they are the caller's."""
        with self._lock:
            lengths = [usable(prompt, states.positions) for states in self._kept]
            best = max(range(len(lengths)), key=lengths.__getitem__, default=None)
            if best is None or not lengths[best]:
                return States()
            found = self._kept.pop(best)
            self._kept.append(found)
            return found.copy(lengths[best])

    def put(self, states: States) -> None:
        """Keep these states, and drop others that know no more than they do. They are the cache's from now on."""
        with self._lock:
            self._kept = [one for one in self._kept if states.positions[: len(one)] != one.positions]
            if not len(states) <= self._capacity:
                return
            self._kept.append(states)
            while len(self) > self._capacity:
                self._kept.pop(0)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._kept.clear()

    def close(self) -> None:
        """Forget all, and keep nothing more."""
        self._capacity = -1
        self.clear()


def usable(prompt: Prompt, cached: Sequence[Position]) -> int:
    """How many leading positions of the prompt need not be read again.

    At least one is left, for the logits that follow it, and a piece of sound is heard as a whole:
    where the shared part ends inside one, it is cut off before its `<audio_start>`.
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
