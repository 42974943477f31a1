"""What can be hashed, copied and written as JSON, what cannot and says so, and where agents run."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
import sys
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter

from agentaudio import Agent, Reply, tool
from agentaudio.errors import OptionError
from agentaudio.events import Event
from agentaudio.model.scripted import Scripted
from agentaudio.portal import portal

CALL = {"calls": [{"name": "roll", "arguments": {"sides": 6}}]}


@tool
def roll(sides: int) -> str:
    """Roll a die."""
    return "a three"


def agent() -> Agent:
    return Agent(Scripted([CALL, "A three."], loop=True), tools=[roll], voices="demo", voice="ruby")


async def events_of(agent: Agent) -> list[Event]:
    return [event async for event in agent.stream("roll a die")]


async def test_replies_calls_and_events_have_a_hash_that_agrees_with_equality() -> None:
    reply = await agent().run("roll a die")
    for value in (reply, reply.tool_calls[0], reply.tool_calls[0].call, *await events_of(agent())):
        twin = copy.deepcopy(value)
        assert twin == value and hash(twin) == hash(value) and {value, twin} == {value}
    assert replace(reply, usage={"tokens": 1}) != reply and replace(reply, text="") not in {reply}


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps])
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (agent, "Agent objects can be neither copied nor pickled; share it, as each session is separate"),
        (lambda: agent().session(), "Session objects can be neither .*save_conversation"),
        (lambda: {"one": agent()}, "Agent objects"),
    ],
)
def test_what_cannot_be_copied_says_so(make: Callable[[], Any], words: str, duplicate: Callable[[Any], object]) -> None:
    if duplicate is copy.copy and isinstance(made := make(), dict):
        assert copy.copy(made) == made
        return
    with pytest.raises(TypeError, match=words):
        duplicate(make())


def test_a_copy_of_a_tool_is_the_tool_and_pickling_one_says_what_to_do() -> None:
    assert copy.copy(roll) is roll and copy.deepcopy([roll])[0] is roll
    with pytest.raises(TypeError, match="Tool objects .*make it again there, from its function, file or server"):
        pickle.dumps(roll)
    assert replace(roll, name="dice").name == "dice"


class Envelope(BaseModel):
    number: int
    reply: Reply


async def test_pydantic_writes_a_reply_and_an_event_in_their_plain_form() -> None:
    reply = await agent().run("roll a die")
    assert json.loads(TypeAdapter(Reply).dump_json(reply)) == json.loads(json.dumps(reply.to_dict()))
    assert Envelope(number=1, reply=reply).model_dump(mode="json") == {"number": 1, "reply": reply.to_dict()}
    assert TypeAdapter(list[Reply]).validate_python([reply])[0] is reply
    assert TypeAdapter(Reply).json_schema(mode="serialization") == {"title": "Reply", "type": "object"}
    for event in await events_of(agent()):
        assert TypeAdapter(Event).dump_python(event, mode="json") == event.to_dict()


async def asked(app: Any, path: str) -> tuple[int, bytes]:
    """The status and body of an ASGI application's answer."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"", "headers": [],
        "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "root_path": "",
        "server": ("test", 80), "client": ("test", 1),
    }  # fmt: skip
    await app(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


async def test_fastapi_returns_a_reply() -> None:
    fastapi = pytest.importorskip("fastapi", reason="not a dependency")
    app, one = fastapi.FastAPI(), agent()

    async def ask() -> Reply:
        return await one.run("roll a die")

    app.get("/ask")(ask)
    status, body = await asked(app, "/ask")
    assert status == 200 and json.loads(body)["text"] == "A three."
    assert (await asked(app, "/openapi.json"))[0] == 200


@pytest.mark.parametrize(
    "use",
    [
        lambda: agent().run("hi"), lambda: agent().session().run("hi"), lambda: agent().stream("hi").__anext__(),
        lambda: agent().warm_up(), lambda: agent().aclose(), lambda: agent().session().interrupt(),
        lambda: portal().call(asyncio.sleep(0)),
    ],
)  # fmt: skip
def test_outside_asyncio_agents_say_what_they_need(use: Callable[[], Any]) -> None:
    with pytest.raises(OptionError, match=r"needs asyncio, but no asyncio event loop .*asyncio\.run"):
        use().send(None)  # as another library's loop would begin it


async def test_another_library_is_named_also_where_it_runs_inside_asyncio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sniffio", SimpleNamespace(current_async_library=lambda: "curio"))
    with pytest.raises(OptionError, match="needs asyncio, but curio runs this coroutine"):
        await agent().run("hi")


def test_trio_is_refused_in_words_and_a_thread_of_it_can_ask() -> None:
    trio = pytest.importorskip("trio", reason="not a dependency")

    async def main() -> str:
        with pytest.raises(OptionError, match=r"trio runs this coroutine; .*trio\.to_thread\.run_sync"):
            await agent().run("hi")
        with pytest.raises(OptionError, match="a blocking call was made inside an event loop"):
            agent().run_sync("hi")
        return str((await trio.to_thread.run_sync(agent().run_sync, "hi")).text)

    assert trio.run(main) == "A three."
