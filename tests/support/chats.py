"""One turn with a chat model: the conversation, its deltas, and their words."""

from __future__ import annotations

from typing import Any

from agentaudio.conversation import Conversation, TextPart, ToolSpec
from agentaudio.model.parts import ChatDelta, ChatModel
from agentaudio.model.speech_lm import GenerateOptions, TextDelta


def asked(text: str = "hello") -> Conversation:
    """A conversation in which the user said `text`."""
    conversation = Conversation()
    conversation.add("user", TextPart(text))
    return conversation


async def deltas(
    model: ChatModel, conversation: Conversation | None = None, *tools: ToolSpec, **options: Any
) -> list[ChatDelta]:
    """All deltas of a turn; options are those of GenerateOptions."""
    given = GenerateOptions(**options)
    return [one async for one in model.chat(conversation or asked(), tools=tools, options=given)]


def words(found: list[ChatDelta]) -> str:
    """The text of the deltas."""
    return "".join(one.text for one in found if isinstance(one, TextDelta))
