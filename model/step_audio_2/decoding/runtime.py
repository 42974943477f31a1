"""What computes: `Generation` and `DecodeBatch` work with any runtime, such as torch (`Weights`) or llama.cpp."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import Protocol

from agentaudio.errors import MissingExtra
from agentaudio.model.step_audio_2.decoding.batching import DecodeBatch
from agentaudio.model.step_audio_2.decoding.hearing_ahead import HeardAhead
from agentaudio.model.step_audio_2.decoding.prefix_cache import PrefixCache, States
from agentaudio.model.step_audio_2.language.segments import Prompt
from agentaudio.model.step_audio_2.tokens import Vocabulary

try:
    import torch
    from torch import Tensor
except ImportError as error:
    raise MissingExtra("Step-Audio 2", "local") from error

Wanted = Callable[[], bool]
"""Asked before each pass: whether anybody still waits for what is being read."""


class Runtime(Protocol):
    """The weights and their limits: reads prompts, and decodes answers in its batch.

    context: positions that a prompt and its answer may take together
    size: rows of the vocabulary, the length of the logits
    decoding: how tokens are decoded, for people
    batch: decodes the tokens of all generations
    ahead: works on sounds while they arrive, for `read`
    """

    vocabulary: Vocabulary
    context: int
    size: int
    decoding: str
    batch: DecodeBatch
    ahead: HeardAhead

    @property
    def never(self) -> Collection[int]:
        """Ids that are never chosen."""

    @property
    def device(self) -> torch.device:
        """The device of token ids and logits."""

    def prepare(self) -> None:
        """Do what makes later answers faster and takes long, such as compiling."""

    def prefix_cache(self, capacity: int | None) -> PrefixCache:
        """What keeps the states of finished generations. capacity: positions; None for the usual number"""

    def seat(self, wanted: Wanted) -> AbstractContextManager[object]:
        """A place for one generation, held while it has states. It waits for one until it is no longer wanted."""

    def read(self, prompt: Prompt, states: States, wanted: Wanted) -> Tensor | None:
        """Read the part of the prompt that the states do not hold yet; only the sounds in that part are encoded.

        returns: (vocab_size,) logits of the token after the prompt; None when it is no longer wanted
        """

    def interrupt(self) -> None:
        """End passes and waiting that are no longer wanted, from any thread, where the runtime can do so."""

    def close(self) -> None:
        """Stop decoding and free all memory; it waits for the pass that is running."""
