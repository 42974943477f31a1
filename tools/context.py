"""`RunContext`: what a running tool may know and use."""

from __future__ import annotations

from dataclasses import dataclass

from agentaudio.conversation import Conversation
from agentaudio.errors import ToolError
from agentaudio.retrieval.documents import DocumentIndex
from agentaudio.retrieval.voice_search import VoiceSearch
from agentaudio.voice_library.voice import Voice


@dataclass(frozen=True, slots=True)
class RunContext:
    """Given to a tool whose first parameter is annotated with it.

    conversation: what was said so far (a copy)
    voice: the voice that the agent speaks in now; None is the model's own
    """

    conversation: Conversation
    voice: Voice | None = None
    documents: DocumentIndex | None = None
    voices: VoiceSearch | None = None

    def need_documents(self) -> DocumentIndex:
        """The agent's documents. Raises ToolError when it has none."""
        if self.documents is None:
            raise ToolError("this agent has no documents; build it with Agent(..., documents='folder/')")
        return self.documents

    def need_voices(self) -> VoiceSearch:
        """The agent's voices. Raises ToolError when it has none."""
        if self.voices is None:
            raise ToolError("this agent has no voice library; build it with Agent(..., voices='folder/')")
        return self.voices
