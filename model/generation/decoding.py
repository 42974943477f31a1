"""How a token is chosen, and what is done with each: for `generate` of transformers, one sequence at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from agentaudio.model.speech_lm import GenerateOptions


@dataclass(frozen=True, slots=True)
class Sampling:
    """temperature: 0 takes the likeliest token; top_k: 0 for all tokens"""

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    repetition_penalty: float = 1.0

    @classmethod
    def of(cls, config: Any) -> Sampling:
        """The settings of a checkpoint. config: its GenerationConfig"""
        return cls(
            temperature=(1.0 if config.temperature is None else config.temperature) if config.do_sample else 0.0,
            top_p=config.top_p or 1.0,
            top_k=config.top_k or 0,
            repetition_penalty=config.repetition_penalty or 1.0,
        )

    def with_options(self, options: GenerateOptions) -> Sampling:
        """These settings where an option is None."""
        given = {name: getattr(options, name) for name in ("temperature", "top_p", "repetition_penalty")}
        return replace(self, **{name: value for name, value in given.items() if value is not None})


class Choice:
    """A logits processor that leaves one token, so that greedy decoding takes it.

    It samples with a generator of its own: the seed of one answer does not change the random numbers of others.

    seed: None for another answer each time
    forced: tokens to take first, whatever their probability
    below: takes only tokens below this, and those in `also`; None for all
    """

    def __init__(
        self,
        sampling: Sampling,
        device: Any,
        *,
        seed: int | None = None,
        forced: Sequence[int] = (),
        below: int | None = None,
        also: Sequence[int] = (),
    ) -> None:
        self._sampling, self._below, self._also = sampling, below, list(also)
        self._forced = list(reversed(forced))
        self._random = torch.Generator(device=device)
        if seed is None:
            self._random.seed()
        else:
            self._random.manual_seed(seed % 2**63)

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        token = self._forced.pop() if self._forced else self._pick(input_ids[0], scores[0].float())
        chosen = torch.full_like(scores, float("-inf"))
        chosen[0, token] = 0.0
        return chosen

    def _pick(self, context: Any, logits: Any) -> int:
        """The next token. Sources: Keskar et al. 2019 (penalty), Holtzman et al. 2020 (top-p)."""
        given = self._sampling
        if given.repetition_penalty != 1.0:
            seen = torch.unique(context[context < len(logits)])
            past = logits[seen]
            logits[seen] = torch.where(past > 0, past / given.repetition_penalty, past * given.repetition_penalty)
        if self._below is not None:
            kept = logits[self._also]
            logits[self._below :] = float("-inf")
            logits[self._also] = kept
        if given.temperature < 1e-4:
            return int(logits.argmax())
        ordered, tokens = torch.sort(logits / given.temperature, descending=True)
        probabilities = torch.softmax(ordered, dim=-1)
        outside = torch.cumsum(probabilities, dim=-1) - probabilities > given.top_p
        if given.top_k:
            outside[given.top_k :] = True
        outside[0] = False
        probabilities = probabilities.masked_fill(outside, 0.0)
        return int(tokens[torch.multinomial(probabilities, 1, generator=self._random)])


class Watch:
    """A stopping criterion that sees each new token. take: whether the sequence ends with this token"""

    def __init__(self, take: Callable[[int], bool]) -> None:
        self._take = take

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        ends = self._take(int(input_ids[0, -1]))
        return torch.full((len(input_ids),), ends, dtype=torch.bool, device=input_ids.device)


def text_options(choice: Choice, take: Callable[[int], bool], *, limit: int, ends: Collection[int]) -> dict[str, Any]:
    """Arguments of `generate` by which `choice` chooses each token and `take` sees it.

    limit: tokens to generate; ends: tokens that end the text
    """
    return {
        "max_new_tokens": limit, "do_sample": False, "temperature": None, "top_p": None, "top_k": None,
        "repetition_penalty": 1.0, "eos_token_id": sorted(ends), "pad_token_id": min(ends),
        "logits_processor": [choice], "stopping_criteria": [Watch(take)],
    }  # fmt: skip
