"""`web_search`: the passages of the web that answer a question, with their addresses."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from agentaudio.tools.context import RunContext
from agentaudio.tools.quoting import quoted
from agentaudio.tools.result import ToolResult
from agentaudio.tools.tool import Tool, tool

if TYPE_CHECKING:
    from agentaudio.retrieval.web.web import Web


@functools.cache
def default_web() -> Web:
    """The web through the engines that the environment names; made at the first use.

    Raises OptionError when it names one that is unknown or not set up.
    """
    from agentaudio.retrieval.web.web import Web

    return Web()


def make_web_search(web: Web | None = None, *, attribute: bool = False) -> Tool:
    """The tool over a Web of one's own. attribute: have the model name its sources."""

    @tool(timeout_s=30, idempotent=True)
    async def web_search(
        context: RunContext,
        query: Annotated[str, Field(description="What to look for, as one would type it into a search engine.")],
    ) -> ToolResult:
        """Search the web for news and facts that the documents do not have; cite what you use."""
        passages = tuple(await (web or default_web()).search(query, embed=context.embed))
        if not passages:
            return ToolResult(f"The web search found nothing about {query!r}.")
        return ToolResult(quoted(passages, attribute=attribute), passages)

    return web_search


web_search = make_web_search()
