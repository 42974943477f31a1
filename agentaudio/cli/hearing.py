"""`check_hearing`: whether a model takes in all sound that it is sent; some servers drop it without a word."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from importlib.resources import files

from agentaudio.conversation import AudioPart, Conversation, Part, TextPart
from agentaudio.errors import AgentAudioError
from agentaudio.escaping import one_line
from agentaudio.model.speech_lm import End, GenerateOptions, Heard, SpeechLM, TextDelta
from agentaudio.sound.audio import Audio

SPOKEN = ("tokyo", "东京", "東京")
"""A word of the recording, which nobody guesses who has not heard it."""
OTHER = ("wall", "长城", "長城")
"""A word of another recording."""
REQUEST = "Repeat word for word what is said in this recording. Write nothing else."
LONG = ("great-wall", "calm-old-man", "distance-of-the-moon", "national-museum", "call-my-mother", "scottish-man") * 2
"""Recordings of 38 s, none of which holds the word. Some servers take the first 30 s of a sound."""
WHOLE = 0.9
"""Of the tokens that the length lets expect: from here on a sound was read whole."""
LEAST_TOKENS = 10
"""Of the recording, 1.5 s: each model that hears makes more of it."""
TIMEOUT_S = 60.0
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Hearing:
    """hears: whether the answer shows that the sound was taken in; line: what was found, in one line"""

    hears: bool
    line: str


async def check_hearing(model: SpeechLM) -> Hearing:
    """Play recordings to a model, which is asked to repeat them: one alone, two together, and a long one.

    The spoken word in the answer shows that it hears. Otherwise the tokens count: those of the sound, or the
    difference to the same request without sound. A failure of the model becomes a line, too. This makes two or three
    requests.
    """
    if not model.capabilities.hears:
        return Hearing(False, f"{model.name} takes text only; give it ears by a cascade with a recogniser")
    recording = _recording("time-in-tokyo")
    try:
        async with asyncio.timeout(TIMEOUT_S):
            said, usage = await _asked(model, AudioPart(recording), TextPart(REQUEST))
            if _holds(said, SPOKEN):
                lost = await _lost(model, recording, usage.get("input_audio_tokens", 0.0) / recording.duration)
                if lost is not None:
                    return Hearing(False, f"{model.name} hears a short recording, but {lost}")
                return Hearing(True, f"{model.name} hears: it repeated a spoken word")
            tokens = usage.get("input_audio_tokens")
            if tokens is None and "input_tokens" in usage:
                without = (await _asked(model, TextPart(REQUEST)))[1].get("input_tokens")
                tokens = usage["input_tokens"] - without if without is not None else None
    except TimeoutError:
        return Hearing(False, f"{model.name} did not answer a recording within {TIMEOUT_S:g} s")
    except AgentAudioError as error:
        return Hearing(False, f"{model.name} refused a recording: {error}")
    answered = f"it answered {_short(said)} instead of the spoken words"
    if tokens is not None and tokens >= LEAST_TOKENS:
        return Hearing(False, f"{model.name} read {tokens:g} tokens of sound, but did not understand: {answered}")
    counted = "" if tokens is None else f", and counted {tokens:g} tokens of sound"
    return Hearing(
        False,
        f"{model.name} ignores sound: {answered}{counted}; take a model that hears, or a cascade with a recogniser",
    )


async def _lost(model: SpeechLM, recording: Audio, tokens_per_s: float) -> str | None:
    """What the model does not hear of two recordings in one message and of a long one; None if it hears all.

    tokens_per_s: of the recording alone; 0 where the model does not count them
    """
    other = _recording("great-wall").resample(recording.sample_rate)
    both = [AudioPart(other), AudioPart(recording)]
    said, tokens = await _said_to(model, *both)
    length = other.duration + recording.duration
    if not (_holds(said, SPOKEN) and _holds(said, OTHER)) and not _is_whole(tokens, tokens_per_s, length):
        return f"only one of two in a message; it answered {_short(said)}"
    long = _long(recording)
    if model.capabilities.max_audio_s >= long.duration:
        said, tokens = await _said_to(model, AudioPart(long))
        if not _holds(said, SPOKEN) and not _is_whole(tokens, tokens_per_s, long.duration):
            return f"not the end of one of {long.duration:.0f} s; it answered {_short(said)}"
    return None


def _long(last: Audio) -> Audio:
    """Those of LONG, and then the last one."""
    return Audio.concat([*(_recording(name).resample(last.sample_rate) for name in LONG), last])


async def _said_to(model: SpeechLM, *recordings: AudioPart) -> tuple[str, float]:
    said, usage = await _asked(model, *recordings, TextPart(REQUEST))
    return said, usage.get("input_audio_tokens", 0.0)


def _is_whole(tokens: float, tokens_per_s: float, length_s: float) -> bool:
    """Whether so many tokens are of so long a sound."""
    return tokens_per_s > 0 and tokens >= WHOLE * tokens_per_s * length_s


def _holds(said: str, words: tuple[str, ...]) -> bool:
    return any(word in said.casefold() for word in words)


def _short(said: str) -> str:
    return repr(one_line(said.strip())[:_SHOWN])


def _recording(name: str) -> Audio:
    """A spoken question of the demo."""
    return Audio.load(files("agentaudio.demo").joinpath(f"questions/{name}.flac").read_bytes())


async def _asked(model: SpeechLM, *parts: Part) -> tuple[str, dict[str, float]]:
    """What a model says to parts of a user, with the words that it recognised; and its counts."""
    conversation = Conversation()
    conversation.add("user", *parts)
    said, usage = "", dict[str, float]()
    async with contextlib.aclosing(model.generate(conversation, options=GenerateOptions(speak=False))) as deltas:
        async for delta in deltas:
            if isinstance(delta, TextDelta):
                said += delta.text
            elif isinstance(delta, Heard):
                said = f"{delta.text}\n{said}"
            elif isinstance(delta, End):
                usage = dict(delta.usage)
    return said, usage
