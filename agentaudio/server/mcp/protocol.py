"""`audio_server`: the tools behind the Model Context Protocol, whichever way its messages come."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

from agentaudio import __version__
from agentaudio.conversation import Conversation
from agentaudio.errors import AgentAudioError, MissingExtra
from agentaudio.escaping import one_line
from agentaudio.server.mcp.desk import Bounds, Desk, Queue
from agentaudio.server.mcp.tools import TOOLS, Answer
from agentaudio.tools.context import RunContext

try:
    from mcp import types
    from mcp.server.context import ServerRequestContext
    from mcp.server.lowlevel import Server
    from mcp.shared.exceptions import MCPError
except ImportError as error:
    raise MissingExtra("`agentaudio mcp`", "mcp") from error

log = logging.getLogger(__name__)

NAME = "agentaudio"
INSTRUCTIONS = (
    "Voices, speech and hearing. To speak in a certain voice, find it with audio_search, then give its id to speak. "
    "Voices may be used with their owners' consent only; a voice that is not found may not be used."
)
READ_ONLY = types.ToolAnnotations(read_only_hint=True, destructive_hint=False, open_world_hint=False)
TITLES = {"audio_search": "Search voices", "speak": "Speak a text", "transcribe": "Transcribe speech"}

Context = ServerRequestContext[Any, Any]
Desks = Callable[[Context], AbstractAsyncContextManager[Desk]]


def in_full(error: Exception) -> str:
    """What a client on this machine may know of an error: all that agentaudio says on purpose."""
    if isinstance(error, AgentAudioError):
        return str(error)
    log.error("a call failed", exc_info=error)
    return "the call failed; the log of the server says why"


def audio_server(desks: Desks, bounds: Bounds, explain: Callable[[Exception], str] = in_full) -> Server[Any]:
    """A server of the Model Context Protocol with the tools of `TOOLS`.

    desks: the Desk for a request, held while a call runs; what it raises is the call's error
    explain: what a client may know of an error
    """
    queue = Queue(bounds)

    async def list_tools(_: Context, __: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult(tools=LISTED)

    async def call_tool(context: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        if params.name not in TOOLS:
            known = ", ".join(TOOLS)
            raise MCPError(types.INVALID_PARAMS, f"there is no tool {params.name[:64]!r}; there are {known}")
        try:
            async with asyncio.timeout(bounds.call_s), queue.place(), desks(context) as desk:
                desk = replace(desk, report=context.session.report_progress)
                return await asyncio.to_thread(_as_result, await _called(params, desk))
        except TimeoutError:
            problem = f"the call took longer than {bounds.call_s:.0f} s; ask for less"
        except Exception as error:
            problem = explain(error)
        return types.CallToolResult(content=[types.TextContent(text=one_line(problem))], is_error=True)

    return Server(
        NAME, version=__version__, title="agentaudio", instructions=INSTRUCTIONS,
        on_list_tools=list_tools, on_call_tool=call_tool,
    )  # fmt: skip


async def _called(params: types.CallToolRequestParams, desk: Desk) -> Answer:
    tool, _ = TOOLS[params.name]
    assert tool.function is not None
    values = tool.arguments.check(tool.name, params.arguments or {})
    answer: Answer = await tool.function(RunContext(Conversation(), deps=desk), **values)
    return answer


def _as_result(answer: Answer) -> types.CallToolResult:
    """The facts as structured content and, for clients without it, as text; then the sounds."""
    content: list[types.ContentBlock] = [types.TextContent(text=answer.facts.model_dump_json(exclude_none=True))]
    for sound in answer.sounds:
        data = base64.b64encode(sound.content).decode()
        content.append(types.AudioContent(data=data, mime_type=sound.media_type))
    return types.CallToolResult(content=content, structured_content=answer.facts.model_dump(mode="json"))


LISTED = [
    types.Tool(
        name=name,
        title=TITLES[name],
        description=" ".join(tool.description.split()),
        input_schema=tool.parameters,
        output_schema=facts.model_json_schema(mode="serialization"),
        annotations=READ_ONLY,
    )
    for name, (tool, facts) in TOOLS.items()
]
