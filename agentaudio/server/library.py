"""The voice library of a server, as a caller sees it and may change it."""

from __future__ import annotations

from agentaudio.retrieval.voices.search import VoiceSearch
from agentaudio.server.auth import Caller
from agentaudio.server.errors import ApiError
from agentaudio.server.state import ServerState
from agentaudio.voice_library.library import VoiceLibrary, demo_voices


async def visible_voices(state: ServerState, caller: Caller) -> VoiceSearch | None:
    """The voices that `caller` may find; None without a library."""
    setup = await state.setup(caller)
    return setup.resources.open()[1]


def writable(voices: VoiceSearch | None) -> VoiceLibrary:
    """The library, for changes. Raises ApiError 403 when there is none, or the one that comes with agentaudio."""
    if voices is None or voices.library.folder == demo_voices().folder:
        raise ApiError(
            403, "this server has no voice library that can be changed; start it with --voices FOLDER",
            code="library_read_only",
        )  # fmt: skip
    return voices.library
