"""`/v1/audio/voices`: list, search, hear and delete the voices of the library.

A withheld voice, and a private voice of another key, is treated as unknown everywhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from agentaudio.errors import RetrievalError, VoiceError, VoiceNotFound
from agentaudio.retrieval.voices.search import VoiceMatch, VoiceSearch
from agentaudio.server.auth import Caller
from agentaudio.server.consents import consent_of, heard_words
from agentaudio.server.errors import ApiError
from agentaudio.server.forms import read_form
from agentaudio.server.library import visible_voices, writable
from agentaudio.server.openapi import form_body
from agentaudio.server.sound_formats import MEDIA_TYPES, whole
from agentaudio.server.state import RequestCaller, ServerState, State
from agentaudio.sound.audio import Audio
from agentaudio.voice_library.consent_sentence import language_of
from agentaudio.voice_library.lending import Loan, lend
from agentaudio.voice_library.library import demo_voices
from agentaudio.voice_library.voice import Consent, Voice

router = APIRouter(tags=["voices"])

LONGEST_WISH = 1_000
MOST_LISTED = 1_000
LONGEST_CLIP_S = 60.0
_TEXTS = {
    "name": 100, "consent": 100, "ref_text": 5_000, "speaker_description": 2_000, "language": 35, "type": 20,
}  # fmt: skip
"""Fields of the form of a new voice, each with its most characters."""
_SEARCH_TEXTS = {"q": LONGEST_WISH, "limit": 4}

Limit = Annotated[int, Query(ge=1, le=MOST_LISTED)]
Wish = Annotated[str, Query(max_length=LONGEST_WISH)]


@router.get("/v1/audio/voices")
async def list_voices(
    state: State,
    caller: RequestCaller,
    q: Wish = "",
    limit: Limit = MOST_LISTED,
    after: Annotated[str, Query(max_length=64)] = "",
    format: Literal["objects", "ids"] = "objects",
) -> dict[str, Any]:
    """The voices that may be used: all in the order they were added, or the best for a description first.

    q: a name or a description, which is searched; then a voice of a doubtful fit is left out
    after: id of the last voice of the page before
    format: `ids` gives `voices` as a list of ids
    """
    voices = await visible_voices(state, caller)
    if voices is None:
        return _listing([], caller, format, has_more=False)
    if q.strip():
        matches = await asyncio.to_thread(_search, voices, q, limit)
        return _listing(matches, caller, format, has_more=False)
    found = await asyncio.to_thread(_page, voices, after, limit + 1)
    return _listing(found[:limit], caller, format, has_more=len(found) > limit)


@router.get("/kokoro/v1/audio/voices")
async def list_ids(state: State, caller: RequestCaller) -> dict[str, Any]:
    """The ids alone, for readers that were written for Kokoro; their base address is `/kokoro/v1`."""
    return await list_voices(state, caller, format="ids")


@router.post("/v1/audio/voices/search", openapi_extra=form_body(_SEARCH_TEXTS, ("audio",), required=("audio",)))
async def search_by_clip(request: Request, state: State, caller: RequestCaller) -> dict[str, Any]:
    """The voices that sound like a clip, best first. A form: `audio` (a sound file), and `q`, `limit` if wanted."""
    form = await read_form(request, texts=_SEARCH_TEXTS, files=("audio",))
    clip = await form.sound("audio", longest_s=LONGEST_CLIP_S)
    limit = form.number("limit", least=1, most=100, otherwise=10)
    voices = await visible_voices(state, caller)
    if voices is None:
        return _listing([], caller, "objects", has_more=False)
    state.limits.take_sound(caller, clip.duration)
    text = form.text("q").strip() or None
    try:
        matches = await asyncio.to_thread(voices.search, text, clip, limit)
    except RetrievalError:
        raise ApiError(400, "the voices of this library cannot be searched by a clip", code="no_embeddings") from None
    except VoiceError:
        raise ApiError(400, "the clip holds too little speech; give some seconds", param="audio") from None
    return _listing(matches, caller, "objects", has_more=False)


@router.post(
    "/v1/audio/voices",
    openapi_extra=form_body(_TEXTS, ("audio_sample",), required=("name", "consent", "audio_sample")),
)
async def add_voice(request: Request, state: State, caller: RequestCaller) -> dict[str, Any]:
    """Add a voice that its speaker lends by a recorded consent. It is private to the key that adds it.

    A form: `name`; `audio_sample`, 3 to 15 s of speech (more is cut); `consent`, the id of a recording of the same
    speaker; `ref_text`, the words of the sample, `speaker_description` and `language`, if known.
    """
    form = await read_form(request, texts=_TEXTS, files=("audio_sample",))
    if form.text("type") not in ("", "audio_sample"):
        raise ApiError(400, "a voice is made of an audio_sample", param="type", code="unsupported_value")
    name, consent_id = form.text("name", required=True), form.text("consent", required=True)
    voices = await visible_voices(state, caller)
    library = writable(voices)
    consent = await consent_of(library, caller, consent_id)
    if list(library.private().values()).count(caller.id) >= state.settings.voices:
        raise ApiError(429, f"a key may add {state.settings.voices} voices; delete one first", code="too_many_voices")
    sample = await form.sound("audio_sample", longest_s=LONGEST_CLIP_S)
    loan = Loan(name, form.text("speaker_description"), form.text("ref_text"), form.text("language"), caller.id)
    language = language_of(loan.language or consent.language)
    loop = asyncio.get_running_loop()

    def hear(clip: Audio) -> str:
        words = heard_words(state.agent.model, clip, language)
        return asyncio.run_coroutine_threadsafe(words, loop).result(state.settings.answer_s)

    with state.answer(caller):
        state.limits.take_sound(caller, sample.duration)
        try:
            voice = await asyncio.to_thread(lend, library, sample, consent, loan, hear=hear)
        except VoiceError as error:
            raise ApiError(400, str(error), param="audio_sample", code="voice_refused") from None
    return described(voice, caller)


@router.get("/v1/audio/voices/{id}")
async def show_voice(state: State, caller: RequestCaller, id: str) -> dict[str, Any]:
    voice = await voice_of(state, caller, id)
    return described(voice, caller)


@router.get("/v1/audio/voices/{id}/sample", response_class=Response)
async def hear_voice(
    state: State, caller: RequestCaller, id: str, format: Literal["wav", "mp3", "flac", "opus", "aac"] = "wav"
) -> Response:
    """The clip of a voice as a sound file."""
    voice = await voice_of(state, caller, id)
    content = await asyncio.to_thread(_sample, voice, format)
    return Response(content, media_type=MEDIA_TYPES[format], headers={"content-disposition": "inline"})


@router.delete("/v1/audio/voices/{id}")
async def delete_voice(state: State, caller: RequestCaller, id: str) -> dict[str, Any]:
    """Delete a voice: its card, clip and all that was made of them. Nobody can use it from now on, in any process.

    A key deletes the voices that it added, an admin key every voice.
    """
    voice = await voice_of(state, caller, id, withheld_too=True)
    if not may_delete(voice, caller):
        raise ApiError(403, "this voice was not added with this key; an admin key may delete it", code="not_owner")
    library = writable(await visible_voices(state, caller))
    try:
        await asyncio.to_thread(library.remove, voice.id)
    except VoiceNotFound:  # deleted meanwhile
        raise _unknown() from None
    return {"id": voice.id, "object": "audio.voice", "deleted": True}


# What other routes need too


async def voice_of(state: ServerState, caller: Caller, id: str, *, withheld_too: bool = False) -> Voice:
    """The voice with that id. Raises ApiError 404 for a voice that is unknown, withheld or private to another key."""
    voices = await visible_voices(state, caller)
    if voices is None:
        raise _unknown()
    return await asyncio.to_thread(_get, voices, id, withheld_too)


def described(voice: Voice, caller: Caller) -> dict[str, Any]:
    """A voice as the protocol has it, and the facts of its card."""
    card = voice.card
    added = datetime.combine(card.added, time(), UTC).timestamp() if card.added is not None else 0
    consent = card.consent
    return {
        "id": card.id,
        "object": "audio.voice",
        "type": "audio_sample",
        "created_at": int(added),
        "name": card.name,
        "description": card.description,
        "language": card.language,
        "gender": card.gender,
        "age": card.age,
        "accent": card.accent,
        "style": card.style,
        "tags": list(card.tags),
        "duration_s": card.duration_s,
        "licence": card.licence,
        "consent": None if consent is None else _lent(consent),
        "is_private": card.owner is not None,
        "may_delete": may_delete(voice, caller),
    }


def _lent(consent: Consent) -> dict[str, Any]:
    recording = consent.recording
    return {
        "basis": consent.basis,
        "scope": list(consent.scope),
        "until": None if consent.until is None else consent.until.isoformat(),
        "recording": None if recording is None else {
            "id": recording.id, "language": recording.language, "same_speaker": recording.same_speaker,
        },
    }  # fmt: skip


def may_delete(voice: Voice, caller: Caller) -> bool:
    return _is_written(voice) and (caller.is_admin or (voice.card.owner is not None and voice.card.owner == caller.id))


def _is_written(voice: Voice) -> bool:
    return voice.home is not demo_voices()


def _search(voices: VoiceSearch, wish: str, limit: int) -> list[VoiceMatch]:
    return voices.search(wish, k=limit, diverse=False)


def _page(voices: VoiceSearch, after: str, count: int) -> list[Voice]:
    """The next voices that may be used, after one of them."""
    rows = voices.library.select(purpose="synthesis")
    hidden, found, begun = voices.hidden, list[Voice](), not after
    for start in range(0, len(rows), 500):
        for voice in voices.library.at(rows[start : start + 500]):
            if begun and voice.id not in hidden:
                found.append(voice)
            begun = begun or voice.id == after
            if len(found) == count:
                return found
    return found


def _get(voices: VoiceSearch, id: str, withheld_too: bool) -> Voice:
    try:
        voice = voices.get(id)
    except VoiceNotFound:
        raise _unknown() from None
    if not withheld_too and voice.permit.refusal() is not None:
        raise _unknown()
    return voice


def _sample(voice: Voice, format: Literal["wav", "mp3", "flac", "opus", "aac"]) -> bytes:
    return whole(voice.require("synthesis").clip, format)


def _listing(
    found: Sequence[Voice | VoiceMatch], caller: Caller, format: Literal["objects", "ids"], *, has_more: bool
) -> dict[str, Any]:
    data = []
    for one in found:
        if isinstance(one, VoiceMatch):
            data.append(described(one.voice, caller) | {"score": round(one.score, 4), "reason": one.reason})
        else:
            data.append(described(one, caller))
    return {
        "object": "list",
        "data": data,
        "voices": [one["id"] if format == "ids" else {"id": one["id"], "name": one["name"]} for one in data],
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": has_more,
    }


def _unknown() -> ApiError:
    return ApiError(
        404, "there is no such voice; GET /v1/audio/voices lists them", code="voice_not_found", param="voice"
    )
