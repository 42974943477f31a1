"""What may be fetched: nothing but the public internet, however the address is written."""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
from collections.abc import Iterator

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.local_http import LocalServer, local_server

from agentaudio.errors import RetrievalError
from agentaudio.http import (
    Fetched,
    Guard,
    RefusedAddress,
    fetch,
    guarded_client,
    is_public,
    parse_url,
    system_resolve,
)

NAMES = {
    "inside.example": ["10.0.0.7"],
    "metadata.example": ["169.254.169.254"],
    "mixed.example": ["93.184.216.34", "127.0.0.1"],
    "six.example": ["::1"],
    "mapped.example": ["::ffff:10.1.2.3"],
    "empty.example": [],
    "scoped.example": ["fe80::1%eth0"],
    "nonsense.example": ["not an address"],
}


async def resolve(host: str, port: int) -> list[str]:
    return NAMES[host] if host in NAMES else await system_resolve(host, port)


def get(url: str, guard: Guard, *, max_bytes: int = 1_000_000, headers: dict[str, str] | None = None) -> Fetched:
    async def go() -> Fetched:
        async with guarded_client(guard, timeout_s=5) as client:
            return await fetch(
                client, client.build_request("GET", parse_url(url), headers=headers), max_bytes=max_bytes
            )

    return asyncio.run(go())


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with local_server() as running:
        running.answers["/secret"] = (200, {}, b"secret")
        yield running


TRICKY = [
    # loopback, in every spelling that a resolver understands
    "http://127.0.0.1/", "http://127.0.0.1:8080/x", "http://127.1/", "http://127.0.1/", "http://2130706433/",
    "http://0x7f000001/", "http://0x7f.0x0.0x0.0x1/", "http://0177.0.0.1/", "http://017700000001/", "http://127.255.255.254/",
    "http://localhost/", "http://LOCALHOST/", "http://localhost./", "http://0/", "http://0.0.0.0/", "http://127。0。0。1/",
    "https://127.0.0.1/",
    # IPv6, and IPv4 inside of it
    "http://[::1]/", "http://[::]/", "http://[0:0:0:0:0:0:0:1]/", "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/",
    "http://[::ffff:a9fe:a9fe]/", "http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/", "http://[::127.0.0.1]/",
    "http://[2001:0:7f00:1::]/", "http://[fd00:ec2::254]/", "http://[fe80::1]/", "http://[fec0::1]/", "http://[ff02::1]/",
    # private, link-local, shared, reserved, metadata
    "http://10.0.0.1/", "http://172.16.0.1/", "http://192.168.1.1/", "http://169.254.169.254/latest/meta-data/",
    "http://2852039166/", "http://100.64.0.1/", "http://100.100.100.200/", "http://192.0.0.192/", "http://168.63.129.16/",
    "http://198.18.0.1/", "http://224.0.0.1/", "http://240.0.0.1/", "http://255.255.255.255/",
    # names that lead inside
    "http://inside.example/", "http://metadata.example/", "http://mixed.example/", "http://six.example/",
    "http://mapped.example/", "http://scoped.example/", "http://nonsense.example/",
    # user names that look like hosts
    "http://example.com@127.0.0.1/", "http://example.com:80@127.0.0.1/", "http://user:password@example.com/",
    "http://127.0.0.1#@example.com/", "http://127.0.0.1?@example.com/", "http://example.com\\@127.0.0.1/",
    # other schemes, and what is no address at all
    "file:///etc/passwd", "ftp://example.com/", "gopher://127.0.0.1:6379/_INFO", "data:text/plain,x",
    "javascript:alert(1)",
    "//127.0.0.1/", "http:///etc/passwd", "http:127.0.0.1", "", "http://exa mple.com/",
    "http://example.com/\r\nHost: x", "http://[::1", "http://example.com:port/", "http://example.com:99999/", "http://１２７.0.0.1/",
]  # fmt: skip


@pytest.mark.parametrize("url", TRICKY)
def test_addresses_that_lead_inside_are_refused(url: str) -> None:
    with pytest.raises(RefusedAddress) as refused:
        get(url, Guard(resolve=resolve))
    assert "password" not in str(refused.value) and len(str(refused.value)) < 400


def test_there_are_enough_of_them() -> None:
    assert len(set(TRICKY)) >= 60


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("64:ff9b::808:808", True),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::a00:1", False),
        ("2001:db8::1", False),
        ("192.88.99.1", False),
    ],
)
def test_public_addresses_are_told_from_others(address: str, public: bool) -> None:
    assert is_public(address) is public


@given(st.ip_addresses(v=4))
def test_an_address_inside_another_is_judged_as_itself(address: ipaddress.IPv4Address) -> None:
    public = is_public(str(address))
    assert is_public(f"::ffff:{address}") is public
    assert is_public(str(ipaddress.IPv6Address(0x0064FF9B << 96 | int(address)))) is public
    assert not is_public(str(ipaddress.IPv6Address(0x2002 << 112 | int(address) << 80)))
    assert not (public and (address.is_private or address.is_loopback or address.is_link_local or address.is_multicast))


def test_the_connection_goes_to_the_address_that_was_checked(server: LocalServer) -> None:
    answers = iter([["127.0.0.1"], ["10.0.0.1"], ["10.0.0.1"]])

    async def changing(host: str, port: int) -> list[str]:
        return next(answers)

    guard = Guard(frozenset({"ours.example"}), changing)
    fetched = get(f"http://ours.example:{server.port}/secret", guard)
    assert fetched.body == b"secret" and fetched.url == f"http://ours.example:{server.port}/secret"
    assert server.asked[0].headers["host"] == f"ours.example:{server.port}"
    assert next(answers) == ["10.0.0.1"]  # one look-up for one request: nothing between check and use


def test_a_name_that_turns_private_on_the_second_look_is_refused() -> None:
    looks: list[str] = []

    async def rebinding(host: str, port: int) -> list[str]:
        looks.append(host)
        return ["93.184.216.34"] if len(looks) == 1 else ["127.0.0.1"]

    guard = Guard(resolve=rebinding)
    url = parse_url("http://rebind.example/")
    assert asyncio.run(guard.address_of(url)) == "93.184.216.34"
    with pytest.raises(RefusedAddress, match="rebind.example is 127.0.0.1"):
        asyncio.run(guard.address_of(url))


def here(server: LocalServer) -> Guard:
    """Lets tests reach their own server by a name, and by that only."""

    async def ours(host: str, port: int) -> list[str]:
        return ["127.0.0.1"] if host.endswith("ours.example") else await resolve(host, port)

    return Guard(frozenset({"ours.example", f"b.ours.example:{server.port}"}), ours)


@pytest.mark.parametrize(
    "target",
    ["http://127.0.0.1:{port}/secret", "http://localhost:{port}/secret", "//127.0.0.1:{port}/secret", "http://[::1]/",
     "http://169.254.169.254/", "http://2130706433:{port}/secret", "http://inside.example/", "file:///etc/passwd",
     "http://a@ours.example:{port}/secret", "http://exa mple/", "http://c.ours.example:{port}/secret"],
)  # fmt: skip
def test_redirects_are_checked_one_by_one(server: LocalServer, target: str) -> None:
    server.answers["/start"] = (302, {"location": "/next"}, b"")
    server.answers["/next"] = (302, {"location": target.format(port=server.port)}, b"")
    with pytest.raises(RefusedAddress):
        get(f"http://ours.example:{server.port}/start", here(server))
    assert [asked.path for asked in server.asked] == ["/start", "/next"]


def test_redirects_that_are_allowed_are_followed_and_endless_ones_end(server: LocalServer) -> None:
    server.answers["/start"] = (301, {"location": "/secret"}, b"")
    server.answers["/loop"] = (302, {"location": "/loop"}, b"")
    fetched = get(f"http://ours.example:{server.port}/start", here(server))
    assert (fetched.body, fetched.url) == (b"secret", f"http://ours.example:{server.port}/secret")
    with pytest.raises(RetrievalError, match="redirects more than 5 times"):
        get(f"http://ours.example:{server.port}/loop", here(server))


def test_credentials_stay_with_their_site(server: LocalServer) -> None:
    server.answers["/same"] = (302, {"location": "/secret"}, b"")
    server.answers["/other"] = (302, {"location": f"http://b.ours.example:{server.port}/secret"}, b"")
    for path in ("same", "other"):
        get(f"http://ours.example:{server.port}/{path}", here(server), headers={"x-api-key": "k", "user-agent": "ua"})
    same, other = server.asked[1], server.asked[3]
    assert same.headers["x-api-key"] == "k" and "x-api-key" not in other.headers
    assert other.headers["user-agent"] == "ua" and other.headers["host"].startswith("b.ours.example")


@pytest.mark.parametrize(("status", "method"), [(303, "GET"), (302, "GET"), (307, "POST"), (308, "POST")])
def test_what_was_sent_is_not_sent_on_to_strangers(server: LocalServer, status: int, method: str) -> None:
    server.answers["/post"] = (status, {"location": "/secret"}, b"")
    server.answers["/away"] = (status, {"location": f"http://b.ours.example:{server.port}/secret"}, b"")

    async def post(path: str) -> Fetched:
        async with guarded_client(here(server)) as client:
            url = f"http://ours.example:{server.port}{path}"
            return await fetch(client, client.build_request("POST", url, content=b"card number"))

    asyncio.run(post("/post"))
    assert (server.asked[1].method, server.asked[1].body) == (method, b"card number" if method == "POST" else b"")
    if method == "POST":
        with pytest.raises(RefusedAddress, match="it was not"):
            asyncio.run(post("/away"))
    else:
        asyncio.run(post("/away"))
        assert server.asked[-1].body == b""


def test_answers_that_are_too_long_or_broken_are_refused(server: LocalServer) -> None:
    server.answers["/long"] = (200, {}, b"x" * 2_000)
    server.answers["/bomb"] = (200, {"content-encoding": "gzip"}, gzip.compress(b"x" * 5_000_000))
    server.answers["/broken"] = (200, {"content-encoding": "gzip"}, b"no gzip")
    base = f"http://ours.example:{server.port}"
    for path in ("/long", "/bomb"):
        with pytest.raises(RetrievalError, match="sends more than 1000 bytes"):
            get(base + path, here(server), max_bytes=1_000)
    with pytest.raises(RetrievalError, match="cannot be unpacked"):
        get(base + "/broken", here(server))


def test_no_proxy_is_taken_from_the_environment(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url)
    with pytest.raises(RefusedAddress):
        get("http://inside.example/", Guard(resolve=resolve))
    assert server.asked == []


def test_unknown_names_are_told(server: LocalServer) -> None:
    async def unknown(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    with pytest.raises(RetrievalError, match="nowhere.example cannot be found"):
        get("http://nowhere.example/", Guard(resolve=unknown))
    with pytest.raises(RetrievalError, match="empty.example cannot be found"):
        get("http://empty.example/", Guard(resolve=resolve))
    with pytest.raises(httpx2.TransportError):
        get("http://ours.example:1/", here(server))
