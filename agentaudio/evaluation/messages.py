"""Items as the messages of inspect-ai, and what is in its answers."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageTool,
    ChatMessageUser,
    Content,
    ContentAudio,
    ContentText,
    ModelOutput,
)
from inspect_ai.tool import ToolCall as InspectCall
from inspect_ai.tool import ToolInfo, ToolParams

from agentaudio.conversation import ToolSpec
from agentaudio.errors import AudioError
from agentaudio.evaluation.item import Item, Line


async def item_messages(instruction: str, item: Item) -> list[ChatMessage]:
    """What the model is sent: the instruction, the dialogue so far, and the user's turn."""
    messages: list[ChatMessage] = [ChatMessageSystem(content=instruction)] if instruction else []
    call_id = ""
    for line in item.before:
        messages.append(await _line(line, call_id))
        call_id = line.calls[-1].id if line.calls else call_id
    return [*messages, await user_message(item.audio, item.text)]


async def user_message(audio: Path | None, text: str = "") -> ChatMessageUser:
    """A turn of the user: the sound, then the text. Raises AudioError for a file that cannot be read."""
    return ChatMessageUser(content=await _contents(audio, text))


async def judge_message(prompt: str, sounds: Iterable[str] = ()) -> ChatMessageUser:
    """What a judge is asked: the sounds, then the prompt. Raises AudioError for a file that cannot be read."""
    if not sounds:
        return ChatMessageUser(content=prompt)
    contents: list[Content] = []
    for one in sounds:
        contents += await _contents(Path(one), "")
    return ChatMessageUser(content=[*contents, ContentText(text=prompt)])


def tool_infos(tools: Iterable[ToolSpec]) -> list[ToolInfo]:
    """Tools as inspect-ai describes them."""
    return [
        ToolInfo(name=one.name, description=one.description, parameters=ToolParams.model_validate(dict(one.parameters)))
        for one in tools
    ]


def spoken_file(output: ModelOutput) -> Path | None:
    """The file of the spoken answer; None for an answer in text only."""
    content = output.message.content
    sounds = [one.audio for one in content if isinstance(one, ContentAudio)] if isinstance(content, list) else []
    return Path(sounds[0]) if sounds else None


def call_of(call: InspectCall) -> dict[str, Any]:
    """A tool call as an Answer holds it."""
    problem = {"problem": call.parse_error} if call.parse_error else {}
    return {"name": call.function, "arguments": dict(call.arguments), **problem}


async def _line(line: Line, call_id: str) -> ChatMessage:
    contents = await _contents(line.audio, line.text)
    if line.role == "tool" and call_id:  # the result of a call that cannot be read is told as text
        return ChatMessageTool(content=line.text, tool_call_id=call_id)
    if line.role == "assistant":
        calls = [InspectCall(id=one.id, function=one.name, arguments=dict(one.arguments)) for one in line.calls]
        return ChatMessageAssistant(content=contents, tool_calls=calls or None)
    return ChatMessageSystem(content=line.text) if line.role == "system" else ChatMessageUser(content=contents)


async def _contents(audio: Path | None, text: str) -> list[Content]:
    contents: list[Content] = []
    if audio is not None:
        # inspect-ai names two formats only; the provider reads the format of the file itself.
        form: Literal["mp3", "wav"] = "mp3" if audio.suffix.lower() == ".mp3" else "wav"
        contents.append(ContentAudio(audio=await asyncio.to_thread(_data_url, audio), format=form))
    if text:
        contents.append(ContentText(text=text))
    return contents


def _data_url(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise AudioError(f"cannot read {path}: {error.strerror}") from None
    return "data:audio/wav;base64," + base64.b64encode(content).decode("ascii")
