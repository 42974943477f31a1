"""The turns of a conversation: what was asked, called, returned and answered."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from agentaudio.conversation import Conversation, ToolCall, ToolOutput
from agentaudio.model.embedded.dialogue.plain import plain


@dataclass(slots=True)
class PastTurn:
    """A turn before the present request.

    request: the user's words; answer: the assistant's, as far as they were heard
    """

    request: str
    calls: list[ToolCall] = field(default_factory=list)
    outputs: list[ToolOutput] = field(default_factory=list)
    answer: str = ""

    def called(self, name: str) -> bool:
        return any(call.name == name for call in self.calls)


def past_turns(conversation: Conversation) -> list[PastTurn]:
    """The turns before the last user message, in order, with their requests as `plain` writes them."""
    turns: list[PastTurn] = []
    for message in conversation:
        if message.role == "user":
            turns.append(PastTurn(plain(message.text)))
        elif turns and message.role == "assistant":
            turns[-1].calls += message.tool_calls
            turns[-1].answer = " ".join(filter(None, (turns[-1].answer, message.text)))
        elif turns and message.role == "tool":
            turns[-1].outputs += message.tool_outputs
    return turns[:-1]


def clock_question(turn: PastTurn) -> str:
    """A question for what the last answer of the clock gave: the date, or the time."""
    return "what day is it" if re.search(r", \d{4}\b", turn.answer) else "what time is it"
