"""Files over HTTP, from a real server that cuts, stalls, lies and refuses."""

from __future__ import annotations

import asyncio
import random
import socket
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest import MonkeyPatch
from support.examples import share
from support.file_server import Fault, FileServer, entry, file_server, release

from agentaudio.errors import WeightsError
from agentaudio.weights import download
from agentaudio.weights.ledger import Entry
from agentaudio.weights.store import Progress, Store

BODY = random.Random(1).randbytes(300_000)


def store_of(root: Path, one: Entry, allowed: frozenset[str] = frozenset()) -> Store:
    return Store({"tiny": one}, root, allowed=allowed)


@pytest.fixture
def store(server: FileServer, tmp_path: Path) -> Store:
    server.files["/a.bin"] = BODY
    return store_of(tmp_path, entry({"a.bin": BODY}, release(server, "a.bin")))


async def test_a_file_is_downloaded_with_progress_and_found_afterwards(store: Store, server: FileServer) -> None:
    seen: list[Progress] = []
    folder = await store.ensure("tiny", seen.append)
    assert (folder / "a.bin").read_bytes() == BODY
    assert store.folder("tiny") == folder and store.missing("tiny") == ()
    done = [progress.done for progress in seen]
    assert done == sorted(done) and done[-1] == seen[-1].total == len(BODY) and len(done) > 3
    assert {(progress.name, progress.source) for progress in seen} == {("tiny", f"127.0.0.1:{server.port}")}
    await store.ensure("tiny")
    assert len(server.asked) == 1
    assert not list(folder.rglob("*.part"))


async def test_a_connection_that_is_cut_is_continued_where_it_ended(store: Store, server: FileServer) -> None:
    server.faults["/a.bin"] = [Fault(cut_after=100_000), Fault(cut_after=50_000), Fault()]
    folder = await store.ensure("tiny")
    assert (folder / "a.bin").read_bytes() == BODY
    assert server.ranges() == [None, "bytes=100000-", "bytes=150000-"]
    assert server.sent["/a.bin"] == len(BODY)


async def test_a_server_without_ranges_sends_the_whole_again(store: Store, server: FileServer) -> None:
    server.faults["/a.bin"] = [Fault(cut_after=100_000), Fault(whole=True)]
    assert ((await store.ensure("tiny")) / "a.bin").read_bytes() == BODY


@pytest.mark.parametrize("given", ["bytes 0-299999/300000", "bytes 100000-299999/400000", "items 1-2/3", ""])
async def test_an_answer_with_another_range_is_refused(given: str, store: Store, server: FileServer) -> None:
    server.faults["/a.bin"] = [Fault(cut_after=100_000), Fault(headers={"content-range": given})]
    with pytest.raises(WeightsError, match=f"it answers with another range: {given}"):
        await store.ensure("tiny")


async def test_a_stalled_connection_is_made_again(
    store: Store, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "STALL_TIMEOUT_S", 2.0)
    server.faults["/a.bin"] = [Fault(stall_after=120_000), Fault()]
    assert ((await store.ensure("tiny")) / "a.bin").read_bytes() == BODY
    assert server.ranges()[1] is not None


async def test_a_source_that_never_gets_further_is_given_up(
    store: Store, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "LONGEST_PAUSE_S", 0.01)
    server.faults["/a.bin"] = [Fault(cut_after=100_000), Fault(cut_after=0)]
    with pytest.raises(WeightsError, match=r"'tiny' cannot be fetched: 127\.0\.0\.1:\d+: .*models fetch tiny` again"):
        await store.ensure("tiny")
    assert 3 <= len(server.asked) <= 8
    server.faults.clear()
    await store.ensure("tiny")
    assert server.ranges()[-1] == "bytes=100000-"  # what had arrived was kept


async def test_wrong_bytes_are_refused_and_the_next_source_is_asked(server: FileServer, tmp_path: Path) -> None:
    server.files |= {"/bad/a.bin": BODY[:-1] + b"!", "/a.bin": BODY}
    bad = {"kind": "release", "urls": {"a.bin": f"{server.url}/bad/a.bin"}}
    folder = await store_of(tmp_path, entry({"a.bin": BODY}, bad, release(server, "a.bin"))).ensure("tiny")
    assert (folder / "a.bin").read_bytes() == BODY

    only = store_of(tmp_path / "other", entry({"a.bin": BODY}, bad))
    with pytest.raises(WeightsError, match=r"a\.bin has the sha256 [0-9a-f]{64} instead of [0-9a-f]{64}"):
        await only.ensure("tiny")
    assert [path.name for path in only.path("tiny").iterdir() if path.suffix in (".bin", ".part")] == []


async def test_half_a_wrong_file_is_thrown_away_and_the_right_one_fetched(store: Store, server: FileServer) -> None:
    server.files["/a.bin"] = b"?" * len(BODY)
    server.faults["/a.bin"] = [Fault(cut_after=100_000), Fault(status=404)]
    with pytest.raises(WeightsError, match="answered 404"):
        await store.ensure("tiny")
    server.files["/a.bin"] = BODY
    server.faults.clear()
    assert ((await store.ensure("tiny")) / "a.bin").read_bytes() == BODY
    assert server.ranges()[-2:] == ["bytes=100000-", None]


@pytest.mark.parametrize("size", [len(BODY) - 1, len(BODY) + 1, 0])
async def test_a_file_of_another_size_is_refused_before_it_is_read(store: Store, server: FileServer, size: int) -> None:
    server.files["/a.bin"] = (BODY + b"!")[:size]
    with pytest.raises(WeightsError, match=f"it has {size} bytes instead of {len(BODY)}"):
        await store.ensure("tiny")


async def test_an_endless_file_is_cut_off(tmp_path: Path) -> None:
    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(10_000)
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            try:
                for _ in range(1000):
                    connection.sendall(b"x" * 100_000)
            except OSError:
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.ensure_future(asyncio.to_thread(serve, listener))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/a.bin"
        one = entry({"a.bin": BODY}, {"kind": "release", "urls": {"a.bin": url}})
        with pytest.raises(WeightsError, match="sends more than 300000 bytes"):
            await store_of(tmp_path, one).ensure("tiny")
        await serving


async def test_a_busy_server_is_asked_again_when_it_says(store: Store, server: FileServer) -> None:
    server.faults["/a.bin"] = [Fault(status=503, headers={"retry-after": "1"}), Fault()]
    begun = time.monotonic()
    await store.ensure("tiny")
    assert time.monotonic() - begun >= 1.0
    assert len(server.asked) == 2


async def test_a_server_that_wants_a_long_pause_is_passed_over(store: Store, server: FileServer) -> None:
    server.faults["/a.bin"] = [Fault(status=429, headers={"retry-after": "3600"})]
    with pytest.raises(WeightsError, match="answered 429"):
        await store.ensure("tiny")
    assert len(server.asked) == 1


async def test_sources_that_cannot_be_reached_are_passed_over_within_seconds(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One refuses connections, one has no name, one accepts and says nothing, one drops packets."""
    assert download.ANSWER_TIMEOUT_S + download.CONNECT_TIMEOUT_S < 20
    monkeypatch.setattr(download, "ANSWER_TIMEOUT_S", 1.0)
    monkeypatch.setattr(download, "CONNECT_TIMEOUT_S", 1.0)
    server.files["/a.bin"] = BODY
    with socket.create_server(("127.0.0.1", 0)) as free:
        closed = free.getsockname()[1]
    with socket.create_server(("127.0.0.1", 0)) as silent, full_listener() as full:
        urls = [
            f"http://127.0.0.1:{closed}/a.bin",
            "http://no-such-host.invalid/a.bin",
            f"http://127.0.0.1:{silent.getsockname()[1]}/a.bin",
            f"http://127.0.0.1:{full}/a.bin",
        ]
        sources = [{"kind": "release", "urls": {"a.bin": url}} for url in urls]
        begun = time.monotonic()
        folder = await store_of(tmp_path, entry({"a.bin": BODY}, *sources, release(server, "a.bin"))).ensure("tiny")
    assert (folder / "a.bin").read_bytes() == BODY
    assert time.monotonic() - begun < 6


async def test_a_host_that_does_not_answer_is_asked_once(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "ANSWER_TIMEOUT_S", 0.5)
    asked: list[asyncio.StreamWriter] = []

    def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(writer)

    server.files["/a.bin"] = BODY
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as silent:
        url = f"http://127.0.0.1:{silent.sockets[0].getsockname()[1]}/a.bin"
        one = entry({"a.bin": BODY}, {"kind": "release", "urls": {"a.bin": url}}, release(server, "a.bin"))
        store = Store({name: one for name in ("tiny", "tidy", "titan")}, tmp_path)
        for name in ("tiny", "tidy", "titan"):
            await store.ensure(name)
        for writer in asked:
            writer.close()
    assert len(asked) == 1 and len(server.asked) == 3


async def test_a_host_that_answered_and_broke_off_is_asked_for_the_next_source(
    server: FileServer, tmp_path: Path
) -> None:
    server.files |= {"/x/a.bin": BODY, "/a.bin": BODY}
    server.faults["/x/a.bin"] = [Fault(cut_after=0)]
    first = {"kind": "release", "urls": {"a.bin": f"{server.url}/x/a.bin"}}
    folder = await store_of(tmp_path, entry({"a.bin": BODY}, first, release(server, "a.bin"))).ensure("tiny")
    assert (folder / "a.bin").read_bytes() == BODY


async def test_redirects_are_followed_with_the_range_and_without_the_login(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    revision = "1" * 40
    gated = {"kind": "hub", "repository": "someone/tiny", "revision": revision, "gated": True}
    path = f"/someone/tiny/resolve/{revision}/a.bin"
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with file_server() as storage:
        storage.files["/blob"] = BODY
        storage.faults["/blob"] = [Fault(cut_after=100_000), Fault()]
        server.faults[path] = [Fault(status=302, headers={"location": f"{storage.url}/blob"})]
        allowed = frozenset({f"127.0.0.1:{storage.port}"})
        folder = await store_of(tmp_path, entry({"a.bin": BODY}, gated), allowed).ensure("tiny")
        assert (folder / "a.bin").read_bytes() == BODY
        assert [headers.get("authorization") for _, headers in server.asked] == ["Bearer hf_secret"] * 2
        assert all("authorization" not in headers for _, headers in storage.asked)
        assert storage.ranges() == [None, "bytes=100000-"]


async def test_a_redirect_into_the_private_network_is_refused(store: Store, server: FileServer) -> None:
    with file_server() as inside:
        inside.files["/a.bin"] = BODY
        server.faults["/a.bin"] = [Fault(status=302, headers={"location": f"{inside.url}/a.bin"})]
        with pytest.raises(WeightsError, match="not an address of the public internet"):
            await store.ensure("tiny")
        assert inside.asked == []


async def test_a_cancelled_fetch_keeps_what_has_arrived(store: Store, server: FileServer) -> None:
    server.faults["/a.bin"] = [Fault(pace_s=0.01), Fault()]
    arrived = asyncio.Event()
    fetching = asyncio.ensure_future(
        store.ensure("tiny", lambda progress: arrived.set() if progress.done > 50_000 else None)
    )
    await arrived.wait()
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    await store.ensure("tiny")
    assert int((server.ranges()[-1] or "bytes=0-")[6:-1]) > 50_000


async def test_tasks_and_threads_that_want_the_same_weights_fetch_them_once(store: Store, server: FileServer) -> None:
    server.faults["/a.bin"] = [Fault(pace_s=0.005)]
    tasks = [store.ensure("tiny") for _ in range(3)]
    threads = [asyncio.to_thread(lambda: asyncio.run(store.ensure("tiny"))) for _ in range(3)]
    folders = await asyncio.gather(*tasks, *threads)
    assert len(set(folders)) == 1 and len(server.asked) == 1


FAULTS = st.builds(
    Fault,
    status=st.none() | st.sampled_from([403, 404, 500]),
    cut_after=st.none() | st.integers(0, 20_000),
    whole=st.booleans(),
    headers=st.sampled_from(
        [{}, {"content-encoding": "gzip"}, {"content-range": "bytes 5-9/10"}, {"content-range": "rubbish"}]
    ),
)


@given(faults=st.lists(FAULTS, max_size=4), wrong_first=st.booleans(), earlier=st.integers(0, 25_000))
@settings(max_examples=share(40))
def test_whatever_a_server_does_the_file_is_right_or_not_there(
    faults: list[Fault], wrong_first: bool, earlier: int
) -> None:
    body = BODY[:20_000]
    with tempfile.TemporaryDirectory() as folder, file_server() as server, MonkeyPatch.context() as patch:
        patch.setattr(download, "LONGEST_PAUSE_S", 0.001)
        server.files |= {"/x/a.bin": b"?" * len(body) if wrong_first else body, "/a.bin": body}
        server.faults["/x/a.bin"] = [*faults, Fault()]
        first = {"kind": "release", "urls": {"a.bin": f"{server.url}/x/a.bin"}}
        one = entry({"a.bin": body}, first, release(server, "a.bin"))
        store = store_of(Path(folder), one)
        part = store.path("tiny") / f".a.bin.{one.files['a.bin'].sha256[:12]}.part"
        part.parent.mkdir(parents=True)
        part.write_bytes(b"!" * earlier)
        assert (asyncio.run(store.ensure("tiny")) / "a.bin").read_bytes() == body
        only = store_of(Path(folder) / "only", entry({"a.bin": body}, first))
        try:
            assert (asyncio.run(only.ensure("tiny")) / "a.bin").read_bytes() == body
        except WeightsError:
            assert not (only.path("tiny") / "a.bin").exists()


class full_listener:
    """A port whose queue of connections is full, so that the system drops further attempts, as a firewall does."""

    def __enter__(self) -> int:
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(0)
        self._clients = []
        for _ in range(8):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(self._listener.getsockname())
            self._clients.append(client)
        port: int = self._listener.getsockname()[1]
        return port

    def __exit__(self, *_: object) -> None:
        for each in (self._listener, *self._clients):
            each.close()
