"""From a question to passages of real pages, against a local server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from support.local_http import LocalServer, local_server

from agentaudio.errors import NetworkError, RefusedAddress
from agentaudio.http import Guard
from agentaudio.retrieval.web.fetch import Fetcher
from agentaudio.retrieval.web.passage import WebPassage
from agentaudio.retrieval.web.web import MOST_EMBEDDED, Web

pytest.importorskip("trafilatura", reason="needs the extra 'web'")

HTML = {"content-type": "text/html; charset=utf-8"}
BELLS = """<html><head><title>Bells - Museum</title><meta property="og:title" content="Bells">
<meta property="article:published_time" content="2026-03-01T10:00:00Z"></head>
<body><nav><a href="/">Home</a> <a href="/shop">Shop</a></nav><article><h1>Bells</h1>
<p>A bell is an instrument of percussion, most often a hollow cup of metal that sounds when it is struck.</p>
<h2>Casting</h2><p>Large bells are cast from bronze of about seventy-eight parts copper and twenty-two parts tin,
which rings longer than any other mixture.</p><h2>Tuning</h2><p>A founder tunes a bell by taking metal off its inner
side on a lathe, until its five strongest partials are in tune with each other.</p></article>
<div class="comments"><p>Great article, I really loved reading about how bells are tuned by founders!</p></div>
<footer>Copyright of the museum</footer></body></html>"""
CLOCKS = "Clocks struck bells long before they had hands.\n\nTower clocks were wound by hand every day."


class Results:
    """An engine that knows two pages and one that is gone."""

    name = "results"

    def __init__(self, *sources: str) -> None:
        self.sources, self.asked = sources, list[str]()

    async def search(self, query: str, k: int) -> list[WebPassage]:
        self.asked.append(query)
        return [WebPassage(f"Excerpt about bells, number {n}.", f"Result {n}", source, date="2026-01-01")
                for n, source in enumerate(self.sources)]  # fmt: skip


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with local_server() as made:
        made.answers["/bells"] = (200, HTML, BELLS.encode())
        made.answers["/clocks"] = (200, {"content-type": "text/plain"}, CLOCKS.encode())
        yield made


def make_web(server: LocalServer, *paths: str) -> Web:
    fetcher = Fetcher(Guard(frozenset({f"127.0.0.1:{server.port}"})), robots=False)
    return Web(Results(*(server.url + path for path in paths)), fetcher=fetcher)


UNREADABLE = [
    "<noscript>You need to enable JavaScript to run this app.</noscript><div id=root></div>",
    "<h1>Just a moment...</h1><p>Checking your browser before accessing example.org.</p>",
    "<div>Loading…</div>",
    "<p>We and our partners use cookies to improve this site.</p><button>Accept all cookies</button>",
    "<p>Bitte aktivieren Sie JavaScript, um fortzufahren.</p>",
    "<p>请启用 JavaScript 后继续。</p>",
    "<p>Veuillez activer JavaScript.</p>",
    "<h1>Access denied</h1><p>You have been blocked.</p>",
    "<p>Verify you are human by completing the captcha below.</p>",
]


@pytest.mark.parametrize("body", UNREADABLE)
def test_a_notice_in_place_of_a_page_keeps_the_excerpt_of_the_engine(server: LocalServer, body: str) -> None:
    server.answers["/shell"] = (
        200,
        HTML,
        f"<html><head><title>Bells</title></head><body>{body}</body></html>".encode(),
    )
    found = asyncio.run(make_web(server, "/shell").search("bells"))
    assert [passage.text for passage in found] == ["Excerpt about bells, number 0."]


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ("<p>The museum opens at nine.</p>", "The museum opens at nine."),
        ("<p>We use cookies.</p><article><p>The old mill by the river was built in 1889.</p></article>",
         "The old mill by the river was built in 1889"),
        ("<article><p>" + "JavaScript is required on most pages today, and must be enabled. " * 40 + "</p></article>",
         "JavaScript is required"),
    ],
)  # fmt: skip
def test_pages_that_speak_of_scripts_and_cookies_are_read(server: LocalServer, body: str, kept: str) -> None:
    server.answers["/real"] = (200, HTML, f"<html><head><title>A</title></head><body>{body}</body></html>".encode())
    found = asyncio.run(make_web(server, "/real").read(server.url + "/real"))
    assert kept in found[0].text and "cookies" not in found[0].text


def test_passages_have_no_escapes_and_tags_and_keep_blocks(server: LocalServer) -> None:
    body = (
        "<article><h1>Wires</h1><p>Set my_var and max_len=5 for H<sub>2</sub>O, E = mc<sup>2</sup>, with *stars*, "
        "[brackets] and a &lt; b. Every wire is checked by hand, since the old ones break in winter.</p>"
        "<div>The ferry leaves at noon.</div><section><div><div><b>Toll:</b>5 euros for each car.</div></div></section>"
        "<p>Another paragraph of the same article, which has enough words to be kept.</p></article>"
    )
    server.answers["/wires"] = (200, HTML, f"<html><head><title>A</title></head><body>{body}</body></html>".encode())
    found = asyncio.run(make_web(server, "/wires").read(server.url + "/wires"))
    text = " ".join(passage.text for passage in found)
    for said in (
        "my_var",
        "max_len=5",
        "H2O",
        "mc2",
        "*stars*",
        "[brackets]",
        "a < b",
        "leaves at noon",
        "Toll: 5 euros",
    ):
        assert said in text
    assert "\\" not in text and "<s" not in text


def even(texts: Sequence[str]) -> np.ndarray:
    """An embedder to which all texts are alike."""
    even.longest = max(even.longest, len(texts))  # type: ignore[attr-defined]
    return np.full((len(texts), 4), 0.5, np.float32)


even.longest = 0  # type: ignore[attr-defined]


def test_the_best_passages_come_with_title_address_date_and_position(server: LocalServer) -> None:
    web = make_web(server, "/bells", "/clocks", "/gone")
    best = asyncio.run(web.search("how are bells tuned by a founder", 3))
    assert (best[0].title, best[0].source, best[0].date) == ("Bells: Tuning", f"{server.url}/bells", "2026-03-01")
    assert best[0].text.startswith("A founder tunes a bell") and best[0].position > 0
    assert not any("loved" in p.text or "Copyright" in p.text or "Shop" in p.text for p in best)


def test_a_page_that_cannot_be_read_is_represented_by_its_excerpt(server: LocalServer) -> None:
    best = asyncio.run(make_web(server, "/clocks", "/gone").search("excerpt about bells"))
    assert (best[0].source, best[0].date) == (f"{server.url}/gone", "2026-01-01")


def test_pages_are_fetched_once(server: LocalServer) -> None:
    web = make_web(server, "/bells")

    async def twice() -> None:
        for query in ("casting", "tuning"):
            await web.search(query)

    asyncio.run(twice())
    assert [asked.path for asked in server.asked] == ["/bells"]


def test_only_the_likeliest_passages_are_ranked_by_meaning(server: LocalServer) -> None:
    long = "\n\n".join(f"Paragraph {n} tells of bells." for n in range(200))
    server.answers["/long"] = (200, {"content-type": "text/plain"}, long.encode())
    best = asyncio.run(make_web(server, "/long", "/bells").search("paragraph 150", 3, embed=even))
    assert "Paragraph 150 tells of bells." in [p.text for p in best]
    assert even.longest <= MOST_EMBEDDED  # type: ignore[attr-defined]


def test_two_results_may_lead_to_one_page(server: LocalServer) -> None:
    server.answers["/moved"] = (301, {"location": "/clocks"}, b"")
    best = asyncio.run(make_web(server, "/clocks", "/moved").search("clocks", 5))
    assert len(best) == len({p.text for p in best})


def test_a_page_is_read_from_its_beginning_or_for_a_query(server: LocalServer) -> None:
    web = make_web(server)
    page = asyncio.run(web.read(f"{server.url}/bells", k=1))
    assert [p.title for p in page] == ["Bells"] and page[0].text.startswith("A bell is an instrument")
    asked = asyncio.run(web.read(f"{server.url}/bells", "bronze copper tin", k=1))
    assert asked[0].title == "Bells: Casting"
    with pytest.raises(NetworkError, match="answers 404"):
        asyncio.run(web.read(f"{server.url}/gone"))


@pytest.mark.parametrize("url", ["http://169.254.169.254/latest", "http://localhost/", "file:///etc/passwd", "x", ""])
def test_addresses_outside_the_public_web_are_refused(server: LocalServer, url: str) -> None:
    with pytest.raises(RefusedAddress):
        asyncio.run(make_web(server).read(url))


def test_finding_nothing_is_not_an_error(server: LocalServer) -> None:
    assert asyncio.run(make_web(server).search("anything")) == []
