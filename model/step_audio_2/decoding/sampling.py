"""Chooses the next token: greedily, or by temperature, top-p and repetition penalty, on the model's device."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agentaudio.errors import MissingExtra, OptionError

try:
    import torch
    from torch import Tensor
except ImportError as error:
    raise MissingExtra("Step-Audio 2", "local") from error

SHORTLIST = 1024
"""Number of the likeliest ids in which the nucleus is searched first."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen. The defaults are the authors' for spoken answers with tools.

    temperature: below 1e-5, the likeliest token is chosen
    top_p: sample from the fewest likeliest tokens whose probabilities add up to this; 1 for all tokens
    repetition_penalty: divides the positive and multiplies the negative logits of tokens that occur in
        the prompt or the answer; 1 for none
    seed: None samples differently each time. Equal seeds sample equally from equal logits; decoding
        several answers together changes the last digits of the logits.

    Raises OptionError for values out of range.
    """

    temperature: float = 0.7
    top_p: float = 0.9
    repetition_penalty: float = 1.05
    seed: int | None = None

    def __post_init__(self) -> None:
        if not (_real(self.temperature) and self.temperature >= 0):
            raise OptionError(f"temperature is {self.temperature!r}; give 0 (greedy) or more")
        if not (_real(self.top_p) and 0 < self.top_p <= 1):
            raise OptionError(f"top_p is {self.top_p!r}; give more than 0 and at most 1")
        if not (_real(self.repetition_penalty) and self.repetition_penalty > 0):
            raise OptionError(f"repetition_penalty is {self.repetition_penalty!r}; give more than 0, 1 for none")
        if self.seed is not None and (type(self.seed) is not int or not -(2**63) <= self.seed < 2**64):
            raise OptionError(f"seed is {self.seed!r}; give a 64-bit integer")

    @property
    def greedy(self) -> bool:
        """Whether the likeliest token is chosen. Dividing by a smaller temperature would overflow."""
        return self.temperature < 1e-5


class Sampler:
    """Chooses the tokens of one answer.

    size: length of the logits
    prompt: ids that the answer follows; the repetition penalty applies to them
    never: ids that are never chosen
    """

    def __init__(
        self,
        sampling: Sampling,
        size: int,
        device: torch.device,
        *,
        prompt: Iterable[int] = (),
        never: Sequence[int] = (),
    ) -> None:
        self._sampling = sampling
        self._never = torch.tensor(never, dtype=torch.int64, device=device)
        self._seen: Tensor | None = None
        self._generator: torch.Generator | None = None
        if sampling.repetition_penalty != 1:
            self._seen = torch.zeros(size, dtype=torch.bool, device=device)
            self._seen[torch.tensor(sorted(set(prompt)), dtype=torch.int64, device=device)] = True
        if not sampling.greedy:
            self._generator = torch.Generator(device)
            if sampling.seed is None:
                self._generator.seed()
            else:
                self._generator.manual_seed(sampling.seed)

    def choose(self, logits: Tensor) -> int:
        """Choose the next token; the repetition penalty applies to it from now on.

        logits: (vocab_size,) of any float type
        """
        ids, probabilities = self.candidates(logits)
        if self._generator is None:
            chosen = ids[0]
        else:
            chosen = ids[torch.multinomial(probabilities, 1, generator=self._generator)[0]]
        if self._seen is not None:
            self._seen[chosen] = True
        return int(chosen)

    def candidates(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """The tokens that may be chosen, and their weights.

        logits: (vocab_size,) of any float type
        returns: (n,) int64 ids, and (n,) float32 proportional to their probabilities. The likeliest
            come first, except when top_p is 1 and all ids are returned in order.

        Source: the order and rules of transformers' RepetitionPenalty, Temperature and TopP processors.
        """
        scores = logits.float()
        if self._seen is not None:
            penalty = self._sampling.repetition_penalty
            scores = torch.where(self._seen, torch.where(scores < 0, scores * penalty, scores / penalty), scores)
        scores = scores.index_fill(0, self._never, -math.inf)
        if self._generator is None:
            best = scores.argmax(keepdim=True)
            return best, torch.ones_like(best, dtype=torch.float32)
        scores = scores / self._sampling.temperature
        if self._sampling.top_p == 1:
            return torch.arange(len(scores), device=scores.device), scores.softmax(-1)
        return _nucleus(scores, self._sampling.top_p)


def _real(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _nucleus(scores: Tensor, top_p: float) -> tuple[Tensor, Tensor]:
    """The fewest likeliest ids whose probabilities add up to `top_p`, and these probabilities."""
    whole = scores.logsumexp(-1)
    # Sorting the whole vocabulary is slow, and few distributions are flat enough to need it.
    for size in (min(SHORTLIST, len(scores)), len(scores)):
        likeliest, ids = scores.topk(size)
        shares = (likeliest - whole).exp()
        before = shares.cumsum(-1) - shares
        count = int((before < top_p).sum())
        if count < size:
            break
    return ids[:count], shares[:count]
