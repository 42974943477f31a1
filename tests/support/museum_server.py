"""An MCP server that tests start as a process: python museum_server.py [PORT]"""

from __future__ import annotations

import asyncio
import base64
import os
import sys
from pathlib import Path

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import AudioContent, ImageContent, TextContent, ToolAnnotations

from support.sounds import tone

server = MCPServer("museum", log_level="CRITICAL")
notes = Path(os.environ["MUSEUM_NOTES"])


def note(line: str) -> None:
    with notes.open("a") as file:
        file.write(line + "\n")


@server.tool()
def hours(museum: str, day: int = 1) -> str:
    """When a museum is open."""
    note(f"hours {museum}")
    return f"{museum} is open on day {day}."


@server.tool()
def guide(kind: str) -> list[TextContent | ImageContent | AudioContent]:
    """A guide with sound and images."""
    picture = base64.b64encode(b"picture").decode()
    sound = base64.b64encode(tone().to_bytes("flac") if kind == "sound" else b"noise").decode()
    return [
        TextContent(type="text", text="Listen."),
        ImageContent(type="image", data=picture, mime_type="image/png"),
        AudioContent(type="audio", data=sound, mime_type="audio/flac"),
    ]


@server.tool()
async def walk(context: Context) -> str:
    """Report progress, then return."""
    for room in range(3):
        await context.report_progress(room + 1, 3, f"room {room + 1}")
    return "seen"


@server.tool()
async def stay() -> str:
    """Wait until cancelled."""
    note("stays")
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        note("cancelled")
        raise
    return ""


@server.tool()
def refuse() -> str:
    raise ToolError("closed on Mondays")


@server.tool(name="fire.alarm")
def fire_alarm() -> str:
    """Exit the server."""
    note("alarm")
    os._exit(3)


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def flicker() -> str:
    """Exit the server on the first call; succeed on the second."""
    if "flickered" not in notes.read_text():
        note("flickered")
        os._exit(3)
    return "light"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("streamable-http", port=int(sys.argv[1]))
    else:
        server.run("stdio")
