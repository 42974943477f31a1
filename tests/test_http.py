"""Only addresses of the public internet may be requested, in any notation."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterator
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.local_http import LocalServer, local_server

from agentaudio.errors import NetworkError, RefusedAddress, ServiceUnavailable
from agentaudio.http import (
    Fetched,
    Guard,
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
    # other schemes, and what is not an address at all
    "file:///etc/passwd", "ftp://example.com/", "gopher://127.0.0.1:6379/_INFO", "data:text/plain,x",
    "javascript:alert(1)",
    "//127.0.0.1/", "http:///etc/passwd", "http:127.0.0.1", "", "http://exa mple.com/",
    "http://example.com/\r\nHost: x", "http://[::1", "http://example.com:port/", "http://example.com:99999/", "http://１２７.0.0.1/",
]  # fmt: skip


@pytest.mark.parametrize("url", TRICKY)
def test_addresses_outside_the_public_internet_are_refused(url: str) -> None:
    with pytest.raises(RefusedAddress) as refused:
        get(url, Guard(resolve=resolve))
    assert "password" not in str(refused.value) and len(str(refused.value)) < 400


def test_messages_show_the_beginning_of_a_long_url() -> None:
    with pytest.raises(RefusedAddress) as refused:
        parse_url("http://a/" + "b" * 200 + " c")
    assert str(refused.value).startswith(f"'http://a/{'b' * 91}' is not a URL: it contains a space")
    with pytest.raises(RefusedAddress) as refused:
        parse_url("http://[::1" + "b" * 200)
    assert str(refused.value).startswith(f"'http://[::1{'b' * 89}' is not a URL: ")
    with pytest.raises(RefusedAddress) as refused:
        get("ftp://a/" + "b" * 300 + "?key=secret#secret", Guard())
    assert str(refused.value) == f"ftp://a/{'b' * 192} is refused: its scheme is 'ftp', not http or https"
    with pytest.raises(RefusedAddress, match=r"^ftp://a/ is refused"):
        get("ftp://a/#secret", Guard())


def test_the_list_of_refused_addresses_is_long_enough() -> None:
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
        ("192.0.0.8", False),
        ("224.0.1.1", False),
        ("ff0e::1", False),
        ("2002:808:808::1", False),
        ("2001:0:808:808::1", False),
        ("64:ff9b:1::808:808", False),
        ("64:ff9b::a83f:8110", False),  # 168.63.129.16
        ("64:ff9b::a83f:8111", True),
        ("3fff::1", False),
        ("", False),
    ],
)
def test_public_addresses_are_recognised(address: str, public: bool) -> None:
    assert is_public(address) is public


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_inside_an_ipv6_address_is_checked(address: ipaddress.IPv4Address) -> None:
    public = is_public(str(address))
    assert is_public(f"::ffff:{address}") is public
    assert is_public(str(ipaddress.IPv6Address(0x0064FF9B << 96 | int(address)))) is public
    assert not is_public(str(ipaddress.IPv6Address(0x2002 << 112 | int(address) << 80)))
    assert not (public and (address.is_private or address.is_loopback or address.is_link_local or address.is_multicast))


def allow(*names: str, addresses: list[str]) -> Guard:
    async def resolve(host: str, port: int) -> list[str]:
        return addresses

    return Guard(frozenset(names), resolve)


def test_check_and_connection_use_the_same_lookup(server: LocalServer) -> None:
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])

    async def changing(host: str, port: int) -> list[str]:
        return next(answers)

    guard = Guard(frozenset({"ours.example"}), changing)
    fetched = get(f"http://ours.example:{server.port}/secret", guard)
    assert (fetched.body, fetched.status) == (b"secret", 200)
    assert fetched.url == f"http://ours.example:{server.port}/secret"
    assert server.asked[0].headers["host"] == f"ours.example:{server.port}"
    assert next(answers) == ["10.0.0.1"]  # not asked for: one request, one lookup


def test_a_name_that_turns_private_on_the_second_lookup_is_refused(server: LocalServer) -> None:
    lookups: list[tuple[str, int]] = []

    async def rebinding(host: str, port: int) -> list[str]:
        lookups.append((host, port))
        return ["93.184.216.34"] if len(lookups) == 1 else ["127.0.0.1"]

    guard = Guard(resolve=rebinding)
    url = parse_url(f"http://rebind.example.:{server.port}/")
    assert asyncio.run(guard.addresses_of(url)) == ["93.184.216.34"]
    with pytest.raises(RefusedAddress, match="rebind.example is 127.0.0.1"):
        get(str(url), guard)
    assert lookups == [("rebind.example", server.port)] * 2 and server.asked == []


@pytest.mark.parametrize(("url", "port"), [("http://a.example/", 80), ("https://a.example/", 443)])
def test_the_default_port_is_that_of_the_scheme(url: str, port: int) -> None:
    asked = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["10.0.0.1"]

    assert asyncio.run(Guard(frozenset({f"a.example:{port}"}), resolve).addresses_of(parse_url(url))) == ["10.0.0.1"]
    assert asked == [("a.example", port)]
    with pytest.raises(RefusedAddress, match="a.example is 10.0.0.1"):
        asyncio.run(Guard(frozenset({"a.example:8080"}), resolve).addresses_of(parse_url(url)))


def test_the_highest_port_is_65535() -> None:
    guard = allow("a.example", addresses=["10.0.0.1"])
    assert asyncio.run(guard.addresses_of(parse_url("http://a.example:65535/"))) == ["10.0.0.1"]
    with pytest.raises(RefusedAddress, match="port 65536 does not exist"):
        asyncio.run(guard.addresses_of(parse_url("http://a.example:65536/")))


def test_a_guard_is_immutable() -> None:
    with pytest.raises(FrozenInstanceError):
        Guard().allowed = frozenset({"localhost"})  # type: ignore[misc]


def test_closing_the_client_closes_its_connections() -> None:
    async def go() -> bytes:
        received: list[bytes] = []
        hung_up = asyncio.Event()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")
            received.append(await reader.read())
            hung_up.set()
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as listening:
            port = listening.sockets[0].getsockname()[1]
            client = guarded_client(allow("ours.example", addresses=["127.0.0.1"]))
            await client.send(client.build_request("GET", f"http://ours.example:{port}/"), stream=True)
            await client.aclose()
            await asyncio.wait_for(hung_up.wait(), 5)
        return received[0]

    assert asyncio.run(go()) == b""


def test_a_guard_for_a_service_allows_its_host_at_its_port() -> None:
    assert Guard.for_service(parse_url("http://Box.local./search?q=1")).allowed == {"box.local"}
    assert Guard.for_service(parse_url("http://box.local:8888/")).allowed == {"box.local:8888"}
    assert Guard.for_service(parse_url("https://[::1]:8888/")).allowed == {"::1:8888"}


def test_the_next_address_is_used_when_one_does_not_listen(server: LocalServer) -> None:
    url = f"http://ours.example:{server.port}/secret"
    assert (
        get(url, allow("ours.example", addresses=["127.0.0.3", "127.0.0.4", "127.0.0.1", "127.0.0.5"])).body
        == b"secret"
    )
    assert len(server.asked) == 1
    with pytest.raises(ServiceUnavailable, match="ours.example cannot be reached"):
        get(url, allow("ours.example", addresses=["127.0.0.3", "127.0.0.4"]))


def test_a_request_that_was_sent_is_not_sent_to_the_next_address() -> None:
    """A server that reads the request and hangs up may have acted on it."""
    requests: list[bytes] = []

    async def go() -> None:
        async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            requests.append(await reader.readuntil(b"\r\n\r\n"))
            writer.close()

        async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as listening:
            port = listening.sockets[0].getsockname()[1]
            async with guarded_client(allow("ours.example", addresses=["127.0.0.1", "127.0.0.1"])) as client:
                await fetch(client, client.build_request("POST", f"http://ours.example:{port}/"))

    with pytest.raises(ServiceUnavailable, match="ours.example cannot be reached"):
        asyncio.run(go())
    assert len(requests) == 1


def test_proxies_of_the_environment_are_ignored(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url)
    monkeypatch.setenv("ALL_PROXY", server.url)
    with pytest.raises(RefusedAddress):
        get("http://inside.example/", Guard(resolve=resolve))
    with pytest.raises(ServiceUnavailable):
        get("http://ours.example:1/", allow("ours.example", addresses=["127.0.0.1"]))
    assert server.asked == []


def test_unknown_names_are_reported() -> None:
    async def unknown(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    async def numbered(host: str, port: int) -> list[str]:
        raise socket.gaierror(-2, "no such name")

    for guard, message in (
        (Guard(resolve=numbered), r"^nowhere.example cannot be found \(no such name\); check the address$"),
        (Guard(resolve=unknown), r"^nowhere.example cannot be found \(no such name\); check the address$"),
        (allow(addresses=[]), "^nowhere.example cannot be found; check the address$"),
    ):
        with pytest.raises(NetworkError, match=message) as raised:
            get("http://nowhere.example/", guard)
        assert type(raised.value) is NetworkError  # neither refused nor worth another attempt
