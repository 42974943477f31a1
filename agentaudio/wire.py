"""Messages as data for JSON, and back: the format in which conversations are stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_jsonable_python

from agentaudio.conversation import (
    AudioPart,
    Message,
    Part,
    Passage,
    Role,
    SpeechPart,
    SpeechTokens,
    TextPart,
    ToolCall,
    ToolOutput,
)
from agentaudio.errors import AudioError, ConversationError
from agentaudio.sound.audio import Audio

FindSound = Callable[[str, int], Audio]
"""Gives the sound of a file name, such as "ab12.wav", and a rate in Hz."""


class _Stored(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Text(_Stored):
    type: Literal["text"] = "text"
    text: str


class _Heard(_Stored):
    """`file` is None for sound without samples."""

    type: Literal["audio"] = "audio"
    file: str | None
    sample_rate_hz: int
    transcript: str | None = None


class _Tokens(_Stored):
    ids: list[int]
    codec: str
    rate_hz: float


class _Speech(_Stored):
    """`sample_rate_hz` is None for speech without sound."""

    type: Literal["speech"] = "speech"
    text: str
    file: str | None = None
    sample_rate_hz: int | None = None
    tokens: _Tokens | None = None
    interrupted: bool = False
    cut_s: float | None = None


class _Call(_Stored):
    type: Literal["tool_call"] = "tool_call"
    id: str
    name: str
    arguments: dict[str, Any]


class _Passage(_Stored):
    text: str
    title: str
    source: str
    position: int = 0
    score: float = 0.0


class _Output(_Stored):
    type: Literal["tool_output"] = "tool_output"
    call_id: str
    name: str
    text: str
    passages: list[_Passage] = []
    is_error: bool = False


class StoredMessage(_Stored):
    """A message as data."""

    role: Role
    parts: list[Annotated[_Text | _Heard | _Speech | _Call | _Output, Field(discriminator="type")]]
    failed: bool = False


def message_data(message: Message, sounds: dict[str, Audio]) -> dict[str, Any]:
    """The message as data for JSON.

    sounds: its sounds are added, under the names of the files that are to hold them: the digest of the sound and .wav

    Arguments of calls that have no JSON form become text. Raises ConversationError for arguments without end.
    """
    return {
        "role": message.role,
        "parts": [_part_data(part, sounds) for part in message.parts],
        "failed": message.failed,
    }


def message_parts(stored: StoredMessage, sound: FindSound) -> list[Part]:
    """The parts of a stored message. Raises what `sound` raises, and ConversationError for an impossible rate."""
    return [_part(part, sound) for part in stored.parts]


def _part_data(part: Part, sounds: dict[str, Audio]) -> dict[str, Any]:
    """The part as data for JSON. Its sound is added to `sounds`, under its file name."""

    def kept(audio: Audio | None) -> dict[str, Any]:
        if audio is None:
            return {"file": None, "sample_rate_hz": None}
        name = f"{audio.sha256}.wav" if len(audio) else None
        if name is not None:
            sounds[name] = audio
        return {"file": name, "sample_rate_hz": audio.sample_rate}

    match part:
        case TextPart(text=text):
            return {"type": "text", "text": text}
        case AudioPart(audio=audio, transcript=transcript):
            return {"type": "audio", **kept(audio), "transcript": transcript}
        case SpeechPart(tokens=spoken):
            tokens = None
            if spoken is not None:
                tokens = {"ids": list(spoken.ids), "codec": spoken.codec, "rate_hz": spoken.rate_hz}
            cut = {"interrupted": part.interrupted, "cut_s": part.cut_s}
            return {"type": "speech", "text": part.text, **kept(part.audio), "tokens": tokens, **cut}
        case ToolCall(arguments=arguments):
            try:
                plain = to_jsonable_python(dict(arguments), inf_nan_mode="null", fallback=repr)
            except (ValueError, RecursionError):
                raise ConversationError(f"the arguments of the call {part.id!r} have no JSON form") from None
            return {"type": "tool_call", "id": part.id, "name": part.name, "arguments": plain}
        case ToolOutput():
            passages = [
                {
                    "text": one.text,
                    "title": one.title,
                    "source": one.source,
                    "position": one.position,
                    "score": one.score,
                }
                for one in part.passages
            ]
            named = {"call_id": part.call_id, "name": part.name, "text": part.text}
            return {"type": "tool_output", **named, "passages": passages, "is_error": part.is_error}


def _part(stored: _Text | _Heard | _Speech | _Call | _Output, sound: FindSound) -> Part:
    match stored:
        case _Text(text=text):
            return TextPart(text)
        case _Heard(file=file, sample_rate_hz=rate, transcript=transcript):
            return AudioPart(_sound(file, rate, sound), transcript)
        case _Speech(tokens=spoken, file=file, sample_rate_hz=rate):
            tokens = None if spoken is None else SpeechTokens(tuple(spoken.ids), spoken.codec, spoken.rate_hz)
            audio = None if rate is None else _sound(file, rate, sound)
            return SpeechPart(stored.text, audio, tokens, stored.interrupted, stored.cut_s)
        case _Call():
            return ToolCall(stored.id, stored.name, stored.arguments)
        case _Output():
            passages = tuple(
                Passage(one.text, one.title, one.source, one.position, one.score) for one in stored.passages
            )
            return ToolOutput(stored.call_id, stored.name, stored.text, passages, stored.is_error)


def _sound(file: str | None, rate: int, sound: FindSound) -> Audio:
    if file is not None:
        return sound(file, rate)
    try:
        return Audio.silence(0.0, rate)
    except AudioError as error:
        raise ConversationError(f"the sound without samples is damaged: {error}") from None
