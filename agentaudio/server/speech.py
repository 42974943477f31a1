"""`POST /v1/audio/speech`: given words as sound, sent while they are spoken."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response, StreamingResponse

from agentaudio.provenance.signing import SIGNABLE
from agentaudio.server.auth import Caller
from agentaudio.server.begun import Begun, begun
from agentaudio.server.bodies import has_lone_surrogate
from agentaudio.server.errors import ApiError
from agentaudio.server.sound_formats import MEDIA_TYPES, Format, encoder, pieces, wav_header
from agentaudio.server.sse import Fact, event_stream
from agentaudio.server.state import Held, RequestCaller, ServerState, State
from agentaudio.speaker import LONGEST_WISH, HeardVoices
from agentaudio.utterance import Trouble
from agentaudio.voice_library.voice import Voice

router = APIRouter(tags=["audio"])

ROUTE = "/v1/audio/speech"
MOST_SIGNED_BYTES = 100_000_000
"""Largest sound that is signed: it is held in memory as a whole."""


class VoiceId(BaseModel):
    id: Annotated[str, Field(max_length=200)]


class SpeechRequest(BaseModel):
    """A request for speech. `instructions` are taken and have no effect: the voice decides how the words sound.

    voice: an id or a name, a description that is searched, or {"id": ...}; none is the agent's own voice
    signed: wait until all is spoken, and answer with a complete file that says who spoke, under which consent. Nothing
        may stand behind the samples of a stream, so a stream is never signed
    """

    input: str
    model: str | None = None
    voice: Annotated[str, Field(max_length=LONGEST_WISH)] | VoiceId | None = None
    response_format: Format = "mp3"
    speed: Annotated[float, Field(ge=0.25, le=4.0)] = 1.0
    stream_format: Literal["audio", "sse"] = "audio"
    signed: bool = False


@router.post(ROUTE, response_class=Response)
@router.post(f"/kokoro{ROUTE}", response_class=Response)
async def create_speech(request: SpeechRequest, state: State, caller: RequestCaller, held: Held) -> Response:
    """Speak a text. The sound is one stream in the format asked for, or events with base64 (`stream_format: sse`)."""
    held.enter_context(state.answer(caller))
    if not request.input.strip():
        raise ApiError(400, "input is empty; give the words to speak", param="input", code="invalid_value")
    if len(request.input) > state.settings.text_chars:
        most = f"input may have {state.settings.text_chars} characters"
        raise ApiError(400, most, param="input", code="invalid_value")
    if has_lone_surrogate(request.input):
        raise ApiError(400, "input holds half a character (a lone surrogate)", param="input", code="invalid_value")
    state.limits.take_sound(caller, 0.0)
    wanted: Any = {"id": request.voice.id} if isinstance(request.voice, VoiceId) else request.voice
    voice = await (await state.speaker(caller)).find(wanted)
    if request.signed:
        return await _signed(request, voice, state, caller)
    sound = _spoken(request, request.response_format, voice, state, caller)
    if request.stream_format == "sse":
        return event_stream(await begun(_events(sound), held, after=1))
    answer = await begun(sound, held, after=1)
    return StreamingResponse(_body(answer), media_type=MEDIA_TYPES[request.response_format])


async def _spoken(
    request: SpeechRequest,
    format: Format,
    voice: Voice | None,
    state: ServerState,
    caller: Caller,
    noticed: Callable[[Trouble], None] | None = None,
) -> AsyncGenerator[bytes, None]:
    """The sound in a format, as it is made. noticed, and what is raised: as for `Speaker.speak`"""
    began, sound_s, made = time.perf_counter(), 0.0, encoder(format)
    speaker = await state.speaker(caller)
    try:
        async with aclosing(speaker.speak(request.input, voice=voice, rate=request.speed, noticed=noticed)) as sounds:
            async for sound in sounds:
                if not sound_s:
                    state.metrics.first_sound_s.labels(ROUTE).observe(time.perf_counter() - began)
                sound_s += sound.duration
                for piece in pieces(sound):
                    if content := made.push(piece):
                        yield content
                    await asyncio.sleep(0)
        if rest := made.finish():
            yield rest
    finally:
        state.metrics.sound_s.labels("out").inc(sound_s)
        state.limits.count_sound(caller, sound_s)


async def _signed(request: SpeechRequest, voice: Voice | None, state: ServerState, caller: Caller) -> Response:
    """The whole sound as a signed file."""
    format = request.response_format
    speaker, heard = await state.speaker(caller), HeardVoices(voice)
    if not speaker.origin().provenance.signs:
        problem = "this server does not sign; leave signed out, or start the server with --sign"
        raise ApiError(400, problem, param="signed", code="unsupported_value")
    if format not in SIGNABLE or request.stream_format == "sse":
        formats = f"signed speech is a whole file: stream_format audio, and a response_format of {', '.join(SIGNABLE)}"
        raise ApiError(400, formats, param="signed", code="unsupported_value")
    content = bytearray()
    sound = _spoken(request, "pcm" if format == "wav" else format, voice, state, caller, heard)
    async with aclosing(sound) as pieces_of_it:
        async for piece in pieces_of_it:
            content += piece
            if len(content) > MOST_SIGNED_BYTES:
                problem = f"the speech has more than {MOST_SIGNED_BYTES} bytes, too many to be signed; send less text"
                raise ApiError(400, problem, param="input", code="invalid_value")
    whole = (wav_header(len(content)) if format == "wav" else b"") + content
    signed = await asyncio.to_thread(speaker.origin(*heard.all).file, whole, format)
    return Response(signed, media_type=MEDIA_TYPES[format])


async def _body(answer: Begun[bytes]) -> AsyncGenerator[bytes, None]:
    for content in answer.first:
        yield content
    while await answer.wait(None):
        content_or_end = answer.take()
        if content_or_end is None:
            return
        yield content_or_end


async def _events(sound: AsyncGenerator[bytes, None]) -> AsyncGenerator[Fact, None]:
    async with aclosing(sound):
        async for content in sound:
            yield {"type": "speech.audio.delta", "audio": base64.b64encode(content).decode()}
    usage = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}  # words are not counted in tokens here
    yield {"type": "speech.audio.done", "usage": usage}
