"""`create_app`: an agent as an ASGI application."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, nullcontext, suppress
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from agentaudio import __version__
from agentaudio.agent import Agent
from agentaudio.server import consents, health, models, provenance_checks, speech, transcriptions, voices
from agentaudio.server.chat_completions import route as chat_completions
from agentaudio.server.errors import install_error_handlers, log_failure
from agentaudio.server.gate import Gate
from agentaudio.server.openapi import describe
from agentaudio.server.realtime import calls
from agentaudio.server.realtime import routes as realtime
from agentaudio.server.realtime.ears import warm_up
from agentaudio.server.realtime.stored import StoredSessions
from agentaudio.server.settings import ServerSettings
from agentaudio.server.state import ServerState
from agentaudio.server.web import page
from agentaudio.storage.store import Store

if TYPE_CHECKING:
    from agentaudio.server.mcp.http import McpEndpoint

ROUTERS = (
    page.router,
    health.router,
    models.router,
    voices.router,
    consents.router,
    chat_completions.router,
    speech.router,
    provenance_checks.router,
    transcriptions.router,
    realtime.router,
    calls.router,
)


def create_app(
    agent: Agent,
    settings: ServerSettings = ServerSettings(),
    *,
    mcp_only: bool = False,
    store: Store | None = None,
) -> FastAPI:
    """The application. It loads the agent's models when it starts, and closes the agent when it ends.

    mcp_only: serve only the tools for MCP clients, and the health of the server. Without it, those tools are served
        too where the extra `mcp` is installed.
    store: keeps the Realtime sessions that clients name with `?session_id=`; the caller closes it
    """
    state = ServerState.of(agent, settings)
    state.sessions = None if store is None else StoredSessions(agent, store)
    tools = _mcp_endpoint(state) if mcp_only or importlib.util.find_spec("mcp") is not None else None

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None, None]:
        loading = asyncio.create_task(_load(state, mcp_only=mcp_only))
        try:
            async with nullcontext() if tools is None else tools.running():
                yield
        finally:
            state.drain.begin()
            await state.end_calls()
            loading.cancel()
            with suppress(asyncio.CancelledError):
                await loading
            await agent.aclose()

    app = FastAPI(title="agentaudio", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.server = state
    describe(app)
    install_error_handlers(app)
    for router in (health.router,) if mcp_only else ROUTERS:
        app.include_router(router)
    if tools is not None:
        app.router.routes.append(tools.route)
    app.add_middleware(Gate, state=state)
    if settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.origins),
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["*"],  # SDKs in browsers send some of their own; no key comes by itself, as a cookie would
            expose_headers=["x-request-id", "location", "retry-after"],
        )
    return app


def _mcp_endpoint(state: ServerState) -> McpEndpoint:
    from agentaudio.server.mcp.http import McpEndpoint

    return McpEndpoint(state)


async def _load(state: ServerState, *, mcp_only: bool) -> None:
    try:
        if not mcp_only:
            await warm_up(state.agent)
        await state.agent.warm_up()
        state.ready = True
    except Exception as error:
        state.failed = True
        log_failure(error)
