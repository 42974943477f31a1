"""Fetching pages that are too long, too slow, compressed, mislabelled or redirected."""

from __future__ import annotations

import asyncio
import gzip
import io
from collections.abc import Awaitable, Callable, Iterator

import pytest
from support.local_http import LocalServer, local_server

from agentaudio.errors import NetworkError, RefusedAddress, RetrievalError
from agentaudio.http import Guard
from agentaudio.retrieval.documents.html import article
from agentaudio.retrieval.web.fetch import Fetcher, Page

Write = Callable[[asyncio.StreamWriter], Awaitable[None]]
HTML = {"content-type": "text/html"}


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with local_server() as made:
        yield made


def fetch(server: LocalServer, path: str = "/page", **options: object) -> Page:
    allowed = Guard(frozenset({f"127.0.0.1:{server.port}"}))
    return asyncio.run(Fetcher(allowed, **options).fetch(server.url + path))  # type: ignore[arg-type]


def fetch_stream(write: Write, **options: object) -> Page:
    """What a server sends that never says how much is to come."""

    async def both() -> Page:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await reader.readuntil(b"\r\n\r\n")
                await write(writer)
            except (ConnectionError, asyncio.IncompleteReadError):
                pass
            finally:
                writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as http:
            port = http.sockets[0].getsockname()[1]
            fetcher = Fetcher(Guard(frozenset({"127.0.0.1"})), robots=False, **options)  # type: ignore[arg-type]
            return await fetcher.fetch(f"http://127.0.0.1:{port}/")

    return asyncio.run(both())


def test_a_page_has_its_address_kind_and_charset(server: LocalServer) -> None:
    server.answers["/page"] = (200, {"content-type": 'Text/HTML; charset="ISO-8859-1"'}, b"caf\xe9")
    assert fetch(server) == Page(f"{server.url}/page", "text/html", "ISO-8859-1", b"caf\xe9")
    assert server.asked[-1].headers["user-agent"] == "agentaudio"


def test_a_stream_of_two_gigabytes_is_abandoned_early() -> None:
    sent = 0

    async def write(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n")
        while sent < 2_000_000_000:
            writer.write(b"x" * 100_000)
            await writer.drain()
            sent += 100_000

    with pytest.raises(NetworkError, match="sends more than 2000000 bytes"):
        fetch_stream(write)
    assert sent < 50_000_000  # what was under way in the sockets' buffers


def test_a_slow_drip_ends_in_time() -> None:
    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    with pytest.raises(NetworkError, match=r"took longer than 0\.3 s; try another page"):
        fetch_stream(write, time_limit_s=0.3)


def test_a_silent_server_ends_in_time() -> None:
    async def write(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    with pytest.raises(NetworkError, match=r"took longer than 0\.3 s"):
        fetch_stream(write, time_limit_s=0.3)


def test_a_gzip_bomb_is_abandoned_early(server: LocalServer) -> None:
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb") as file:
        for _ in range(200):
            file.write(b"\0" * 1_000_000)
    server.answers["/page"] = (200, {**HTML, "content-encoding": "gzip"}, packed.getvalue())
    with pytest.raises(NetworkError, match="sends more than 2000000 bytes"):
        fetch(server, robots=False)


@pytest.mark.parametrize("target", ["http://169.254.169.254/latest/meta-data/", "http://[::1]/", "http://0x7f000001/"])
def test_redirects_to_private_addresses_are_refused(server: LocalServer, target: str) -> None:
    server.answers["/page"] = (302, {"location": target}, b"")
    with pytest.raises(RefusedAddress):
        fetch(server)


def test_only_text_is_read(server: LocalServer) -> None:
    server.answers["/page"] = (200, {"content-type": "video/mp4"}, b"x" * 100)
    with pytest.raises(RetrievalError, match="sends 'video/mp4', which is not text"):
        fetch(server)
    server.answers["/page"] = (200, {}, b"<p>no kind</p>")
    assert fetch(server).kind == "text/html"
    server.answers["/page"] = (404, HTML, b"gone")
    with pytest.raises(NetworkError, match="answers 404"):
        fetch(server)


def test_robots_txt_is_obeyed_unless_it_is_turned_off(server: LocalServer) -> None:
    server.answers["/page"] = (200, HTML, b"hello")
    server.answers["/robots.txt"] = (200, {}, b"User-agent: *\nDisallow: /page\nAllow: /\n")
    with pytest.raises(RetrievalError, match=r"the robots\.txt of 127\.0\.0\.1 forbids it"):
        fetch(server)
    assert fetch(server, robots=False).body == b"hello"
    server.answers["/robots.txt"] = (503, {}, b"")
    with pytest.raises(RetrievalError, match="forbids it"):
        fetch(server)
    for status, body in [(404, b""), (403, b""), (200, b"\xff\0 nonsense"), (200, b"User-agent: other\nDisallow: /")]:
        server.answers["/robots.txt"] = (status, {}, body)
        assert fetch(server).body == b"hello"


def test_a_robots_txt_that_leads_nowhere_or_is_long_does_not_reject_the_page(server: LocalServer) -> None:
    server.answers["/page"] = (200, HTML, b"hello")
    server.answers["/gone"] = (404, {}, b"")
    for place in ("/gone", "/robots.txt", "http://10.0.0.1/robots.txt"):
        server.answers["/robots.txt"] = (301, {"location": place}, b"")
        assert fetch(server).body == b"hello"
    filler = b"# " + b"x" * 97 + b"\n"
    server.answers["/robots.txt"] = (200, {}, b"User-agent: *\nDisallow: /other\n" + filler * 8_000)
    assert fetch(server).body == b"hello"
    server.answers["/robots.txt"] = (200, {}, b"User-agent: *\nDisallow: /page\n" + filler * 8_000)
    with pytest.raises(RetrievalError, match="forbids it"):
        fetch(server)
    server.answers["/elsewhere"] = (200, {"content-type": "text/plain"}, b"User-agent: *\nDisallow: /page")
    server.answers["/robots.txt"] = (302, {"location": "/elsewhere"}, b"")
    with pytest.raises(RetrievalError, match="forbids it"):
        fetch(server)


@pytest.mark.parametrize("status", [300, 301, 304])
def test_a_redirect_without_a_place_is_not_a_page(server: LocalServer, status: int) -> None:
    server.answers["/page"] = (status, {"content-type": "image/png"}, b"")
    with pytest.raises(NetworkError, match=f"answers {status}"):
        fetch(server, robots=False)


def test_robots_txt_is_asked_for_once(server: LocalServer) -> None:
    server.answers["/a"] = server.answers["/b"] = (200, HTML, b"hello")
    fetcher = Fetcher(Guard(frozenset({"127.0.0.1"})))
    for path in ("/a", "/b"):
        asyncio.run(fetcher.fetch(server.url + path))
    assert [asked.path for asked in server.asked] == ["/robots.txt", "/a", "/b"]


def test_each_page_has_its_own_outcome(server: LocalServer) -> None:
    server.answers["/good"] = (200, HTML, b"hello")
    urls = [f"{server.url}/good", f"{server.url}/bad", "http://10.0.0.1/", "ftp://example.org/", "nonsense"]
    found = asyncio.run(Fetcher(Guard(frozenset({"127.0.0.1"}))).fetch_all(urls))
    assert [type(one) for one in found] == [Page, NetworkError, RefusedAddress, RefusedAddress, RefusedAddress]


@pytest.mark.parametrize("page", [b"", b"<", b"\0" * 1000, b"<div>" * 50_000, b"<script>alert(1)</script>", b"<!--"])
def test_pages_without_text_are_an_error(page: bytes) -> None:
    pytest.importorskip("trafilatura", reason="needs the extra 'web'")
    with pytest.raises(RetrievalError, match="has no text"):
        article(page)
