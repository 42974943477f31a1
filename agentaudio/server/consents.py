"""`/v1/audio/voice_consents`: recordings in which people agree that their voices are used.

A consent is a recording of a fixed sentence, which the server's own model hears. A field of a request is none.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from agentaudio.errors import AudioError, OptionError, VoiceNotFound
from agentaudio.model.parts import Recognises
from agentaudio.model.speech_lm import SpeechLM
from agentaudio.model.transcribe import transcribe
from agentaudio.server.auth import Caller
from agentaudio.server.errors import ApiError
from agentaudio.server.forms import read_form
from agentaudio.server.library import visible_voices, writable
from agentaudio.server.openapi import form_body
from agentaudio.server.state import RequestCaller, State
from agentaudio.sound.audio import Audio
from agentaudio.voice_library.consent_sentence import SENTENCES, language_of, problem_with
from agentaudio.voice_library.consents import SpokenConsent
from agentaudio.voice_library.library import VoiceLibrary

router = APIRouter(tags=["voices"])

LONGEST_S = 30.0
_TEXTS = {"name": 100, "language": 35}
"""Fields of the form of a consent, each with its most characters."""


class Rename(BaseModel):
    name: str = Field(min_length=1, max_length=100)


@router.get("/v1/audio/voice_consent_sentences")
async def list_sentences(state: State, caller: RequestCaller) -> dict[str, Any]:
    """What a person reads aloud to lend a voice, by language. `problem` says why this server takes no voices, if so."""
    problem = None if state.agent.model.capabilities.hears else "the model of this server does not hear"
    try:
        writable(await visible_voices(state, caller))
    except ApiError as error:
        problem = error.message
    return {"object": "audio.voice_consent_sentences", "sentences": SENTENCES, "problem": problem}


@router.post(
    "/v1/audio/voice_consents",
    openapi_extra=form_body(_TEXTS, ("recording",), required=("name", "language", "recording")),
)
async def add_consent(request: Request, state: State, caller: RequestCaller) -> dict[str, Any]:
    """Keep a recording of the sentence. A form: `name`, `language` (BCP-47), `recording`."""
    form = await read_form(request, texts=_TEXTS, files=("recording",))
    name, tag = form.text("name", required=True), form.text("language", required=True)
    language = language_of(tag)
    if language is None:
        known = ", ".join(SENTENCES)
        raise ApiError(400, f"there is no sentence in this language; there are: {known}", param="language",
                       code="unsupported_value")  # fmt: skip
    library = writable(await visible_voices(state, caller))
    if len(await asyncio.to_thread(_owned, library, caller)) >= state.settings.voices:
        raise ApiError(429, f"a key may keep {state.settings.voices} consents; delete one first")
    sound = await form.sound("recording", longest_s=LONGEST_S)
    with state.answer(caller):
        state.limits.take_sound(caller, sound.duration)
        words = await heard_words(state.agent.model, sound, language)
        if (problem := problem_with(words, language)) is not None:
            raise ApiError(
                400, f"the recording does not say “{SENTENCES[language]}”: {problem}; it was heard as “{words[:300]}”",
                param="recording", code="consent_not_spoken",
            )  # fmt: skip
        consent = await asyncio.to_thread(
            library.consents.add, sound, name=name, language=tag, transcript=words, owner=caller.id
        )  # fmt: skip
    return _described(consent)


@router.get("/v1/audio/voice_consents")
async def list_consents(
    state: State,
    caller: RequestCaller,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[str, Query(max_length=100)] = "",
) -> dict[str, Any]:
    """The consents of this key, or for an admin key of all keys, oldest first."""
    voices = await visible_voices(state, caller)
    found = [] if voices is None else await asyncio.to_thread(_owned, voices.library, caller)
    begin = next((place + 1 for place, one in enumerate(found) if one.id == after), 0)
    page = [_described(one) for one in found[begin : begin + limit]]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": begin + limit < len(found),
    }


@router.get("/v1/audio/voice_consents/{id}")
async def show_consent(state: State, caller: RequestCaller, id: str) -> dict[str, Any]:
    voices = await visible_voices(state, caller)
    if voices is None:
        raise _unknown()
    return _described(await consent_of(voices.library, caller, id))


@router.post("/v1/audio/voice_consents/{id}")
async def rename_consent(state: State, caller: RequestCaller, id: str, wanted: Rename) -> dict[str, Any]:
    library = writable(await visible_voices(state, caller))
    consent = await consent_of(library, caller, id)
    return _described(await asyncio.to_thread(library.consents.rename, consent.id, wanted.name))


@router.delete("/v1/audio/voice_consents/{id}")
async def withdraw_consent(state: State, caller: RequestCaller, id: str) -> dict[str, Any]:
    """Withdraw a consent: the voices that were lent by it are revoked at once, and the recording is deleted."""
    library = writable(await visible_voices(state, caller))
    consent = await consent_of(library, caller, id)
    await asyncio.to_thread(library.withdraw, consent.id)
    return {"id": consent.id, "object": "audio.voice_consent", "deleted": True}


async def consent_of(library: VoiceLibrary, caller: Caller, id: str) -> SpokenConsent:
    """A consent of this caller. Raises ApiError 404 for one that is unknown or of another key."""
    try:
        consent = await asyncio.to_thread(library.consents.get, id)
    except VoiceNotFound:
        raise _unknown() from None
    if not caller.is_admin and consent.owner != caller.id:
        raise _unknown()
    return consent


async def heard_words(model: SpeechLM, sound: Audio, language: str | None) -> str:
    """The words that the server's model hears in a sound. Raises ApiError 400 when it cannot hear it."""
    try:
        if not model.capabilities.hears:
            raise OptionError(f"model {model.name!r} does not hear")
        if isinstance(model, Recognises):
            # A model may hear more languages than it can answer in, so its recogniser decides.
            try:
                return (await model.recognise(sound, language=language)).text.strip()
            except OptionError:
                return (await model.recognise(sound)).text.strip()
        return await transcribe(model, sound)
    except OptionError:
        raise ApiError(400, "the model of this server does not hear", code="unsupported_value") from None
    except AudioError:
        raise ApiError(400, "the sound cannot be heard by the model of this server", code="invalid_audio") from None


def _owned(library: VoiceLibrary, caller: Caller) -> list[SpokenConsent]:
    return [one for one in library.consents.all() if caller.is_admin or one.owner == caller.id]


def _described(consent: SpokenConsent) -> dict[str, Any]:
    return {
        "id": consent.id,
        "object": "audio.voice_consent",
        "created_at": int(consent.made.timestamp()),
        "name": consent.name,
        "language": consent.language,
        "transcript": consent.transcript,
    }


def _unknown() -> ApiError:
    return ApiError(404, "there is no such consent; record one first", code="consent_not_found", param="consent")
