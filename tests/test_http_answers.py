"""Responses: size limits, encodings, and temporary failures."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Callable, Iterator
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest
from support.local_http import LocalServer, local_server

from agentaudio.errors import NetworkError, ServiceUnavailable
from agentaudio.http import Fetched, Guard, fetch, guarded_client, parse_url, retry_after_s

GUARD = Guard(frozenset({"127.0.0.1"}))


def get(url: str, *, max_bytes: int = 1_000, timeout_s: float = 5, headers: dict[str, str] | None = None) -> Fetched:
    async def go() -> Fetched:
        async with guarded_client(GUARD, timeout_s=timeout_s) as client:
            request = client.build_request("GET", parse_url(url), headers=headers)
            return await fetch(client, request, max_bytes=max_bytes)

    return asyncio.run(go())


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with local_server() as running:
        yield running


def test_a_body_longer_than_the_limit_is_refused(server: LocalServer) -> None:
    server.answers["/"] = (200, {}, b"x" * 1_000)
    assert get(server.url).body == b"x" * 1_000
    with pytest.raises(NetworkError, match="sends more than 999 bytes, which is the limit"):
        get(server.url, max_bytes=999)
    server.answers["/"] = (200, {}, b"x" * 5_000_001)

    async def default_limit() -> None:
        async with guarded_client(GUARD) as client:
            await fetch(client, client.build_request("GET", server.url))

    with pytest.raises(NetworkError, match="sends more than 5000000 bytes"):
        asyncio.run(default_limit())


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("gzip", gzip.compress), (" GZip ", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)],
)
def test_bodies_are_decompressed_within_the_limit(
    server: LocalServer, encoding: str, compress: Callable[[bytes], bytes]
) -> None:
    server.answers["/"] = (200, {"content-encoding": encoding}, compress(b"x" * 1_000))
    assert get(server.url).body == b"x" * 1_000
    server.answers["/"] = (200, {"content-encoding": encoding}, compress(b"x" * 5_000_000))
    with pytest.raises(NetworkError, match="sends more than 1000 bytes"):
        get(server.url)


def test_an_endless_body_is_abandoned_and_its_connection_closed() -> None:
    async def go() -> int:
        sent = 0
        hung_up = asyncio.Event()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal sent
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            try:
                while sent < 200_000_000:
                    writer.write(b"x" * 100_000)
                    sent += 100_000
                    await writer.drain()
            except ConnectionError:
                hung_up.set()
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as listening:
            url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
            async with guarded_client(GUARD) as client:
                with pytest.raises(NetworkError, match="sends more than 1000 bytes"):
                    await fetch(client, client.build_request("GET", url), max_bytes=1_000)
                await asyncio.wait_for(hung_up.wait(), 5)  # while the client is still open
        return sent

    assert asyncio.run(go()) < 50_000_000  # what the buffers of the sockets hold


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "deflate,gzip", "compress", "x" * 1_000])
def test_other_encodings_are_refused(server: LocalServer, encoding: str) -> None:
    server.answers["/"] = (200, {"content-encoding": encoding}, b"")
    with pytest.raises(NetworkError, match="content encoding '.*'; only gzip and deflate are read") as refused:
        get(f"{server.url}/?key=secret")
    assert "secret" not in str(refused.value)
    if encoding.startswith("x"):
        assert f"'{'x' * 40}'" in str(refused.value)
    assert server.asked[0].headers["accept-encoding"] == "gzip, deflate"


def test_a_shared_response_is_immutable(server: LocalServer) -> None:
    with pytest.raises(FrozenInstanceError):
        get(server.url).status = 200  # type: ignore[misc]


def test_a_client_waits_ten_seconds_by_default() -> None:
    async def timeouts() -> list[httpx2.Timeout]:
        async with guarded_client(GUARD) as usual, guarded_client(GUARD, timeout_s=3) as quick:
            return [usual.timeout, quick.timeout]

    assert asyncio.run(timeouts()) == [httpx2.Timeout(10), httpx2.Timeout(3)]


def test_a_broken_encoding_is_reported(server: LocalServer) -> None:
    server.answers["/"] = (200, {"content-encoding": "gzip"}, b"not gzip")
    with pytest.raises(NetworkError, match="answer of 127.0.0.1 cannot be decompressed: ") as raised:
        get(server.url)
    assert not isinstance(raised.value, ServiceUnavailable)


def test_a_service_that_does_not_answer_is_a_temporary_failure() -> None:
    with local_server() as gone:
        pass
    with pytest.raises(ServiceUnavailable, match=r"^127.0.0.1 cannot be reached \(.+\)$"):
        get(gone.url)


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (b"", r"127.0.0.1 cannot be reached \(Server disconnected.*\)"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", r"127.0.0.1 cannot be reached \(.+\)"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", r"127.0.0.1 cannot be reached \(peer closed.*\)"),
        (None, "127.0.0.1 did not answer in time"),
    ],
)
def test_a_connection_closed_midway_is_a_temporary_failure(reply: bytes | None, message: str) -> None:
    async def go() -> None:
        ended = asyncio.Event()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            if reply is None:
                await ended.wait()
            else:
                writer.write(reply)
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as listening:
            port = listening.sockets[0].getsockname()[1]
            try:
                async with guarded_client(GUARD, timeout_s=0.2 if reply is None else 20) as client:
                    await fetch(client, client.build_request("GET", f"http://127.0.0.1:{port}/"))
            finally:
                ended.set()

    with pytest.raises(ServiceUnavailable, match=f"^{message}$"):
        asyncio.run(go())


def test_a_request_that_cannot_be_sent_is_a_permanent_failure(server: LocalServer) -> None:
    with pytest.raises(NetworkError, match="the request to 127.0.0.1 fails: ") as raised:
        get(server.url, headers={"x-key": "two\nlines"})
    assert type(raised.value) is NetworkError and server.asked == []


@pytest.mark.parametrize(("status", "available"), [(200, True), (404, True), (429, False), (500, True), (502, False),
                                                   (503, False), (504, False)])  # fmt: skip
def test_temporary_statuses_are_service_unavailable(server: LocalServer, status: int, available: bool) -> None:
    server.answers["/"] = (status, {"retry-after": "7"}, b"")
    fetched = get(server.url)
    if available:
        assert fetched.require_available() is fetched
    else:
        with pytest.raises(ServiceUnavailable, match=f"^the service answered {status}$") as raised:
            fetched.require_available()
        assert raised.value.retry_after_s == 7.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7.0), (" 120 ", 120.0), ("0", 0.0), ("", None), ("-1", None), ("1.5", None), ("soon", None), ("٧", None),
     ("9" * 400, None), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0), ("Wed, 21 Oct 2015 07:28:00 -0000", 0.0)],
)  # fmt: skip
def test_retry_after_is_read(value: str, seconds: float | None) -> None:
    assert retry_after_s(httpx2.Headers([(b"retry-after", value.encode())] if value else [])) == seconds


def test_retry_after_may_be_a_date() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    seconds = retry_after_s(httpx2.Headers({"retry-after": date}))
    assert seconds is not None and 55 < seconds <= 60
