"""`/v1/token2wav/voices/{sha256}`: clips of voices, addressed by the digest of their samples."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from agentaudio.errors import VoiceError
from agentaudio.model.step_audio_2.token2wav.timbre_prompt import TimbrePrompt
from agentaudio.server.auth import Caller
from agentaudio.server.bodies import HIGHEST_HZ
from agentaudio.server.errors import ApiError
from agentaudio.server.state import RequestCaller
from agentaudio.server.token2wav.state import Sound, SoundState
from agentaudio.server.token2wav.voices import unknown_voice
from agentaudio.sound.audio import Audio

router = APIRouter(prefix="/v1/token2wav/voices", tags=["voices"])

LONGEST_CLIP_S = 120.0
"""Of a clip, of which at most 30 s are used."""

DIGEST = re.compile("[0-9a-f]{64}")
"""`Audio.sha256`: SHA-256 of "RATE Hz" and the samples as little-endian float32."""
Digest = Annotated[str, Path(pattern=f"^{DIGEST.pattern}$")]


async def add_clip(state: SoundState, caller: Caller, digest: str, content: bytes) -> TimbrePrompt:
    """Take the clip of a voice, a sound file. Raises ApiError for one that cannot be used or has another digest."""
    clip = await Audio.aload(
        content, max_duration_s=LONGEST_CLIP_S, setting="the longest clip", highest_rate=HIGHEST_HZ
    )
    if clip.sha256 != digest:
        raise ApiError(
            400, "the samples of the clip have another digest; send a file that keeps each sample, such as WAV",
            code="wrong_digest",
        )  # fmt: skip
    state.limits.take_sound(caller, clip.duration)
    try:
        return await state.voices.add(caller, clip)
    except VoiceError as error:
        raise ApiError(400, str(error), code="invalid_voice") from None


@router.put("/{digest}")
async def put_voice(digest: Digest, request: Request, state: Sound, caller: RequestCaller) -> dict[str, Any]:
    """Send the clip of a voice, as a sound file. 32-bit WAV keeps its digest; so does 16 bits of what had 16 bits.

    The caller is responsible for the speaker's consent. The clip is not kept; what is made of it stays in memory, for
    this key alone.
    """
    prompt = await add_clip(state, caller, digest, await request.body())
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
