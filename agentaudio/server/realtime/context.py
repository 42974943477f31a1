"""`Context`: what the parts of one session share."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from agentaudio.live.session import LiveSession
from agentaudio.server.auth import Caller
from agentaudio.server.errors import ApiError
from agentaudio.server.realtime.history import History
from agentaudio.server.realtime.items import ItemLimits
from agentaudio.server.realtime.outgoing import Outgoing
from agentaudio.server.realtime.refusal import Refusal
from agentaudio.server.realtime.request import Request
from agentaudio.server.realtime.session_object import SessionObject
from agentaudio.server.realtime.voices import find_voice
from agentaudio.server.state import ServerState
from agentaudio.setup import Setup
from agentaudio.voice_library.voice import Voice


@dataclass(slots=True, kw_only=True)
class Context:
    """What the parts of one session share.

    caller: whose budget it uses
    setup: of the agent, as the caller sees it
    """

    state: ServerState
    caller: Caller
    setup: Setup
    live: LiveSession
    settings: SessionObject
    history: History
    out: Outgoing
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def post(self, kind: str, **fields: Any) -> None:
        """Send an event."""
        self.out.post({"type": kind, **fields})

    def start(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run a coroutine until the session ends."""
        task = asyncio.create_task(work, name=f"agentaudio-realtime-{name}")
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def begin_response(self) -> None:
        """Check that the key may have more sound, and tell its client how many requests are left. Raises Refusal."""
        limits = self.state.limits
        try:
            limits.take_sound(self.caller, 0.0)
        except ApiError as error:
            raise Refusal(error.message, code=error.code, kind="server_error") from None
        left = limits.requests_left(self.caller)
        self.post(
            "rate_limits.updated",
            rate_limits=[
                {
                    "name": "requests", "limit": left.limit, "remaining": left.remaining,
                    "reset_seconds": round(left.reset_s, 3),
                }
            ],
        )  # fmt: skip

    @property
    def longest_s(self) -> float:
        """Seconds of one sound that are taken."""
        return min(self.state.settings.sound_s, self.setup.model.capabilities.max_audio_s)

    @property
    def limits(self) -> ItemLimits:
        """What an item of the client may hold."""
        return ItemLimits(self.settings.input_format, self.longest_s, self.state.settings.text_chars)

    def request(self, given: Any) -> Request:
        """Read a `response.create`. given: its `response`; None for one that the server begins. Raises Refusal."""
        request = Request.of(self.settings, given, self.history, self.limits)
        if isinstance(given, dict) and given.get("tool_choice") is not None:
            request.check_choice(self.setup)
        return request

    async def find_voice(self, wanted: str, param: str) -> Voice | None:
        """A voice that the caller may use; None is the agent's own. Raises Refusal."""
        return await find_voice(self.setup, self.state.settings.voice_names, wanted, param)
