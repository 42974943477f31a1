"""Sessions in real servers of databases, which the tests start and stop."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.models import calls, scripted
from support.sounds import tone
from support.stores import POSTGRES, REDIS, PostgresServer, RedisServer, Server, store_of

from agentaudio import Agent, events, tool
from agentaudio.conversation import AudioPart
from agentaudio.errors import SessionInUse, SessionNotFound, StorageError
from agentaudio.model.scripted import Scripted
from agentaudio.storage.store import Store

HELD = """
import asyncio, importlib, sys
from agentaudio import Agent
from agentaudio.model.scripted import Scripted

async def main():
    module, name = sys.argv[1].split(":")
    store = getattr(importlib.import_module(module), name)(sys.argv[2])
    session = await store.session(Agent(Scripted(["Yes."], loop=True)), "ana")
    for number in range(10_000):
        await session.run(f"question {number}")
        print(number, flush=True)

asyncio.run(main())
"""
KINDS: dict[str, tuple[Callable[[Path], Server], str, object, str]] = {
    "postgres": (PostgresServer, "psycopg", POSTGRES, "apt install postgresql"),
    "redis": (RedisServer, "redis", REDIS, "apt install redis-server"),
}


@pytest.fixture(scope="module", params=KINDS)
def running(request: pytest.FixtureRequest) -> Iterator[Server]:
    kind: str = request.param
    make, client, program, remedy = KINDS[kind]
    if importlib.util.find_spec(client) is None:
        pytest.skip(f"needs the extra {kind}: make test-stores")
    if program is None:
        pytest.skip(f"needs a server: {remedy}")
    folder = Path("/tmp") / f"agentaudio-{kind}-{os.getpid()}"  # where another user may read it
    folder.mkdir()
    try:
        made = make(folder)
        made.start()
        try:
            yield made
        finally:
            made.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def server(running: Server) -> Server:
    running.empty()
    return running


async def words(store: Store) -> list[str]:
    return [message.text for message in (await store.load("ana"))[0]]


async def test_a_session_goes_on_with_its_sound_calls_and_corrections(server: Server) -> None:
    @tool
    def look() -> str:
        return "seen"

    steps = [{"heard": "look there", "say": "Wait."}, calls(("look", {})), "I saw it.", "one two three four"]
    async with store_of(server, keep_sound=True) as store:
        session = await store.session(Agent(scripted(*steps), tools=[look]), "ana", speaker="Ana", plays=True)
        for said in (tone(300, 0.5), "and now", "count"):
            await session.run(said)
            session.played(0.65 if said == "count" else 9)
        await session.interrupt()
    async with store_of(server) as store:
        conversation, _ = await store.load("ana")
        assert conversation == session.conversation and conversation.messages[-1].text == "one two"
        assert conversation.messages[0].parts[0] == AudioPart(tone(300, 0.5), "look there")
        resumed = await store.session(Agent(scripted(*"abcd", "I go on."), tools=[look]), "ana")
        assert (await resumed.run("go on")).text == "I go on."
        (listed,) = await store.list()
        assert (listed.id, listed.speaker, listed.turns) == ("ana", "Ana", 4)


async def test_a_second_hand_is_refused_and_the_hold_of_a_killed_process_is_free_with_every_turn_stored(
    server: Server,
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", HELD, server.maker, server.url],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert child.stdout is not None
    agent = Agent(Scripted(["Yes."], loop=True))
    try:
        while child.stdout.readline() != "20\n":
            pass
        async with store_of(server) as store:
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


async def test_a_server_that_goes_away_and_comes_back_gets_every_turn(server: Server) -> None:
    async with store_of(server) as store:
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
        async with store_of(server) as other:
            with pytest.raises(SessionInUse):
                await other.session(Agent(Scripted(["Yes."], loop=True)), "ana")


async def test_what_is_erased_is_gone_with_its_sound(server: Server) -> None:
    agent = Agent(Scripted([{"heard": "hi", "say": "Yes."}], loop=True))
    async with store_of(server, keep_sound=True) as store:
        for id, hertz in (("ana", 300), ("ben", 200)):
            await (await store.session(agent, id, speaker=id)).run(tone(hertz, 0.3))
        await store.erase("ana")
        with pytest.raises(SessionNotFound):
            await store.load("ana")
        assert server.counts()[1] == 2
        assert await store.erase_speaker("ben") == 1
        assert server.counts() == (0, 0)


async def test_turns_are_erased_by_voice_and_age_and_the_others_stay(server: Server) -> None:
    agent = Agent(Scripted(["Yes."], loop=True))
    async with store_of(server) as store:
        for id in ("ana", "ben"):
            session = await store.session(agent, id)
            for said in ("one", "two"):
                await session.run(said)
            await store.leave(id)
    records = store._records
    first, second = records.turns("ana")
    records.write("ana", None, [replace(second, voices=("albert",))], {})
    assert records.voices() == ["albert"] and records.erase_voice("albert") == 1
    assert records.voices() == [] and [turn.number for turn in records.turns("ana")] == [first.number]
    assert records.erase_before(first.at) == 0 and records.erase_before("2999-01-01T00:00:00+00:00") == 3
    assert records.sessions() == [] and server.counts() == (0, 0)
    records.close()


async def test_a_database_of_the_future_is_refused(server: Server) -> None:
    async with store_of(server) as store:
        await store.list()
    server.outdate()
    async with store_of(server) as store:
        with pytest.raises(StorageError, match="has format 2.*upgrade agentaudio"):
            await store.list()
    server.url, kept = "what is this", server.url
    try:
        with pytest.raises(StorageError, match="this is not the address of a"):
            store_of(server)
    finally:
        server.url = kept
