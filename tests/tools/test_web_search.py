"""`ddgs` asked about a page that a real server on this machine shows."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from agentaudio.errors import RetrievalError
from agentaudio.retrieval.web.providers import Ddgs

pytest.importorskip("ddgs", reason="needs the extra 'web'")

PAGE = """<html><body><div class="result"><h2>The Great Wall</h2><a href="http://example.org/wall">x</a>
<a class="snippet">It is 21,000 kilometers long.</a></div></body></html>"""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = PAGE.encode() if "wall" in self.path else b"<html></html>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def engine() -> Iterator[str]:
    """A search engine on 127.0.0.1, registered with ddgs under a name of its own."""
    from ddgs.engines import ENGINES
    from ddgs.engines.duckduckgo import Duckduckgo

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()

    class Local(Duckduckgo):
        name = provider = "local"
        search_method = "GET"
        search_url = f"http://127.0.0.1:{server.server_address[1]}/"
        items_xpath = "//div[@class='result']"
        elements_xpath = {"title": ".//h2//text()", "href": ".//a/@href", "body": ".//a[@class='snippet']//text()"}

    ENGINES["text"]["local"] = Local
    yield "local"
    del ENGINES["text"]["local"]
    server.shutdown()
    thread.join()
    server.server_close()


def test_results_become_passages_with_their_addresses(engine: str) -> None:
    (passage,) = Ddgs(backend=engine).search("great wall", 3)
    assert (passage.title, passage.source) == ("The Great Wall", "http://example.org/wall")
    assert passage.text == "It is 21,000 kilometers long."


def test_no_results_are_an_error_that_says_what_to_do(engine: str) -> None:
    with pytest.raises(RetrievalError, match="try other words or later"):
        Ddgs(backend=engine).search("nothing", 3)
