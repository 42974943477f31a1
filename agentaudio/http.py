"""HTTP that reaches the public internet only: no private address, by any spelling, name or redirect.

The address is checked after the name was resolved, and the connection goes to that very address, so
a name that resolves differently the next moment gains nothing. Every redirect is checked anew.
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import re
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx2

from agentaudio.errors import RetrievalError

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""(host, port) to IP addresses, best first. Raises OSError when there are none."""

MAX_REDIRECTS = 5
MAX_BODY_BYTES = 5_000_000

_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")  # NAT64, RFC 6052: the last 32 bits are an IPv4 address
# Reserved ranges that the standard library came to know late, and Azure's own address for metadata.
_RESERVED = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32")))
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f\\]")
_KEPT_ACROSS_SITES = frozenset({"accept", "accept-language", "user-agent"})


class RefusedAddress(RetrievalError):
    """A URL that leads somewhere a tool must not go."""


async def system_resolve(host: str, port: int) -> list[str]:
    """What the operating system makes of a name; it also reads 127.1, 0x7f000001 and their like."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(frozen=True, slots=True)
class Guard:
    """Decides which URLs may be fetched.

    allowed: hosts, as `name` or `name:port`, that may be private; meant for services of one's own
    """

    allowed: frozenset[str] = frozenset()
    resolve: Resolve = system_resolve

    async def address_of(self, url: httpx2.URL) -> str:
        """The IP address to connect to. Raises RefusedAddress, or RetrievalError for an unknown name."""
        if url.scheme not in ("http", "https"):
            raise RefusedAddress(f"{_shown(url)} is not fetched: only http and https addresses are")
        if url.userinfo:
            raise RefusedAddress(f"{_shown(url)} is not fetched: it carries a user name; leave that out")
        host = url.raw_host.decode("ascii").rstrip(".")
        if (url.port or 0) > 65_535:
            raise RefusedAddress(f"{_shown(url)} is not fetched: there is no port {url.port}")
        port = url.port or {"http": 80, "https": 443}[url.scheme]
        if not host:
            raise RefusedAddress(f"{_shown(url)} is not fetched: it names no host")
        try:
            addresses = await self.resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise RetrievalError(f"{host} cannot be found ({error}); check the address") from None
        if not addresses:
            raise RetrievalError(f"{host} cannot be found; check the address")
        if not self.allowed & {host, f"{host}:{port}"}:
            for address in addresses:
                if not is_public(address):
                    raise RefusedAddress(
                        f"{_shown(url)} is not fetched: {host} is {address}, not an address of the public internet"
                    )
        return addresses[0]


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet, also one written inside another."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if ip in _TRANSLATED:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        # 6to4 and Teredo wrap an IPv4 address that somebody else unwraps.
        if ip not in _GLOBAL_UNICAST or ip.sixtofour is not None or ip.teredo is not None:
            return False
        return ip.is_global
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _RESERVED)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A response, read to its end. url: where the redirects led."""

    url: str
    status: int
    headers: httpx2.Headers
    body: bytes


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Connects each request to the address that the guard has checked."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        # Connections are not kept: the pool tells them apart by address, and two sites on one
        # address must not share what was verified for one of them.
        self._inner = httpx2.AsyncHTTPTransport(
            verify=_certificates(), trust_env=False, limits=httpx2.Limits(max_keepalive_connections=0)
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        address = await self._guard.address_of(request.url)
        pinned = httpx2.Request(
            request.method,
            request.url.copy_with(host=address),
            headers=request.headers,  # its Host is the name that was asked for
            stream=request.stream,
            extensions=request.extensions | {"sni_hostname": request.url.raw_host.decode("ascii")},
        )
        return await self._inner.handle_async_request(pinned)

    async def aclose(self) -> None:
        await self._inner.aclose()


@functools.cache
def _certificates() -> ssl.SSLContext:
    return httpx2.create_ssl_context(trust_env=False)  # reading them takes longer than many a request


def guarded_client(guard: Guard, *, timeout_s: float = 10.0) -> httpx2.AsyncClient:
    """An HTTP client that goes through the guard, takes no proxy from the environment, and follows
    no redirect by itself. timeout_s: for connecting, and between two pieces of an answer."""
    return httpx2.AsyncClient(
        transport=GuardedTransport(guard), timeout=timeout_s, trust_env=False, follow_redirects=False
    )


async def fetch(client: httpx2.AsyncClient, request: httpx2.Request, *, max_bytes: int = MAX_BODY_BYTES) -> Fetched:
    """Send a request, follow its redirects one by one, and read the answer up to a size.

    What a request carries (its body and its own headers, credentials say) stays with its site.

    Raises RefusedAddress for a place that is not allowed, RetrievalError for too many redirects and
    for an answer that is too long or cannot be read, httpx2.TransportError when the line fails.
    """
    for _ in range(MAX_REDIRECTS + 1):
        response = await client.send(request, stream=True)
        try:
            target = response.headers.get("location", "")
            if not response.has_redirect_location:
                return Fetched(
                    str(request.url), response.status_code, response.headers, await _read(response, max_bytes)
                )
        finally:
            await response.aclose()
        request = _redirected(client, request, response.status_code, target)
    raise RetrievalError(f"{_shown(request.url)} redirects more than {MAX_REDIRECTS} times; try another address")


def parse_url(url: str) -> httpx2.URL:
    """Raises RetrievalError for what is no address: spaces, control characters, backslashes, bad ports."""
    if _UNPRINTABLE.search(url):
        raise RefusedAddress(f"{url[:100]!r} is no address: it holds a space, a backslash or a control character")
    try:
        return httpx2.URL(url)
    except (httpx2.InvalidURL, UnicodeError, ValueError) as error:
        raise RefusedAddress(f"{url[:100]!r} is no address: {error}") from None


def _redirected(client: httpx2.AsyncClient, request: httpx2.Request, status: int, target: str) -> httpx2.Request:
    try:
        url = request.url.join(parse_url(target))
    except httpx2.InvalidURL as error:
        raise RefusedAddress(f"{_shown(request.url)} redirects to {target[:100]!r}: {error}") from None
    same_site = (url.scheme, url.host, url.port) == (request.url.scheme, request.url.host, request.url.port)
    headers = {
        name: value
        for name, value in request.headers.items()
        if (same_site or name in _KEPT_ACROSS_SITES) and name not in ("host", "content-length", "transfer-encoding")
    }
    repeated = status in (307, 308) and request.method not in ("GET", "HEAD")
    if repeated and not same_site:
        raise RefusedAddress(f"{_shown(request.url)} wants what was sent to it sent on to {_shown(url)}; it was not")
    method = request.method if repeated or request.method == "HEAD" else "GET"
    return client.build_request(method, url, headers=headers, content=request.content if repeated else None)


async def _read(response: httpx2.Response, max_bytes: int) -> bytes:
    body = bytearray()
    try:
        async for piece in response.aiter_bytes(65_536):
            body += piece
            if len(body) > max_bytes:
                raise RetrievalError(
                    f"{_shown(response.request.url)} sends more than {max_bytes} bytes; it was not read"
                )
    except httpx2.DecodingError as error:
        raise RetrievalError(f"the answer of {_shown(response.request.url)} cannot be unpacked: {error}") from None
    return bytes(body)


def _shown(url: httpx2.URL) -> str:
    """Without user, password and query: those may hold secrets."""
    return str(url.copy_with(userinfo=b"", query=None, fragment=None))[:200]
