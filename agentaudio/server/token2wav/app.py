"""`create_sound_app`: a speech decoder as an ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI

from agentaudio import __version__
from agentaudio.model.step_audio_2.speech_decoder import SpeechDecoder
from agentaudio.server import health
from agentaudio.server.errors import install_error_handlers, log_failure
from agentaudio.server.gate import Gate
from agentaudio.server.settings import ServerSettings
from agentaudio.server.token2wav import speech_route, stream_route, voice_routes
from agentaudio.server.token2wav.state import SoundState


def create_sound_app(decoder: SpeechDecoder, settings: ServerSettings = ServerSettings()) -> FastAPI:
    """The application. It loads the decoder's weights when it starts."""
    state = SoundState.of(decoder, settings)

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
            state.threads.shutdown(wait=False, cancel_futures=True)

    app = FastAPI(title="agentaudio token2wav", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.server = state
    install_error_handlers(app)
    for router in (health.router, voice_routes.router, stream_route.router, speech_route.router):
        app.include_router(router)
    app.add_middleware(Gate, state=state)
    return app


async def _load(state: SoundState) -> None:
    try:
        await asyncio.to_thread(state.decoder.warm_up)
        state.ready = True
    except Exception as error:
        state.failed = True
        log_failure(error)
