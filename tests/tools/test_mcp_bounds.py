"""MCP servers that send too much, or what models cannot use."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.local_http import Answer, Asked, local_server

from agentaudio import RunContext, Tool
from agentaudio.conversation import Conversation
from agentaudio.errors import MissingExtra, OptionError, ToolError

pytestmark = pytest.mark.hostile

try:
    from agentaudio.tools import mcp_bounds, mcp_listing, mcp_screen
    from agentaudio.tools.mcp import McpServer
except MissingExtra as missing:
    pytest.skip(str(missing), allow_module_level=True)

PROGRAM = str(Path(__file__).parents[1] / "support" / "raw_mcp.py")
CONTEXT = RunContext(Conversation())


@contextmanager
def serving(code: str, **settings: Any) -> Iterator[McpServer]:
    with McpServer([sys.executable, PROGRAM, code], **settings) as server:
        yield server


def listed(code: str, **settings: Any) -> list[Tool]:
    with serving(code, **settings) as server:
        return server.tools()


NAMES = {
    "1st": "_1st",
    "-x": "_-x",
    "weather.get": "weather_get",
    "a/b:c": "a_b_c",
    "wetter für köln": "wetter_f_r_k_ln",
    "x" * 200: "x" * 64,
    "a\u202eb\x1b[2J": "a_b__2J",
    "9" * 100: ("_" + "9" * 100)[:64],
}


@pytest.mark.parametrize("name", NAMES)
def test_names_become_names_that_models_can_call(name: str) -> None:
    (tool,) = listed(f"tools = [one({name!r})]")
    assert tool.name == NAMES[name]
    assert asyncio.run(tool.call(CONTEXT, {})).text == "fine"


BAD = {
    "no letters": "one('...')",
    "long name": "one('x' * 5_000_000)",
    "a number": "3",
    "nothing": "None",
    "no name": "{'inputSchema': {'type': 'object'}}",
    "the name is a list": "one(['a'])",
    "no schema": "{'name': 'a'}",
    "the schema is a text": "one(inputSchema='object')",
    "the description is a number": "one(description=3)",
    "empty": "one('')",
    "only invisible": "one('\\u202e\\u200b')",
    "long schema": "one(inputSchema={'type': 'object', 'properties': {f'p{n}': {} for n in range(5000)}})",
    "long text in a schema": "one(inputSchema={'type': 'object', 'description': 'x' * 50_000})",
    "deep schema": "one(inputSchema=__import__('functools').reduce("
    "lambda a, _: {'type': 'object', 'properties': {'a': a}}, range(30), {}))",
    "required is a number": "one(inputSchema={'type': 'object', 'required': 3})",
    "required holds numbers": "one(inputSchema={'type': 'object', 'required': [1, 2]})",
    "properties is a list": "one(inputSchema={'type': 'object', 'properties': [1]})",
    "a property is a text": "one(inputSchema={'type': 'object', 'properties': {'a': 'text'}})",
    "another type": "one(inputSchema={'type': 'array'})",
    "hidden name": "one(inputSchema={'type': 'object', 'properties': {'a\\u202eb': {}}})",
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_one_bad_tool_is_left_out_and_the_others_stay(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        tools = listed(f"tools = [one('first'), {BAD[kind]}, one('last')]")
    assert [tool.name for tool in tools] == ["first", "last"]
    (record,) = [record for record in caplog.records if "left out" in record.getMessage()]
    assert len(record.getMessage()) < 600 and record.getMessage().isprintable()


def test_long_descriptions_are_cut_and_made_visible() -> None:
    (tool, hidden) = listed(
        "tools = [one('a', description='x' * 6_000_000), one('b', description='a\\u202eb\\x1bc', "
        "inputSchema={'type': 'object', 'properties': {'q': {'description': 'a\\u200bb'}}})]"
    )
    assert len(tool.description) == mcp_listing.MAX_DESCRIPTION_CHARS and tool.description.endswith("x…")
    assert hidden.description == "a b c" and hidden.parameters["properties"]["q"]["description"] == "a b"


@pytest.mark.parametrize(
    "code",
    [
        "tools = [one(f't{n}') for n in range(1000)]",
        "listing = lambda p: {'tools': [one('t' + p.get('cursor', ''))], 'nextCursor': p.get('cursor', '') + '1'}",
        "listing = lambda p: {'tools': [], 'nextCursor': 'again'}",
        "listing = lambda p: {'tools': [one(f'{p.get(\"cursor\")}_{n}') for n in range(99)], 'nextCursor': str(id(p))}",
        "tools = [one('same')] * 20_000",
    ],
)
def test_a_list_without_end_is_cut(code: str, caplog: pytest.LogCaptureFixture) -> None:
    begun = time.monotonic()
    tools = listed(code)
    assert len(tools) <= mcp_listing.MAX_TOOLS and time.monotonic() - begun < 15


TOO_MUCH = {
    "a long message": "line(json.dumps({'jsonrpc': '2.0', 'method': 'x', 'params': {'a': 'x' * 9_000_000}}))",
    "a line without an end": "while True: sys.stdout.write('x' * 65536)",
    "many values": "line(json.dumps({'jsonrpc': '2.0', 'method': 'x', 'params': {'a': [1] * 300_000}}))",
    "noise": "while True: line('not JSON')",
    "empty lines": "while True: sys.stdout.write(chr(10) * 65536)",
    "null bytes": "while True: sys.stdout.buffer.write(bytes(65536))",
    "broken JSON": "while True: line('{' * 1000)",
    "numbers": "while True: line('1')",
    "notifications": "while True: line(json.dumps({'jsonrpc': '2.0', 'method': 'notifications/message', "
    "'params': {'level': 'info', 'data': 'x'}}))",
    "progress": "while True: line(json.dumps({'jsonrpc': '2.0', 'method': 'notifications/progress', "
    "'params': {'progressToken': 1, 'progress': 1}}))",
    "new lists": "while True: line(json.dumps({'jsonrpc': '2.0', 'method': 'notifications/tools/list_changed'}))",
    "answers to no request": "while True: line(json.dumps({'jsonrpc': '2.0', 'id': 9999, 'result': {}}))",
}


@pytest.mark.parametrize("kind", TOO_MUCH)
def test_a_server_that_sends_too_much_is_stopped_with_the_reason(kind: str) -> None:
    begun = time.monotonic()
    with serving(f"tools = [one()]\ndef called(p):\n    {TOO_MUCH[kind]}") as server:
        (tool,) = server.tools()
        with pytest.raises(ToolError, match=r"was lost: it (sent a message |sent|printed)[a-z ]* ?\d+ (bytes|values)"):
            asyncio.run(tool.call(CONTEXT, {}))
    with pytest.raises(
        OptionError, match=r"cannot be reached: it (sent a message |sent|printed)[a-z ]* ?\d+ (bytes|values)"
    ):
        listed(TOO_MUCH[kind])
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize("kind", ["a long message", "noise"])
def test_a_server_that_sends_too_much_instead_of_its_list_is_stopped_with_the_reason(kind: str) -> None:
    with pytest.raises(
        OptionError, match=r"cannot list its tools: it (sent a message |sent|printed)[a-z ]* ?\d+ (bytes|values)"
    ):
        listed(f"def listing(p):\n    {TOO_MUCH[kind]}\n    return {{'tools': []}}")


def test_a_server_may_report_its_progress_often() -> None:
    code = """
        for n in range(1_000):
            line(json.dumps({'jsonrpc': '2.0', 'method': 'notifications/progress',
                             'params': {'progressToken': p['_meta']['progressToken'], 'progress': n}}))
        return {'content': [{'type': 'text', 'text': 'fine'}]}
    """
    with serving(f"tools = [one()]\ndef called(p):{code}") as server:
        (tool,) = server.tools()
        for _ in range(3):
            assert asyncio.run(tool.call(CONTEXT, {})).text == "fine"


def test_an_answer_of_too_many_parts_is_cut() -> None:
    part = "{'type': 'text', 'text': 'x'}"
    with serving(f"tools = [one()]\ndef called(p):\n    return {{'content': [{part}] * 40_000}}") as server:
        (tool,) = server.tools()
        text = asyncio.run(tool.call(CONTEXT, {})).text
    assert text == "x\n" * mcp_screen.MAX_PARTS + "[39500 more parts of the answer were left out]"


def test_two_tools_of_one_name_are_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert len(listed("tools = [one('same'), one('other')] * 50")) == 2
    assert [record.args[1] for record in caplog.records if isinstance(record.args, tuple)] == ["same", "other"]


@pytest.mark.parametrize(
    "result",
    ["{'tools': 'no list'}", "{'nextCursor': None}", "{'tools': [], 'nextCursor': [3]}", "{'tools': {}}", "{}"],
)
def test_a_list_that_is_not_of_the_protocol_is_refused(result: str) -> None:
    with pytest.raises(OptionError, match="lists no tools that can be read"):
        listed(f"listing = lambda p: {result}")


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (r"a\ud800b", "a\ufffdb"), (r"\udfff\ud83d\ude00", "\ufffd\U0001f600"), (r"\\ud800", r"\ud800"),
        (r"\uD800\uD800", "\ufffd\ufffd"), (r"\ud83d\ude00 \udc00 é", "\U0001f600 \ufffd é"),
    ],
)  # fmt: skip
def test_half_characters_in_an_answer_do_not_lose_it(text: str, read: str) -> None:
    # json.dumps writes the text again exactly as it is written above.
    content = f"[{{'type': 'text', 'text': json.loads('\"' + {text!r} + '\"')}}]"
    with serving(f"tools = [one()]\ncalled = lambda p: {{'content': {content}}}") as server:
        (tool,) = server.tools()
        begun = time.monotonic()
        assert asyncio.run(tool.call(CONTEXT, {})).text == read
        assert time.monotonic() - begun < 5


@pytest.mark.parametrize("data", ["é", "A", "!!!!", "\U0001f600" * 4, "AAAA"])
def test_sound_that_is_not_base64_or_not_sound_is_left_out(data: str) -> None:
    code = f"called = lambda p: {{'content': [{{'type': 'audio', 'mimeType': 'audio/wav', 'data': {data!r}}}]}}"
    with serving(f"tools = [one()]\n{code}") as server:
        (tool,) = server.tools()
        assert asyncio.run(tool.call(CONTEXT, {})).text.startswith("[a sound was left out: ")


def test_standard_error_is_kept_in_memory_and_bounded() -> None:
    def used() -> int:
        return sum(file.stat().st_blocks for file in Path(tempfile.gettempdir()).iterdir() if file.is_file())

    flood = "import threading\ndef flood():\n    while True: sys.stderr.write('x' * 65536)\n"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    disk = used()
    with serving(flood + "threading.Thread(target=flood, daemon=True).start()\ntools = [one()]") as server:
        (tool,) = server.tools()
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            assert asyncio.run(tool.call(CONTEXT, {})).text == "fine"
    assert used() - disk < 20_000  # blocks of 512 bytes
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB
    words = mcp_bounds.Words()
    for _ in range(1000):
        words.add(b"abc " * 1000)
    assert words.last(300) == " ".join(["abc"] * 75)


def test_a_server_gets_a_minimal_environment_and_what_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    code = "import os\ntools = [one(description=' '.join(sorted(os.environ)))]"
    (tool,) = listed(code, env={"MINE": "1"})
    names = set(tool.description.split()) - {"LC_CTYPE"}
    assert "MINE" in names and names <= {"PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "AGENTAUDIO_PROGRAM", "MINE"}


def test_closing_ends_what_a_server_started(tmp_path: Path) -> None:
    if not Path("/proc/self/stat").exists():
        pytest.skip("finds descendants in /proc")
    code = (
        "import subprocess, signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"late = [sys.executable, '-c', 'import time; time.sleep(60); {tmp_path}']\n"
        "child = subprocess.Popen(late, start_new_session=True)\ntools = [one(description=str(child.pid))]"
    )
    with serving(code) as server:
        (tool,) = server.tools()
        os.kill(int(tool.description), 0)
    left = Path(f"/proc/{tool.description}/stat")
    assert not left.exists() or left.read_text().rpartition(")")[2].split()[0] == "Z"  # killed, and not reaped yet


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (200, {"content-type": "application/json"}, b'"' + b"x" * 9_000_000 + b'"'),
        (200, {"content-type": "application/json"}, b" " * 9_000_000),
        (200, {}, b"x" * 9_000_000),
        (500, {"content-type": "text/html"}, b"x" * 9_000_000),
        (200, {"content-type": "application/json", "content-encoding": "gzip"}, b"x"),
    ],
)
def test_an_answer_over_http_is_bounded(status: int, headers: dict[str, str], body: bytes) -> None:
    with local_server() as web:
        web.answers["/mcp"] = (status, headers, body)
        with pytest.raises(OptionError, match="cannot be reached"), McpServer(f"{web.url}/mcp") as server:
            server.tools()


def answering(reply: Callable[[dict[str, Any]], Answer]) -> Callable[[Asked], Answer]:
    """Answers of a server over HTTP: the protocol's own, and `reply` to a call, which gets its request."""
    fine = {"content-type": "application/json"}

    def answer(asked: Asked) -> Answer:
        request = json.loads(asked.body or "{}")
        if request.get("method") == "tools/call":
            return reply(request)
        if "id" not in request or "method" not in request:
            return 202 if request else 405, {}, b""
        info = {"name": "raw", "version": "1"}
        result: dict[str, Any] = {"tools": [{"name": "a", "inputSchema": {"type": "object"}}]}
        if request["method"] == "initialize":
            version = request["params"]["protocolVersion"]
            result = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}
        elif request["method"] != "tools/list":
            body = {"jsonrpc": "2.0", "id": request["id"], "error": {"code": -32601, "message": "not here"}}
            return 200, fine, json.dumps(body).encode()
        return 200, fine, json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}).encode()

    return answer


EVENTS = {"content-type": "text/event-stream"}
PING = {"jsonrpc": "2.0", "id": 7, "method": "ping"}
FLOODS = {
    "pings": b"".join(b"event: message\ndata: %s\n\n" % json.dumps(PING | {"id": n}).encode() for n in range(20_000)),
    "comments": b":\n" * 1_000_000,
    "many values": b"event: message\ndata: [" + b"1," * 300_000 + b"1]\n\n",
    "a line without an end": b"data: " + b"x" * 9_000_000,
}


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_over_http_ends_the_connection_with_the_reason(kind: str) -> None:
    with local_server() as web:
        web.answers["/mcp"] = answering(lambda _: (200, EVENTS, FLOODS[kind]))
        with McpServer(f"{web.url}/mcp") as server:
            (tool,) = server.tools()
            with pytest.raises(ToolError, match=r"was lost: it (sent|printed).* which is the limit"):
                asyncio.run(tool.call(CONTEXT, {}))
        answers = [asked for asked in web.asked if b'"result":{}' in asked.body.replace(b" ", b"")]
        assert len(answers) < 300


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize(("text", "read"), [(r"a\ud800b", "a\ufffdb"), (r"\udfff \ud83d\ude00", "\ufffd \U0001f600")])
def test_half_characters_in_an_answer_over_http_do_not_lose_it(streams: bool, text: str, read: str) -> None:
    def reply(request: dict[str, Any]) -> Answer:
        content = f'[{{"type": "text", "text": "{text}"}}]'
        body = f'{{"jsonrpc": "2.0", "id": {request["id"]}, "result": {{"content": {content}}}}}'
        if streams:
            return 200, EVENTS, f"event: message\ndata: {body}\n\n".encode()
        return 200, {"content-type": "application/json"}, body.encode()

    with local_server() as web:
        web.answers["/mcp"] = answering(reply)
        with McpServer(f"{web.url}/mcp") as server:
            (tool,) = server.tools()
            assert asyncio.run(tool.call(CONTEXT, {})).text == read


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_takes_no_credentials_to_another_site(status: int) -> None:
    with local_server() as web, local_server() as other:
        web.answers["/mcp"] = (status, {"location": f"{other.url}/mcp"}, b"")
        headers = {"Authorization": "Bearer t0psecret"}
        with pytest.raises(OptionError, match="cannot be reached"), McpServer(f"{web.url}/mcp", headers=headers) as mcp:
            mcp.tools()
        assert web.asked[0].headers["authorization"] == "Bearer t0psecret" and other.asked == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0x7f000001", "169.254.169.254", "10.0.0.1"])
def test_a_file_reaches_no_private_server_unless_it_says_so(tmp_path: Path, host: str) -> None:
    from agentaudio.tools.declarative.load import load_tools

    file = tmp_path / "a.yaml"
    file.write_text(json.dumps({"kind": "mcp", "url": f"http://{host}:9/mcp"}))
    with pytest.raises(OptionError, match="not an address of the public internet"):
        load_tools(file)
