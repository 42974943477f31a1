"""What cannot be stored now is stored later; the conversation goes on and says so once. No file is ever replaced."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from support import session_child

from agentaudio import Agent, events
from agentaudio.errors import OptionError, SessionInUse, SessionNotFound, StorageError
from agentaudio.model.scripted import Scripted
from agentaudio.session import Session
from agentaudio.storage import recorder
from agentaudio.storage.sqlite_file import FORMAT
from agentaudio.storage.sqlite_store import SqliteStore

TOLD = events.SavingFailed | events.SavingResumed


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "talks.sqlite3"


@pytest.fixture
def agent() -> Agent:
    return Agent(Scripted(["Yes."], loop=True))


async def told(session: Session, words: str) -> list[str]:
    """Run a turn; returns what it tells about saving, right before its end."""
    seen = [event async for event in session.stream(words)]
    assert isinstance(seen[-1], events.TurnFinished) and seen[-1].reply.text == "Yes."
    assert all(isinstance(event, TOLD) is (number == len(seen) - 2) for number, event in enumerate(seen)) or not any(
        isinstance(event, TOLD) for event in seen
    )
    return [event.type for event in seen if isinstance(event, TOLD)]


async def stored(store: SqliteStore) -> list[str]:
    return [message.text for message in (await store.load("ana"))[0] if message.role == "user"]


@contextmanager
def full_disk(path: Path) -> Iterator[None]:
    """No file can grow beyond what the log of the store holds now."""
    size = path.with_name(f"{path.name}-wal").stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("keep_sound", [False, True])
async def test_on_a_full_disk_the_conversation_goes_on_says_so_once_and_nothing_is_lost(
    path: Path, agent: Agent, keep_sound: bool
) -> None:
    async with SqliteStore(path, keep_sound=keep_sound) as store:
        session = await store.session(agent, "ana")
        assert await told(session, "one") == []
        with full_disk(path):
            assert await told(session, "two") == ["saving.failed"]
            assert await told(session, "three") == []
            assert await stored(store) == ["one"]
        assert await told(session, "four") == ["saving.resumed"]
        assert await told(session, "five") == []
        assert await stored(store) == ["one", "two", "three", "four", "five"]


async def test_the_event_says_what_is_wrong_and_that_space_helps(path: Path, agent: Agent) -> None:
    async with SqliteStore(path) as store:
        session = await store.session(agent, "ana")
        await session.run("one")
        with full_disk(path):
            (failed,) = [e async for e in session.stream("two") if isinstance(e, events.SavingFailed)]
        assert isinstance(failed.error, StorageError) and "free some space" in str(failed.error)
        assert failed.to_dict()["type"] == "saving.failed" and str(path) in str(failed.to_dict()["error"])


async def test_a_turn_that_could_not_be_stored_is_stored_later_without_another_turn(
    path: Path, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "RETRY_S", 0.05)
    async with SqliteStore(path) as store:
        session = await store.session(agent, "ana")
        await session.run("one")
        with full_disk(path):
            await session.run("two")
        while await stored(store) != ["one", "two"]:
            await asyncio.sleep(0.02)


def moved(path: Path, away: Path) -> None:
    path.rename(away)


def copied(path: Path, away: Path) -> None:
    shutil.copy(path, away)
    path.unlink()


@pytest.mark.parametrize("leave", [moved, copied])
async def test_a_database_that_goes_away_and_comes_back_gets_every_turn(
    path: Path, tmp_path: Path, agent: Agent, leave: Callable[[Path, Path], None]
) -> None:
    async with SqliteStore(path) as store:
        session = await store.session(agent, "ana")
        await session.run("one")
    async with SqliteStore(path) as store:
        session = await store.session(agent, "ana")
        leave(path, tmp_path / "away")
        assert await told(session, "two") == ["saving.failed"]
        with pytest.raises(StorageError, match="is gone; put it back"):
            await store.list()
        assert not path.exists(), "no empty store takes its place"
        assert await told(session, "three") == []
        (tmp_path / "away").rename(path)
        assert await told(session, "four") == ["saving.resumed"]
        assert await stored(store) == ["one", "two", "three", "four"]
    async with SqliteStore(path) as store:
        assert await stored(store) == ["one", "two", "three", "four"]


async def test_a_database_that_another_program_locks_for_long_does_not_hold_up_the_conversation(
    path: Path, agent: Agent
) -> None:
    async with SqliteStore(path) as store:
        session = await store.session(agent, "ana")
        await session.run("one")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            begun = time.perf_counter()
            assert await told(session, "two") == ["saving.failed"]
            assert await told(session, "three") == []
            assert time.perf_counter() - begun < 4
            other.execute("ROLLBACK")
        await store.leave("ana")
        assert await stored(store) == ["one", "two", "three"]


async def test_what_cannot_be_stored_at_the_end_is_an_error(path: Path, agent: Agent) -> None:
    store = SqliteStore(path)
    session = await store.session(agent, "ana")
    await session.run("one")
    with full_disk(path):
        await session.run("two")
        with pytest.raises(StorageError, match="free some space"):
            await store.aclose()
    with pytest.raises(StorageError, match="is closed; make a new one"):
        await store.list()


def changed(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute(sql)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: changed(p, f"PRAGMA user_version = {FORMAT + 1}"), f"has format {FORMAT + 1}.*upgrade agentaudio"),
        (lambda p: changed(p, "PRAGMA application_id = 7"), "another kind of SQLite file"),
        (lambda p: p.write_bytes(b""), "is empty, not a store"),
        (lambda p: p.write_bytes(b"my diary" * 4_000), "is damaged: file is not a database"),
        (lambda p: p.write_bytes(p.read_bytes()[:6_000]), "is damaged"),
    ],
)
async def test_a_store_of_the_future_or_one_that_cannot_be_read_stays_byte_for_byte(
    path: Path, agent: Agent, make: Callable[[Path], None], message: str
) -> None:
    async with SqliteStore(path) as store:
        await (await store.session(agent, "ana")).run("one")
    make(path)
    before = path.read_bytes()
    for _ in range(2):
        async with SqliteStore(path) as store:
            with pytest.raises(StorageError, match=message):
                await store.session(agent, "ana")
            with pytest.raises(StorageError, match=message):
                await store.load("ana")
            with pytest.raises(StorageError, match=message):
                await store.erase("ana")
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "messages",
    [
        "{}",
        "[]",
        '[{"role": "user"}]',
        '[{"role": "user", "parts": [{"type": "smell"}]}]',
        '[{"role": "user", "parts": [], "failed": false, "mood": 1}]',
        "[" * 50_000,
    ],
)
async def test_a_session_that_cannot_be_read_is_named_and_stays_as_it_is(
    path: Path, agent: Agent, messages: str
) -> None:
    async with SqliteStore(path) as store:
        for id in ("ana", "ben"):
            session = await store.session(agent, id)
            await session.run("one")
            await store.leave(id)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE turns SET messages = ? WHERE session = 1", (messages,))
    async with SqliteStore(path) as store:
        for attempt in (store.session(agent, "ana"), store.load("ana")):
            with pytest.raises(StorageError, match="session 'ana' of .*: turn 1 is damaged"):
                await attempt
        assert len((await store.session(agent, "ben")).conversation) == 2
        assert (await store.turns("ana"))[0].messages == messages


async def test_sound_that_is_missing_or_changed_is_named_when_it_is_used(path: Path) -> None:
    agent = Agent(Scripted(["Yes."], loop=True))
    async with SqliteStore(path, keep_sound=True) as store:
        await (await store.session(agent, "ana")).run("one")
        ((turn,), (conversation, _)) = await store.turns("ana"), await store.load("ana")
        (speech,) = conversation.messages[1].parts
        (file,) = path.parent.rglob("*.wav")
        content = file.read_bytes()
        for wrong, message in ((content[:-4] + b"\1\1\1\1", "its content was changed"), (b"RIFF", "is damaged")):
            file.write_bytes(wrong)
            with pytest.raises(StorageError, match=f"sound {turn.sounds[0]} .*{message}"):
                speech.audio.to_pcm16()  # type: ignore[union-attr]
        file.unlink()
        with pytest.raises(StorageError, match="is missing"):
            speech.audio.to_pcm16()  # type: ignore[union-attr]


async def test_the_hold_of_a_process_that_died_is_free_at_once_and_one_that_lives_refuses(
    path: Path, agent: Agent
) -> None:
    child = subprocess.Popen(
        [sys.executable, str(Path(session_child.__file__))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert child.stdin is not None and child.stdout is not None
    try:
        child.stdin.write(f"{path}\n".encode())
        child.stdin.flush()
        holder = int(child.stdout.readline()[1:])
        while child.stdout.readline() != b"1\n":
            pass
        async with SqliteStore(path) as store:
            with pytest.raises(SessionInUse, match=rf"in use by process {holder} on .* since 20.*; end it there first"):
                await store.session(agent, "ana")
            with pytest.raises(SessionInUse):
                await store.erase("ana")
            os.kill(holder, signal.SIGKILL)
            while child.stdout.readline() != b"d\n":
                pass
            begun = time.monotonic()
            session = await store.session(agent, "ana")
            assert time.monotonic() - begun < 10
            turns = len(await stored(store))
            assert await told(session, "next") == [] and len(await stored(store)) == turns + 1
    finally:
        child.kill()
        child.wait()
        child.stdin.close()
        child.stdout.close()


async def test_wrong_ids_and_settings_are_refused(path: Path, agent: Agent) -> None:
    async with SqliteStore(path) as store:
        for wrong in ("", "x" * 201, "a\0b", "\ud800", "a\nb", 7):
            with pytest.raises(OptionError, match="a session id is a text of 1 to 200 printable characters"):
                await store.session(agent, wrong)  # type: ignore[arg-type]
        for attempt in (store.load("nobody"), store.turns("nobody"), store.erase("nobody")):
            with pytest.raises(SessionNotFound, match="there is no session 'nobody'"):
                await attempt
        await (await store.session(agent, "../../x and 'so' on; é")).run("one")
    with pytest.raises(OptionError, match="days is 0"):
        SqliteStore(path, days=0)
