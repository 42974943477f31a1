"""The tools: `audio_search`, `speak` and `transcribe`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from agentaudio.errors import ConsentError, ToolError
from agentaudio.provenance.provenance import Origin
from agentaudio.retrieval.voices.search import VoiceMatch, VoiceSearch
from agentaudio.server.mcp.desk import AudioContent, Desk
from agentaudio.server.mcp.facts import Card, Match, Matches, Speech, Transcript
from agentaudio.server.transcript import transcribed
from agentaudio.sound.audio import Audio
from agentaudio.speaker import LONGEST_WISH, HeardVoices, Speaker, Wanted
from agentaudio.tools.context import RunContext
from agentaudio.tools.tool import tool

Format = Literal["mp3", "wav", "flac", "opus"]
MEDIA_TYPES: dict[Format, str] = {"mp3": "audio/mpeg", "wav": "audio/wav", "flac": "audio/flac", "opus": "audio/ogg"}
BYTES_PER_S: dict[Format, int] = {"mp3": 8_000, "opus": 8_000}
"""Of speech, at most; the others take two bytes for each sample."""

MOST_FOUND = 10
REFERENCE_S = 8.0
"""Longest part of a reference clip that is sent."""

Sent = str | AudioContent
SENT = "a sound file (WAV, MP3, FLAC, Ogg, ...), as base64, as a data: URL in base64, or as audio content"


@dataclass(frozen=True)
class Encoded:
    """A sound file."""

    content: bytes
    media_type: str

    @classmethod
    def of(cls, audio: Audio, format: Format, origin: Origin | None = None) -> Encoded:
        """Blocks while it encodes. origin: of speech, which is signed if files are signed"""
        content = audio.to_bytes(format)
        return cls(content if origin is None else origin.file(content, format), MEDIA_TYPES[format])


@dataclass(frozen=True)
class Answer:
    """What a tool answers: facts, and sounds."""

    facts: BaseModel
    sounds: Sequence[Encoded] = ()


@tool
async def audio_search(
    context: RunContext[Desk],
    description: Annotated[
        str | None,
        Field(
            max_length=LONGEST_WISH,
            description="Who to sound like, in words: a name, or traits such as 'a calm old man with a deep voice'.",
        ),
    ] = None,
    audio: Annotated[
        Sent | None, Field(description=f"Find voices that sound like this clip of speech: {SENT}.")
    ] = None,
    limit: Annotated[int, Field(ge=1, le=MOST_FOUND, description="Most voices to return.")] = 3,
    with_reference: Annotated[
        bool, Field(description="Return the reference clip of each voice as audio, too.")
    ] = False,
) -> Answer:
    """Search the voice library by words, by a clip, or both. Returns the cards of the voices that fit, best first,
    each with a score from 0 to 1 and a reason; none when no voice fits. Only voices that may be used are found. Give
    the id of a voice to `speak`."""
    desk = context.deps
    if audio is None and not (description or "").strip():
        raise ToolError("give a description, audio, or both")
    clip = None if audio is None else await desk.sound(audio, "audio")
    matches = await asyncio.to_thread(_search, await asyncio.to_thread(_voices, desk), description, clip, limit)
    if not with_reference:
        return Answer(Matches(matches=[Match.of(match, None) for match in matches]))
    return await asyncio.to_thread(_with_references, matches, desk)


@tool
async def speak(
    context: RunContext[Desk],
    text: Annotated[str, Field(min_length=1, description="The words to speak, as plain text.")],
    voice: Annotated[
        str | None,
        Field(
            max_length=LONGEST_WISH,
            description="Whose voice: the id or name of a voice of the library, or a description, which is searched. "
            "Without it, and without like_audio, the default voice speaks.",
        ),
    ] = None,
    like_audio: Annotated[
        Sent | None,
        Field(
            description=f"Instead of voice: a clip of speech, {SENT}. "
            "The voice of the library that sounds like it is used."
        ),
    ] = None,
    rate: Annotated[float, Field(ge=0.25, le=4, description="Speed; 2 is twice as fast at the same pitch.")] = 1.0,
    language: Annotated[str | None, Field(max_length=35, description="BCP-47 code of the text, such as 'en'.")] = None,
    format: Annotated[Format, Field(description="Of the sound.")] = "mp3",
) -> Answer:
    """Speak a text and return the sound as audio content. A voice speaks only as long as its owner's consent holds."""
    desk, bounds = context.deps, context.deps.bounds
    if len(text) > bounds.text_chars:
        raise ToolError(f"text has {len(text)} characters; give at most {bounds.text_chars}, in several calls")
    if voice is not None and like_audio is not None:
        raise ToolError("give voice or like_audio, not both")
    wanted: Wanted = voice if like_audio is None else await desk.sound(like_audio, "like_audio")
    speaker = Speaker.of(desk.setup, names=desk.names)
    found = await speaker.find(wanted)
    rate_hz = speaker.sample_rate_hz
    longest_s = bounds.answer_bytes / BYTES_PER_S.get(format, 2 * rate_hz)
    parts, made_s, heard = list[Audio](), 0.0, HeardVoices(found)
    try:
        spoken = speaker.speak(text, voice=found, rate=rate, language=language, noticed=heard)
        async with aclosing(spoken) as sounds:
            async for part in sounds:
                parts.append(part)
                made_s += part.duration
                if made_s > longest_s:
                    raise _too_long(longest_s, format)
                await desk.report(round(made_s, 3), None, f"{made_s:.1f} s spoken")
    finally:
        desk.made(made_s)
    origin = speaker.origin(*heard.all)
    encoded = await asyncio.to_thread(lambda: Encoded.of(Audio.concat(parts), format, origin))
    if len(encoded.content) > bounds.answer_bytes:
        raise _too_long(longest_s, format)
    facts = Speech(
        voice=None if found is None else Card.of(found), imitation=None if found is None else speaker.imitates,
        format=format, duration_s=round(made_s, 3), sample_rate_hz=rate_hz, signed=origin.provenance.signs_as(format),
    )  # fmt: skip
    return Answer(facts, [encoded])


@tool
async def transcribe(
    context: RunContext[Desk],
    audio: Annotated[Sent, Field(description=f"What to listen to: {SENT}.")],
    language: Annotated[
        str | None,
        Field(max_length=35, description="BCP-47 code of the speech, such as 'en'; found out where it is left out."),
    ] = None,
) -> Answer:
    """Write down what is said in a sound, word for word. The text is empty where nobody speaks."""
    desk = context.deps
    model = desk.setup.model
    if not model.capabilities.hears:
        raise ToolError(f"model {model.name!r} does not hear, so it cannot transcribe")
    sound = await desk.sound(audio, "audio")
    text, found = "", None
    async with aclosing(transcribed(model, sound, language)) as lines:
        async for line in lines:
            text += line.text
            found = found or line.language
            await desk.report(round(line.end, 3), round(sound.duration, 3), None)
    return Answer(Transcript(text=text.strip(), language=found or language, duration_s=round(sound.duration, 3)))


TOOLS = {one.name: (one, facts) for one, facts in ((audio_search, Matches), (speak, Speech), (transcribe, Transcript))}
"""By name: each tool, and the class of its facts."""


def _voices(desk: Desk) -> VoiceSearch:
    voices = desk.setup.resources.open()[1]
    if voices is None:
        raise ToolError("there is no voice library here; start the server with one")
    return voices


def _search(voices: VoiceSearch, description: str | None, clip: Audio | None, limit: int) -> list[VoiceMatch]:
    return voices.search((description or "").strip() or None, clip, limit)


def _with_references(matches: Sequence[VoiceMatch], desk: Desk) -> Answer:
    """The matches that may still be used, with the clips of the first ones, as many as one answer holds."""
    found, sounds, left = list[Match](), list[Encoded](), desk.bounds.answer_bytes
    for match in matches:
        try:
            clip = match.voice.require("synthesis").clip.slice(0, REFERENCE_S)
        except ConsentError:  # revoked since the search
            continue
        encoded = Encoded.of(clip, "mp3")
        left -= len(encoded.content)
        if left < 0:
            found.append(Match.of(match, None))
            continue
        found.append(Match.of(match, len(sounds)))
        sounds.append(encoded)
        desk.made(clip.duration)
    return Answer(Matches(matches=found), sounds)


def _too_long(longest_s: float, format: Format) -> ToolError:
    smaller = "" if format in BYTES_PER_S else ", or ask for mp3"
    return ToolError(
        f"the text takes more than the {longest_s:.0f} s that one answer holds as {format}; give a shorter text, in "
        f"several calls{smaller}"
    )
