"""`RunContext`: what a running tool can read and use."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, cast

from typing_extensions import TypeVar

from agentaudio.conversation import Conversation
from agentaudio.errors import ToolError
from agentaudio.text.embedding import Embed
from agentaudio.voice_library.voice import Voice

if TYPE_CHECKING:  # a session without documents and voices needs none of this
    from agentaudio.retrieval.documents.index import DocumentIndex
    from agentaudio.retrieval.voices.search import VoiceSearch
    from agentaudio.retrieval.web.web import Web

log = logging.getLogger(__name__)

Deps = TypeVar("Deps", default=Any)

Progress = Callable[[str, float | None], None]
"""Reports progress: a message, and the share that is done, from 0 to 1, or None when unknown."""


def _log_progress(message: str, share: float | None) -> None:
    log.info("progress: %s%s", message, "" if share is None else f" ({share:.0%})")


@dataclass(frozen=True, slots=True)
class RunContext(Generic[Deps]):
    """Passed to tools whose first parameter is annotated with it, as `RunContext` or as `RunContext[MyData]`.

    deps: the user's data of this session, as given to `Agent.session(deps=...)` or `Agent.run(deps=...)`; None without
    conversation: a copy of the conversation so far
    voice: the voice that the agent speaks in now; None is the model's own
    documents: the agent's documents, None without any
    voices: the agent's voices, None without any
    open_web: returns the agent's Web, which is made at the first call; None outside an agent
    embed: texts to unit vectors, for tools that search by meaning
    progress: report progress, from any thread
    """

    conversation: Conversation
    voice: Voice | None = None
    documents: DocumentIndex | None = None
    voices: VoiceSearch | None = None
    open_web: Callable[[], Web] | None = None
    embed: Embed | None = None
    progress: Progress = _log_progress
    deps: Deps = cast(Deps, None)

    def reporting(self, progress: Progress) -> RunContext[Deps]:
        """This context, with another receiver of progress."""
        return RunContext(
            self.conversation, self.voice, self.documents, self.voices, self.open_web, self.embed, progress, self.deps
        )

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

    def need_web(self) -> Web:
        """The agent's Web. Raises ToolError outside an agent.

        Raises OptionError when the environment names a search engine that is unknown or not configured.
        """
        if self.open_web is None:
            raise ToolError("there is no web outside an agent; make the tool with a Web of its own")
        return self.open_web()
