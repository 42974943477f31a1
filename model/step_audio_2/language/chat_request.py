"""Turns from the messages of a chat request to vLLM with our plug-in; `docs/step_audio_2_server.md` describes them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any

from agentaudio.errors import ConversationError
from agentaudio.model.step_audio_2.language.interleave import interleave
from agentaudio.model.step_audio_2.language.messages import START
from agentaudio.model.step_audio_2.language.segments import Item, Tokens, Turn
from agentaudio.model.step_audio_2.language.tool_calls import written_call
from agentaudio.model.step_audio_2.tokens import N_CODES, Vocabulary
from agentaudio.sound.audio import Audio

ROLES = {"user": "human", "tool": "input", "function_output": "input", "developer": "system"}
"""Roles of requests that the model knows under another name."""

_CODE = re.compile(r"<audio_(\d{1,9})>")


def request_turns(
    messages: Sequence[Mapping[str, Any]],
    vocabulary: Vocabulary,
    *,
    tools: Sequence[Mapping[str, Any]] = (),
    add_generation_prompt: bool = False,
    continue_final_message: bool = False,
) -> list[Turn]:
    """The turns of a request, so that `assemble` makes the ids that `PromptBuilder` makes of the same conversation.

    messages: `role` and `content`: None, a string, or parts `{type: text, text}` and `{type: audio, audio: Audio}`.
        An assistant's may hold `tool_calls`, `tts_content`, and `token_ids`, which stand for all of its content;
        its text parts may hold `codes`, speech codes
    tools: as OpenAI function tools
    add_generation_prompt: end with the header of an answer
    continue_final_message: leave the last message, the assistant's, open

    Raises ConversationError for both flags at once, and for a message that a prompt cannot hold.
    """
    if add_generation_prompt and continue_final_message:
        raise ConversationError("a prompt continues the final message or opens a new one, not both; choose one")
    if continue_final_message and (not messages or messages[-1]["role"] != "assistant"):
        raise ConversationError("there is no answer to continue; the last message must be the assistant's")
    rest = list(messages)
    turns: list[Turn] = []
    if rest and _role(rest[0]) == "system":
        turns.append(_plain(rest.pop(0)))
    if tools:
        turns.append(Turn("tool_json_schemas", (json.dumps(list(map(_schema, tools)), ensure_ascii=False),), True))
    last = rest.pop() if continue_final_message else None
    turns += [_assistant(one, vocabulary) if one["role"] == "assistant" else _plain(one) for one in rest]
    if last is not None:
        turns.append(_open(last, vocabulary))
    if add_generation_prompt:
        turns.append(Turn("assistant", closed=False))
    return turns


def _role(message: Mapping[str, Any]) -> str:
    return ROLES.get(str(message["role"]), str(message["role"]))


def _schema(tool: Mapping[str, Any]) -> dict[str, Any]:
    function = tool["function"]
    known = ("name", "description", "parameters")
    return {"type": "function", "function": {key: function[key] for key in known if function.get(key) is not None}}


def _plain(message: Mapping[str, Any]) -> Turn:
    items = tuple(part if isinstance(part, Audio) else part["text"] for part in _parts(message))
    return Turn(_role(message), items, joined=len(items) == 1 and isinstance(items[0], str))


def _assistant(message: Mapping[str, Any], vocabulary: Vocabulary) -> Turn:
    if (ids := message.get("token_ids")) is not None:
        return Turn("assistant", (_checked(ids, vocabulary),))
    items = [*_speech(message, vocabulary), *_said(message, vocabulary)]
    marks = Tokens((vocabulary.ids.tool_call,)), Tokens((vocabulary.ids.tool_call_end,))
    for call in message.get("tool_calls") or ():
        function = call["function"]
        items += (marks[0], written_call(function["name"], _arguments(function.get("arguments"))), marks[1])
    return Turn("assistant", tuple(items))


def _open(message: Mapping[str, Any], vocabulary: Vocabulary) -> Turn:
    """The last message, which the model continues."""
    content = message.get("content")
    items = [*_speech(message, vocabulary), *_said(message, vocabulary)]
    if isinstance(content, str) and content.endswith(START):
        items[-1:] = [content.removesuffix(START), Tokens((vocabulary.ids.tts_start,))]
    if (ids := message.get("token_ids")) is not None:
        items.append(_checked(ids, vocabulary))
    return Turn("assistant", tuple(items), joined=isinstance(content, str), closed=False)


def _speech(message: Mapping[str, Any], vocabulary: Vocabulary) -> list[Item]:
    content = message.get("tts_content")
    if content is None:
        return []
    match content:
        case {"tts_text": str(text), "tts_audio": str(spelled)}:
            codes = [code for code in map(int, _CODE.findall(spelled)) if code < N_CODES]
            return [_block(text, codes, vocabulary)]
    raise ConversationError("tts_content needs both tts_text and tts_audio, two strings")


def _said(message: Mapping[str, Any], vocabulary: Vocabulary) -> list[Item]:
    items: list[Item] = []
    for part in _parts(message):
        if isinstance(part, Audio):
            items.append(part)
        elif codes := part.get("codes"):
            items.append(_block(part["text"], _numbers(codes, "codes"), vocabulary))
        else:
            items.append(part["text"])
    return items


def _block(text: str, codes: Sequence[int], vocabulary: Vocabulary) -> Tokens:
    return Tokens(tuple(interleave(vocabulary.encode(text), codes, vocabulary.ids)))


def _parts(message: Mapping[str, Any]) -> Iterator[Mapping[str, Any] | Audio]:
    content = message.get("content")
    if isinstance(content, str):
        yield {"text": content}
    elif isinstance(content, Sequence):
        for part in content:
            match part:
                case str(text):
                    yield {"text": text}
                case {"type": "audio", "audio": Audio() as audio}:
                    yield audio
                case {"text": str()}:
                    yield part
                case _:
                    kind = part.get("type") if isinstance(part, Mapping) else type(part).__name__
                    raise ConversationError(f"a {message['role']} message cannot hold a part of type {kind!r}")
    elif content is not None:
        raise ConversationError(f"the content of a message is a {type(content).__name__}, not text or a list")


def _checked(ids: Any, vocabulary: Vocabulary) -> Tokens:
    known = vocabulary.ids
    numbers = _numbers(ids, "token_ids")
    if any(one < 0 for one in numbers):
        raise ConversationError(f"token_ids hold {min(numbers)}, which is not a token; send back the ids that came")
    said = takewhile(lambda one: one not in known.stop, numbers)
    return Tokens(tuple(one for one in said if one != known.audio_patch))  # the place of a sound, which it has not


def _numbers(value: Any, name: str) -> list[int]:
    if not isinstance(value, Sequence) or not all(type(one) is int for one in value):
        raise ConversationError(f"{name} of a message must be a list of whole numbers")
    return list(value)


def _arguments(arguments: Any) -> Mapping[str, Any]:
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments or "{}")
        except (ValueError, RecursionError):
            arguments = {}  # a call that could not be read must not spoil each later turn
    return arguments if isinstance(arguments, Mapping) else {}
