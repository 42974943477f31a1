"""Turns from messages in the format of the reference code, for data sets and comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agentaudio.errors import ConversationError
from agentaudio.model.step_audio_2.language.segments import Item, Tokens, Turn
from agentaudio.model.step_audio_2.tokens import Vocabulary
from agentaudio.sound.audio import Audio

START = "<tts_start>"


def from_messages(messages: Sequence[Mapping[str, Any]], vocabulary: Vocabulary) -> list[Turn]:
    """Turns from the messages of the reference class: `role`, `content`, and `eot: False` for an unfinished one.

    content: None, a string, or a list of items `{type: text, text}`, `{type: audio, audio: Audio}`,
        `{type: token, token: [ids]}`; items of other types are left out. A `<tts_start>` at the end of
        an assistant's text becomes the token; all other text is plain.
    Source: Step-Audio2 stepaudio2.py, apply_chat_template.

    Raises ConversationError for any other content.
    """
    turns = []
    for message in messages:
        role = "human" if message["role"] == "user" else str(message["role"])
        content = message.get("content")
        marked = role == "assistant"
        closed = bool(message.get("eot", True))
        if content is None:
            turns.append(Turn(role, closed=False))
        elif isinstance(content, str):
            turns.append(Turn(role, _text(content, vocabulary, marked), joined=True, closed=closed))
        elif isinstance(content, list):
            items = [item for part in content for item in _part(part, vocabulary, marked)]
            turns.append(Turn(role, tuple(items), closed=closed))
        else:
            raise ConversationError(
                f"the content of a {role} message is a {type(content).__name__}, not text or a list"
            )
    return turns


def from_items(items: Sequence[str | Mapping[str, Any]], vocabulary: Vocabulary) -> list[Turn]:
    """The input of the Base checkpoint: texts and items in a row, without roles.

    Raises ConversationError for an item whose value is not of its type.
    """
    turns = []
    for item in items:
        if isinstance(item, str):
            turns.append(Turn(None, _text(item, vocabulary, True), joined=True))
        else:
            turns.append(Turn(None, tuple(_part(item, vocabulary, False))))
    return turns


def _part(part: Mapping[str, Any], vocabulary: Vocabulary, marked: bool) -> tuple[Item, ...]:
    match part:
        case {"type": "text", "text": str(text)}:
            return _text(text, vocabulary, marked)
        case {"type": "audio", "audio": Audio() as audio}:
            return (audio,)
        case {"type": "token", "token": ids}:
            return (Tokens(tuple(ids)),)
        case {"type": "text" | "audio"}:
            raise ConversationError(f"a {part['type']} item needs {part['type']!r} of that kind; it has {sorted(part)}")
        case _:
            return ()


def _text(text: str, vocabulary: Vocabulary, marked: bool) -> tuple[Item, ...]:
    if marked and text.endswith(START):
        words = text.removesuffix(START)
        return (*([words] if words else []), Tokens((vocabulary.ids.tts_start,)))
    return (text,)
