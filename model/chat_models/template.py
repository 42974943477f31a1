"""`ChatTemplate`: conversations and tools as the prompts of any model with a chat template."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from agentaudio.conversation import Conversation, Message, ToolCall, ToolSpec
from agentaudio.errors import BackendError
from agentaudio.model.generation.plain import Plain
from agentaudio.model.generation.thoughts import MARKS
from agentaudio.model.results_as_text import results_as_text
from agentaudio.model.speech_lm import CallDelta
from agentaudio.model.written_calls import FRAMES, WrittenCalls

Messages = list[dict[str, Any]]
Write = Callable[[Messages, list[dict[str, Any]] | None], str]
"""Writes messages and tools as a prompt that ends where the answer begins. Raises any exception of the template."""

KEPT_MARKS = frozenset({*MARKS, *MARKS.values(), *FRAMES, *FRAMES.values()})
"""Special tokens that say where thoughts and calls are; all others are left out of the text of an answer."""

_MARK = re.compile(r"<[|/]*[\w.:\- ]+[|/]*>|\[/?[A-Z_]+\]|<</?[A-Z]+>>")
_TAGGED = re.compile(r'<tool_call>\s*\{"name":\s*"ring_7305",\s*"arguments":\s*\{.*\}\s*\}\s*</tool_call>')
_SYSTEM, _USER, _ANSWER, _RESULT = "be brief 7301", "greet me 7302", "good day 7303", "it rang 7304"
_TOOL_NAME = "ring_7305"
_TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": _TOOL_NAME,
        "description": "Ring the bell.",
        "parameters": {"type": "object", "properties": {"times": {"type": "integer", "description": "How often."}}},
    },
}


class ChatTemplate:
    """Finds out by trial what a template can write, and writes conversations in that form.

    write: the template
    special: texts that the tokenizer reads as one token; in the words of users, tools and documents they are broken
        up, like the marks that the template itself writes
    name: of the model, for messages

    takes_tools: whether the template writes tools, calls and results, and the calls in a form that can be read
    after_answer: what it writes behind an answer, such as <|im_end|>
    tagged_calls: whether it writes calls as <tool_call>{"name": ..., "arguments": ...}</tool_call>

    Templates differ in what they accept. Where there is no place for a system message, it precedes the first user
    message. Arguments are given as an object or, if that fails, as JSON. Several calls of one step become several
    steps if only one is accepted. If the roles must alternate, messages of one role are joined and results become
    text of the user.

    Raises BackendError for a template that does not write a user message.
    """

    def __init__(self, write: Write, special: Iterable[str], *, name: str) -> None:
        self._write, self._name, self._plain = write, name, Plain(())
        self._without_tools: list[dict[str, Any]] | None = None
        said = {"role": "user", "content": _USER}
        greeting = [said, {"role": "assistant", "content": _ANSWER}, said]
        if self._tried([said]) is None:
            self._without_tools = []  # some templates ask for a list
        written = self._written([said])
        if _USER not in written:
            raise BackendError(f"the chat template of {name!r} does not write what the user says; use another one")
        self._takes_system = _SYSTEM in (self._tried([{"role": "system", "content": _SYSTEM}, said]) or "")
        self._arguments: Callable[[Any], Any] = dict
        self._calls_at_once = True
        self.takes_tools = _TOOL_NAME in (self._tried([said], [_TOOL]) or "") and self._takes_calls(said)
        shown = self._tried(greeting) or ""
        self.after_answer = shown.partition(_ANSWER)[2].lstrip() if _ANSWER in shown else ""
        rung = self._tried([said, *self._rung(2), said], [_TOOL]) or ""
        self.tagged_calls = self.takes_tools and bool(_TAGGED.search(rung))
        marks = _MARK.findall("".join([written, shown, rung]))
        self._plain = Plain([*special, *marks])

    def prompt(self, conversation: Conversation, tools: Sequence[ToolSpec] = ()) -> str:
        """The prompt of a conversation, up to where the answer begins.

        Raises BackendError for tools that the template does not write, or when it fails.
        """
        if tools and not self.takes_tools:
            raise BackendError(
                f"the chat template of {self._name!r} has no place for tools; take a model that was trained to call "
                "them, or leave out the tools"
            )
        offered = [self._tool(tool) for tool in tools]
        if self.takes_tools:
            messages = self._messages(conversation)
            for form in (messages, _alternating(messages)):
                if (written := self._tried(form, offered)) is not None:
                    return written
        return self._written(_alternating(self._messages(results_as_text(conversation))), offered)

    def _messages(self, conversation: Conversation) -> Messages:
        system = "\n\n".join(self._plain.text(one.text) for one in conversation if one.role == "system")
        messages: Messages = []
        for message in conversation:
            if message.role == "assistant" and message.tool_calls:
                messages += self._step(message, len(messages))
            elif message.role == "tool":
                results = [self._result(one.name, self._plain.text(one.text)) for one in message.tool_outputs]
                _place(messages, results, [one.call_id for one in message.tool_outputs])
            elif message.role != "system":
                messages.append({"role": message.role, "content": self._plain.text(message.text)})
        for sent in messages:
            sent.pop("ids", None)
        if system and self._takes_system:
            messages.insert(0, {"role": "system", "content": system})
        elif system:
            first = next((one for one in messages if one["role"] == "user"), None)
            if first is None:
                messages.insert(0, {"role": "user", "content": system})
            else:
                first["content"] = f"{system}\n\n{first['content']}"
        return messages

    def _step(self, message: Message, number: int) -> Messages:
        """A message with calls: as one, or with a message for each call."""
        calls = message.tool_calls
        groups = [calls] if self._calls_at_once else [(call,) for call in calls]
        texts = [self._plain.text(message.text), *[""] * (len(groups) - 1)]
        return [
            self._called(text, group, number + place)
            for place, (text, group) in enumerate(zip(texts, groups, strict=True))
        ]

    def _called(self, text: str, calls: Sequence[ToolCall], number: int) -> dict[str, Any]:
        # Mistral's templates take ids of nine letters or digits only.
        return {
            "role": "assistant",
            "content": text,
            "ids": [call.id for call in calls],
            "tool_calls": [
                {
                    "id": f"{1000 * number + place:09d}",
                    "type": "function",
                    "function": {"name": call.name, "arguments": self._arguments(self._plain.deep(call.arguments))},
                }
                for place, call in enumerate(calls)
            ],
        }

    def _result(self, name: str, text: str) -> dict[str, Any]:
        return {"role": "tool", "name": name, "content": text}

    def _tool(self, tool: ToolSpec) -> dict[str, Any]:
        described = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
        return {"type": "function", "function": self._plain.deep(described)}

    def _takes_calls(self, said: dict[str, Any]) -> bool:
        """Whether calls and their results can be written; sets the form in which they can."""
        for self._arguments in (dict, _json):
            for self._calls_at_once in (True, False):
                written = self._tried([said, *self._rung(2)], [_TOOL]) or ""
                whole = written.count(_RESULT) == 2 and {"81", "82"} <= set(re.findall(r"\d+", written))
                if whole and "{'times'" not in written and _readable(written.rpartition(_USER)[2]):
                    return True
        return False

    def _rung(self, times: int) -> Messages:
        """A step with some calls and their results."""
        calls = tuple(ToolCall(f"call_{n}", _TOOL_NAME, {"times": 81 + n}) for n in range(times))
        messages = self._step(Message("assistant", calls), 1)
        _place(messages, [self._result(_TOOL_NAME, _RESULT) for _ in calls], [call.id for call in calls])
        return [{key: value for key, value in one.items() if key != "ids"} for one in messages]

    def _tried(self, messages: Messages, tools: Sequence[dict[str, Any]] = ()) -> str | None:
        """What the template writes; None when it fails."""
        try:
            return self._write(messages, list(tools) or self._without_tools)
        except Exception:  # of Jinja, and of what the template does
            return None

    def _written(self, messages: Messages, tools: Sequence[dict[str, Any]] = ()) -> str:
        try:
            return self._write(messages, list(tools) or self._without_tools)
        except Exception as error:
            raise BackendError(f"the chat template of {self._name!r} failed: {error}") from error


def _readable(steps: str) -> bool:
    """Whether `WrittenCalls` finds the first call in what a template writes behind the user's message."""
    calls = WrittenCalls([ToolSpec(_TOOL_NAME, "", _TOOL["function"]["parameters"])])
    found = [*calls.push(steps.partition(_RESULT)[0]), *calls.finish()]
    return any(isinstance(one, CallDelta) and one.call.arguments == {"times": 81} for one in found)


def _place(messages: Messages, results: Messages, call_ids: Sequence[str]) -> None:
    """Put each result behind the message with its call, and give it the id that the call has there."""
    for result, call_id in zip(results, call_ids, strict=True):
        place = next((n for n, one in enumerate(messages) if call_id in one.get("ids", ())), None)
        if place is None:
            messages.append(result)
            continue
        result["tool_call_id"] = messages[place]["tool_calls"][messages[place]["ids"].index(call_id)]["id"]
        place += 1
        while place < len(messages) and messages[place]["role"] == "tool":
            place += 1
        messages.insert(place, result)


def _alternating(messages: Messages) -> Messages:
    """The messages, with successive ones of one role joined, except calls and results."""
    joined: Messages = []
    for message in messages:
        words_only = message["role"] in ("user", "assistant") and "tool_calls" not in message
        if words_only and joined and joined[-1]["role"] == message["role"] and "tool_calls" not in joined[-1]:
            joined[-1] = {**message, "content": f"{joined[-1]['content']}\n\n{message['content']}"}
        else:
            joined.append(message)
    return joined


def _json(arguments: Any) -> str:
    return json.dumps(arguments, ensure_ascii=False)
