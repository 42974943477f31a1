"""User input: its types, and how it becomes part of a conversation."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, BinaryIO

from agentaudio.conversation import AudioPart, TextPart
from agentaudio.errors import AudioError, OptionError
from agentaudio.model.speech_lm import SpeechLM
from agentaudio.sound.audio import Audio

Utterance = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | Audio | AudioPart
"""Text is a `str`, which is never read as a path. Sound is Audio, or a sound file as Path, bytes or binary file. An
AudioPart is sound whose words may be known."""

Utterances = Utterance | list[Utterance] | tuple[Utterance, ...]
UserInput = Utterances | Mapping[str, Any]
"""Input of a turn: an utterance, or several that are one message, such as a sound and a written question about it; or
the results of `Reply.open_calls` by call id."""

HELD_SAMPLES = 60_000_000
"""Most samples (240 MB) of a user's sound: a file whose rate is higher than the model's longest sound may have is
resampled to the highest of 48, 24 and 16 kHz that it may have, and to 16 kHz when none is left."""
_RATES_HZ = (48_000, 24_000, 16_000)


async def hear(said: Utterances, model: SpeechLM) -> tuple[TextPart | AudioPart, ...]:
    """Convert what a user said to parts of a message of the conversation.

    Raises AudioError for input that is empty, silent, too long or not sound, and for several sounds that are too long
    together; OptionError for sound when the model does not hear.
    """
    if not isinstance(said, list | tuple):
        return (await _part(said, model),)
    if not said:
        raise AudioError("the input is empty; say or write something")
    parts = [await _part(one, model) for one in said]
    duration = sum(part.audio.duration for part in parts if isinstance(part, AudioPart))
    if duration > (most := model.capabilities.max_audio_s):
        raise AudioError(
            f"the sounds last {duration:.0f} s, and model {model.name!r} takes at most {most:.0f} s; cut them first"
        )
    return tuple(parts)


async def _part(said: Utterance, model: SpeechLM) -> TextPart | AudioPart:
    if isinstance(said, str):
        if not said.strip():
            raise AudioError("the input is empty; say or write something")
        return TextPart(said)
    part = said if isinstance(said, AudioPart) else None
    said = said.audio if isinstance(said, AudioPart) else said
    if not model.capabilities.hears:
        raise OptionError(f"model {model.name!r} cannot hear; give it text, or use a model that hears")
    most = model.capabilities.max_audio_s
    rate = next((rate for rate in _RATES_HZ if most * rate <= HELD_SAMPLES), _RATES_HZ[-1])
    setting = f"max_audio_s of model {model.name!r}"
    audio = await Audio.aload(said, max_duration_s=most, setting=setting, highest_rate=rate)
    name = str(said) if isinstance(said, os.PathLike) else "the input"
    if not len(audio):
        raise AudioError(f"{name} holds no sound; record it again")
    if audio.is_silent:
        raise AudioError(f"{name} is silent (peak {audio.peak:.0e}); check the microphone and record it again")
    if audio.duration > most:
        raise AudioError(
            f"{name} lasts {audio.duration:.0f} s, and model {model.name!r} takes at most {most:.0f} s; cut it first"
        )
    return AudioPart(audio, part.transcript if part is not None else None)
