"""`create_app`: an agent as an ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from agentaudio import __version__
from agentaudio.agent import Agent
from agentaudio.server import consents, health, models, speech, transcriptions, voices
from agentaudio.server.chat_completions import route as chat_completions
from agentaudio.server.errors import install_error_handlers, log_failure
from agentaudio.server.gate import Gate
from agentaudio.server.realtime import routes as realtime
from agentaudio.server.settings import ServerSettings
from agentaudio.server.state import ServerState
from agentaudio.server.web import page

ROUTERS = (
    page.router,
    health.router,
    models.router,
    voices.router,
    consents.router,
    chat_completions.router,
    speech.router,
    transcriptions.router,
    realtime.router,
)


def create_app(agent: Agent, settings: ServerSettings = ServerSettings()) -> FastAPI:
    """The application. It loads the agent's models when it starts, and closes the agent when it ends."""
    state = ServerState.of(agent, settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None, None]:
        loading = asyncio.create_task(_load(state))
        try:
            yield
        finally:
            state.drain.begin()
            loading.cancel()
            with suppress(asyncio.CancelledError):
                await loading
            await agent.aclose()

    app = FastAPI(title="agentaudio", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.server = state
    install_error_handlers(app)
    for router in ROUTERS:
        app.include_router(router)
    app.add_middleware(Gate, state=state)
    if settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.origins),
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["authorization", "content-type"],
            expose_headers=["x-request-id"],
        )
    return app


async def _load(state: ServerState) -> None:
    try:
        await state.agent.warm_up()
        state.ready = True
    except Exception as error:
        state.failed = True
        log_failure(error)
