"""`audio_search`: find a reference voice, and speak in it from now on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from agentaudio.errors import ToolError
from agentaudio.retrieval.voice_search import asks_for_default
from agentaudio.tools.context import RunContext
from agentaudio.tools.result import ToolResult
from agentaudio.tools.tool import tool


def _phrases(context: RunContext) -> Iterable[str]:
    if context.voices is None:
        return
    for voice in context.voices.library:
        yield f"answer in the voice of {voice.name}"
        yield f"speak like {voice.description.split('.')[0].lower()}"


@tool(phrases=_phrases)
def audio_search(
    context: RunContext,
    query: Annotated[
        str,
        Field(description='Who to sound like: a description or a name; "default" goes back to the own voice.'),
    ],
) -> ToolResult:
    """Change the voice you speak in: search the library of reference voices for a description or a name."""
    if asks_for_default(query):
        return ToolResult("The voice is the default one again.", voice="default")
    matches = context.need_voices().by_text(query)
    if not matches:
        raise ToolError(f"no voice in the library fits {query!r}; say so, and keep the voice you have")
    best, *others = matches
    voice = best.voice.require("synthesis")
    text = f"The voice is now {voice.name}: {voice.description}"
    if others:
        text += f" Runners-up: {', '.join(match.voice.name for match in others)}."
    return ToolResult(text, voice=voice)
