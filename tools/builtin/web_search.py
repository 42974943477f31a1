"""`web_search`: passages of the web that answer a question, with their addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from agentaudio.tools.context import RunContext
from agentaudio.tools.quoting import quoted
from agentaudio.tools.result import ToolResult
from agentaudio.tools.tool import Tool, tool

if TYPE_CHECKING:
    from agentaudio.retrieval.web.web import Web


def make_web_search(web: Web | None = None, *, attribute: bool = False) -> Tool:
    """The tool.

    web: where to search; None uses the agent's
    attribute: ask the model to name its sources
    """

    @tool(timeout_s=30, idempotent=True)
    async def web_search(
        context: RunContext,
        query: Annotated[str, Field(description="What to look for, as one would type it into a search engine.")],
    ) -> ToolResult:
        """Search the web for news and facts that the documents do not have; cite what you use."""
        passages = tuple(await (web or context.need_web()).search(query, embed=context.embed))
        if not passages:
            return ToolResult(f"The web search found nothing about {query!r}.")
        return ToolResult(quoted(passages, attribute=attribute), passages)

    return web_search


web_search = make_web_search()
