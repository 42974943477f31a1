"""The guarded proxy connects a client of another library to checked addresses only."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from support.local_http import LocalServer, local_server

from agentaudio.guarded_proxy import guarded_proxy
from agentaudio.http import Guard

primp = pytest.importorskip("primp", reason="needs the extra 'web'")

PUBLIC = "93.184.216.34"


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with local_server() as running:
        running.answers["/"] = (200, {}, b"found")
        yield running


def guard_of(names: dict[str, list[list[str]]], *allowed: str) -> Guard:
    """names: for each host its addresses at the first question, at the second, and so on"""

    async def resolve(host: str, port: int) -> list[str]:
        answers = names.get(host, [[host]])
        return answers.pop(0) if len(answers) > 1 else answers[0]

    return Guard(frozenset(allowed), resolve)


def get(proxy: str, url: str, **options: Any) -> bytes:
    return bytes(primp.Client(proxy=proxy, timeout=5, **options).get(url).content)


def test_names_are_resolved_by_the_guard_only(server: LocalServer) -> None:
    guard = guard_of({"engine.test": [["127.0.0.1"]]}, "engine.test")
    with guarded_proxy(guard) as proxy:
        assert get(proxy, f"http://engine.test:{server.port}/") == b"found"
    assert server.asked[0].headers["host"] == f"engine.test:{server.port}"


@pytest.mark.parametrize(
    "host", ["engine.test", "127.0.0.1", "localhost", "127.1", "0x7f000001", "[::ffff:127.0.0.1]", "2130706433"]
)
def test_no_spelling_of_a_private_address_is_connected_to(server: LocalServer, host: str) -> None:
    names = {"engine.test": [[PUBLIC, "127.0.0.1"]], "localhost": [["127.0.0.1"]]}
    with guarded_proxy(guard_of(names)) as proxy, pytest.raises(primp.PrimpError, match="status 2"):
        get(proxy, f"http://{host}:{server.port}/")
    assert server.asked == []


@pytest.mark.parametrize("target", ["http://127.0.0.1:{}/", "http://localhost:{}/", "//inner.test:{}/"])
def test_a_client_that_follows_redirects_itself_is_held_too(server: LocalServer, target: str) -> None:
    with local_server() as private:
        server.answers["/"] = (302, {"location": target.format(private.port)}, b"")
        names = {"engine.test": [["127.0.0.1"]], "localhost": [["127.0.0.1"]], "inner.test": [["10.0.0.1"]]}
        guard = guard_of(names, "engine.test")
        with guarded_proxy(guard) as proxy, pytest.raises(primp.PrimpError, match="status 2"):
            get(proxy, f"http://engine.test:{server.port}/", follow_redirects=True)
        assert private.asked == []


def test_an_unknown_name_a_closed_port_and_a_stranger_get_no_connection(server: LocalServer) -> None:
    with local_server() as gone:
        pass
    with guarded_proxy(guard_of({"none.test": [[]]}, "127.0.0.1")) as proxy:
        with pytest.raises(primp.PrimpError, match="status 4"):
            get(proxy, "http://none.test/")
        with pytest.raises(primp.PrimpError, match="status 5"):
            get(proxy, gone.url)
        with pytest.raises(primp.PrimpError):
            get(proxy.replace("agentaudio:", "agentaudio:x"), server.url)
        with pytest.raises(primp.PrimpError):
            get(f"socks5h://{proxy.rpartition('@')[2]}", server.url)
    assert server.asked == []


def test_bytes_that_are_no_socks_end_their_own_connection_only(server: LocalServer) -> None:
    with guarded_proxy(guard_of({}, "127.0.0.1")) as proxy:
        port = int(proxy.rpartition(":")[2])
        for sent in (b"GET / HTTP/1.1\r\n\r\n", b"\x05\x01\x02\x01\x00\x00", b"\x05\xff", b"\x04\x01", b""):
            with socket.create_connection(("127.0.0.1", port), 5) as stranger:
                stranger.sendall(sent)
                stranger.shutdown(socket.SHUT_WR)
                while stranger.recv(100):
                    pass
        assert get(proxy, server.url) == b"found"


def test_the_end_of_the_block_closes_connections_and_leaves_no_thread() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        before, ended = threading.active_count(), []

        def ask(proxy: str) -> None:
            with pytest.raises(primp.PrimpError):
                get(proxy, f"http://127.0.0.1:{silent.getsockname()[1]}/")
            ended.append(time.monotonic())

        with guarded_proxy(guard_of({}, "127.0.0.1")) as proxy:
            waiting = threading.Thread(target=ask, args=(proxy,))
            waiting.start()
            peer = silent.accept()[0]
            peer.recv(10)
            left = time.monotonic()
        waiting.join()
        peer.close()
        assert ended[0] - left < 2 and threading.active_count() == before
