"""User data of a session: what its tools read as `RunContext.deps`."""

from __future__ import annotations

import asyncio
import typing
from dataclasses import dataclass
from typing import Any, Protocol

import pytest
from support.models import calls, scripted

from agentaudio import Agent, RunContext, Tool, tool
from agentaudio.errors import OptionError


@dataclass
class Customer:
    name: str
    orders: int = 0


class Vip(Customer):
    pass


class Named(Protocol):
    name: str


@tool
def order(context: RunContext[Customer]) -> str:
    """Order something."""
    context.deps.orders += 1
    return f"ordered for {context.deps.name}"


def agent(*tools: Tool) -> Agent:
    return Agent(scripted(calls(*((one.name, {}) for one in tools)), "Done."), tools=tools)


async def test_a_tool_reads_and_changes_the_data_of_its_session() -> None:
    made, ann, ben = agent(order), Customer("Ann"), Vip("Ben")
    sessions = [made.session(deps=one) for one in (ann, ben)]
    replies = await asyncio.gather(*(session.run("order") for session in sessions))
    assert [reply.tool_calls[0].result.text for reply in replies] == ["ordered for Ann", "ordered for Ben"]
    assert (ann.orders, ben.orders) == (1, 1)


async def test_data_may_be_given_for_one_turn_in_a_new_conversation() -> None:
    made, ann = agent(order), Customer("Ann")
    await made.run("order", deps=ann)
    async for _ in made.stream("order", deps=ann):
        pass
    await asyncio.to_thread(made.run_sync, "order", deps=ann)
    assert ann.orders == 3


@pytest.mark.parametrize(("given", "named"), [(None, "NoneType"), ("Ann", "str"), (Customer, "type"), ({}, "dict")])
def test_data_of_another_class_is_refused_before_the_turn(given: Any, named: str) -> None:
    message = rf"tool 'order' takes a RunContext\[Customer\], but the session's deps is {named}; give one"
    with pytest.raises(OptionError, match=message):
        agent(order).session(deps=given)
    with pytest.raises(OptionError, match=message):
        agent(order).run_sync("order", deps=given)


@pytest.mark.parametrize(
    "annotation",
    [RunContext, RunContext[Any], RunContext[Customer | None], RunContext[Named], RunContext[dict[str, int]]],
)
async def test_data_that_is_not_of_a_class_is_not_checked(annotation: Any) -> None:
    def look(context: RunContext) -> str:
        return str(context.deps)

    look.__annotations__["context"] = annotation
    made = agent(tool(look))
    assert (await made.run("look")).tool_calls[0].result.text == "None"
    assert (await made.run("look", deps={"a": 1})).tool_calls[0].result.text == "{'a': 1}"


def test_the_data_is_not_an_argument_of_the_model() -> None:
    assert order.parameters["properties"] == {} and order.deps is Customer
    assert typing.get_type_hints(order.function)["context"] == RunContext[Customer]
