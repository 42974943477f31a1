"""`POST /v1/content_provenance_checks`: what a sound file says about its origin, and whether that holds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter, Request

from agentaudio.errors import MissingExtra
from agentaudio.provenance.inspection import Inspection, inspect
from agentaudio.provenance.mark_search import FoundMark, find_marks
from agentaudio.retrieval.voices.search import VoiceSearch
from agentaudio.server.errors import ApiError
from agentaudio.server.forms import read_form
from agentaudio.server.library import visible_voices
from agentaudio.server.openapi import form_body
from agentaudio.server.state import Held, RequestCaller, State
from agentaudio.voice_library.voice import Voice

router = APIRouter(tags=["provenance"])


@router.post("/v1/content_provenance_checks", openapi_extra=form_body({}, ("file",), required=("file",)))
async def check_provenance(request: Request, state: State, caller: RequestCaller, held: Held) -> dict[str, Any]:
    """Read the signature and the watermarks of a sound file. A form: `file`.

    A mark names a voice only if the key may use that voice.
    """
    held.enter_context(state.answer(caller))
    form = await read_form(request, texts={}, files=("file",))
    if not form.files.get("file"):
        raise ApiError(400, "file is missing", param="file", code="missing_required_parameter")
    voices = await visible_voices(state, caller)
    try:
        found, marks = await asyncio.to_thread(_read, form.files["file"], voices)
    except MissingExtra:
        raise ApiError(400, "signatures cannot be read here", code="unsupported_value") from None
    return {
        "object": "content_provenance_check",
        "created_at": int(time.time()),
        "results": [_result(found)],
        "signature": found.to_dict(),
        "watermarks": [_shown(mark) for mark in marks],
    }


def _read(content: bytes, voices: VoiceSearch | None) -> tuple[Inspection, list[FoundMark]]:
    found = inspect(content)
    return found, find_marks(content, () if voices is None else _usable(voices), found.claims)


def _usable(voices: VoiceSearch) -> Iterator[Voice]:
    rows, hidden = voices.library.select(purpose="synthesis"), voices.hidden
    for start in range(0, len(rows), 500):
        yield from (voice for voice in voices.library.at(rows[start : start + 500]) if voice.id not in hidden)


def _shown(mark: FoundMark) -> dict[str, Any]:
    """A mark, without what its method says of a failure: that may hold a path."""
    return mark.to_dict() | {"problem": None if mark.problem is None else "the method failed"}


def _result(found: Inspection) -> dict[str, Any]:
    """As the protocol has it. What a broken signature says is not repeated here."""
    intact, signer, claims = found.signature == "intact", found.signer, found.claims
    known = signer is not None and signer.standing != "unknown"
    state = ("trusted" if known else "valid") if intact else "invalid" if found.signature == "broken" else "not_present"
    return {
        "type": "c2pa",
        "outcome": "detected" if intact else "not_detected",
        "validation_state": state,
        "issuer": signer.organisation if intact and signer is not None else None,
        "model": claims.model if intact and claims is not None else None,
        "generated_at": claims.spoken.isoformat() if intact and claims is not None else None,
    }
