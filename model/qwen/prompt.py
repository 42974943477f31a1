"""Conversations and tools as the prompts of Qwen's models."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from agentaudio.conversation import AudioPart, Conversation, Message, SpeechPart, TextPart, ToolSpec
from agentaudio.model.generation.plain import Plain
from agentaudio.model.qwen.family import Family
from agentaudio.sound.audio import Audio

Messages = list[dict[str, Any]]
Template = Callable[[Messages, list[dict[str, Any]]], str]
"""Writes messages and tools as a prompt that ends where the answer begins."""

_MARKS = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<tools>", "</tools>")

TOOLS = """

# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
{tools}
</tools>

For each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:
<tool_call>
{{"name": <function-name>, "arguments": <args-json-object>}}
</tool_call>"""
"""The instructions that Qwen2.5 was trained with (published with its chat template)."""


@dataclass(frozen=True, slots=True)
class Written:
    """A prompt. text: with one sound token for each sound; sounds: in their order"""

    text: str
    sounds: tuple[Audio, ...]


class Prompts:
    """Writes prompts.

    special: texts that the tokenizer reads as one token; in the words of users, tools and documents they
        are broken up, so that no one can write a turn of another role or a place for a sound
    token: the sound token
    template: the checkpoint's own chat template; None when it has none
    template_has_tools: whether it knows tools; where it does not, `chatml` writes prompts with tools
    """

    def __init__(
        self,
        family: Family,
        special: Iterable[str],
        token: str,
        *,
        template: Template | None = None,
        template_has_tools: bool = False,
    ) -> None:
        self._family, self._token = family, token
        self._template, self._template_has_tools = template, template_has_tools
        self._plain = Plain([*_MARKS, *special])

    def build(self, conversation: Conversation, tools: Sequence[ToolSpec] = ()) -> Written:
        """The prompt of a conversation. All its sounds are in it, since the model has no memory of its own."""
        sounds: list[Audio] = []
        messages: Messages = [{"role": "system", "content": self._system(conversation)}]
        for message in conversation:
            if message.role != "system":
                messages += self._message(message, sounds)
        offered = [self._tool(tool) for tool in tools]
        uses_tools = bool(offered) or any(message["role"] == "tool" for message in messages)
        if self._template is None or (uses_tools and not self._template_has_tools):
            return Written(chatml(messages, offered, self._family.sound, self._token), tuple(sounds))
        return Written(self._template(messages, offered), tuple(sounds))

    def _system(self, conversation: Conversation) -> str:
        said = [self._plain.text(message.text) for message in conversation if message.role == "system"]
        return "\n\n".join([self._family.system, *said])

    def _message(self, message: Message, sounds: list[Audio]) -> Messages:
        if message.role == "tool":
            return [
                {"role": "tool", "name": output.name, "content": self._plain.text(output.text)}
                for output in message.tool_outputs
            ]
        if message.role == "assistant":
            written: dict[str, Any] = {"role": "assistant", "content": self._plain.text(message.text)}
            if calls := message.tool_calls:
                written["tool_calls"] = [
                    {"type": "function", "function": {"name": call.name, "arguments": self._plain.deep(call.arguments)}}
                    for call in calls
                ]
            return [written]
        parts: list[dict[str, Any]] = []
        for part in message.parts:
            if isinstance(part, AudioPart):
                sounds.append(part.audio)
                parts.append({"type": "audio", "audio": "sound"})
            elif isinstance(part, TextPart | SpeechPart):
                parts.append({"type": "text", "text": self._plain.text(part.text)})
        if all(part["type"] == "text" for part in parts):
            return [{"role": message.role, "content": " ".join(part["text"] for part in parts)}]
        return [{"role": message.role, "content": parts}]

    def _tool(self, tool: ToolSpec) -> dict[str, Any]:
        described = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
        return {"type": "function", "function": self._plain.deep(described)}


def chatml(messages: Messages, tools: list[dict[str, Any]], sound: str, token: str) -> str:
    """Messages and tools as Qwen2.5's chat template writes them, with places for sounds.

    Source: the template published with Qwen2.5-Instruct; outputs of one step share a user turn.
    """
    turns: list[tuple[str, str]] = []
    count = 0
    answered = False  # the last turn holds tool outputs
    for message in messages:
        role, content = message["role"], message["content"]
        if not isinstance(content, str):
            pieces = []
            for part in content:
                if part["type"] == "audio":
                    count += 1
                    pieces.append(sound.format(number=count, token=token))
                else:
                    pieces.append(part["text"])
            content = "".join(pieces)
        if role == "system" and tools:
            content += TOOLS.format(tools="\n".join(_json(tool) for tool in tools))
        calls = [f"<tool_call>\n{_json(call['function'])}\n</tool_call>" for call in message.get("tool_calls", ())]
        content = "\n".join(filter(None, [content, *calls]))
        if role == "tool":
            content = f"<tool_response>\n{content}\n</tool_response>"
            if answered:
                content = f"{turns.pop()[1]}\n{content}"
        answered = role == "tool"
        turns.append(("user" if answered else role, content))
    written = "".join(f"<|im_start|>{role}\n{content}<|im_end|>\n" for role, content in turns)
    return f"{written}<|im_start|>assistant\n"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
