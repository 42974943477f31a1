"""The embedded engine's mind in conversation: whole agents with real tools, in text."""

from __future__ import annotations

import pytest

from agentaudio import Agent, tool
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


@pytest.fixture(scope="module")
def agent() -> Agent:
    return Agent(
        Cascade(None, RouterChat(), None), tools=["search_documents", "calculate", water_level], documents="demo"
    )


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
