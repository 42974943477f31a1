"""`check_hearing`: whether a model takes in the sound that it is sent; some servers drop it without a word."""

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
REQUEST = "Repeat word for word what is said in this recording. Write nothing else."
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
    """Play a recording to a model, which is asked to repeat it. This makes one request, or two when in doubt.

    The spoken word in the answer shows that it hears. Otherwise the tokens count: those of the sound, or the
    difference to the same request without sound. A failure of the model becomes a line, too.
    """
    if not model.capabilities.hears:
        return Hearing(False, f"{model.name} takes text only; give it ears by a cascade with a recogniser")
    recording = Audio.load(files("agentaudio.demo").joinpath("questions/time-in-tokyo.flac").read_bytes())
    try:
        async with asyncio.timeout(TIMEOUT_S):
            said, usage = await _asked(model, AudioPart(recording), TextPart(REQUEST))
            if any(word in said.casefold() for word in SPOKEN):
                return Hearing(True, f"{model.name} hears: it repeated a spoken word")
            tokens = usage.get("input_audio_tokens")
            if tokens is None and "input_tokens" in usage:
                without = (await _asked(model, TextPart(REQUEST)))[1].get("input_tokens")
                tokens = usage["input_tokens"] - without if without is not None else None
    except TimeoutError:
        return Hearing(False, f"{model.name} did not answer a recording within {TIMEOUT_S:g} s")
    except AgentAudioError as error:
        return Hearing(False, f"{model.name} refused a recording: {error}")
    answered = f"it answered {one_line(said.strip())[:_SHOWN]!r} instead of the spoken words"
    if tokens is not None and tokens >= LEAST_TOKENS:
        return Hearing(False, f"{model.name} read {tokens:g} tokens of sound, but did not understand: {answered}")
    counted = "" if tokens is None else f", and counted {tokens:g} tokens of sound"
    return Hearing(
        False,
        f"{model.name} ignores sound: {answered}{counted}; take a model that hears, or a cascade with a recogniser",
    )


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
