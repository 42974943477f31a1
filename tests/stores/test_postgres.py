"""Sessions in a real PostgreSQL server, which the tests start and stop."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.models import calls, scripted
from support.sounds import tone

from agentaudio import Agent, events, tool
from agentaudio.conversation import AudioPart
from agentaudio.errors import SessionInUse, SessionNotFound, StorageError
from agentaudio.model.scripted import Scripted

psycopg = pytest.importorskip("psycopg", reason="needs the extra postgres: make test-stores")

from agentaudio.storage.postgres_store import PostgresStore  # noqa: E402

PROGRAMS = next(
    (path for path in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True) if (path / "initdb").exists()),
    None,
)
pytestmark = pytest.mark.skipif(PROGRAMS is None, reason="needs a PostgreSQL server: apt install postgresql")
HELD = """
import asyncio, sys
from agentaudio import Agent
from agentaudio.model.scripted import Scripted
from agentaudio.storage.postgres_store import PostgresStore

async def main():
    session = await PostgresStore(sys.argv[1]).session(Agent(Scripted(["Yes."], loop=True)), "ana")
    for number in range(10_000):
        await session.run(f"question {number}")
        print(number, flush=True)

asyncio.run(main())
"""


class Server:
    """A PostgreSQL server in a folder, on a free port of this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        if os.geteuid() == 0:  # the server refuses to run as root
            shutil.chown(folder, "postgres")
        self._run("initdb", "-D", str(folder / "data"), "-U", "postgres", "-A", "trust", "--no-sync")

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        self._run(
            "pg_ctl", "-D", str(self.folder / "data"), "-o", options, "-l", str(self.folder / "log"), "-w", "start"
        )

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        assert PROGRAMS is not None
        command = [str(PROGRAMS / program), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    folder = Path("/tmp") / f"agentaudio-postgres-{os.getpid()}"  # where another user may read it
    folder.mkdir()
    try:
        made = Server(folder)
        made.start()
        try:
            yield made
        finally:
            made.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def url(server: Server) -> str:
    with psycopg.connect(server.url, autocommit=True) as db:
        db.execute("DROP SCHEMA IF EXISTS agentaudio CASCADE")
    return server.url


async def words(store: PostgresStore) -> list[str]:
    return [message.text for message in (await store.load("ana"))[0]]


async def test_a_session_goes_on_with_its_sound_calls_and_corrections(url: str) -> None:
    @tool
    def look() -> str:
        return "seen"

    steps = [{"heard": "look there", "say": "Wait."}, calls(("look", {})), "I saw it.", "one two three four"]
    async with PostgresStore(url, keep_sound=True) as store:
        session = await store.session(Agent(scripted(*steps), tools=[look]), "ana", speaker="Ana", plays=True)
        for said in (tone(300, 0.5), "and now", "count"):
            await session.run(said)
            session.played(0.65 if said == "count" else 9)
        await session.interrupt()
    async with PostgresStore(url) as store:
        conversation, _ = await store.load("ana")
        assert conversation == session.conversation and conversation.messages[-1].text == "one two"
        assert conversation.messages[0].parts[0] == AudioPart(tone(300, 0.5), "look there")
        resumed = await store.session(Agent(scripted(*"abcd", "I go on."), tools=[look]), "ana")
        assert (await resumed.run("go on")).text == "I go on."
        (listed,) = await store.list()
        assert (listed.id, listed.speaker, listed.turns) == ("ana", "Ana", 4)


async def test_a_second_hand_is_refused_and_the_hold_of_a_killed_process_is_free_with_every_turn_stored(
    url: str,
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", HELD, url],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert child.stdout is not None
    agent = Agent(Scripted(["Yes."], loop=True))
    try:
        while child.stdout.readline() != "20\n":
            pass
        async with PostgresStore(url) as store:
            with pytest.raises(SessionInUse, match=rf"in use by process {child.pid} on "):
                await store.session(agent, "ana")
            await store.session(agent, "ben")
            child.send_signal(signal.SIGKILL)
            told = int(child.stdout.read().split()[-1])
            died = time.monotonic()
            while True:
                try:
                    session = await store.session(agent, "ana")
                    break
                except SessionInUse:
                    assert time.monotonic() - died < 10
            asked = [message.text for message in session.conversation if message.role == "user"]
            assert asked == [f"question {number}" for number in range(len(asked))]
            assert len(asked) - 1 in (told, told + 1)
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


async def test_a_server_that_goes_away_and_comes_back_gets_every_turn(server: Server, url: str) -> None:
    async with PostgresStore(url) as store:
        session = await store.session(Agent(Scripted(["Yes."], loop=True)), "ana")
        await session.run("one")
        server.stop()
        try:
            seen = [event.type async for event in session.stream("two")]
            assert seen[-2:] == ["saving.failed", "turn.finished"]
            assert events.SavingFailed.type not in [event.type async for event in session.stream("three")]
        finally:
            server.start()
        assert [event.type async for event in session.stream("four")][-2:] == ["saving.resumed", "turn.finished"]
        assert await words(store) == ["one", "Yes.", "two", "Yes.", "three", "Yes.", "four", "Yes."]
        async with PostgresStore(url) as other:
            with pytest.raises(SessionInUse):
                await other.session(Agent(Scripted(["Yes."], loop=True)), "ana")


async def test_what_is_erased_is_gone_with_its_sound(url: str) -> None:
    agent = Agent(Scripted([{"heard": "hi", "say": "Yes."}], loop=True))
    async with PostgresStore(url, keep_sound=True) as store:
        for id, hertz in (("ana", 300), ("ben", 200)):
            await (await store.session(agent, id, speaker=id)).run(tone(hertz, 0.3))
        await store.erase("ana")
        with pytest.raises(SessionNotFound):
            await store.load("ana")
        with psycopg.connect(url) as db:
            assert db.execute("SELECT count(*) FROM agentaudio.sound_files").fetchone() == (2,)
        assert await store.erase_speaker("ben") == 1
        with psycopg.connect(url) as db:
            for table in ("sessions", "turns", "sounds", "sound_files"):
                assert db.execute(f"SELECT count(*) FROM agentaudio.{table}").fetchone() == (0,)


async def test_a_database_of_the_future_is_refused(url: str) -> None:
    async with PostgresStore(url) as store:
        await store.list()
    with psycopg.connect(url) as db:
        db.execute("UPDATE agentaudio.about SET format = 2")
    async with PostgresStore(url) as store:
        with pytest.raises(StorageError, match="has format 2.*upgrade agentaudio"):
            await store.list()
    with pytest.raises(StorageError, match="not the address of a PostgreSQL database"):
        PostgresStore("what is this")
