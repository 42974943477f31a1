"""Redirects: each one is checked; credentials, cookies and bodies are not sent to other sites."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx2
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.examples import share
from support.local_http import Answer, Asked, LocalServer, local_server

from agentaudio.errors import NetworkError, RefusedAddress
from agentaudio.http import Fetched, Guard, fetch, guarded_client, parse_url

STATUSES = (301, 302, 303, 307, 308)
SECRETS = {
    "authorization": "Bearer k",
    "proxy-authorization": "Basic k",
    "cookie": "own=1",
    "x-api-key": "k",
    "x-subscription-token": "k",
    "referer": "http://ours.example/?key=k",
    "origin": "http://ours.example",
    "content-type": "text/plain",
}
HARMLESS = {"accept": "text/html", "accept-language": "de", "user-agent": "tests"}


async def resolve(host: str, port: int) -> list[str]:
    inside = {"inside.example": "10.0.0.7", "169.254.169.254": "169.254.169.254", "::1": "::1"}
    return [inside.get(host, "127.0.0.1")]


GUARD = Guard(frozenset({"ours.example", "b.ours.example"}), resolve)


def send(
    url: str, method: str = "GET", *, headers: dict[str, str] | None = None, content: bytes | None = None
) -> Fetched:
    async def go() -> Fetched:
        async with guarded_client(GUARD, timeout_s=5) as client:
            return await fetch(client, client.build_request(method, parse_url(url), headers=headers, content=content))

    return asyncio.run(go())


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with local_server() as running:
        running.answers["/end"] = (200, {}, b"the end")
        yield running


@pytest.fixture
def other_port() -> Iterator[LocalServer]:
    with local_server() as running:
        running.answers["/end"] = (200, {}, b"another port")
        yield running


def start(server: LocalServer, status: int, target: str, **headers: str) -> str:
    """The URL of a page that redirects to `target`."""
    server.answers["/start"] = (status, {"location": target, **headers}, b"")
    return f"http://ours.example:{server.port}/start"


@pytest.mark.parametrize(
    "target",
    ["http://127.0.0.1:{port}/end", "//127.0.0.1:{port}/end", "http://[::1]/", "http://169.254.169.254/",
     "http://inside.example/", "file:///etc/passwd", "http://a@ours.example:{port}/end", "http://exa mple/",
     "http://c.ours.example:{port}/end", "http://[::1", "http://ours.example:99999/"],
)  # fmt: skip
def test_every_redirect_is_checked(server: LocalServer, target: str) -> None:
    server.answers["/next"] = (302, {"location": target.format(port=server.port)}, b"")
    with pytest.raises(RefusedAddress):
        send(start(server, 302, "/next"))
    assert [asked.path for asked in server.asked] == ["/start", "/next"]


@pytest.mark.parametrize("target", ["http:////[;]", "http:////:a", "http:////" + "[" + "b" * 200 + "]"])
def test_a_redirect_that_is_no_url_once_joined_is_refused(server: LocalServer, target: str) -> None:
    with pytest.raises(RefusedAddress) as refused:
        send(start(server, 302, target) + "?key=k")
    shown = f"http://ours.example:{server.port}/start redirects to {target[:100]!r}: "
    assert str(refused.value).startswith(shown)


@settings(max_examples=share(50), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["/", "//", ".", "..", "?", "#", "a", ":", "@", "%", "[", "]", "http:", "1", "é"])))
@example(["//", "é", "%", ".", ".", "@", "/"])
def test_whatever_a_redirect_says_the_outcome_is_a_response_or_our_error(server: LocalServer, parts: list[str]) -> None:
    server.asked.clear()
    try:
        assert send(start(server, 302, "".join(parts))).status in (302, 404)
    except NetworkError as error:
        assert len(str(error)) < 400


@pytest.mark.parametrize("status", STATUSES)
def test_a_redirect_is_followed_and_the_final_url_reported(server: LocalServer, status: int) -> None:
    fetched = send(start(server, status, "/end?x=1"))
    assert (fetched.body, fetched.status) == (b"the end", 200)
    assert fetched.url == f"http://ours.example:{server.port}/end?x=1"


@pytest.mark.parametrize("status", [300, 304, 399])
def test_other_statuses_are_not_redirects(server: LocalServer, status: int) -> None:
    assert send(start(server, status, "/end")).status == status


def test_a_redirect_without_an_address_is_a_response(server: LocalServer) -> None:
    server.answers["/start"] = (302, {}, b"somewhere")
    assert send(f"http://ours.example:{server.port}/start").body == b"somewhere"


@pytest.mark.parametrize(("hops", "followed"), [(5, True), (6, False)])
def test_five_redirects_are_followed(server: LocalServer, hops: int, followed: bool) -> None:
    def next_hop(asked: Asked) -> Answer:
        count = len(server.asked)
        return (302, {"location": f"/start?{count}"}, b"") if count <= hops else (200, {}, b"arrived")

    server.answers["/start"] = next_hop
    url = f"http://ours.example:{server.port}/start?key=k"
    if followed:
        assert send(url).body == b"arrived"
    else:
        with pytest.raises(NetworkError, match=r"/start redirects more than 5 times; use another address") as raised:
            send(url)
        assert type(raised.value) is NetworkError
    assert len(server.asked) == 6


@pytest.mark.parametrize("status", STATUSES)
def test_headers_are_sent_again_on_the_same_site(server: LocalServer, status: int) -> None:
    send(start(server, status, f"http://OURS.example:{server.port}/end"), headers=SECRETS | HARMLESS)
    assert (SECRETS | HARMLESS).items() <= server.asked[1].headers.items()


@pytest.mark.parametrize("status", STATUSES)
def test_credentials_do_not_cross_to_another_host(server: LocalServer, status: int) -> None:
    send(start(server, status, f"http://b.ours.example:{server.port}/end"), headers=SECRETS | HARMLESS)
    assert server.asked[0].headers["authorization"] == "Bearer k"
    crossed = server.asked[1].headers
    assert not set(SECRETS) & set(crossed) and HARMLESS.items() <= crossed.items()
    assert crossed["host"] == f"b.ours.example:{server.port}" and crossed["accept-encoding"] == "gzip, deflate"


@pytest.mark.parametrize("status", STATUSES)
def test_credentials_do_not_cross_to_another_port(server: LocalServer, other_port: LocalServer, status: int) -> None:
    send(start(server, status, f"http://ours.example:{other_port.port}/end"), headers=SECRETS | HARMLESS)
    crossed = other_port.asked[0].headers
    assert not set(SECRETS) & set(crossed) and HARMLESS.items() <= crossed.items()


def test_credentials_are_not_sent_after_a_redirect_back(server: LocalServer) -> None:
    server.answers["/away"] = (302, {"location": f"http://ours.example:{server.port}/end"}, b"")
    send(start(server, 302, f"http://b.ours.example:{server.port}/away", **{"set-cookie": "a=1"}), headers=SECRETS)
    assert [asked.headers["host"].split(":")[0] for asked in server.asked] == [
        "ours.example", "b.ours.example", "ours.example",
    ]  # fmt: skip
    assert not set(SECRETS) & set(server.asked[2].headers)


def test_a_cookie_is_sent_to_its_own_site_within_one_fetch(server: LocalServer) -> None:
    server.answers["/second"] = (302, {"location": "/end", "set-cookie": "b=2"}, b"")

    async def go() -> None:
        async with guarded_client(GUARD) as client:
            for _ in range(2):
                url = start(server, 302, "/second", **{"set-cookie": "a=1"})
                await fetch(client, client.build_request("GET", url, headers={"cookie": "own=1"}))
            await fetch(client, client.build_request("GET", url))

    asyncio.run(go())
    sent = [asked.headers.get("cookie") for asked in server.asked]
    assert sent == ["own=1", "own=1; a=1", "own=1; a=1; b=2"] * 2 + [None, "a=1", "a=1; b=2"]


def test_cookies_do_not_cross_sites(server: LocalServer, other_port: LocalServer) -> None:
    for_all = {"set-cookie": "a=1; Domain=ours.example; Path=/"}
    send(start(server, 302, f"http://b.ours.example:{server.port}/end", **for_all))
    send(start(server, 302, f"http://ours.example:{other_port.port}/end", **for_all))
    assert "cookie" not in server.asked[1].headers and "cookie" not in other_port.asked[0].headers


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [(301, "POST", "GET"), (302, "POST", "GET"), (303, "POST", "GET"), (307, "POST", "POST"), (308, "POST", "POST"),
     (308, "PUT", "PUT"), (303, "PUT", "GET"), (302, "HEAD", "HEAD"), (307, "HEAD", "HEAD"), (307, "GET", "GET")],
)  # fmt: skip
def test_the_status_of_a_redirect_decides_its_method_and_body(
    server: LocalServer, status: int, method: str, then: str
) -> None:
    content = None if method in ("GET", "HEAD") else b"card number"
    send(start(server, status, "/end"), method, content=content)
    assert (server.asked[1].method, server.asked[1].body) == (then, content if then == method and content else b"")
    assert server.asked[1].headers.get("content-length", "0") == str(len(server.asked[1].body))


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("kind", ["host", "port"])
def test_a_body_does_not_cross_sites(server: LocalServer, other_port: LocalServer, status: int, kind: str) -> None:
    away = f"http://b.ours.example:{server.port}" if kind == "host" else f"http://ours.example:{other_port.port}"
    url = start(server, status, f"{away}/end?key=k")
    if status in (307, 308):
        with pytest.raises(RefusedAddress, match=f"redirects a POST to {away}/end; its body is not sent to another"):
            send(url, "POST", content=b"card number")
        assert len(server.asked) == 1 and not other_port.asked
    else:
        send(url, "POST", content=b"card number")
        (last,) = server.asked[1:] or other_port.asked
        assert (last.method, last.body) == ("GET", b"") and "content-type" not in last.headers


def test_the_connection_of_a_redirect_is_closed_before_the_next_request() -> None:
    async def go() -> bool:
        closed = asyncio.Event()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if b"/start" in await reader.readuntil(b"\r\n\r\n"):
                writer.write(b"HTTP/1.1 302 Found\r\nlocation: /end\r\ncontent-length: 9\r\n\r\nhalf")
                await reader.read()  # until the client hangs up
                closed.set()
            else:
                await asyncio.wait_for(closed.wait(), 2)
                writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as listening:
            url = f"http://ours.example:{listening.sockets[0].getsockname()[1]}/start"
            async with guarded_client(GUARD, timeout_s=5) as client:
                return (await fetch(client, client.build_request("GET", url))).status == 200

    assert asyncio.run(go())


def test_the_http_library_does_not_follow_redirects(server: LocalServer) -> None:
    async def go() -> httpx2.Response:
        async with guarded_client(GUARD) as client:
            return await client.get(start(server, 302, "/end"))

    assert asyncio.run(go()).status_code == 302 and len(server.asked) == 1
