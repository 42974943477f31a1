"""How Step-Audio 2 generates where the caller leaves the choice to it: the authors' settings for spoken dialogue."""

from __future__ import annotations

from agentaudio.errors import OptionError
from agentaudio.model.generation.stop_strings import StopStrings
from agentaudio.model.speech_lm import GenerateOptions
from agentaudio.model.step_audio_2.decoding.sampling import Sampling

MAX_TOKENS = 2048
MAX_TOKENS_WITH_TOOLS = 4096
"""Limits of an answer in the authors' examples for spoken dialogue, without and with tools."""
SOUND_TOKENS_PER_S = 12.5
SHARE_FOR_SOUND = 0.9
"""Share of the context that sound may take; the rest is for words and the answer."""


def longest_sound_s(context: int) -> float:
    """Seconds of sound that a context of so many tokens takes."""
    return float(int(SHARE_FOR_SOUND * context / SOUND_TOKENS_PER_S))


def sampling_and_limit(options: GenerateOptions, tools: bool) -> tuple[Sampling, int]:
    """The authors' settings where an option is None. Raises OptionError for options out of range."""
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
    if options.max_tokens is None:
        return sampling, MAX_TOKENS_WITH_TOOLS if tools else MAX_TOKENS
    if not isinstance(options.max_tokens, int) or options.max_tokens < 1:
        raise OptionError(f"max_tokens is {options.max_tokens!r}; give an integer, at least 1")
    return sampling, options.max_tokens
