"""Conversations in JSON files, with their sound in WAV files beside them."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from agentaudio.conversation import Conversation
from agentaudio.errors import AudioError, ConversationError
from agentaudio.files import open_regular, open_within, write_atomically
from agentaudio.sound.audio import Audio
from agentaudio.sound.encode import encode_exactly
from agentaudio.wire import StoredMessage, message_data, message_parts

MAX_BYTES = 256 << 20
"""Largest JSON file that is read."""
VERSION = 1

_SOUND_FILE = re.compile(r"[0-9a-f]{64}\.wav")


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    agentaudio_conversation: Literal[1] = 1
    messages: list[StoredMessage]


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
    messages = [message_data(message, sounds) for message in conversation]
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

    def sound(file: str, rate: int) -> Audio:
        return _sound(file, _sound_folder(path), sounds)

    conversation = Conversation()
    for number, message in enumerate(stored.messages, 1):
        try:
            conversation.add(message.role, *message_parts(message, sound))
            if message.failed:
                conversation.mark_failed()
        except ConversationError as error:
            raise ConversationError(f"{path}: message {number}: {error}") from None
    return conversation


def _sound_folder(path: Path) -> Path:
    return path.parent / f"{path.name}.sound"


def _sound(file: str, folder: Path, sounds: dict[str, Audio]) -> Audio:
    try:
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
