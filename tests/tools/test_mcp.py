"""Tools of an MCP server that runs in a separate process."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentaudio import Agent, RunContext, Tool
from agentaudio.conversation import Conversation
from agentaudio.errors import MissingExtra, OptionError, ToolArgumentError, ToolError
from agentaudio.model.scripted import Scripted

try:
    from agentaudio.tools import mcp_connection
    from agentaudio.tools.mcp import McpServer
except MissingExtra as missing:
    pytest.skip(str(missing), allow_module_level=True)

PROGRAM = Path(__file__).parents[1] / "support" / "museum_server.py"
COMMAND = [sys.executable, str(PROGRAM)]
CONTEXT = RunContext(Conversation())


def environment(folder: Path) -> dict[str, str]:
    notes = folder / "notes.txt"
    notes.touch()
    return {"MUSEUM_NOTES": str(notes), "PYTHONPATH": str(PROGRAM.parents[1])}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("museum")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[McpServer]:
    with McpServer(COMMAND, env=environment(folder)) as running:
        yield running


@pytest.fixture
def tools(server: McpServer) -> dict[str, Tool]:
    return {one.name: one for one in server.tools()}


def call(one: Tool, context: RunContext = CONTEXT, **arguments: Any) -> Any:
    return asyncio.run(one.call(context, arguments))


def notes(folder: Path) -> list[str]:
    return (folder / "notes.txt").read_text().split("\n")


def test_a_servers_tools_become_tools_with_their_schemas(tools: dict[str, Tool]) -> None:
    assert set(tools) == {"hours", "guide", "walk", "stay", "refuse", "fire_alarm", "flicker"}
    hours = tools["hours"]
    assert hours.description == "When a museum is open."
    assert hours.parameters["required"] == ["museum"]
    assert hours.parameters["properties"]["day"]["type"] == "integer"
    assert (hours.idempotent, tools["flicker"].idempotent) == (False, True)
    assert call(hours, museum="The Louvre").text == "The Louvre is open on day 1."


def test_an_agent_calls_server_tools_in_several_turns(tools: dict[str, Tool]) -> None:
    step = {"calls": [{"name": "hours", "arguments": {"museum": "It", "day": n}} for n in (1, 2)]}
    agent = Agent(Scripted([step, "Thanks."], loop=True), tools=[tools["hours"]])
    for _ in range(2):  # each in a new event loop
        reply = agent.run_sync("when")
        assert [run.result.text for run in reply.tool_calls] == ["It is open on day 1.", "It is open on day 2."]


def programs() -> list[int]:
    """Process ids of the museum servers that this process started."""
    return [int(file.parent.name) for file in children() if "museum_server" in file.read_text().replace("\0", " ")]


def test_one_connection_serves_the_turns_of_run_sync_and_of_other_loops(tools: dict[str, Tool]) -> None:
    agent = Agent(Scripted([{"calls": [{"name": "hours", "arguments": {"museum": "It"}}]}, "Thanks."], loop=True),
                  tools=[tools["hours"]])  # fmt: skip
    agent.run_sync("when")
    (before,) = programs()
    agent.run_sync("when")
    asyncio.run(agent.run("when"))
    assert programs() == [before]


ACROSS_A_FORK = """
import asyncio, os, sys, warnings
from agentaudio import RunContext
from agentaudio.conversation import Conversation
from agentaudio.tools.mcp import McpServer

warnings.simplefilter("ignore", DeprecationWarning)
server = McpServer([sys.executable, sys.argv[1]], env={"MUSEUM_NOTES": sys.argv[2], "PYTHONPATH": sys.argv[3]})
(hours,) = [tool for tool in server.tools() if tool.name == "hours"]

def ask():
    return asyncio.run(hours.call(RunContext(Conversation()), {"museum": "It"})).text

print(ask(), flush=True)
child = os.fork()
print("child" if child == 0 else "parent", os.waitpid(child, 0)[1] if child else "", ask(), flush=True)
"""


@pytest.mark.system
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_process_opens_its_own_connection(folder: Path) -> None:
    environ = environment(folder)
    command = [sys.executable, "-c", ACROSS_A_FORK, str(PROGRAM), environ["MUSEUM_NOTES"], environ["PYTHONPATH"]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    answer = "It is open on day 1."
    assert (done.stdout.splitlines(), done.stderr) == ([answer, f"child  {answer}", f"parent 0 {answer}"], "")


def test_sound_is_kept_and_images_are_dropped(tools: dict[str, Tool]) -> None:
    result = call(tools["guide"], kind="sound")
    assert result.text == "Listen.\n[image left out]"
    assert result.audio is not None and result.audio.duration == 1.0
    broken = call(tools["guide"], kind="noise")
    assert broken.audio is None and "[a sound was left out: " in broken.text


def test_progress_is_passed_on(tools: dict[str, Tool]) -> None:
    reported: list[tuple[str, float | None]] = []
    context = RunContext(Conversation(), progress=lambda message, share: reported.append((message, share)))
    assert call(tools["walk"], context).text == "seen"
    assert reported == [("room 1", 1 / 3), ("room 2", 2 / 3), ("room 3", 1.0)]


def test_the_model_reads_errors_of_the_server(tools: dict[str, Tool]) -> None:
    with pytest.raises(ToolError, match="closed on Mondays"):
        call(tools["refuse"])
    with pytest.raises(ToolError, match="valid integer"):
        call(tools["hours"], museum="x", day="someday")
    with pytest.raises(ToolArgumentError, match="museum: Field required"):
        call(tools["hours"])


def test_cancelling_a_call_reaches_the_server(tools: dict[str, Tool], folder: Path) -> None:
    async def give_up() -> None:
        running = asyncio.create_task(tools["stay"].call(CONTEXT, {}))
        async with asyncio.timeout(10):
            while "stays" not in notes(folder):
                await asyncio.sleep(0.01)
            running.cancel()
            await asyncio.wait([running])
            while "cancelled" not in notes(folder):
                await asyncio.sleep(0.01)

    asyncio.run(give_up())
    assert call(tools["hours"], museum="It").text == "It is open on day 1."


@pytest.mark.system
def test_a_server_that_hangs_is_restarted(tools: dict[str, Tool], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcp_connection, "IDLE_S", 0.0)
    monkeypatch.setattr(mcp_connection, "CHECK_TIMEOUT_S", 0.5)
    assert call(tools["hours"], museum="It").text == "It is open on day 1."
    (hung,) = programs()
    os.kill(hung, signal.SIGSTOP)
    assert call(tools["hours"], museum="It").text == "It is open on day 1."


def children() -> list[Path]:
    """Command lines of the child processes, from /proc."""
    if not Path("/proc/self").exists():
        pytest.skip("finds the server in /proc")
    tasks = Path("/proc/self/task").glob("*/children")
    pids = {pid for task in tasks for pid in task.read_text().split()}
    return [file for pid in pids if (file := Path(f"/proc/{pid}/cmdline")).exists()]


@pytest.mark.system
def test_a_server_that_exits_is_restarted(tools: dict[str, Tool], folder: Path) -> None:
    with pytest.raises(ToolError, match="was lost; it is unknown whether fire.alarm was carried out"):
        call(tools["fire_alarm"])
    assert call(tools["hours"], museum="It").text == "It is open on day 1."
    assert notes(folder).count("alarm") == 1

    async def several() -> list[Any]:
        calls = [tools["stay"].call(CONTEXT, {}) for _ in range(3)]
        return await asyncio.gather(*calls, tools["fire_alarm"].call(CONTEXT, {}), return_exceptions=True)

    assert all(isinstance(ended, ToolError) for ended in asyncio.run(several()))
    assert call(tools["hours"], museum="It").text == "It is open on day 1."
    agent = Agent(Scripted([{"calls": [{"name": "flicker"}]}, "Ah."]), tools=[tools["flicker"]])
    (run,) = agent.run_sync("light").tool_calls
    assert (run.status, run.result.text) == ("done", "light")


@pytest.mark.system
def test_an_http_server_is_filtered_and_reconnected(folder: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def start() -> subprocess.Popen[bytes]:
        environ = os.environ | environment(folder)
        process = subprocess.Popen([*COMMAND, str(port)], env=environ, stderr=subprocess.DEVNULL)
        for _ in range(1_000):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return process
            time.sleep(0.01)
        raise AssertionError("the server does not start")

    process = start()
    url = f"http://127.0.0.1:{port}/mcp"
    with McpServer(url, include=["h*", "fire*", "walk"], exclude=["wa*"], prefix="m-") as server:
        try:
            tools = {one.name.removeprefix("m-"): one for one in server.tools()}
            assert set(tools) == {"hours", "fire_alarm"}
            assert call(tools["hours"], museum="It").text == "It is open on day 1."
            with pytest.raises(ToolError, match="was lost"):
                call(tools["fire_alarm"])
            process.wait(10)
            with pytest.raises(ToolError, match="cannot be reached"):
                call(tools["hours"], museum="It")
            process = start()
            assert call(tools["hours"], museum="It").text == "It is open on day 1."
        finally:
            process.kill()
            process.wait()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["/nowhere/program"], "program cannot be reached: .*No such file"),
        ([sys.executable, "-c", "import sys; sys.exit('no licence')"], "cannot be reached: no licence"),
        ("http://127.0.0.1:1/mcp", "http://127.0.0.1:1/mcp cannot be reached"),
    ],
)
def test_the_reason_is_given_when_a_server_cannot_be_reached(command: str | list[str], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        McpServer(command).tools()


def test_a_server_needs_a_command_or_a_url() -> None:
    with pytest.raises(OptionError, match="needs a URL"):
        McpServer([])
