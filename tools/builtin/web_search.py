"""`web_search`: short passages from the web, with their addresses."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from agentaudio.retrieval.web.providers import Ddgs
from agentaudio.tools.quoting import quoted
from agentaudio.tools.result import ToolResult
from agentaudio.tools.tool import tool


@tool
def web_search(
    query: Annotated[str, Field(description="What to look for, as one would type it into a search engine.")],
) -> ToolResult:
    """Search the web for news and facts that the documents do not have; cite what you use."""
    passages = tuple(Ddgs().search(query, 5))
    if not passages:
        return ToolResult(f"The web search found nothing about {query!r}.")
    return ToolResult(quoted(passages), passages)
