"""HTTP client that reaches the public internet only, and hosts that are explicitly allowed.

A host name is resolved once, its addresses are checked, and the connection goes to a checked address.
A name that resolves to a private address a moment later (DNS rebinding) therefore has no effect. Every
redirect goes through the same check.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ipaddress
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx2

from agentaudio.errors import NetworkError, RefusedAddress, ServiceUnavailable

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""(host, port) to IP addresses, best first. Raises OSError when there are none."""

MAX_REDIRECTS = 5
MAX_BODY_BYTES = 5_000_000
TEMPORARY_STATUSES = frozenset({429, 502, 503, 504})
ENCODINGS = ("", "identity", "gzip", "deflate")
"""Accepted content encodings: a single one, which is unpacked in small pieces."""

_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
# Reserved ranges that the standard library calls global, and Azure's metadata address.
_RESERVED = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32", "3fff::/20")))
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f\\]")
_PER_REQUEST = frozenset({"content-length", "cookie", "host", "transfer-encoding"})
_KEPT_ACROSS_SITES = frozenset({"accept", "accept-encoding", "accept-language", "range", "user-agent"})


async def system_resolve(host: str, port: int) -> list[str]:
    """Addresses by the operating system, which also understands 127.1, 0x7f000001 and the like."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(frozen=True, slots=True)
class Guard:
    """Decides which URLs may be requested.

    allowed: hosts, as `name` or `name:port`, whose addresses may be private, such as one's own services
    """

    allowed: frozenset[str] = frozenset()
    resolve: Resolve = system_resolve

    @classmethod
    def for_service(cls, url: httpx2.URL) -> Guard:
        """A guard that also allows the host of a configured service, at its port where the URL names one."""
        return cls(frozenset({f"{_host(url)}:{url.port}" if url.port else _host(url)}))

    async def addresses_of(self, url: httpx2.URL) -> list[str]:
        """The IP addresses that may be connected to, best first.

        Raises RefusedAddress when any of them is private, NetworkError for an unknown name.
        """
        if url.scheme not in ("http", "https"):
            raise RefusedAddress(f"{_shown(url)} is refused: its scheme is {url.scheme!r}, not http or https")
        if url.userinfo:
            raise RefusedAddress(f"{_shown(url)} is refused: it contains a user name; remove that")
        host, port = _host(url), url.port or {"http": 80, "https": 443}[url.scheme]
        if not host:
            raise RefusedAddress(f"{_shown(url)} is refused: it has no host")
        if port > 65_535:
            raise RefusedAddress(f"{_shown(url)} is refused: port {port} does not exist")
        try:
            addresses = await self.resolve(host, port)
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise NetworkError(f"{host} cannot be found ({reason}); check the address") from None
        if not addresses:
            raise NetworkError(f"{host} cannot be found; check the address")
        if not self.allowed & {host, f"{host}:{port}"}:
            for address in addresses:
                if not is_public(address):
                    raise RefusedAddress(
                        f"{_shown(url)} is refused: {host} is {address}, not an address of the public internet"
                    )
        return addresses


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet; an IPv4 address inside an IPv6 one is judged itself."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        # 6to4 and Teredo contain an IPv4 address that some relay unpacks.
        if ip not in _GLOBAL_UNICAST or ip.sixtofour is not None or ip.teredo is not None:
            return False
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _RESERVED)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A response with its whole body, decompressed. url: after redirects"""

    url: str
    status: int
    headers: httpx2.Headers
    body: bytes

    def require_available(self) -> Fetched:
        """This response. Raises ServiceUnavailable, with its Retry-After, for a status in TEMPORARY_STATUSES."""
        if self.status in TEMPORARY_STATUSES:
            raise ServiceUnavailable(f"the service answered {self.status}", retry_after_s(self.headers))
        return self


def retry_after_s(headers: httpx2.Headers) -> float | None:
    """Seconds that a Retry-After header asks to wait, from a number or a date (RFC 9110, 10.2.3); None without one."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", value):
        return float(value)
    try:
        wanted = parsedate_to_datetime(value)
    except ValueError:
        return None
    if wanted.tzinfo is None:
        wanted = wanted.replace(tzinfo=UTC)
    return max(0.0, (wanted - datetime.now(UTC)).total_seconds())


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Connects each request to an address that the guard has checked."""

    def __init__(self, guard: Guard, trust: ssl.SSLContext | None = None) -> None:
        self._guard = guard
        # The pool identifies connections by IP address. Without keep-alive, two sites on one address
        # never share a connection whose certificate was verified for only one of them.
        self._inner = httpx2.AsyncHTTPTransport(
            verify=trust or _public_authorities(),
            limits=httpx2.Limits(max_keepalive_connections=0),
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        *others, last = await self._guard.addresses_of(request.url)
        for address in others:
            try:
                return await self._inner.handle_async_request(_pinned(request, address))
            except httpx2.ConnectError:
                continue  # nothing was sent yet: `localhost`, say, may listen on 127.0.0.1 and not on ::1
        return await self._inner.handle_async_request(_pinned(request, last))

    async def aclose(self) -> None:
        await self._inner.aclose()


def _pinned(request: httpx2.Request, address: str) -> httpx2.Request:
    """The request to one address; the Host header and the TLS server name stay those of its URL."""
    return httpx2.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions=request.extensions | {"sni_hostname": _host(request.url)},
    )


@functools.cache
def _public_authorities() -> ssl.SSLContext:
    return httpx2.create_ssl_context(trust_env=False)  # cached: loading them takes tens of milliseconds


def guarded_client(
    guard: Guard,
    *,
    timeout_s: float = 10.0,
    connect_timeout_s: float | None = None,
    trust: ssl.SSLContext | None = None,
) -> httpx2.AsyncClient:
    """An HTTP client for `fetch`: every request passes the guard.

    It ignores proxies and certificates from the environment, stores no cookies and follows no redirects.

    timeout_s: for connecting, and between two pieces of a response
    connect_timeout_s: for connecting; None is `timeout_s`
    trust: certificate authorities; None trusts the public ones
    """
    return httpx2.AsyncClient(
        transport=GuardedTransport(guard, trust),
        timeout=httpx2.Timeout(timeout_s, connect=connect_timeout_s or timeout_s),
        trust_env=False,
        follow_redirects=False,
        headers={"accept-encoding": "gzip, deflate"},
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
    )


async def fetch(client: httpx2.AsyncClient, request: httpx2.Request, *, max_bytes: int = MAX_BODY_BYTES) -> Fetched:
    """Send a request, follow up to MAX_REDIRECTS redirects, and read the response.

    A site is a scheme, host and port. Only a few harmless headers of the request cross to another
    site: credentials and the body do not. A cookie that a site sets is sent back to that site during
    this fetch.

    max_bytes: longest body, after decompression

    Raises RefusedAddress for an address that is not allowed and for a body that would go to another
    site, ServiceUnavailable when the connection fails or times out, and NetworkError for an unknown
    host, an invalid certificate, too many redirects, and a body that is too long or cannot be
    decompressed.
    """
    async with following(client, request) as response:
        body = await _read(response, max_bytes)
        return Fetched(str(response.request.url), response.status_code, response.headers, body)


@contextlib.asynccontextmanager
async def following(client: httpx2.AsyncClient, request: httpx2.Request) -> AsyncIterator[httpx2.Response]:
    """Send a request, follow redirects as `fetch` does, and give the response, whose body has yet to be read.

    Raises as `fetch` does, also while the body is read.
    """
    given, set_by_site = request.headers.get("cookie", ""), httpx2.Cookies()
    for _ in range(MAX_REDIRECTS + 1):
        try:
            response = await client.send(request, stream=True)
        except (httpx2.RequestError, httpx2.InvalidURL, ValueError) as error:  # ValueError: some malformed redirects
            raise _network_error(request.url, error) from error
        try:
            if not response.has_redirect_location:
                yield response
                return
        except httpx2.RequestError as error:
            raise _network_error(request.url, error) from error
        finally:
            await response.aclose()
        left = _site(request.url)
        request = _redirected(client, request, response.status_code, response.headers["location"])
        if _site(request.url) != left:
            given, set_by_site = "", httpx2.Cookies()
            continue
        set_by_site.extract_cookies(response)
        set_by_site.set_cookie_header(request)
        if given:
            request.headers["cookie"] = "; ".join(filter(None, (given, request.headers.get("cookie"))))
    raise NetworkError(f"{_shown(request.url)} redirects more than {MAX_REDIRECTS} times; use another address")


def parse_url(url: str) -> httpx2.URL:
    """Raises RefusedAddress for spaces, control characters, backslashes, and whatever else is not a URL."""
    if _UNPRINTABLE.search(url):
        raise RefusedAddress(f"{url[:100]!r} is not a URL: it contains a space, a backslash or a control character")
    try:
        return httpx2.URL(url)
    except (httpx2.InvalidURL, UnicodeError, ValueError) as error:
        raise RefusedAddress(f"{url[:100]!r} is not a URL: {error}") from None


def _redirected(client: httpx2.AsyncClient, request: httpx2.Request, status: int, target: str) -> httpx2.Request:
    """The request that a redirect asks for. 307 and 308 repeat method and body, the others become a GET."""
    try:
        url = request.url.join(parse_url(target))
    except (httpx2.InvalidURL, ValueError) as error:
        raise RefusedAddress(f"{_shown(request.url)} redirects to {target[:100]!r}: {error}") from None
    same_site = _site(url) == _site(request.url)
    headers = {
        name: value
        for name, value in request.headers.items()
        if (same_site or name in _KEPT_ACROSS_SITES) and name not in _PER_REQUEST
    }
    repeated = status in (307, 308) and request.method not in ("GET", "HEAD")
    if repeated and not same_site:
        raise RefusedAddress(
            f"{_shown(request.url)} redirects a {request.method} to {_shown(url)}; its body is not sent to another site"
        )
    method = request.method if repeated or request.method == "HEAD" else "GET"
    return client.build_request(method, url, headers=headers, content=request.content if repeated else None)


def _site(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, _host(url), url.port


def _host(url: httpx2.URL) -> str:
    return url.raw_host.decode("ascii").rstrip(".")


async def _read(response: httpx2.Response, max_bytes: int) -> bytes:
    url = response.request.url
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding not in ENCODINGS:
        raise NetworkError(f"{_shown(url)} has the content encoding {encoding[:40]!r}; only gzip and deflate are read")
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > max_bytes:
            raise NetworkError(f"{_shown(url)} sends more than {max_bytes} bytes, which is the limit")
    return bytes(body)


def _network_error(url: httpx2.URL, error: Exception) -> NetworkError:
    host = _host(url)
    if isinstance(error, httpx2.TimeoutException):
        return ServiceUnavailable(f"{host} did not answer in time")
    if isinstance(error, httpx2.DecodingError):
        return NetworkError(f"the answer of {host} cannot be decompressed: {error}")
    if isinstance(error, httpx2.TransportError) and not isinstance(error, httpx2.LocalProtocolError):
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return NetworkError(f"the certificate of {host} is not valid: {error}")
        return ServiceUnavailable(f"{host} cannot be reached ({str(error) or type(error).__name__})")
    return NetworkError(f"the request to {host} fails: {error}")


def _shown(url: httpx2.URL) -> str:
    """The URL without user, password, query and fragment, which may contain secrets."""
    return str(url.copy_with(userinfo=b"", query=None, fragment=None))[:200]
