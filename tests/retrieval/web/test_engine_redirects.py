"""Search engines are asked through the guard: a redirect takes no key elsewhere and reaches no private address."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from support.local_http import local_server

from agentaudio.retrieval.web.providers import Brave, SearchEngine, SearXNG, Tavily
from agentaudio.retrieval.web.refusal import EngineError

ENGINES: dict[str, Callable[[str], SearchEngine]] = {
    "/search?q=x&format=json&safesearch=1": lambda url: SearXNG(url),
    "/search": lambda url: Tavily("t0psecret", url=url),
    "/res/v1/web/search?q=x&count=3": lambda url: Brave("t0psecret", url=url),
}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("path", ENGINES)
def test_a_redirect_to_another_private_service_is_refused(path: str, status: int) -> None:
    with local_server() as server, local_server() as other:
        for place in (path, path.partition("?")[0]):
            server.answers[place] = (status, {"location": f"{other.url}/admin"}, b"")
        with pytest.raises(EngineError, match="is refused|redirects a POST"):
            asyncio.run(ENGINES[path](server.url).search("x", 3))
        assert len(server.asked) == 1 and other.asked == []


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/", "http://10.0.0.1/", "http://[::1]:1/", "file:///etc/passwd"]
)
def test_a_redirect_out_of_the_public_internet_is_refused(target: str) -> None:
    with local_server() as server:
        for place in ("/search", "/search?q=x&format=json&safesearch=1"):
            server.answers[place] = (302, {"location": target}, b"")
        with pytest.raises(EngineError, match="is refused"):
            asyncio.run(SearXNG(server.url).search("x", 3))
