"""The tools for MCP clients, called by the SDK's client: over standard input and output, and over HTTP."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, MCPError, StdioServerParameters, types
from mcp.client.streamable_http import streamable_http_client
from support.models import calls, scripted
from support.rehearsed import Rehearsed
from support.server import KEY, OTHER_KEY, Running, running_server, until
from support.sounds import tone

from agentaudio.agent import Agent
from agentaudio.cli import main
from agentaudio.model.speech_lm import ReferenceVoice
from agentaudio.retrieval.voices.search import VoiceSearch
from agentaudio.server.auth import Keys
from agentaudio.server.mcp.desk import Bounds, Desk
from agentaudio.server.mcp.protocol import audio_server
from agentaudio.server.settings import ServerSettings
from agentaudio.sound.audio import Audio
from agentaudio.tools.mcp import McpServer
from agentaudio.voice_library.library import VoiceLibrary
from agentaudio.voice_library.voice import Consent, Source

PROGRAM = Path(__file__).parents[1] / "support" / "noisy_mcp.py"
MODES = ("auto", "legacy")  # of 2026-07-28, and of 2025-11-25


class Mouth(Rehearsed):
    """Speaks the word "long" until somebody stops it."""

    async def say(
        self, text: str | AsyncIterator[str], *, voice: ReferenceVoice | None = None, language: str | None = None
    ) -> AsyncGenerator[Audio, None]:
        self.running += 1
        try:
            async for sound in super().say(text, voice=voice, language=language):
                yield sound
            while isinstance(text, str) and "long" in text:
                await asyncio.sleep(0.01)
        finally:
            self.running -= 1


MODEL = Mouth()


@pytest.fixture(scope="module")
def folder(library_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library with a private voice of the key KEY."""
    folder = Path(shutil.copytree(library_folder, tmp_path_factory.mktemp("mcp") / "voices"))
    owner = Keys((KEY,)).caller(KEY).id
    VoiceLibrary(folder).add(
        tone(130, 2), id="mine", name="Mine", description="A purple dinosaur.", owner=owner, licence="CC0-1.0",
        source=Source(engine="a sine wave"), consent=Consent(basis="speaker", holder="me", scope=("synthesis",)),
    )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Running]:
    settings = ServerSettings(keys=(KEY, OTHER_KEY), sessions=2, text_chars=2_000)
    with running_server(Agent(MODEL, voices=VoiceSearch(VoiceLibrary(folder))), settings) as running:
        yield running


def program(folder: Path, notes: Path) -> StdioServerParameters:
    environment = {**os.environ, "PYTHONPATH": f"{PROGRAM.parents[2]}:{PROGRAM.parents[1]}"}
    return StdioServerParameters(command=sys.executable, args=[str(PROGRAM), str(notes), str(folder)], env=environment)


@asynccontextmanager
async def over_http(server: Running, key: str = KEY, mode: Any = "auto") -> AsyncGenerator[Client, None]:
    headers = {"authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
        async with Client(streamable_http_client(f"{server.url}/mcp", http_client=http), mode=mode) as client:
            yield client


@asynccontextmanager
async def each(way: str, server: Running, folder: Path, tmp_path: Path) -> AsyncGenerator[Client, None]:
    """A client by a transport and the mode of its protocol."""
    transport, mode = way.split("-")
    if transport == "http":
        async with over_http(server, mode=mode) as client:
            yield client
    else:
        chosen: Any = mode
        async with Client(program(folder, tmp_path / "notes"), mode=chosen) as client:
            yield client


WAYS = (pytest.param("stdio-auto", marks=pytest.mark.system), "http-auto", "http-legacy")


def in_base64(audio: Audio, format: str = "wav") -> str:
    return base64.b64encode(audio.to_bytes(format)).decode()


def sounds(answer: types.CallToolResult) -> list[Audio]:
    parts = [part for part in answer.content if isinstance(part, types.AudioContent)]
    return [Audio.load(base64.b64decode(part.data)) for part in parts]


def facts(answer: types.CallToolResult) -> Any:
    assert not answer.is_error, answer.content
    return answer.structured_content


def problem(answer: types.CallToolResult) -> str:
    """The one line of a failed call."""
    (part,) = answer.content
    assert answer.is_error and isinstance(part, types.TextContent) and "\n" not in part.text
    return part.text


@pytest.mark.parametrize("way", WAYS)
async def test_a_client_finds_a_voice_speaks_in_it_and_has_it_transcribed(
    way: str, server: Running, folder: Path, tmp_path: Path
) -> None:
    steps: list[float] = []

    async def progressed(progress: float, total: float | None, message: str | None) -> None:
        steps.append(progress)

    async with each(way, server, folder, tmp_path) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {"audio_search", "speak", "transcribe"}
        assert tools["speak"].input_schema["required"] == ["text"]
        assert tools["transcribe"].output_schema is not None
        found = await client.call_tool("audio_search", {"description": "a cheerful woman", "with_reference": True})
        (match,) = facts(found)["matches"]
        assert match["voice"]["id"] == "ruby" and 0 < match["score"] <= 1 and match["reference"] == 0
        assert match["voice"]["consent"] == {"basis": "synthetic", "scope": ["synthesis", "demo"], "until": None}
        assert sounds(found)[0].duration == pytest.approx(2, abs=0.1)
        spoken = await client.call_tool(
            "speak", {"text": "one two three", "voice": match["voice"]["id"]}, progress_callback=progressed
        )
        assert facts(spoken)["voice"]["name"] == "Ruby" and facts(spoken)["duration_s"] == pytest.approx(0.9)
        (sound,) = sounds(spoken)
        assert sound.duration == pytest.approx(0.9, abs=0.1) and not sound.is_silent
        assert steps and steps == sorted(steps)
        part = next(part for part in spoken.content if isinstance(part, types.AudioContent))
        for audio in (part.data, f"data:audio/mpeg;base64,{part.data}", part.model_dump(by_alias=True)):
            heard = await client.call_tool("transcribe", {"audio": audio})
            assert facts(heard)["duration_s"] == pytest.approx(0.9, abs=0.1)
        if way == "stdio-auto":
            await check_cancelling(client, tmp_path / "notes")
    if way == "stdio-auto":  # the client has closed the input, and the process has ended by itself
        assert (tmp_path / "notes").read_text().endswith("closed\n")


async def check_cancelling(client: Client, notes: Path) -> None:
    calling = asyncio.create_task(client.call_tool("speak", {"text": "long"}))
    await asyncio.to_thread(until, lambda: notes.read_text() == "begins\nends\nbegins\n", 20)
    calling.cancel()
    await asyncio.to_thread(until, lambda: notes.read_text() == "begins\nends\nbegins\nends\n", 2)


async def test_words_are_transcribed_with_their_language(folder: Path) -> None:
    model = scripted({"heard": "good morning"})
    with running_server(Agent(model), ServerSettings()) as server:
        async with over_http(server) as client:
            heard = await client.call_tool("transcribe", {"audio": in_base64(speech()), "language": "en"})
            assert facts(heard) == {"text": "good morning", "language": "en", "duration_s": 2.0}
            found = await client.call_tool("audio_search", {"description": "anyone"})
            assert problem(found) == "there is no voice library here; start the server with one"


def speech() -> Audio:
    from agentaudio.voice_library.library import demo_voices

    return demo_voices().get("albert").clip.slice(0, 2)


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("speak", {}, "text: Field required"),
        ("speak", {"text": "hi", "voise": "ruby"}, "did you mean 'voice'?"),
        ("speak", {"text": " ... "}, "no word that can be spoken"),
        ("speak", {"text": "a" * 2_001}, "text has 2001 characters; give at most 2000"),
        ("speak", {"text": "hi", "voice": "zzz qqq"}, "there is no such voice that may be used"),
        ("speak", {"text": "hi", "voice": "secret"}, "there is no such voice that may be used"),
        ("speak", {"text": "hi", "rate": 9}, "rate: Input should be less than or equal to 4"),
        ("speak", {"text": "hi", "voice": "ruby", "like_audio": in_base64(tone())}, "voice or like_audio, not both"),
        ("speak", {"text": "word " * 400}, "the text takes more than the 90 s that one answer holds as mp3"),
        ("speak", {"text": "word " * 90, "format": "wav"}, "in several calls, or ask for mp3"),
        ("transcribe", {"audio": "*"}, "audio is not base64"),
        ("transcribe", {"audio": ""}, "audio is empty"),
        ("transcribe", {"audio": "data:text/plain,hello"}, "audio is not a data: URL in base64"),
        ("transcribe", {"audio": "aGVsbG8="}, "audio: 5 bytes is not a sound file"),
        ("transcribe", {"audio": {"type": "audio", "data": 5}}, "transcribe cannot take these arguments"),
        ("audio_search", {}, "give a description, audio, or both"),
        ("audio_search", {"description": "x", "limit": 0}, "limit: Input should be greater than or equal to 1"),
        ("audio_search", {"description": "x" * 1_001}, "description: "),
    ],
)
async def test_bad_calls_are_answered_in_one_line(
    server: Running, tool: str, arguments: dict[str, Any], words: str
) -> None:
    async with over_http(server) as client:
        assert words in problem(await client.call_tool(tool, arguments))


async def test_an_unknown_tool_is_an_error_of_the_protocol(server: Running) -> None:
    async with over_http(server) as client:
        with pytest.raises(MCPError, match="there is no tool 'sing'; there are audio_search"):
            await client.call_tool("sing", {})


async def test_a_private_voice_is_found_with_its_own_key_only(server: Running) -> None:
    wanted = {"description": "a purple dinosaur"}
    async with over_http(server) as owner, over_http(server, OTHER_KEY) as other:
        assert [one["voice"]["id"] for one in facts(await owner.call_tool("audio_search", wanted))["matches"]] == [
            "mine"
        ]
        assert facts(await other.call_tool("audio_search", wanted))["matches"] == []
        assert facts(await owner.call_tool("speak", {"text": "hi", "voice": "mine"}))["voice"]["id"] == "mine"
        assert "no such voice" in problem(await other.call_tool("speak", {"text": "hi", "voice": "mine"}))


async def test_a_voice_that_is_revoked_is_found_and_spoken_in_no_more(folder: Path, tmp_path: Path) -> None:
    library = VoiceLibrary(shutil.copytree(folder, tmp_path / "voices"))
    with running_server(Agent(Rehearsed(), voices=VoiceSearch(library)), ServerSettings()) as server:
        async with over_http(server) as client:
            assert facts(await client.call_tool("speak", {"text": "hi", "voice": "walter"}))
            library.revoke("walter")
            assert "no such voice" in problem(await client.call_tool("speak", {"text": "hi", "voice": "walter"}))
            found = await client.call_tool("audio_search", {"description": "Walter", "with_reference": True})
            assert "walter" not in str(facts(found)) and not sounds(found)


@pytest.mark.parametrize("mode", MODES)
async def test_a_call_that_is_cancelled_over_http_stops_the_work(server: Running, mode: str) -> None:
    async with over_http(server, mode=mode) as client:
        calling = asyncio.create_task(client.call_tool("speak", {"text": "long"}))
        await asyncio.to_thread(until, lambda: MODEL.running == 1, 5)
        calling.cancel()
        await asyncio.to_thread(until, lambda: MODEL.running == 0, 2)
        await asyncio.to_thread(until, lambda: server.state.limits.sessions == 0, 2)


async def test_calls_beyond_the_places_wait_and_those_beyond_the_line_are_refused() -> None:
    agent, bounds = Agent(Mouth()), Bounds(at_once=1, waiting=2)

    @asynccontextmanager
    async def desk(_: Any) -> AsyncGenerator[Desk, None]:
        yield Desk(agent.setup, bounds)

    async with Client(audio_server(desk, bounds)) as client:
        first = asyncio.create_task(client.call_tool("speak", {"text": "long"}))
        waiting = [asyncio.create_task(client.call_tool("speak", {"text": "hi"})) for _ in range(2)]
        await asyncio.sleep(0.1)
        assert problem(await client.call_tool("speak", {"text": "hi"})).startswith("2 calls are waiting already")
        first.cancel()
        assert all(facts(one) for one in await asyncio.gather(*waiting))


async def test_a_call_that_takes_too_long_ends() -> None:
    agent, bounds = Agent(model := Mouth()), Bounds(call_s=0.1)

    @asynccontextmanager
    async def desk(_: Any) -> AsyncGenerator[Desk, None]:
        yield Desk(agent.setup, bounds)

    async with Client(audio_server(desk, bounds)) as client:
        assert "the call took longer than" in problem(await client.call_tool("speak", {"text": "long"}))
    assert model.running == 0


async def test_a_key_may_make_as_many_calls_at_once_as_the_settings_say(server: Running) -> None:
    async with over_http(server) as client:
        running = [asyncio.create_task(client.call_tool("speak", {"text": "long"})) for _ in range(2)]
        await asyncio.to_thread(until, lambda: MODEL.running == 2, 5)
        assert "2 answers and conversations of this key run already" in problem(
            await client.call_tool("speak", {"text": "hi"})
        )
        async with over_http(server, OTHER_KEY) as other:
            assert facts(await other.call_tool("speak", {"text": "hi"}))
        for one in running:
            one.cancel()
        await asyncio.to_thread(until, lambda: MODEL.running == 0, 2)


def test_http_needs_a_key_and_the_address_of_the_server(server: Running) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    accept = {"accept": "application/json, text/event-stream"}
    key = {"authorization": f"Bearer {KEY}"}
    assert httpx2.post(f"{server.url}/mcp", json=body, headers=accept).status_code == 401
    foreign = {**accept, **key, "origin": "https://evil.example"}
    assert httpx2.post(f"{server.url}/mcp", json=body, headers=foreign).status_code == 403
    large = httpx2.post(f"{server.url}/mcp", content=b"x" * 32_000_001, headers={**accept, **key})
    assert large.status_code == 413


def test_a_session_belongs_to_the_key_that_began_it(server: Running) -> None:
    def post(key: str, message: dict[str, Any], **more: str) -> httpx2.Response:
        headers = {"accept": "application/json, text/event-stream", "authorization": f"Bearer {key}", **more}
        return httpx2.post(f"{server.url}/mcp", json={"jsonrpc": "2.0", **message}, headers=headers)

    opening = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    session = post(KEY, {"id": 1, "method": "initialize", "params": opening}).headers["mcp-session-id"]
    listing = {"id": 2, "method": "tools/list"}
    assert post(OTHER_KEY, listing, **{"mcp-session-id": session}).status_code == 404
    assert post(KEY, listing, **{"mcp-session-id": session}).status_code == 200


async def test_an_agent_uses_another_as_its_tool(server: Running) -> None:
    headers = {"authorization": f"Bearer {KEY}"}
    with McpServer(f"{server.url}/mcp", headers=headers, prefix="other_") as other:
        tools = await asyncio.to_thread(other.tools)
        model = scripted(calls(("other_speak", {"text": "one two", "voice": "a deep old man"})), "Done.")
        reply = await Agent(model, tools=tools).run("Say it in another voice.")
    (run,) = reply.tool_calls
    assert '"id":"walter"' in run.result.text
    assert run.result.audio is not None and run.result.audio.duration == pytest.approx(0.6, abs=0.1)


@pytest.mark.system
def test_an_interrupt_ends_the_process_although_it_waits_for_input(folder: Path, tmp_path: Path) -> None:
    served = program(folder, tmp_path / "notes")
    process = subprocess.Popen(
        [served.command, *served.args], env=served.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    opening = b'{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}'
    process.stdin.write(b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":' + opening + b"}\n")
    process.stdin.flush()
    assert process.stdout.readline().startswith(b'{"jsonrpc":"2.0"')
    process.send_signal(signal.SIGINT)
    process.wait(20)
    assert process.stdout.read() == b"" and b"loading" in process.stderr.read()
    assert (tmp_path / "notes").read_text() == "closed\n"
    for pipe in (process.stdin, process.stdout, process.stderr):
        pipe.close()


def test_a_server_stops_while_a_client_listens(folder: Path) -> None:
    with running_server(Agent(Rehearsed()), ServerSettings()) as server, httpx2.Client() as http:
        headers = {"accept": "application/json, text/event-stream"}
        opening = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": opening}
        session = http.post(f"{server.url}/mcp", json=message, headers=headers).headers["mcp-session-id"]
        listening = {"accept": "text/event-stream", "mcp-session-id": session}
        with http.stream("GET", f"{server.url}/mcp", headers=listening) as stream:
            assert stream.status_code == 200
            server.state.drain.begin()
            assert b"".join(stream.iter_bytes()) == b""


@pytest.mark.system
async def test_the_command_serves_tools_over_http_and_nothing_else() -> None:
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "agentaudio", "mcp", "--http", "127.0.0.1:0", "--model", "scripted"],
        env=os.environ | {"AGENTAUDIO_SERVER_KEYS": KEY}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = await asyncio.to_thread(process.stdout.readline)
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert found and "/mcp" in line, line
        key = {"authorization": f"Bearer {KEY}"}
        async with httpx2.AsyncClient(headers=key, base_url=found[0], timeout=30) as http:
            async with Client(streamable_http_client(f"{found[0]}/mcp", http_client=http)) as client:
                assert facts(await client.call_tool("speak", {"text": "hi"}))["voice"] is None
            assert (await http.get("/healthz")).status_code == 200
            assert {(await http.get(path)).status_code for path in ("/v1/models", "/")} == {404}
            assert (await http.post("/mcp", headers={"authorization": "Bearer wrong"})).status_code == 401
    finally:
        process.terminate()
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0 and errors == ""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--http", "8000"), "give HOST:PORT, such as 127.0.0.1:8000"),
        (("--http", "0.0.0.0:0"), "can be reached from other machines, and no key is set"),
        (("--key", KEY), "--key and --log are for --http"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    options: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AGENTAUDIO_SERVER_KEYS", raising=False)
    with pytest.raises(SystemExit) as ended:
        main(["mcp", "--model", "scripted", *options])
    assert ended.value.code == 1 and words in capsys.readouterr().err
