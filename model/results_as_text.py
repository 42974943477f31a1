"""`results_as_text`: a conversation for models that know no tools."""

from __future__ import annotations

from agentaudio.conversation import Conversation, Message, TextPart, ToolCall, ToolOutput


def results_as_text(conversation: Conversation) -> Conversation:
    """The conversation without calls, with each result as text of the user's message, for models without tools."""
    messages: list[Message] = []
    for number, message in enumerate(conversation.messages):
        if message.role == "tool":
            text = "\n\n".join(_result(output) for output in message.tool_outputs)
            if all(later.role == "tool" for later in conversation.messages[number:][1:]):
                text += "\n\nAnswer the user's request from these results, in the language of the request."
            if messages and messages[-1].role == "user":
                messages[-1] = Message("user", (*messages[-1].parts, TextPart(f"\n\n{text}")))
            else:
                messages.append(Message("user", (TextPart(text),)))
            continue
        parts = tuple(part for part in message.parts if not isinstance(part, ToolCall))
        if parts:
            messages.append(Message(message.role, parts))
    return Conversation(messages)


def _result(output: ToolOutput) -> str:
    return f"{'Error' if output.is_error else 'Result'} of the tool {output.name}:\n{output.text}"
