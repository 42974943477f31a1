"""Every format that was ever written can be opened, and becomes the present one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from support.models import scripted

from agentaudio import Agent
from agentaudio.conversation import SpeechPart, SpeechTokens, TextPart, ToolCall
from agentaudio.errors import StorageError
from agentaudio.storage import sqlite_file
from agentaudio.storage.sqlite_file import FORMAT
from agentaudio.storage.sqlite_store import SqliteStore

FIXTURES = sorted(Path(__file__).parent.glob("format-*.sql"))


def made(fixture: Path, path: Path) -> Path:
    with closing(sqlite3.connect(path)) as db:
        db.executescript(fixture.read_text(encoding="utf-8"))
    return path


def schema(path: Path) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY 1, 2").fetchall()
        return [*((kind, name, " ".join(sql.split())) for kind, name, sql in rows)]


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


def test_there_is_a_store_of_each_format() -> None:
    assert [fixture.name for fixture in FIXTURES] == [f"format-{number}.sql" for number in range(1, FORMAT + 1)]


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda fixture: fixture.stem)
async def test_a_store_of_an_older_format_is_read_continued_and_brought_to_this_one(
    fixture: Path, tmp_path: Path
) -> None:
    path = made(fixture, tmp_path / "talks.sqlite3")
    async with SqliteStore(path) as store:
        ana, ben = sorted(await store.list(), key=lambda one: one.id)
        assert (ana.id, ana.speaker, ana.turns, ana.model) == ("ana", "Ana", 3, "scripted")
        conversation, _ = await store.load("ana")
        assert conversation.messages[0].parts == (TextPart("how are you"),)
        assert conversation.messages[1].parts == (SpeechPart("Well, thank you."),)
        (call,) = conversation.messages[3].tool_calls
        assert call == ToolCall(call.id, "look", {"place": "Zürich"})
        assert [call.name for call in conversation.open_calls] == ["door"]
        (turn,) = await store.turns("ben")
        assert (turn.stop, turn.error) == ("failed", "the line is dead")
        spoken = (await store.load("ben"))[0].messages[-1]
        assert spoken.failed
        assert spoken.parts == (SpeechPart("Yes", None, SpeechTokens((1, 2), "cosyvoice2", 25.0), interrupted=True),)
        session = await store.session(Agent(scripted("1", "2", "3", "4", "I go on.")), "ana")
        assert (await session.run("go on")).text == "I go on."
        assert [turn.number for turn in await store.turns("ana")] == [1, 2, 3, 4]
    async with SqliteStore(tmp_path / "new.sqlite3") as store:
        await store.list()
    assert schema(path) == schema(tmp_path / "new.sqlite3"), "give another schema another FORMAT, and a migration"
    assert version(path) == FORMAT


async def test_a_migration_is_done_wholly_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made(FIXTURES[-1], tmp_path / "talks.sqlite3")
    before = schema(path)
    monkeypatch.setattr(sqlite_file, "FORMAT", FORMAT + 1)
    more = "ALTER TABLE turns ADD COLUMN mood TEXT", "UPDATE turns SET mood = 'good'"
    steps = (*more, "INSERT INTO nowhere VALUES (1)")
    monkeypatch.setitem(sqlite_file.MIGRATIONS, FORMAT, steps)
    async with SqliteStore(path) as store:
        with pytest.raises(StorageError, match="no such table: nowhere"):
            await store.list()
    assert schema(path) == before and version(path) == FORMAT
    monkeypatch.setitem(sqlite_file.MIGRATIONS, FORMAT, more)
    async with SqliteStore(path) as store:
        assert len(await store.list()) == 2
    assert "mood" in str(schema(path)) and version(path) == FORMAT + 1
