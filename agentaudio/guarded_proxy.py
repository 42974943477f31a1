"""`guarded_proxy`: a local SOCKS5 proxy (RFC 1928) through which an HTTP client of another library passes a `Guard`.

The client gives host names to the proxy and resolves none itself, so a connection goes to an address that the guard
has checked, as those of `guarded_client` do.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import ipaddress
import secrets
import threading
from collections.abc import Iterator

from agentaudio.errors import NetworkError, RefusedAddress
from agentaudio.http import Guard, parse_url

CONNECT_TIMEOUT_S = 10.0
"""For the client's request, and for the connection to each address."""

_VERSION, _CONNECT = 5, 1
_PASSWORD, _NO_METHOD = 2, 0xFF
_IPV4, _NAME, _IPV6 = 1, 3, 4
_OPEN, _REFUSED, _UNREACHABLE, _NO_CONNECTION, _NOT_SUPPORTED = 0, 2, 4, 5, 7
_PIECE_BYTES = 65_536


@contextlib.contextmanager
def guarded_proxy(guard: Guard) -> Iterator[str]:
    """The address of a proxy that runs until the block ends, as `socks5h://user:password@127.0.0.1:port`.

    Its password is random, so that other users of the machine cannot use it. The end of the block closes all
    connections.
    """
    password = secrets.token_hex(16)
    started: list[tuple[asyncio.AbstractEventLoop, asyncio.Event, int]] = []
    ready = threading.Event()

    async def serve() -> None:
        ended = asyncio.Event()
        connections: set[asyncio.Task[None]] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            connections.add(task)
            try:
                await _serve(guard, password, reader, writer)
            finally:
                connections.discard(task)

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        started.append((asyncio.get_running_loop(), ended, server.sockets[0].getsockname()[1]))
        ready.set()
        await ended.wait()
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    def run() -> None:
        try:
            asyncio.run(serve())
        finally:
            ready.set()

    thread = threading.Thread(target=run, name="agentaudio-guarded-proxy", daemon=True)
    thread.start()
    ready.wait()
    if not started:
        raise NetworkError("no port of 127.0.0.1 can be opened for the guarded proxy")
    loop, ended, port = started[0]
    try:
        yield f"socks5h://agentaudio:{password}@127.0.0.1:{port}"
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()


async def _serve(guard: Guard, password: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one connection of the client until either side ends it."""
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            wanted = await _wanted(password, reader, writer)
        if wanted is None:
            return
        opened = await _opened(guard, *wanted)
        writer.write(_reply(opened if isinstance(opened, int) else _OPEN))
        await writer.drain()
        if not isinstance(opened, int):
            await _relay(reader, writer, *opened)
    except (OSError, EOFError, TimeoutError):
        pass  # the client sees that the connection ends
    finally:
        writer.close()


async def _wanted(password: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, int] | None:
    """The host and port that the client wants, None if its request is refused."""
    version, methods = await reader.readexactly(2)
    if version != _VERSION or _PASSWORD not in await reader.readexactly(methods):
        writer.write(bytes((_VERSION, _NO_METHOD)))
        return None
    writer.write(bytes((_VERSION, _PASSWORD)))
    # RFC 1929: version, name and password, each text after its length.
    _, length = await reader.readexactly(2)
    await reader.readexactly(length)
    given = await reader.readexactly(*await reader.readexactly(1))
    known = hmac.compare_digest(given, password.encode())
    writer.write(bytes((1, not known)))
    if not known:
        return None
    _, command, _, kind = await reader.readexactly(4)
    if kind == _NAME:
        host = (await reader.readexactly(*await reader.readexactly(1))).decode("ascii", "replace")
    elif kind in (_IPV4, _IPV6):
        address = ipaddress.ip_address(await reader.readexactly(4 if kind == _IPV4 else 16))
        host = f"[{address}]" if kind == _IPV6 else str(address)
    else:
        command, host = 0, ""
    port = int.from_bytes(await reader.readexactly(2), "big")
    if command != _CONNECT:
        writer.write(_reply(_NOT_SUPPORTED))
        return None
    return host, port


async def _opened(guard: Guard, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | int:
    """A connection to the first checked address that accepts one, or the reply that says why there is none."""
    try:
        addresses = await guard.addresses_of(parse_url(f"http://{host}:{port}"))
    except RefusedAddress:
        return _REFUSED
    except NetworkError:
        return _UNREACHABLE
    for address in addresses:
        with contextlib.suppress(OSError):
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                return await asyncio.open_connection(address, port)
    return _NO_CONNECTION


async def _relay(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    far_reader: asyncio.StreamReader,
    far_writer: asyncio.StreamWriter,
) -> None:
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_copy(reader, far_writer))
            group.create_task(_copy(far_reader, writer))
    except* OSError:
        pass
    finally:
        far_writer.close()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while piece := await source.read(_PIECE_BYTES):
        target.write(piece)
        await target.drain()
    target.write_eof()


def _reply(status: int) -> bytes:
    return bytes((_VERSION, status, 0, _IPV4)) + bytes(6)
