"""`POST /v1/token2wav/speech`: all tokens of an utterance at once, for clients without WebSockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response, StreamingResponse

from agentaudio.model.step_audio_2.token2wav.config import SAMPLE_RATE, TOKEN_SAMPLES
from agentaudio.model.step_audio_2.tokens import CODE_RATE_HZ, N_CODES
from agentaudio.server.begun import begun
from agentaudio.server.errors import ApiError
from agentaudio.server.sound_formats import wav_header
from agentaudio.server.state import Held, RequestCaller
from agentaudio.server.token2wav.state import Sound, SoundState
from agentaudio.server.token2wav.stream_route import SLICE
from agentaudio.sound.audio import Audio

router = APIRouter(tags=["audio"])

Token = Annotated[int, Field(ge=0, lt=N_CODES)]


class SpeechRequest(BaseModel):
    """voice: the digest of a clip that this key has sent; none is the default voice"""

    tokens: list[Token]
    voice: str | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    response_format: Literal["wav", "pcm"] = "wav"


@router.post("/v1/token2wav/speech", response_class=Response)
async def create_speech(request: SpeechRequest, state: Sound, caller: RequestCaller, held: Held) -> Response:
    """The sound of speech tokens at 24 kHz, 16 bits, sent while it is made."""
    held.enter_context(state.utterance(caller))
    most = int(state.settings.sound_s * CODE_RATE_HZ)
    if len(request.tokens) > most:
        raise ApiError(400, f"an utterance may have {most} tokens", code="invalid_value", param="tokens")
    state.limits.take_sound(caller, len(request.tokens) / CODE_RATE_HZ)
    prompt = held.enter_context(state.voices.using(caller, request.voice))
    loop, token2wav = asyncio.get_running_loop(), state.decoder.token2wav
    speech = await loop.run_in_executor(state.threads, lambda: token2wav.stream(prompt, seed=request.seed))
    held.callback(speech.close)
    answer = await begun(_pieces(request.tokens, speech, state), held, after=1)
    total = len(request.tokens) * TOKEN_SAMPLES * 2

    async def body() -> AsyncGenerator[bytes, None]:
        if request.response_format == "wav":
            yield wav_header(total)
        for piece in answer.first:
            yield piece
        while await answer.wait(None):
            piece_or_end = answer.take()
            if piece_or_end is None:
                return
            yield piece_or_end

    return StreamingResponse(body(), media_type="audio/wav" if request.response_format == "wav" else "audio/pcm")


async def _pieces(tokens: list[int], speech: Any, state: SoundState) -> AsyncGenerator[bytes, None]:
    async def made(work: Callable[[], Any]) -> bytes:
        samples = await asyncio.get_running_loop().run_in_executor(state.threads, work)
        state.metrics.sound_s.labels("out").inc(len(samples) / SAMPLE_RATE)
        return Audio(samples, SAMPLE_RATE).to_pcm16() if len(samples) else b""

    for start in range(0, len(tokens), SLICE):
        piece = await made(lambda now=tokens[start : start + SLICE]: speech.feed(now))  # type: ignore[misc]
        if piece:
            yield piece
    if rest := await made(speech.finish):
        yield rest
