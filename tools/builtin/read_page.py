"""`read_page`: passages of a web page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from agentaudio.tools.context import RunContext
from agentaudio.tools.quoting import quoted
from agentaudio.tools.result import ToolResult
from agentaudio.tools.tool import Tool, tool

if TYPE_CHECKING:
    from agentaudio.retrieval.web.web import Web


def make_read_page(web: Web | None = None, *, attribute: bool = False) -> Tool:
    """The tool.

    web: how to fetch the page; None uses the agent's
    attribute: ask the model to name its sources
    """

    @tool(timeout_s=30, idempotent=True)
    async def read_page(
        context: RunContext,
        url: Annotated[str, Field(description="Address of the page, with http:// or https://.")],
        question: Annotated[
            str, Field(description="What to look for in it; leave it empty to read its beginning.")
        ] = "",
    ) -> ToolResult:
        """Read a page of the web whose address is known, from a search or from the user; cite what you use."""
        passages = tuple(await (web or context.need_web()).read(url.strip(), question, embed=context.embed))
        return ToolResult(quoted(passages, attribute=attribute), passages)

    return read_page


read_page = make_read_page()
