"""`tool_choice` over the Realtime protocol: what the model is offered, what it must call, and what the client gets."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from support.realtime_agent import time_in
from support.realtime_client import Client, realtime_client
from support.server import KEY, running_server

from agentaudio import Agent
from agentaudio.conversation import Conversation, ToolCall, ToolSpec
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import CallDelta, Delta, End, GenerateOptions, ReferenceVoice
from agentaudio.server.settings import ServerSettings

DOOR = {"type": "function", "name": "door", "parameters": {"type": "object", "properties": {}}}
LAMP = {"type": "function", "name": "lamp", "parameters": {"type": "object", "properties": {}}}


class Asked(NamedTuple):
    """What a generation was given."""

    tools: set[str]
    must_call: Any


class Obedient(Scripted):
    """Calls what it must, and speaks where it need not call."""

    def __init__(self) -> None:
        super().__init__(["I speak."], loop=True)
        self.asked: list[Asked] = []

    async def generate(
        self,
        conversation: Conversation,
        *,
        tools: Sequence[ToolSpec] = (),
        voice: ReferenceVoice | None = None,
        options: GenerateOptions = GenerateOptions(),
    ) -> AsyncGenerator[Delta, None]:
        names = [tool.name for tool in tools]
        self.asked.append(Asked(set(names), options.must_call))
        if options.must_call is not None:
            name = names[-1] if options.must_call is True else options.must_call
            yield CallDelta(ToolCall(f"c{len(self.asked)}", name, {"city": "Tokyo"} if name == "time_in" else {}))
            yield End()
            return
        async for delta in super().generate(conversation, tools=tools, voice=voice, options=options):
            yield delta


class Unmade(Obedient):
    """It cannot be made to call."""

    capabilities = replace(Scripted.capabilities, options=Scripted.capabilities.options - {"must_call"})


@pytest.fixture
def model() -> Obedient:
    return Obedient()


@pytest.fixture
async def client(model: Obedient) -> AsyncGenerator[Client, None]:
    with running_server(Agent(model, tools=[time_in]), ServerSettings(keys=(KEY,))) as server:
        async with realtime_client(server.port) as found:
            await found.update(tools=[DOOR, LAMP])
            yield found


def calls(response: dict[str, Any]) -> list[str]:
    return [item["name"] for item in response["output"] if item["type"] == "function_call"]


@pytest.mark.parametrize(
    ("choice", "tools", "must_call", "called"),
    [
        ("auto", {"door", "lamp", "time_in"}, None, []),
        ("none", set(), None, []),
        ({"type": "function", "name": "lamp"}, {"lamp"}, "lamp", ["lamp"]),
        ({"type": "function", "function": {"name": "lamp"}}, {"lamp"}, "lamp", ["lamp"]),
    ],
)
@pytest.mark.parametrize("of_session", [True, False])
async def test_a_choice_is_kept_for_the_session_or_for_one_response(
    client: Client, model: Obedient, choice: Any, tools: set[str], must_call: Any, called: list[str], of_session: bool
) -> None:
    if of_session:
        shown = await client.update(tool_choice=choice)
        assert shown["tool_choice"] == ({"type": "function", "name": "lamp"} if called else choice)
    await client.write("hello")
    response = await client.responded(**({} if of_session else {"tool_choice": choice}))
    assert model.asked == [Asked(tools, must_call)]
    assert calls(response) == called and response["status"] == "completed"


async def test_required_makes_the_model_call_some_tool(client: Client, model: Obedient) -> None:
    await client.write("hello")
    response = await client.responded(tools=[LAMP], tool_choice="required")
    assert model.asked == [Asked({"lamp", "time_in"}, True)]
    assert calls(response) == [one["name"] for one in client.of("response.function_call_arguments.done")] == ["lamp"]


async def test_the_answer_to_a_result_is_spoken_after_a_call_that_one_response_required(
    client: Client, model: Obedient
) -> None:
    await client.write("hello")
    response = await client.responded(tool_choice={"type": "function", "name": "door"})
    call = next(item for item in response["output"] if item["type"] == "function_call")
    assert json.loads(call["arguments"]) == {} and call["status"] == "completed"
    await client.result(call, "open")
    spoken = await client.responded()
    assert spoken["output"][0]["content"][0]["transcript"] == "I speak."
    assert model.asked[-1].must_call is None


async def test_a_tool_of_the_server_that_must_be_called_runs_there_once(client: Client, model: Obedient) -> None:
    await client.write("hello")
    response = await client.responded(tool_choice={"type": "function", "name": "time_in"})
    assert model.asked == [Asked({"time_in"}, "time_in"), Asked({"time_in"}, None)]
    assert calls(response) == [] and response["output"][0]["content"][0]["transcript"] == "I speak."
    assert [run["call"]["name"] for run in response["agentaudio"]["tools"]] == ["time_in"]


async def test_a_choice_of_the_session_holds_for_spoken_turns(client: Client, model: Obedient) -> None:
    await client.update(tool_choice={"type": "function", "name": "lamp"})
    await client.ask()
    assert calls(await client.done()) == ["lamp"]


async def test_a_response_that_must_call_what_there_is_not_is_refused(client: Client, model: Obedient) -> None:
    await client.write("hello")
    for choice, tools in (({"type": "function", "name": "window"}, [DOOR]), ({"type": "function", "name": "door"}, [])):
        await client.send("response.create", event_id="wrong", response={"tool_choice": choice, "tools": tools})
        error = (await client.until("error"))["error"]
        assert (error["event_id"], error["param"]) == ("wrong", "response.tool_choice")
    assert not model.asked
    await client.update(tool_choice={"type": "function", "name": "window"})  # its tool may come later
    assert (await client.responded())["output"][0]["content"][0]["transcript"] == "I speak."


async def test_a_model_that_cannot_be_made_to_call_gets_the_choice_of_tools() -> None:
    model = Unmade()
    with running_server(Agent(model), ServerSettings(keys=(KEY,))) as server:
        async with realtime_client(server.port) as client:
            await client.update(tools=[DOOR, LAMP])
            await client.write("hello")
            response = await client.responded(tool_choice={"type": "function", "name": "door"})
    assert model.asked == [Asked({"door"}, None)]
    assert response["output"][0]["content"][0]["transcript"] == "I speak."
