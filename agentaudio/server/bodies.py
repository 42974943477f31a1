"""What comes in: sound within bounds, and JSON going out."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.responses import JSONResponse

from agentaudio.errors import AudioError, NetworkError
from agentaudio.http import Guard, fetch, guarded_client, parse_url
from agentaudio.server.auth import Caller
from agentaudio.server.errors import ApiError, as_api_error
from agentaudio.server.state import ServerState
from agentaudio.sound.audio import Audio

HIGHEST_HZ = 48_000
RAW_HZ = 24_000
"""Of PCM without a header."""
RAW = ("pcm", "pcm16")
URL_TIMEOUT_S = 20.0


class Json(JSONResponse):
    """JSON in ASCII, which any text survives, lone surrogates too."""

    def render(self, content: Any) -> bytes:
        return as_json(content)


def as_json(content: Any) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode("ascii")


def has_lone_surrogate(text: str) -> bool:
    """Whether a text from JSON has no UTF-8 form, so that models and files could not take it."""
    return not text.isascii() and re.search("[\ud800-\udfff]", text) is not None


@dataclass(frozen=True)
class SentSound:
    """A sound of a client.

    digest: of its bytes
    """

    audio: Audio
    digest: str


class SoundReader:
    """Reads the sounds of one request, which together may be as long as the settings say, and counts them."""

    def __init__(self, state: ServerState, caller: Caller) -> None:
        self._state, self._caller = state, caller
        self._left_s = state.settings.sound_s

    async def base64(self, data: str, format: str | None, param: str) -> SentSound:
        """A sound in base64, also as a data URL. Raises ApiError."""
        if data.startswith("data:"):
            return await self.file(data_url(data, param), None, param)
        return await self.file(_decoded(data, param), format, param)

    async def url(self, url: str, param: str) -> SentSound:
        """A sound at a data URL or an address of the public internet. Raises ApiError."""
        if url.startswith("data:"):
            return await self.file(data_url(url, param), None, param)
        guard, most = Guard(frozenset(self._state.settings.url_hosts)), self._state.settings.body_bytes
        try:
            async with asyncio.timeout(URL_TIMEOUT_S), guarded_client(guard) as client:
                request = client.build_request("GET", parse_url(url))
                fetched = (await fetch(client, request, max_bytes=most)).require_available()
        except (NetworkError, TimeoutError):
            problem = f"{param} cannot be fetched; give a public address, or a data: URL"
            raise ApiError(400, problem, code="invalid_url", param=param) from None
        if fetched.status != 200:
            problem = f"{param} cannot be fetched: status {fetched.status}"
            raise ApiError(400, problem, code="invalid_url", param=param)
        return await self.file(fetched.body, None, param)

    async def file(self, content: bytes, format: str | None, param: str) -> SentSound:
        """The content of a sound file; with the format `pcm` or `pcm16`, samples at RAW_HZ. Raises ApiError."""
        if not content:
            raise ApiError(400, f"{param} is empty; record it again", code="invalid_audio", param=param)
        try:
            if format in RAW and not content.startswith(b"RIFF"):
                audio = Audio.from_pcm16(content[: len(content) // 2 * 2], RAW_HZ)
                if audio.duration > self._left_s:
                    raise AudioError(
                        f"the sound lasts {audio.duration:.0f} s, more than the server takes; cut it first"
                    )
            else:
                audio = await Audio.aload(
                    content, max_duration_s=self._left_s, setting="sound_s of the server", highest_rate=HIGHEST_HZ
                )
        except AudioError as error:
            raise _of(param, error) from None
        self._left_s = max(0.001, self._left_s - audio.duration)
        self._state.limits.take_sound(self._caller, audio.duration)
        self._state.metrics.sound_s.labels("in").inc(audio.duration)
        return SentSound(audio, hashlib.sha256(content).hexdigest())


def data_url(url: str, param: str) -> bytes:
    """The content of a data URL (RFC 2397). Raises ApiError."""
    head, comma, body = url.removeprefix("data:").partition(",")
    if not comma:
        raise ApiError(400, f"{param} is not a data: URL", code="invalid_url", param=param)
    if head.lower().endswith(";base64"):
        return _decoded(body, param)
    return unquote_to_bytes(body)


def _decoded(data: str, param: str) -> bytes:
    try:
        return base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ApiError(400, f"{param} is not base64", code="invalid_base64", param=param) from None


def _of(param: str, error: AudioError) -> ApiError:
    shown = as_api_error(error)
    return ApiError(shown.status, f"{param}: {shown.message}", code=shown.code, param=param)
