"""Turns from messages in the formats of the reference code and its server, for data sets and comparisons."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from agentaudio.errors import ConversationError
from agentaudio.model.step_audio_2.language.interleave import interleave
from agentaudio.model.step_audio_2.language.segments import Item, Tokens, Turn
from agentaudio.model.step_audio_2.language.tool_calls import written_call
from agentaudio.model.step_audio_2.tokens import N_CODES, Vocabulary
from agentaudio.sound.audio import Audio

START = "<tts_start>"
_CODE = re.compile(r"<audio_(\d{1,9})>")


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


def from_chat(
    messages: Sequence[Mapping[str, Any]],
    vocabulary: Vocabulary,
    *,
    tools: Sequence[Mapping[str, Any]] = (),
    add_generation_prompt: bool = False,
    continue_final_message: bool = False,
) -> list[Turn]:
    """Turns from the messages of a chat request to the vLLM fork.

    Three faults of the fork are avoided: an empty system header without a system message, `<|EOT|>`
    after an unfinished message, and JSON arguments that are encoded a second time.
    Source: the fork's step_audio_2 tokenizer, apply_chat_template_trans_ta4.

    Raises ConversationError for both flags at once, for `tts_content` without `tts_text` and
    `tts_audio`, and for content of an unknown type.
    """
    if add_generation_prompt and continue_final_message:
        raise ConversationError("a prompt continues the final message or opens a new one, not both; choose one")
    turns: list[Turn] = []
    rest = list(messages)
    if rest and rest[0]["role"] == "system":
        turns.append(_plain("system", rest.pop(0)))
    if tools:
        listing = json.dumps([dict(tool) for tool in tools], ensure_ascii=False)
        turns.append(Turn("tool_json_schemas", (listing,), joined=True))
    names: dict[str, str] = {}
    for position, message in enumerate(rest, start=1):
        final = continue_final_message and position == len(rest)
        turns.append(_chat_turn(message, vocabulary, names, final))
    if add_generation_prompt:
        turns.append(Turn("assistant", closed=False))
    return turns


def _chat_turn(message: Mapping[str, Any], vocabulary: Vocabulary, names: dict[str, str], final: bool) -> Turn:
    role = str(message["role"])
    if role == "assistant":
        items = _assistant(message, vocabulary)
        for call in () if final else message.get("tool_calls") or ():
            function = call["function"]
            names[str(call.get("id"))] = function["name"]
            marks = Tokens((vocabulary.ids.tool_call,)), Tokens((vocabulary.ids.tool_call_end,))
            items += (marks[0], written_call(function["name"], _arguments(function.get("arguments"))), marks[1])
        return Turn(role, tuple(items), closed=not final)
    if role == "tool":
        name = names.get(str(message.get("tool_call_id")), "tool")
        return _plain("function_output", message, f"{name}\n", closed=not final)
    renamed = {"user": "human", "function_output": "input"}
    return _plain(renamed.get(role, role), message, closed=not final)


def _plain(role: str, message: Mapping[str, Any], before: str = "", closed: bool = True) -> Turn:
    return Turn(role, (before, *_flat(message.get("content"))), closed=closed)


def _assistant(message: Mapping[str, Any], vocabulary: Vocabulary) -> list[Item]:
    items: list[Item] = []
    speech = message.get("tts_content")
    if speech is not None:
        if not {"tts_text", "tts_audio"} <= set(speech):
            raise ConversationError("tts_content needs both tts_text and tts_audio")
        codes = [code for code in map(int, _CODE.findall(speech["tts_audio"])) if code < N_CODES]
        items.append(Tokens(tuple(interleave(vocabulary.encode(speech["tts_text"]), codes, vocabulary.ids))))
    for item in _flat(message.get("content")):
        items += _text(item, vocabulary, True) if isinstance(item, str) else (item,)
    return items


def _flat(content: Any) -> list[Item]:
    """The sounds, then all texts as one, with line breaks between them."""
    if content is None or isinstance(content, str):
        return [content or ""]
    if not isinstance(content, list):
        raise ConversationError(f"the content of a message is a {type(content).__name__}, not text or a list")
    sounds: list[Item] = [part["audio"] for part in content if part.get("type") == "audio"]
    words = "\n".join(part["text"] for part in content if part.get("type") == "text")
    ordered = [*sounds, words] if words or not sounds else sounds
    return [item for number, one in enumerate(ordered) for item in (("\n", one) if number else (one,))]


def _arguments(arguments: Any) -> Mapping[str, Any]:
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments or "{}")
        except (ValueError, RecursionError):
            arguments = None
    if arguments is None or isinstance(arguments, Mapping):
        return arguments or {}
    raise ConversationError(f"the arguments of a call are a {type(arguments).__name__}, not an object")


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
