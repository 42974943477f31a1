"""`ServerState`: what all routes of a server share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, cast

from fastapi import Depends
from starlette.requests import HTTPConnection

from agentaudio.agent import Agent
from agentaudio.server.auth import Caller, CallerLimits, Keys
from agentaudio.server.drain import Drain
from agentaudio.server.metrics import Metrics
from agentaudio.server.past_turns import PastTurns
from agentaudio.server.settings import ServerSettings
from agentaudio.setup import Setup
from agentaudio.speaker import Speaker

if TYPE_CHECKING:
    from agentaudio.server.realtime.stored import StoredSessions


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A WebRTC call. owner: id of its caller; task: holds it"""

    owner: str
    hang_up: Callable[[], None]
    task: asyncio.Task[None]


@dataclass
class ServerState:
    """What all routes share.

    sessions: those that clients name; None when none are stored
    leaving: sessions whose client has gone, and whose model has not stopped yet
    calls: by id
    ready: whether models, documents and voices are loaded
    failed: whether loading them failed
    """

    agent: Agent
    settings: ServerSettings
    keys: Keys
    limits: CallerLimits
    past: PastTurns
    metrics: Metrics = field(default_factory=Metrics)
    drain: Drain = field(default_factory=Drain)
    sessions: StoredSessions | None = None
    leaving: set[asyncio.Task[None]] = field(default_factory=set)
    calls: dict[str, OpenCall] = field(default_factory=dict)
    ready: bool = False
    failed: bool = False

    @classmethod
    def of(cls, agent: Agent, settings: ServerSettings) -> ServerState:
        state = cls(
            agent, settings, Keys(settings.keys, settings.admin_keys), CallerLimits(settings), PastTurns(settings)
        )
        state.metrics.sessions.set_function(lambda: float(state.limits.sessions))
        return state

    async def end_calls(self) -> None:
        """Wait until the calls have ended, as they do when the drain begins; hang up those that take too long."""
        if tasks := [call.task for call in self.calls.values()]:
            await asyncio.wait(tasks, timeout=self.settings.drain_s)
        for call in list(self.calls.values()):
            call.hang_up()
            await asyncio.wait([call.task])

    async def setup(self, caller: Caller) -> Setup:
        """The agent's setup as `caller` sees it: without the private voices of others. For `Session` and `Speaker`."""
        return await asyncio.to_thread(self._setup_of, caller)

    def _setup_of(self, caller: Caller) -> Setup:
        setup = self.agent.setup
        voices = setup.resources.open()[1]
        if caller.is_admin or voices is None:
            return setup
        # What the model knows of the tools may depend on the voices, and is made anew where some are hidden.
        specs = [] if set(voices.library.private().values()) - {caller.id} else setup._specs
        return replace(setup, resources=setup.resources.seen_by(caller.id), _specs=specs)

    def instructions(self, given: str) -> str:
        """What the model is told: the instructions of the agent, and those of a client, if it gives any."""
        if not given.strip():
            return self.agent.instructions or ""
        return "\n\n".join(text for text in (self.instructions_kept(), given) if text.strip())

    def instructions_kept(self) -> str:
        """The instructions of the agent that stand before those of clients."""
        extend = self.settings.client_instructions == "extend"
        return (self.agent.instructions or "") if extend else ""

    async def speaker(self, caller: Caller) -> Speaker:
        """Finds voices for `caller`, and speaks given words. Raises OptionError when the model cannot speak them."""
        return Speaker.of(await self.setup(caller), names=self.settings.voice_names)

    @contextmanager
    def answer(self, caller: Caller) -> Iterator[None]:
        """Count an answer of `caller` while it runs. Raises ApiError 429 or 503."""
        with self.drain.answer(), self.limits.session(caller):
            yield


def server_state(connection: HTTPConnection) -> ServerState:
    return cast(ServerState, connection.app.state.server)


def caller(connection: HTTPConnection) -> Caller:
    """Who sent the request, as the gate found it."""
    return cast(Caller, connection.scope["state"]["caller"])


def held(connection: HTTPConnection) -> AsyncExitStack:
    """What is released when the request ends, however it ends; the gate owns it."""
    return cast(AsyncExitStack, connection.scope["state"]["held"])


State = Annotated[ServerState, Depends(server_state)]
"""A parameter of a route."""
RequestCaller = Annotated[Caller, Depends(caller)]
Held = Annotated[AsyncExitStack, Depends(held)]
"""Parameters of an HTTP route. WebSockets are not behind the gate: they ask `Keys.caller` themselves."""
