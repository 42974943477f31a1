"""`failure`: what a model reads about a call that raised."""

from __future__ import annotations

import socket

from agentaudio.conversation import UNEXPECTED
from agentaudio.errors import AgentAudioError, ToolArgumentError, ToolNotFound
from agentaudio.escaping import one_line
from agentaudio.tools.result import ToolResult

REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (TimeoutError, "it took too long"),
    (ConnectionError, "the connection failed"),
    (socket.gaierror, "the address could not be found"),
    (PermissionError, "that is not permitted here"),
    (FileNotFoundError, "a file is missing"),
    (MemoryError, "it needs too much memory"),
)
"""Reasons that a listener understands, by the kind of error."""

MAX_NAME_CHARS = 64
"""Characters of a name in a message: a model may call a tool that there is not. Names of tools have at most as many."""


def failure(tool: str, error: BaseException, *, untrusted: bool = False) -> ToolResult:
    """The result of a call of `tool` that raised `error`.

    The message of an AgentAudioError is written for the model. Any other message may hold paths, addresses and
    secrets, so the model reads only what kind of error it was; the message belongs into the log.

    untrusted: the tool's results come from outside, and so may the message: models read it as a quotation
    """
    tool = one_line(tool[:MAX_NAME_CHARS])
    if isinstance(error, AgentAudioError):
        ours = isinstance(error, ToolArgumentError | ToolNotFound)
        return ToolResult(f"{tool} failed: {error}", untrusted=untrusted and not ours)
    for kind, reason in REASONS:
        if isinstance(error, kind):
            return ToolResult(f"{tool} failed: {reason}")
    while type(error) is RuntimeError and error.__cause__ is not None:
        error = error.__cause__
    return ToolResult(f"{tool} {UNEXPECTED} ({type(error).__name__}); say that it did not work.")
