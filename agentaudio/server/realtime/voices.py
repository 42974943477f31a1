"""The voices that clients ask for: an id, a name, `{id}`, or words that are searched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentaudio.errors import AgentAudioError, ConsentError, OptionError, VoiceError, VoiceNotFound
from agentaudio.server.realtime.refusal import Refusal
from agentaudio.setup import Setup
from agentaudio.speaker import OPENAI_VOICES, Speaker
from agentaudio.voice_library.voice import Voice


async def find_voice(setup: Setup, names: Mapping[str, str], wanted: str, param: str) -> Voice | None:
    """The voice; None is the agent's own. Raises Refusal when there is none, or it may not be used.

    setup: as the client sees it; names: further names of voices, as for `Speaker`
    """
    if setup.model.capabilities.voices != "any":
        if wanted in OPENAI_VOICES or wanted == "default":
            return None
        raise Refusal("The model of this server has one voice only.", code="cannot_update_voice", param=param)
    try:
        return await Speaker.of(setup, names=names).find(wanted)
    except VoiceNotFound:
        raise Refusal(
            "There is no such voice. GET /v1/audio/voices lists them.", code="voice_not_found", param=param
        ) from None
    except ConsentError:
        raise Refusal(
            "This voice may not be used: its card gives no consent for it.", code="voice_not_permitted", param=param
        ) from None
    except (OptionError, VoiceError):
        raise Refusal("This voice cannot be used here.", code="voice_not_found", param=param) from None
    except AgentAudioError:
        raise Refusal(
            "The voices cannot be searched now.", code="server_error", param=param, kind="server_error"
        ) from None


def shown(voice: Voice | None) -> dict[str, Any] | None:
    """The card of a voice, for clients."""
    return None if voice is None else {name: value for name, value in voice.to_dict().items() if name != "sha256"}
