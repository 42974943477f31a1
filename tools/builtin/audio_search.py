"""`audio_search`: find a reference voice and speak in it from now on."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Annotated

from pydantic import Field

from agentaudio.conversation import AudioPart
from agentaudio.errors import ConsentError, ToolError, VoiceError
from agentaudio.retrieval.voices.query import asks_for_default, asks_for_talker
from agentaudio.sound.audio import Audio
from agentaudio.tools.context import RunContext
from agentaudio.tools.result import ToolResult
from agentaudio.tools.tool import tool
from agentaudio.voice_library.talker import talker_voice
from agentaudio.voice_library.voice import Voice

MOST_PHRASES = 200


def _phrases(context: RunContext) -> Iterable[str]:
    if context.voices is None:
        return
    for voice in islice(context.voices, MOST_PHRASES):
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
    """The user's last utterance as a voice.

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
    speech = Audio.concat(spoken)
    try:
        return talker_voice(speech)
    except VoiceError:
        raise ToolError(
            f"the person spoke for {speech.duration:.1f} s, too short for a voice; ask them to say more"
        ) from None
