"""`/v1/token2wav/stream`: a WebSocket that takes speech tokens while they are generated, and sends their sound.

The client begins with `{"type": "start", "voice": SHA256 or null, "seed": 0}`; the server answers
`{"type": "ready", "ahead": 3, "first_chunk": 8, "sample_rate": 24000}`. Where it does not have the voice, it first says
`{"type": "clip"}`, and the client sends the voice's clip as a sound file in one binary message: so a client need not
know which of several replicas it reaches. Then the client sends tokens, as binary messages of little-endian uint16, and
at the end `{"type": "end"}`; the server sends sound, as binary messages of little-endian float32, and at the end
`{"type": "done", "samples": 96000}`. What goes wrong is told as `{"type": "error", "error": {...}}`, after which the
server closes.
"""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import ExitStack, suppress
from typing import Any

import numpy as np
from fastapi import APIRouter
from numpy.typing import NDArray
from starlette.websockets import WebSocket, WebSocketDisconnect

from agentaudio.model.step_audio_2.token2wav.chunks import FIRST_CHUNK, Schedule
from agentaudio.model.step_audio_2.token2wav.config import SAMPLE_RATE
from agentaudio.model.step_audio_2.token2wav.stream import SpeechStream
from agentaudio.model.step_audio_2.token2wav.timbre_prompt import TimbrePrompt
from agentaudio.model.step_audio_2.tokens import CODE_RATE_HZ, N_CODES
from agentaudio.server.auth import Caller, check_place, key_of
from agentaudio.server.errors import ApiError, as_api_error
from agentaudio.server.token2wav.state import SoundState, sound_state
from agentaudio.server.token2wav.voice_routes import DIGEST, add_clip

router = APIRouter()

ROUTE = "/v1/token2wav/stream"
SLICE = 5
"""Tokens that are fed at once: they complete at most one chunk."""
WAITING = 4096
"""Tokens that may wait to be spoken; a client that sends more is read later."""
TRY_AGAIN, POLICY, FAILED = 1013, 1008, 1011


@router.websocket(ROUTE)
async def stream(socket: WebSocket) -> None:
    """One utterance. The key is a Bearer token."""
    state = sound_state(socket)
    await socket.accept()
    try:
        check_place(socket.headers, state.settings)
        caller = state.keys.caller(key_of(socket.headers))
        if state.drain.begun:
            raise ApiError(503, "the server is stopping; connect again")
        state.limits.take_request(caller)
        state.limits.take_sound(caller, 0.0)
        with state.utterance(caller):
            async with asyncio.timeout(state.settings.answer_s):
                await _Utterance(state, caller, socket).run()
    except WebSocketDisconnect:
        return
    except TimeoutError:
        await _refuse(socket, ApiError(504, "the utterance took longer than the server allows"))
    except Exception as error:
        await _refuse(socket, as_api_error(error))


class _Utterance:
    def __init__(self, state: SoundState, caller: Caller, socket: WebSocket) -> None:
        self._state, self._caller, self._socket = state, caller, socket
        self._tokens: asyncio.Queue[NDArray[np.int64] | None] = asyncio.Queue(WAITING)
        self._count = 0
        self._sent = 0

    async def run(self) -> None:
        start = await self._start()
        with ExitStack() as held:
            prompt = await self._prompt(start["voice"], held)
            token2wav = self._state.decoder.token2wav
            speech = await self._in_thread(lambda: token2wav.stream(prompt, seed=start["seed"]))
            held.callback(speech.close)
            ready = {"ahead": speech.ahead, "first_chunk": FIRST_CHUNK, "sample_rate": SAMPLE_RATE}
            await self._tell({"type": "ready", **ready})
            reading = asyncio.create_task(self._read())
            speaking = asyncio.create_task(self._speak(speech))
            try:
                # Reading ends with the utterance, or first when the client goes or sends what cannot be read.
                await asyncio.wait({reading, speaking}, return_when=asyncio.FIRST_COMPLETED)
                if reading.done():
                    reading.result()
                await speaking
            finally:
                speech.close()
                for task in (reading, speaking):
                    task.cancel()
                await asyncio.gather(reading, speaking, return_exceptions=True)
                seconds = self._sent / SAMPLE_RATE
                self._state.metrics.sound_s.labels("out").inc(seconds)
                self._state.limits.count_sound(self._caller, seconds)

    async def _prompt(self, voice: str | None, held: ExitStack) -> TimbrePrompt:
        """The voice, for as long as `held` holds it; its clip is asked for where it is not known."""
        voices = self._state.voices
        if voice is None or voices.has(self._caller, voice):
            return held.enter_context(voices.using(self._caller, voice))
        await self._tell({"type": "clip"})
        async with asyncio.timeout(self._state.settings.stalled_s):
            clip = await self._receive()
        if not isinstance(clip, bytes):
            raise ApiError(400, "send the clip as one binary message", code="invalid_value", param="voice")
        await add_clip(self._state, self._caller, voice, clip)
        return held.enter_context(voices.using(self._caller, voice))

    async def _start(self) -> dict[str, Any]:
        async with asyncio.timeout(self._state.settings.stalled_s):
            message = await self._receive()
        start = _object(message)
        voice, seed = start.get("voice"), start.get("seed", 0)
        if start.get("type") != "start":
            raise ApiError(400, 'begin with {"type": "start"}', code="invalid_value", param="type")
        if voice is not None and not (isinstance(voice, str) and DIGEST.fullmatch(voice)):
            raise ApiError(400, "voice is the digest of a clip, or null", code="invalid_value", param="voice")
        if type(seed) is not int or not 0 <= seed < 2**63:
            raise ApiError(400, "seed is a whole number, 0 or more", code="invalid_value", param="seed")
        return {"voice": voice, "seed": seed}

    async def _read(self) -> None:
        """Take tokens until the end of the utterance, and then wait for the client to go."""
        most = int(self._state.settings.sound_s * CODE_RATE_HZ)
        while isinstance(message := await self._receive(), bytes):
            tokens = np.frombuffer(message[: len(message) // 2 * 2], "<u2").astype(np.int64)
            if len(message) % 2 or (len(tokens) and tokens.max() >= N_CODES):
                raise ApiError(400, f"tokens are uint16 below {N_CODES}", code="invalid_value", param="tokens")
            self._count += len(tokens)
            if self._count > most:
                raise ApiError(400, f"an utterance may have {most} tokens", code="invalid_value", param="tokens")
            for start in range(0, len(tokens), SLICE):
                await self._tokens.put(tokens[start : start + SLICE])
        if _object(message).get("type") != "end":
            raise ApiError(400, 'after tokens comes {"type": "end"}', code="invalid_value", param="type")
        await self._tokens.put(None)
        while True:
            await self._receive()

    async def _speak(self, speech: SpeechStream) -> None:
        schedule, ready, began = Schedule(ahead=speech.ahead), 0, time.perf_counter()
        while (tokens := await self._tokens.get()) is not None:
            before, ready = ready, schedule.feed(len(tokens))
            if ready == before:
                speech.feed(tokens)  # completes no chunk, and so takes no time
                continue
            samples = await self._in_thread(lambda now=tokens: speech.feed(now))
            if not self._sent:
                self._state.metrics.first_sound_s.labels(ROUTE).observe(time.perf_counter() - began)
            await self._send(samples)
        await self._send(await self._in_thread(speech.finish))
        await self._tell({"type": "done", "samples": self._sent})
        await self._socket.close()

    async def _in_thread(self, work: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._state.threads, work)

    async def _send(self, samples: NDArray[np.float32]) -> None:
        if len(samples):
            async with asyncio.timeout(self._state.settings.stalled_s):
                await self._socket.send_bytes(samples.astype("<f4", copy=False).tobytes())
            self._sent += len(samples)

    async def _tell(self, fact: dict[str, Any]) -> None:
        async with asyncio.timeout(self._state.settings.stalled_s):
            await self._socket.send_text(json.dumps(fact))

    async def _receive(self) -> str | bytes:
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1006))
        text = message.get("text")
        return text if text is not None else message.get("bytes") or b""


def _object(message: str | bytes) -> dict[str, Any]:
    try:
        found = json.loads(message) if isinstance(message, str) else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ApiError(400, "the message is not a JSON object", code="invalid_request")
    return found


async def _refuse(socket: WebSocket, error: ApiError) -> None:
    """Say what is wrong, and close."""
    codes = {503: TRY_AGAIN, 504: FAILED, 500: FAILED}
    with suppress(RuntimeError, WebSocketDisconnect, OSError):
        await socket.send_text(json.dumps({"type": "error", "status": error.status, **error.body()}))
        await socket.close(codes.get(error.status, POLICY))
