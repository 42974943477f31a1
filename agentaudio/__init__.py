"""Spoken agents: hear, call tools, retrieve text and a voice, answer in that voice.

Names are imported on first use, which keeps `import agentaudio` fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from agentaudio.agent import Agent as Agent
    from agentaudio.checks import Stop as Stop
    from agentaudio.conversation import Citation as Citation
    from agentaudio.conversation import Conversation as Conversation
    from agentaudio.conversation import Passage as Passage
    from agentaudio.errors import AgentAudioError as AgentAudioError
    from agentaudio.errors import ToolError as ToolError
    from agentaudio.limits import Limits as Limits
    from agentaudio.limits import UsageLimits as UsageLimits
    from agentaudio.model.registry import load_model as load_model
    from agentaudio.model.speech_lm import GenerateOptions as GenerateOptions
    from agentaudio.model.speech_lm import SpeechLM as SpeechLM
    from agentaudio.reply import Reply as Reply
    from agentaudio.retrieval.documents.index import DocumentIndex as DocumentIndex
    from agentaudio.retrieval.voices.search import VoiceSearch as VoiceSearch
    from agentaudio.saved_conversation import load_conversation as load_conversation
    from agentaudio.saved_conversation import save_conversation as save_conversation
    from agentaudio.session import Session as Session
    from agentaudio.sound.audio import Audio as Audio
    from agentaudio.speaker import Speaker as Speaker
    from agentaudio.storage.sqlite_store import SqliteStore as SqliteStore
    from agentaudio.tools.context import RunContext as RunContext
    from agentaudio.tools.external import external_tool as external_tool
    from agentaudio.tools.result import ToolResult as ToolResult
    from agentaudio.tools.tool import Tool as Tool
    from agentaudio.tools.tool import tool as tool
    from agentaudio.voice_library.library import VoiceLibrary as VoiceLibrary
    from agentaudio.voice_library.voice import Voice as Voice

_HOMES = {
    "Agent": "agentaudio.agent",
    "AgentAudioError": "agentaudio.errors",
    "Audio": "agentaudio.sound.audio",
    "Citation": "agentaudio.conversation",
    "Conversation": "agentaudio.conversation",
    "DocumentIndex": "agentaudio.retrieval.documents.index",
    "GenerateOptions": "agentaudio.model.speech_lm",
    "Limits": "agentaudio.limits",
    "Passage": "agentaudio.conversation",
    "Reply": "agentaudio.reply",
    "RunContext": "agentaudio.tools.context",
    "Session": "agentaudio.session",
    "Speaker": "agentaudio.speaker",
    "SpeechLM": "agentaudio.model.speech_lm",
    "SqliteStore": "agentaudio.storage.sqlite_store",
    "Stop": "agentaudio.checks",
    "Tool": "agentaudio.tools.tool",
    "ToolError": "agentaudio.errors",
    "ToolResult": "agentaudio.tools.result",
    "UsageLimits": "agentaudio.limits",
    "Voice": "agentaudio.voice_library.voice",
    "VoiceLibrary": "agentaudio.voice_library.library",
    "VoiceSearch": "agentaudio.retrieval.voices.search",
    "external_tool": "agentaudio.tools.external",
    "load_conversation": "agentaudio.saved_conversation",
    "load_model": "agentaudio.model.registry",
    "save_conversation": "agentaudio.saved_conversation",
    "tool": "agentaudio.tools.tool",
}

__all__ = ["__version__"]
__all__ += _HOMES


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'agentaudio' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
