"""How Step-Audio 2 generates where the caller leaves the choice to it: the authors' settings for spoken dialogue."""

from __future__ import annotations

import math
from dataclasses import dataclass

from agentaudio.errors import OptionError
from agentaudio.model.generation.stop_strings import StopStrings
from agentaudio.model.speech_lm import GenerateOptions

OPTIONS = frozenset(
    {"temperature", "top_p", "repetition_penalty", "max_tokens", "seed", "stop", "language", "must_call"}
)
"""What callers may choose, in this process and on a server."""
MAX_TOKENS = 2048
MAX_TOKENS_WITH_TOOLS = 4096
"""Limits of an answer in the authors' examples for spoken dialogue, without and with tools."""
SOUND_TOKENS_PER_S = 12.5
SHARE_FOR_SOUND = 0.9
"""Share of the context that sound may take; the rest is for words and the answer."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen. The defaults are the authors' for spoken answers with tools.

    temperature: below 1e-5, the likeliest token is chosen
    top_p: sample from the fewest likeliest tokens whose probabilities add up to this, at most 1,024; 1 for
        the 1,024 likeliest
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


def longest_sound_s(context: int) -> float:
    """Seconds of sound that a context of so many tokens takes."""
    return float(int(SHARE_FOR_SOUND * context / SOUND_TOKENS_PER_S))


def sampling_and_limit(options: GenerateOptions, tools: bool, limit: int | None = None) -> tuple[Sampling, int]:
    """The authors' settings where an option is None. Raises OptionError for options out of range.

    limit: of tokens, where the options have none; None for the authors'
    """
    usual = Sampling()
    sampling = Sampling(
        temperature=usual.temperature if options.temperature is None else options.temperature,
        top_p=usual.top_p if options.top_p is None else options.top_p,
        repetition_penalty=(
            usual.repetition_penalty if options.repetition_penalty is None else options.repetition_penalty
        ),
        seed=options.seed,
    )
    StopStrings(options.stop)
    most = limit if options.max_tokens is None else options.max_tokens
    if most is None:
        return sampling, MAX_TOKENS_WITH_TOOLS if tools else MAX_TOKENS
    if not isinstance(most, int) or most < 1:
        raise OptionError(f"max_tokens is {most!r}; give an integer, at least 1")
    return sampling, most


def _real(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
