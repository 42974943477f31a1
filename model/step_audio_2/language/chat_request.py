"""Turns from the messages of a chat request to vLLM with our plug-in; `docs/step_audio_2_server.md` describes them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any, Literal, get_args

from agentaudio.errors import ConversationError
from agentaudio.model.step_audio_2.language.interleave import interleave
from agentaudio.model.step_audio_2.language.messages import START
from agentaudio.model.step_audio_2.language.segments import Item, Tokens, Turn
from agentaudio.model.step_audio_2.language.tool_calls import written_call
from agentaudio.model.step_audio_2.tokens import N_CODES, Vocabulary
from agentaudio.sound.audio import Audio

Layout = Literal["native", "stepfun"]
"""How a prompt is written: as the native model's, or as StepFun's build of vLLM writes it."""

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
    layout: Layout = "native",
) -> list[Turn]:
    """The turns of a request, so that `assemble` makes the ids that `PromptBuilder` makes of the same conversation.

    messages: `role` and `content`: None, a string, or parts `{type: text, text}` and `{type: audio, audio: Audio}`.
        An assistant's may hold `tool_calls`, `tts_content`, and `token_ids`, which stand for all of its content;
        its text parts may hold `codes`, speech codes
    tools: as OpenAI function tools
    add_generation_prompt: end with the header of an answer
    continue_final_message: leave the last message, the assistant's, open
    layout: "stepfun" writes what StepFun's fork of vLLM writes, except for three faults of it: an empty system header
        without a system message, `<|EOT|>` after an unfinished message, and arguments in JSON that are encoded again.
        A message's sounds stand before its texts, with line breaks between them; the result of a tool has its name; the
        fields of a tool stay as they are; and any last message can be continued.
        Source: the fork's step_audio_2 tokenizer, apply_chat_template_trans_ta4.

    Raises ConversationError for both flags at once, for another layout, and for a message that a prompt cannot hold.
    """
    if add_generation_prompt and continue_final_message:
        raise ConversationError("a prompt continues the final message or opens a new one, not both; choose one")
    if layout not in get_args(Layout):
        raise ConversationError(f"unknown layout {layout!r:.60}; choose one of: {', '.join(get_args(Layout))}")
    native = layout == "native"
    if continue_final_message and (not messages or native and messages[-1]["role"] != "assistant"):
        raise ConversationError("there is no answer to continue; the last message must be the assistant's")
    write = _Writer(vocabulary, native)
    rest = list(messages)
    turns: list[Turn] = []
    if rest and _role(rest[0]) == "system":
        turns.append(write.plain(rest.pop(0)))
    if tools:
        listing = [_schema(tool) if native else dict(tool) for tool in tools]
        turns.append(Turn("tool_json_schemas", (json.dumps(listing, ensure_ascii=False),), True))
    last = rest.pop() if continue_final_message and rest else None
    turns += map(write.closed, rest)
    if last is not None:
        turns.append(write.open(last))
    if add_generation_prompt:
        turns.append(Turn("assistant", closed=False))
    return turns


class _Writer:
    """Writes the turns of messages. native: in the native model's layout"""

    def __init__(self, vocabulary: Vocabulary, native: bool) -> None:
        self._vocabulary, self._native = vocabulary, native
        self._called: dict[str, str] = {}

    def closed(self, message: Mapping[str, Any]) -> Turn:
        return self._assistant(message) if message["role"] == "assistant" else self.plain(message)

    def plain(self, message: Mapping[str, Any]) -> Turn:
        items = self._laid_out(part if isinstance(part, Audio) else part["text"] for part in _parts(message))
        if self._native:
            return Turn(_role(message), tuple(items), joined=len(items) == 1 and isinstance(items[0], str))
        if message["role"] == "tool":
            name = self._called.get(str(message.get("tool_call_id")), "tool")
            return Turn("function_output", (f"{name}\n", *items))
        return Turn(_role(message), tuple(items))

    def open(self, message: Mapping[str, Any]) -> Turn:
        """The last message, which the model continues."""
        if message["role"] != "assistant":
            return replace(self.plain(message), closed=False)
        content = message.get("content")
        items = self._content(message)
        if isinstance(content, str) and content.endswith(START):
            items[-1:] = [content.removesuffix(START), Tokens((self._vocabulary.ids.tts_start,))]
        if (ids := message.get("token_ids")) is not None:
            items.append(_checked(ids, self._vocabulary))
        return Turn("assistant", tuple(items), joined=isinstance(content, str) and self._native, closed=False)

    def _assistant(self, message: Mapping[str, Any]) -> Turn:
        calls = [{**call["function"], "id": str(call.get("id"))} for call in message.get("tool_calls") or ()]
        self._called |= {call["id"]: call["name"] for call in calls}
        if (ids := message.get("token_ids")) is not None:
            return Turn("assistant", (_checked(ids, self._vocabulary),))
        items = self._content(message)
        known = self._vocabulary.ids
        for call in calls:
            written = written_call(call["name"], _arguments(call.get("arguments")))
            items += (Tokens((known.tool_call,)), written, Tokens((known.tool_call_end,)))
        return Turn("assistant", tuple(items))

    def _content(self, message: Mapping[str, Any]) -> list[Item]:
        """The speech of an answer, then its parts."""
        items: list[Item] = []
        match message.get("tts_content"):
            case None:
                pass
            case {"tts_text": str(text), "tts_audio": str(spelled)}:
                codes = [code for code in map(int, _CODE.findall(spelled)) if code < N_CODES]
                items.append(self._block(text, codes))
            case _:
                raise ConversationError("tts_content needs both tts_text and tts_audio, two strings")
        return [*items, *self._laid_out(map(self._said, _parts(message)))]

    def _said(self, part: Mapping[str, Any] | Audio) -> Item:
        if isinstance(part, Audio):
            return part
        if codes := part.get("codes"):
            return self._block(part["text"], _numbers(codes, "codes"))
        return str(part["text"])

    def _laid_out(self, items: Iterable[Item]) -> list[Item]:
        found = list(items)
        if self._native:
            return found
        sounds = [item for item in found if isinstance(item, Audio)]
        ordered = [*sounds, *(item for item in found if not isinstance(item, Audio) and item)]
        return [one for number, item in enumerate(ordered) for one in (("\n", item) if number else (item,))]

    def _block(self, text: str, codes: Sequence[int]) -> Tokens:
        return Tokens(tuple(interleave(self._vocabulary.encode(text), codes, self._vocabulary.ids)))


def _role(message: Mapping[str, Any]) -> str:
    return ROLES.get(str(message["role"]), str(message["role"]))


def _schema(tool: Mapping[str, Any]) -> dict[str, Any]:
    function = tool["function"]
    known = ("name", "description", "parameters")
    return {"type": "function", "function": {key: function[key] for key in known if function.get(key) is not None}}


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
