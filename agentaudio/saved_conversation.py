"""Conversations in JSON files, with their sound in WAV files beside them."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import to_jsonable_python

from agentaudio.conversation import (
    AudioPart,
    Conversation,
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
from agentaudio.files import open_regular, open_within, write_atomically
from agentaudio.sound.audio import Audio
from agentaudio.sound.encode import encode_exactly

MAX_BYTES = 256 << 20
"""Largest JSON file that is read."""
VERSION = 1

_SOUND_FILE = re.compile(r"[0-9a-f]{64}\.wav")


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


class _Message(_Stored):
    role: Role
    parts: list[Annotated[_Text | _Heard | _Speech | _Call | _Output, Field(discriminator="type")]]
    failed: bool = False


class _File(_Stored):
    agentaudio_conversation: Literal[1] = 1
    messages: list[_Message]


def save_conversation(conversation: Conversation, path: str | os.PathLike[str]) -> Path:
    """Write a conversation to a JSON file, and its sound to a folder beside it.

    path: of the JSON file. The sound of `talk.json` goes to `talk.json.sound/`, as float WAV files that are named by
        the digest of the sound; files there that the conversation no longer needs are deleted.

    Arguments of calls that have no JSON form become text, and lone surrogates "?". When this raises, an older JSON file
    stays. It blocks while it writes.

    Raises ConversationError when a file cannot be written.
    """
    path = Path(path)
    folder = _sound_folder(path)
    sounds: dict[str, Audio] = {}
    messages = [
        {"role": message.role, "parts": [_stored(part, sounds) for part in message.parts], "failed": message.failed}
        for message in conversation
    ]
    try:
        text = json.dumps({"agentaudio_conversation": VERSION, "messages": messages}, ensure_ascii=False, indent=1)
    except (ValueError, RecursionError) as error:
        raise ConversationError(f"the conversation has no JSON form: {error}") from None
    for name, sound in sounds.items():
        if not (folder / name).exists():
            write_atomically(folder / name, encode_exactly(sound.samples, sound.sample_rate), error=ConversationError)
    write_atomically(path, text.encode("utf-8", "replace"), error=ConversationError)
    if folder.is_dir():
        for file in folder.iterdir():
            if _SOUND_FILE.fullmatch(file.name) and file.name not in sounds:
                file.unlink(missing_ok=True)
    return path


def load_conversation(path: str | os.PathLike[str]) -> Conversation:
    """Read a conversation that `save_conversation` wrote. It blocks while it reads.

    Raises ConversationError for a file that is missing, damaged, larger than MAX_BYTES or not a conversation, and for
    sound that is missing or was changed. Only files of the sound folder are opened.
    """
    path = Path(path)
    try:
        with open_regular(path) as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ConversationError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None
    if len(content) > MAX_BYTES:
        raise ConversationError(f"{path} is larger than {MAX_BYTES >> 20} MB, which no conversation needs")
    try:
        stored = _File.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(step) for step in first["loc"]) or "the file"
        raise ConversationError(f"{path} is not a conversation: {place}: {first['msg']}") from None
    sounds: dict[str, Audio] = {}
    conversation = Conversation()
    for number, message in enumerate(stored.messages, 1):
        try:
            conversation.add(message.role, *(_part(part, _sound_folder(path), sounds) for part in message.parts))
            if message.failed:
                conversation.mark_failed()
        except ConversationError as error:
            raise ConversationError(f"{path}: message {number}: {error}") from None
    return conversation


def _sound_folder(path: Path) -> Path:
    return path.parent / f"{path.name}.sound"


def _stored(part: Part, sounds: dict[str, Audio]) -> dict[str, Any]:
    """The part as data for JSON. Its sound is added to `sounds`, under its file name."""

    def kept(audio: Audio | None) -> dict[str, Any]:
        if audio is None:
            return {"file": None, "sample_rate_hz": None}
        name = f"{audio.sha256}.wav" if len(audio) else None
        if name is not None:
            sounds[name] = audio
        return {"file": name, "sample_rate_hz": audio.sample_rate}

    stored: _Stored
    match part:
        case TextPart(text=text):
            stored = _Text.model_construct(text=text)
        case AudioPart(audio=audio, transcript=transcript):
            stored = _Heard.model_construct(**kept(audio), transcript=transcript)
        case SpeechPart(tokens=spoken):
            tokens = None
            if spoken is not None:
                tokens = _Tokens.model_construct(ids=list(spoken.ids), codec=spoken.codec, rate_hz=spoken.rate_hz)
            stored = _Speech.model_construct(
                text=part.text, tokens=tokens, interrupted=part.interrupted, cut_s=part.cut_s, **kept(part.audio)
            )
        case ToolCall(arguments=arguments):
            try:
                plain = to_jsonable_python(dict(arguments), inf_nan_mode="null", fallback=repr)
            except (ValueError, RecursionError):
                raise ConversationError(f"the arguments of the call {part.id!r} have no JSON form") from None
            stored = _Call.model_construct(id=part.id, name=part.name, arguments=plain)
        case ToolOutput():
            passages = [
                _Passage.model_construct(
                    text=one.text, title=one.title, source=one.source, position=one.position, score=one.score
                )
                for one in part.passages
            ]
            stored = _Output.model_construct(
                call_id=part.call_id, name=part.name, text=part.text, passages=passages, is_error=part.is_error
            )
    return stored.model_dump()


def _part(stored: _Text | _Heard | _Speech | _Call | _Output, folder: Path, sounds: dict[str, Audio]) -> Part:
    match stored:
        case _Text(text=text):
            return TextPart(text)
        case _Heard(file=file, sample_rate_hz=rate, transcript=transcript):
            return AudioPart(_sound(file, rate, folder, sounds), transcript)
        case _Speech(tokens=spoken, file=file, sample_rate_hz=rate):
            tokens = None if spoken is None else SpeechTokens(tuple(spoken.ids), spoken.codec, spoken.rate_hz)
            audio = None if rate is None else _sound(file, rate, folder, sounds)
            return SpeechPart(stored.text, audio, tokens, stored.interrupted, stored.cut_s)
        case _Call():
            return ToolCall(stored.id, stored.name, stored.arguments)
        case _Output():
            passages = tuple(
                Passage(one.text, one.title, one.source, one.position, one.score) for one in stored.passages
            )
            return ToolOutput(stored.call_id, stored.name, stored.text, passages, stored.is_error)


def _sound(file: str | None, rate: int, folder: Path, sounds: dict[str, Audio]) -> Audio:
    try:
        if file is None:
            return Audio.silence(0.0, rate)
        if not _SOUND_FILE.fullmatch(file):
            raise ConversationError(f"{file!r} is not the name of a sound file; it is 64 hexadecimal digits and .wav")
        if file not in sounds:
            with open_within(folder, folder / file) as opened:
                sounds[file] = Audio.load(opened)
    except OSError as error:
        raise ConversationError(f"cannot read the sound {file}: {error.strerror or error}") from None
    except AudioError as error:
        raise ConversationError(f"the sound {file} is damaged: {error}") from None
    if f"{sounds[file].sha256}.wav" != file:
        raise ConversationError(f"the sound {file} is damaged: its content was changed")
    return sounds[file]
