"""`audio_search`: find a reference voice and speak in it from now on."""

from __future__ import annotations

import hashlib
import os
import tempfile
import weakref
from collections.abc import Iterable
from contextlib import suppress
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Annotated

from pydantic import Field

from agentaudio.conversation import AudioPart
from agentaudio.errors import ConsentError, ToolError
from agentaudio.retrieval.voices.query import asks_for_default, asks_for_talker
from agentaudio.sound.audio import Audio
from agentaudio.tools.context import RunContext
from agentaudio.tools.result import ToolResult
from agentaudio.tools.tool import tool
from agentaudio.voice_library.prepared import MAX_CLIP_S, MIN_CLIP_S
from agentaudio.voice_library.voice import Consent, Source, Voice, VoiceCard

MOST_PHRASES = 200


def _phrases(context: RunContext) -> Iterable[str]:
    if context.voices is None:
        return
    for voice in islice(context.voices.library, MOST_PHRASES):
        yield f"answer in the voice of {voice.name}"
        yield f"speak like {voice.description.split('.')[0].lower()}"


@tool(needs={"voices"}, phrases=_phrases)
def audio_search(
    context: RunContext,
    query: Annotated[
        str,
        Field(description='Who to sound like: a description or a name; "default" goes back to the own voice.'),
    ],
) -> ToolResult:
    """Change the voice you speak in: search the library of reference voices for a description or a name."""
    if asks_for_talker(query):
        return ToolResult("The voice is now that of the person who is talking.", voice=_talker(context))
    if asks_for_default(query):
        return ToolResult("The voice is the default one again.", voice="default")
    matches = context.need_voices().search(query)
    while matches:
        best, *others = matches
        try:
            voice = best.voice.require("synthesis")
        except ConsentError:  # revoked since the search
            matches = others
            continue
        text = f"The voice is now {voice.name}: {voice.description}"
        if others:
            text += f" Runners-up: {', '.join(match.voice.name for match in others)}."
        return ToolResult(text, voice=voice)
    raise ToolError(f"no voice in the library fits {query!r}; say so, and keep the voice you have")


def _talker(context: RunContext) -> Voice:
    """The user's last utterance as a voice. Its clip is a temporary file that is deleted with the Voice object.

    Raises ToolError when the library does not permit it, or there is too little speech.
    """
    if not context.need_voices().may_copy_talker:
        raise ToolError(
            "taking on the voice of the person who is talking is not permitted here; say so, keep the voice you have, "
            "and offer one of the library"
        )
    user = context.conversation.last_user
    spoken = [part.audio for part in user.parts if isinstance(part, AudioPart)] if user is not None else []
    if not spoken:
        raise ToolError("the person wrote instead of speaking, so there is no voice to take on; ask them to speak")
    clip = Audio.concat(spoken).slice(0, MAX_CLIP_S)
    if clip.duration < MIN_CLIP_S or clip.is_silent:
        raise ToolError(f"the person spoke for {clip.duration:.1f} s, too short for a voice; ask them to say more")
    content = clip.to_bytes("flac")
    sha256 = hashlib.sha256(content).hexdigest()
    asked = Consent(
        basis="speaker", holder="the person who was talking", scope=("synthesis",), until=date.today(),
        evidence="asked for it in the conversation",
    )  # fmt: skip
    card = VoiceCard(
        id=f"talker-{sha256[:12]}", name="the person talking", description="The person who was talking, as they asked.",
        source=Source(engine="the conversation"), licence="LicenseRef-this-conversation", consent=asked,
        sha256=sha256, duration_s=round(clip.duration, 3),
    )  # fmt: skip
    number, name = tempfile.mkstemp(prefix="agentaudio-talker-", suffix=".flac")
    with os.fdopen(number, "wb") as file:
        file.write(content)
    voice = Voice(card, Path(name))
    weakref.finalize(voice, _forget, name)
    return voice


def _forget(name: str) -> None:
    with suppress(OSError):
        os.unlink(name)
