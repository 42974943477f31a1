"""The web tools, called as an agent calls them, against a local server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from support.local_http import LocalServer, local_server

from agentaudio import Agent, RunContext
from agentaudio.conversation import Conversation
from agentaudio.errors import OptionError, RefusedAddress, ToolError
from agentaudio.http import Guard
from agentaudio.model.scripted import Scripted, ScriptStep
from agentaudio.resources import Resources
from agentaudio.retrieval.web.engines import Engines
from agentaudio.retrieval.web.fetch import Fetcher
from agentaudio.retrieval.web.providers import SearXNG
from agentaudio.retrieval.web.web import Web
from agentaudio.tools.builtin.read_page import make_read_page, read_page
from agentaudio.tools.builtin.web_search import make_web_search, web_search

CONTEXT = RunContext(Conversation())
TEXT = b"The oldest bell of the museum was cast in 1422.\n\nIt weighs four tons."


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with local_server() as made:
        made.answers["/bells"] = (200, {"content-type": "text/plain"}, TEXT)
        found = f'{{"results": [{{"url": "{made.url}/bells", "title": "Bells", "content": "About bells"}}]}}'
        made.answers["/search"] = (200, {}, found.encode())
        yield made


@pytest.fixture
def web(server: LocalServer) -> Web:
    return Web(Engines([SearXNG(server.url)]), fetcher=Fetcher(Guard(frozenset({f"127.0.0.1:{server.port}"}))))


def test_a_web_search_returns_passages_with_sources(web: Web, server: LocalServer) -> None:
    steps: list[ScriptStep] = [
        {"calls": [{"name": "web_search", "arguments": {"query": "oldest bell"}}]},
        "It was cast in 1422.",
    ]
    reply = asyncio.run(Agent(Scripted(steps), tools=[make_web_search(web)]).run("How old is the oldest bell?"))
    assert reply.tool_calls[0].status == "done"
    assert "> The oldest bell of the museum was cast in 1422." in reply.tool_calls[0].result.text
    assert f"{server.url}/bells" in [item.source for item in reply.citations]


def test_a_page_is_read_by_url(web: Web, server: LocalServer) -> None:
    read = make_read_page(web, attribute=True)
    result = asyncio.run(read.call(CONTEXT, {"url": f" {server.url}/bells ", "question": "weight in tons"}))
    assert [p.text for p in result.passages] == ["It weighs four tons."]
    assert result.text.endswith("which of these sources your answer comes from.")
    whole = asyncio.run(read.call(CONTEXT, {"url": f"{server.url}/bells"}))
    assert len(whole.passages) == 2


def test_a_search_without_results_is_reported(web: Web, server: LocalServer) -> None:
    server.answers["/search"] = (200, {}, b'{"results": []}')
    result = asyncio.run(make_web_search(web).call(CONTEXT, {"query": "xyzzy"}))
    assert result.text == "The web search found nothing about 'xyzzy'." and result.passages == ()


def test_private_addresses_cannot_be_read() -> None:
    steps: list[ScriptStep] = [
        {"calls": [{"name": "read_page", "arguments": {"url": "http://169.254.169.254/"}}]},
        "I cannot.",
    ]
    reply = asyncio.run(Agent(Scripted(steps), tools=[read_page]).run("Read me the secrets."))
    assert reply.tool_calls[0].status == "failed"
    assert "not an address of the public internet" in reply.tool_calls[0].result.text
    context = Resources(None, None).context(Conversation(), None)
    with pytest.raises(RefusedAddress):
        asyncio.run(read_page.call(context, {"url": "http://localhost:8080/admin"}))


def test_invalid_settings_are_reported_at_the_first_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTAUDIO_WEB_SEARCH", "gogle")
    context = Resources(None, None).context(Conversation(), None)
    with pytest.raises(OptionError, match="AGENTAUDIO_WEB_SEARCH names 'gogle'"):
        asyncio.run(web_search.call(context, {"query": "x"}))


def test_each_agent_reads_the_environment_separately(monkeypatch: pytest.MonkeyPatch, server: LocalServer) -> None:
    def agent() -> Resources:
        return Resources(None, None)

    monkeypatch.setenv("AGENTAUDIO_WEB_SEARCH", "gogle")
    with pytest.raises(OptionError):
        agent().web()
    monkeypatch.setenv("AGENTAUDIO_WEB_SEARCH", "searxng")
    monkeypatch.setenv("SEARXNG_URL", server.url)
    first = agent()
    assert first.web() is first.web() and agent().web() is not first.web()


def test_without_an_agent_the_tools_need_their_own_web() -> None:
    with pytest.raises(ToolError, match="make the tool with a Web of its own"):
        asyncio.run(web_search.call(CONTEXT, {"query": "x"}))
