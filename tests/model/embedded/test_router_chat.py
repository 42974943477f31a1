"""The embedded engine's mind in conversation: whole agents with real tools, in text."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from agentaudio import Agent, Session, tool
from agentaudio.model.cascade.cascade import Cascade
from agentaudio.model.embedded.router_chat import RouterChat

pytest.importorskip("onnxruntime", reason="needs the extra 'embedded'")


@tool
def water_level(river: str) -> str:
    """How high the water of a river stands.

    Args:
        river: such as "rhine"
    """
    return f"The {river} stands at three meters."


@tool
def lamp(room: str, state: Literal["on", "off"]) -> str:
    """Switch the lamp in a room on or off.

    Args:
        room: the room, such as "kitchen"
        state: whether the lamp should be on or off
    """
    return f"The lamp in the {room} is {state}."


@pytest.fixture(scope="module")
def agent() -> Agent:
    return Agent(
        Cascade(None, RouterChat(), None),
        tools=["search_documents", "calculate", "get_date_time", water_level, lamp],
        documents="demo",
    )


async def _calls(session: Session, request: str) -> list[tuple[str, dict[str, Any]]]:
    return [(run.call.name, dict(run.call.arguments)) for run in (await session.run(request)).tool_calls]


async def test_an_exchange_goes_on_from_what_was_said(agent: Agent) -> None:
    session = agent.session()
    assert "42" in (await session.run("what is 6 times 7")).text
    assert "47" in (await session.run("plus 5")).text
    assert "94" in (await session.run("and times 2")).text
    assert "94" in (await session.run("say that again, please")).text
    reply = await session.run("how high is the water of the rhine")
    assert "rhine" in reply.text.lower()
    reply = await session.run("and the danube?")
    assert [run.call.arguments for run in reply.tool_calls] == [{"river": "danube"}]


async def test_a_pronoun_stands_for_the_topic(agent: Agent) -> None:
    session = agent.session()
    await session.run("tell me about the great wall of china")
    reply = await session.run("how long is it?")
    assert reply.citations and reply.citations[0].source == "great-wall-length.md" and "21,000" in reply.text


async def test_what_it_cannot_do_is_said(agent: Agent) -> None:
    for request in ("order a pizza for me", "sing me a song"):
        reply = await agent.run(request)
        assert reply.tool_calls == () and "Is there anything" not in reply.text
    assert "英语" in (await agent.run("长城有多长")).text


async def test_a_correction_changes_what_it_corrects(agent: Agent) -> None:
    session = agent.session()
    assert await _calls(session, "Switch off the lamp in the bedroom.") == [
        ("lamp", {"room": "bedroom", "state": "off"})
    ]
    assert await _calls(session, "No, the living room.") == [("lamp", {"room": "living room", "state": "off"})]
    assert await _calls(session, "The bathroom too, please.") == [("lamp", {"room": "bathroom", "state": "off"})]
    session = agent.session()
    await session.run("What time is it in Boston?")
    assert await _calls(session, "I said Bangkok.") == [("get_date_time", {"timezone": "Asia/Bangkok"})]
    assert await _calls(session, "And here?") == [("get_date_time", {})]


async def test_a_question_of_the_agent_is_answered_or_dropped(agent: Agent) -> None:
    session = agent.session()
    assert "room" in (await session.run("turn off the lamp")).text
    assert await _calls(session, "in the kitchen") == [("lamp", {"room": "kitchen", "state": "off"})]
    session = agent.session()
    await session.run("turn off the lamp")
    assert (await session.run("Never mind.")).text == "All right."
    assert await _calls(session, "in the kitchen") == []
    session = agent.session()
    await session.run("turn off the lamp")
    assert await _calls(session, "Hello?") == []


async def test_the_answer_to_a_question_can_be_the_topic(agent: Agent) -> None:
    session = agent.session()
    await session.run("what is the largest planet")
    assert "ten hours" in (await session.run("How long is a day there?")).text
    await session.run("How many moons does Mars have?")
    assert "Phobos" in (await session.run("What are they called?")).text


async def test_wishes_about_the_answer_itself(agent: Agent) -> None:
    session = agent.session()
    await session.run("what is 6 times 7")
    for request in ("You are talking too fast.", "Can you speak louder?", "slower please"):
        reply = await session.run(request)
        assert reply.text.startswith("I will speak") and "42" in reply.text
    assert "84" in (await session.run("Double that.")).text
    assert "I cannot help with that" in (await session.run("Order me a pizza.")).text
    assert (await session.run("Why not?")).text.startswith("I have no tool for that.")
    assert (await session.run("I like London.")).tool_calls == ()
    assert "English only" in (await session.run("Do you speak Spanish?")).text
