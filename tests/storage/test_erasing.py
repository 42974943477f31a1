"""What is erased is gone: from the database, from its log, and from the sound files."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.models import scripted
from support.sounds import tone

from agentaudio import Agent, VoiceLibrary
from agentaudio.errors import SessionNotFound
from agentaudio.model.scripted import Scripted
from agentaudio.storage.sqlite_store import SqliteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "talks.sqlite3"


def traces(path: Path, word: str) -> list[str]:
    """Files of the store that hold a word."""
    return [file.name for file in path.parent.glob(f"{path.name}*") if file.is_file() and word.encode() in _read(file)]


def _read(file: Path) -> bytes:
    return file.read_bytes()


def sounds(path: Path) -> set[str]:
    return {file.name for file in path.parent.rglob("*.wav")}


async def test_an_erased_session_leaves_no_word_and_no_sound_but_those_that_others_have_too(path: Path) -> None:
    steps = {"heard": "platypus", "say": "Yes."}
    async with SqliteStore(path, keep_sound=True) as store:
        for id, hertz in (("ana", 300), ("ben", 200)):
            session = await store.session(Agent(Scripted([steps], loop=True)), id)
            await session.run(tone(hertz, 0.5))
        both = sounds(path)
        bens = {name for turn in await store.turns("ben") for name in turn.sounds}
        await store.leave("ben")
        await store.erase("ben")
        await store.erase("ana")  # open in this store
        assert len(both) == 3 and len(bens) == 2 and not sounds(path)
        assert not traces(path, "platypus")
        assert not await store.list()
        with pytest.raises(SessionNotFound):
            await store.load("ana")
        await session.run(tone(100, 0.5))
        assert not await store.list()


async def test_the_sound_of_one_session_stays_when_another_with_the_same_sound_is_erased(path: Path) -> None:
    async with SqliteStore(path, keep_sound=True) as store:
        for id in ("ana", "ben"):
            await (await store.session(Agent(Scripted(["Yes."], loop=True)), id)).run("hi")
        await store.erase("ana")
        assert len(sounds(path)) == 1


async def test_turns_spoken_in_a_voice_are_erased_with_it_also_in_open_sessions(
    path: Path, library: VoiceLibrary
) -> None:
    agent = Agent(Scripted(["wombat", "numbat", "quokka"], loop=True), voices=library)
    async with SqliteStore(path, keep_sound=True) as store:
        session = await store.session(agent, "ana", plays=True)
        await session.run("one")
        session.played(1.0)
        await session.run("two", voice="ruby")
        session.played(0.1)
        assert await store.erase_voice("ruby") == 1
        await session.interrupt()  # corrects the turn that is erased
        await session.run("three")
        session.played(1.0)
        assert [message.text for message in (await store.load("ana"))[0]] == ["one", "wombat", "three", "quokka"]
        assert not traces(path, "two") and len(sounds(path)) == 2
        assert await store.erase_voice("ruby") == 0


async def test_a_session_whose_turns_are_all_erased_is_gone(path: Path, library: VoiceLibrary) -> None:
    agent = Agent(Scripted(["Yes."], loop=True), voices=library)
    async with SqliteStore(path) as store:
        await (await store.session(agent, "ana", voice="ruby")).run("one")
        await store.erase_voice("ruby")
        assert not await store.list()


async def test_the_sessions_of_a_speaker_are_erased_together(path: Path) -> None:
    agent = Agent(Scripted(["Yes."], loop=True))
    async with SqliteStore(path) as store:
        for id, speaker in (("1", "ana"), ("2", "ben"), ("3", "ana")):
            await (await store.session(agent, id, speaker=speaker)).run("hello")
        assert await store.erase_speaker("ana") == 2
        (left,) = await store.list()
        assert (left.id, left.speaker) == ("2", "ben")


async def test_turns_are_erased_after_the_set_number_of_days(path: Path) -> None:
    async with SqliteStore(path) as store:
        session = await store.session(Agent(Scripted(["Yes."], loop=True)), "ana")
        for words in ("older", "newer"):
            await session.run(words)
    long_ago = (datetime.now(UTC) - timedelta(days=8)).isoformat(timespec="milliseconds")
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE turns SET at = ? WHERE number = 1", (long_ago,))
    async with SqliteStore(path, days=9) as store:
        assert len(await store.turns("ana")) == 2
    async with SqliteStore(path, days=7) as store:
        session = await store.session(Agent(scripted("x", "Yes.")), "ana")
        assert [message.text for message in session.conversation] == ["newer", "Yes."]
    assert not traces(path, "older")


async def test_sound_that_a_killed_process_left_is_deleted_when_it_is_old(path: Path) -> None:
    async with SqliteStore(path, keep_sound=True) as store:
        await (await store.session(Agent(Scripted(["Yes."], loop=True)), "ana")).run("one")
    (mine,) = path.parent.rglob("*.wav")
    folder = path.with_name(f"{path.name}.sound") / "ff"
    folder.mkdir()
    old, new, tmp = folder / f"{'ff' * 32}.wav", folder / f"{'fe' * 32}.wav", folder / ".ab.tmp"
    for file in (old, new, tmp):
        file.write_bytes(b"RIFF")
    for file in (old, tmp, mine):
        os.utime(file, (time.time() - 9_000,) * 2)
    async with SqliteStore(path, keep_sound=True) as store:
        await store.list()
    assert not old.exists() and not tmp.exists() and new.exists() and mine.exists()
