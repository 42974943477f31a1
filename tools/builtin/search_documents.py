"""`search_documents`: passages from the agent's documents."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from agentaudio.tools.context import RunContext
from agentaudio.tools.quoting import quoted
from agentaudio.tools.result import ToolResult
from agentaudio.tools.tool import Tool, tool


def _phrases(context: RunContext) -> Iterable[str]:
    return () if context.documents is None else context.documents.sentences


def make_search_documents(*, attribute: bool = False) -> Tool:
    """The tool. attribute: ask the model to name its sources."""

    @tool(needs={"documents"}, phrases=_phrases, idempotent=True)
    def search_documents(
        context: RunContext,
        query: Annotated[str, Field(description="What to look for, as a question or in key words.")],
    ) -> ToolResult:
        """Search the documents for facts to answer a question with; cite what you use."""
        passages = tuple(context.need_documents().search(query))
        if not passages:
            return ToolResult(f"The documents say nothing about {query!r}.")
        return ToolResult(quoted(passages, attribute=attribute), passages)

    return search_documents


search_documents = make_search_documents()
