"""Watches: what follows the turns of an agent as they happen, such as tracing."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from agentaudio.conversation import Conversation
from agentaudio.events import BaseEvent
from agentaudio.model.speech_lm import GenerateOptions
from agentaudio.tools.tool import Tool


@dataclass(frozen=True, slots=True)
class TurnBegun:
    """A turn that begins.

    model: name of the model
    conversation: of the session; it grows while the turn runs
    """

    number: int
    model: str
    tools: Mapping[str, Tool]
    options: GenerateOptions
    conversation: Conversation


class TurnWatch(Protocol):
    """Watches one turn."""

    @property
    def context(self) -> contextvars.Context:
        """The context variables that the turn runs with, once it has taken `turn.started`."""

    def take(self, event: BaseEvent) -> None:
        """Take an event, as it happens and before anybody reads it. It must neither raise nor block.

        `step.started` and `tool.started` come in the context of the generation, or of the call, that begins.
        """


class SessionWatch(Protocol):
    """Watches one session."""

    def turn(self, begun: TurnBegun) -> TurnWatch:
        """A turn begins."""

    def live(self) -> Callable[[BaseEvent], None]:
        """The session is a live one: its events are given to the result, those of its turns among them."""

    def close(self) -> None:
        """The live session has ended."""


Watch = Callable[[], SessionWatch]
"""Begins to watch a session."""
