"""What the model has read of a conversation, when llama.cpp holds its keys and values."""

from __future__ import annotations

from collections.abc import Sequence

from agentaudio.model.step_audio_2.decoding.prefix_cache import States
from agentaudio.model.step_audio_2.language.segments import Position
from agentaudio.model.step_audio_2.llama.context import Cells


class LlamaStates(States):
    """States whose cache is a sequence of llama.cpp; None while nothing was read, and while an answer has a row.

    Several may share cells: copies cost no memory until they go on differently.
    """

    def __init__(self, positions: Sequence[Position] = (), cache: Cells | None = None) -> None:
        self.positions = list(positions)
        self.cache = cache

    def crop(self, length: int) -> None:
        """Drop all positions after the first `length`."""
        if length < len(self):
            if self.cache is not None:
                self.cache.context.crop(self.cache, length)
            del self.positions[length:]

    def copy(self, length: int) -> LlamaStates:
        """The first `length` positions, of a sequence of their own."""
        if not length or self.cache is None:
            return LlamaStates()
        return LlamaStates(self.positions[:length], self.cache.context.copy(self.cache, length))
