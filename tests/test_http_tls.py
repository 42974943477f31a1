"""HTTPS through the guard: the certificate is checked for the name in the URL, not for the pinned address."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.local_http import LocalServer, local_server
from support.tls import Authority

from agentaudio import http
from agentaudio.errors import NetworkError, ServiceUnavailable
from agentaudio.http import Fetched, Guard, fetch, guarded_client, parse_url

NAMES = ("ours.example", "b.ours.example", "127.0.0.1")


async def resolve(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


GUARD = Guard(frozenset(NAMES), resolve)


def get(*urls: str, trust: ssl.SSLContext | None = None, guard: Guard = GUARD) -> list[Fetched]:
    async def go() -> list[Fetched]:
        async with guarded_client(guard, timeout_s=5, trust=trust) as client:
            return [await fetch(client, client.build_request("GET", parse_url(url))) for url in urls]

    return asyncio.run(go())


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def server(authority: Authority) -> Iterator[LocalServer]:
    """A TLS server with a certificate for ours.example only."""
    with local_server(tls=authority.serving("ours.example")) as running:
        running.answers["/"] = (200, {}, b"hello")
        yield running


@pytest.mark.parametrize("host", ["ours.example", "OURS.example", "ours.example."])
def test_the_host_name_of_the_url_is_sent_and_verified(server: LocalServer, authority: Authority, host: str) -> None:
    (fetched,) = get(f"https://{host}:{server.port}/", trust=authority.trusted())
    assert fetched.body == b"hello"
    assert server.server_names == ["ours.example"]


def test_a_certificate_for_another_name_is_refused(server: LocalServer, authority: Authority) -> None:
    with pytest.raises(NetworkError, match=r"certificate of b\.ours\.example is not valid") as refused:
        get(f"https://b.ours.example:{server.port}/", trust=authority.trusted())
    assert not isinstance(refused.value, ServiceUnavailable)  # another attempt would fail too
    assert server.server_names == ["b.ours.example"] and server.asked == []


def test_a_certificate_for_the_address_is_not_valid_for_the_name(authority: Authority) -> None:
    with local_server(tls=authority.serving("127.0.0.1")) as server:
        server.answers["/"] = (200, {}, b"hello")
        with pytest.raises(NetworkError, match="certificate of ours.example is not valid"):
            get(f"https://ours.example:{server.port}/", trust=authority.trusted())
        assert server.asked == []
        assert get(f"https://127.0.0.1:{server.port}/", trust=authority.trusted())[0].body == b"hello"
        assert server.server_names == ["ours.example", None]  # an IP address is never sent as a server name


def test_only_public_authorities_are_trusted_by_default(
    server: LocalServer, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ca.pem").write_text(authority.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    http._public_authorities.cache_clear()
    with pytest.raises(NetworkError, match="certificate of ours.example is not valid"):
        get(f"https://ours.example:{server.port}/")
    assert server.asked == []


def test_a_connection_verified_for_one_site_is_not_used_for_another(server: LocalServer, authority: Authority) -> None:
    with pytest.raises(NetworkError, match="certificate of b.ours.example is not valid"):
        get(f"https://ours.example:{server.port}/", f"https://b.ours.example:{server.port}/", trust=authority.trusted())
    assert len(server.asked) == 1


def test_https_to_a_plain_http_server_fails(authority: Authority) -> None:
    with local_server() as plain, pytest.raises(ServiceUnavailable, match="ours.example cannot be reached"):
        get(f"https://ours.example:{plain.port}/", trust=authority.trusted())


def test_credentials_are_not_sent_after_a_redirect_from_https_to_http(authority: Authority) -> None:
    """The two URLs differ only in their scheme; host and port are the same."""
    with local_server() as plain, local_server("127.0.0.2", plain.port, tls=authority.serving("ours.example")) as safe:
        addresses = iter(["127.0.0.2", "127.0.0.1"])

        async def one_after_another(host: str, port: int) -> list[str]:
            return [next(addresses)]

        async def go() -> Fetched:
            guard = Guard(frozenset(NAMES), one_after_another)
            async with guarded_client(guard, trust=authority.trusted()) as client:
                url = f"https://ours.example:{plain.port}/"
                secrets = {"authorization": "Bearer k", "cookie": "own=1"}
                return await fetch(client, client.build_request("GET", url, headers=secrets))

        set_cookie = {"set-cookie": "site=1; Domain=ours.example; Path=/"}
        safe.answers["/"] = (302, {"location": f"http://ours.example:{plain.port}/plain", **set_cookie}, b"")
        plain.answers["/plain"] = (200, {}, b"plain")
        assert asyncio.run(go()).body == b"plain"
        assert safe.asked[0].headers["authorization"] == "Bearer k"
        assert not {"authorization", "cookie"} & set(plain.asked[0].headers)
