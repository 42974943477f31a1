"""`replay`: what another agent answers to the users of a stored conversation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from agentaudio.agent import Agent
from agentaudio.conversation import AudioPart, Conversation, Message, TextPart, ToolCall
from agentaudio.errors import AgentAudioError
from agentaudio.hearing import UserInput
from agentaudio.reply import Reply
from agentaudio.session import Session

NO_RESULT = "No result of this call is stored."


@dataclass(frozen=True, slots=True)
class Replayed:
    """A turn of the user as it was answered, and as it is answered now.

    turn: its number in the stored conversation
    asked: the user's words; empty when neither words nor a transcript were kept
    before: the words that were answered; before_calls: the calls that were made
    after: the reply now, with its words, sound and calls; None when the turn failed, with `error`
    """

    turn: int
    asked: str
    before: str
    before_calls: tuple[ToolCall, ...]
    after: Reply | None
    error: AgentAudioError | None = None


async def replay(conversation: Conversation, agent: Agent, *, deps: Any = None) -> list[Replayed]:
    """Say what the user said to another agent, turn by turn, and give both answers side by side.

    The agent hears the stored sound, or reads the words where there is no sound. It has a conversation of its own, and
    its tools run: give it only tools that may run again. Calls that the caller runs get the stored results of calls of
    the same name. A turn that fails does not end the replay.
    """
    session = agent.session(plays=False, deps=deps)
    results, hears = _Results(conversation), agent.model.capabilities.hears
    return [
        await _again(session, messages, user, results)
        for messages in _exchanges(conversation)
        if (user := _user(messages, hears=hears)) is not None
    ]


def _exchanges(conversation: Conversation) -> list[list[Message]]:
    """The messages by turn; a turn that began with results of calls belongs to the one before it."""
    found: list[list[Message]] = []
    for message in conversation:
        if message.role == "user" or not found:
            found.append([])
        found[-1].append(message)
    return found


class _Results:
    """The stored results of calls, by tool, each given once."""

    def __init__(self, conversation: Conversation) -> None:
        self._left: dict[str, list[str]] = {}
        for message in conversation:
            for output in message.tool_outputs:
                self._left.setdefault(output.name, []).append(output.text)

    def of(self, calls: Iterable[ToolCall]) -> dict[str, str]:
        return {call.id: self._left[call.name].pop(0) if self._left.get(call.name) else NO_RESULT for call in calls}


async def _again(session: Session, messages: list[Message], user: UserInput, results: _Results) -> Replayed:
    number = next(message.turn for message in messages if message.role == "user")
    asked = " ".join(message.text for message in messages if message.role == "user")
    before = " ".join(message.text for message in messages if message.role == "assistant" and message.text)
    calls = tuple(call for message in messages for call in message.tool_calls)
    try:
        reply = await session.run(user)
        for _ in range(session.setup.max_steps):
            if reply.stop != "tool_calls":
                break
            reply = await session.run(results.of(reply.open_calls))
    except AgentAudioError as error:
        return Replayed(number, asked, before, calls, None, error)
    return Replayed(number, asked, before, calls, reply)


def _user(messages: Iterable[Message], *, hears: bool) -> UserInput | None:
    """What the user said. hears: whether sound can be given; else its transcript is"""
    for message in messages:
        if message.role == "user":
            for part in message.parts:
                if isinstance(part, AudioPart):
                    return part.audio if hears or part.transcript is None else part.transcript
                if isinstance(part, TextPart):
                    return part.text
    return None
