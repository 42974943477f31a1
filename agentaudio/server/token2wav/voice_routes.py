"""`/v1/token2wav/voices/{sha256}`: clips of voices, addressed by the digest of their samples."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from agentaudio.errors import VoiceError
from agentaudio.server.bodies import HIGHEST_HZ
from agentaudio.server.errors import ApiError
from agentaudio.server.state import RequestCaller
from agentaudio.server.token2wav.state import Sound
from agentaudio.server.token2wav.voices import unknown_voice
from agentaudio.sound.audio import Audio

router = APIRouter(prefix="/v1/token2wav/voices", tags=["voices"])

LONGEST_CLIP_S = 120.0
"""Of a clip, of which at most 30 s are used."""

Digest = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]
"""`Audio.sha256`: SHA-256 of "RATE Hz" and the samples as little-endian float32."""


@router.put("/{digest}")
async def put_voice(digest: Digest, request: Request, state: Sound, caller: RequestCaller) -> dict[str, Any]:
    """Send the clip of a voice, as a sound file. 32-bit WAV keeps its digest; so does 16 bits of what had 16 bits.

    The caller is responsible for the speaker's consent. The clip is not kept; what is made of it stays in memory, for
    this key alone.
    """
    clip = await Audio.aload(
        await request.body(), max_duration_s=LONGEST_CLIP_S, setting="the longest clip", highest_rate=HIGHEST_HZ
    )
    if clip.sha256 != digest:
        raise ApiError(
            400, "the samples have another digest than the path; send a file that keeps each sample, such as WAV",
            code="wrong_digest",
        )  # fmt: skip
    state.limits.take_sound(caller, clip.duration)
    try:
        prompt = await state.voices.add(caller, clip)
    except VoiceError as error:
        raise ApiError(400, str(error), code="invalid_voice") from None
    return {"id": digest, "object": "token2wav.voice", "warnings": list(prompt.warnings)}


@router.get("/{digest}")
async def get_voice(digest: Digest, state: Sound, caller: RequestCaller) -> dict[str, Any]:
    """Whether this key may speak in a voice."""
    if not state.voices.has(caller, digest):
        raise unknown_voice()
    return {"id": digest, "object": "token2wav.voice"}


@router.delete("/{digest}", status_code=204, response_class=Response)
async def delete_voice(digest: Digest, state: Sound, caller: RequestCaller) -> Response:
    """Drop a voice, as when its consent was withdrawn."""
    if not state.voices.remove(caller, digest):
        raise unknown_voice()
    return Response(status_code=204)
