"""An MCP server without any library, for hostile messages: python raw_mcp.py CODE

CODE runs first. It may define `tools`, a list of tools; `listing(params)`, the result of tools/list; `called(params)`,
the result of a call; and `line(text)` writes to standard output as it is.
"""

from __future__ import annotations

import json
import sys
from typing import Any

tools: list[Any] = []


def one(name: object = "ok", **more: Any) -> dict[str, Any]:
    return {"name": name, "description": "d", "inputSchema": {"type": "object"}, **more}


def line(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def listing(params: dict[str, Any]) -> dict[str, Any]:
    return {"tools": tools}


def called(params: dict[str, Any]) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": "fine"}]}


def serve() -> None:
    for text in sys.stdin:
        message = json.loads(text)
        if "id" not in message:
            continue
        params = message.get("params") or {}
        reply: dict[str, Any] = {"jsonrpc": "2.0", "id": message["id"]}
        if message["method"] == "initialize":
            info = {"name": "raw", "version": "1"}
            reply["result"] = {
                "protocolVersion": params["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": info,
            }
        elif message["method"] == "tools/list":
            reply["result"] = listing(params)
        elif message["method"] == "tools/call":
            reply["result"] = called(params)
        else:
            reply["error"] = {"code": -32601, "message": "not here"}
        line(json.dumps(reply))


if __name__ == "__main__":
    exec(sys.argv[1])
    serve()
