"""A stored session as files: for programs, and for people to read and hear."""

from __future__ import annotations

import asyncio
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from support.models import calls, scripted
from support.sounds import tone

from agentaudio import Agent, load_conversation, tool
from agentaudio.cli import main
from agentaudio.errors import SessionNotFound, StorageError
from agentaudio.model.scripted import Scripted
from agentaudio.storage.sqlite_store import SqliteStore

HOSTILE = "<script>alert('ana')</script> & \"\x1b[2J\u202e"


@tool
def look(what: str) -> str:
    return f"<b>{what}</b>"


async def filled(path: Path) -> None:
    steps = [{"heard": HOSTILE, "say": "Well."}, calls(("look", {"what": HOSTILE})), HOSTILE, "one two three"]
    async with SqliteStore(path, keep_sound=True) as store:
        session = await store.session(Agent(scripted(*steps), tools=[look]), "ana", speaker="Ana <3", plays=True)
        await session.run(tone(300, 0.5))
        session.played(9)
        await session.run(HOSTILE)
        session.played(9)
        await session.run("count")
        session.played(0.65)
        await session.interrupt()


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [str(value) for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.words += data


async def test_an_export_holds_the_conversation_its_sound_and_a_page_that_needs_no_other_file(tmp_path: Path) -> None:
    path = tmp_path / "talks.sqlite3"
    await filled(path)
    async with SqliteStore(path) as store:
        folder = await store.export("ana", tmp_path / "new" / "out")
        conversation, _ = await store.load("ana")
        assert load_conversation(folder / "conversation.json") == conversation
        with pytest.raises(StorageError, match="exists already"):
            await store.export("ana", folder)
        with pytest.raises(SessionNotFound):
            await store.export("ben", tmp_path / "ben")
    facts = json.loads((folder / "session.json").read_text(encoding="utf-8"))
    assert facts["session"]["id"] == "ana" and [turn["number"] for turn in facts["turns"]] == [1, 2, 3]
    text = (folder / "session.html").read_text(encoding="utf-8")
    shown = Page(text)
    assert shown.tags.count("section") == 3 and shown.tags.count("audio") == 4
    assert all(source.startswith("data:audio/mpeg;base64,") for source in shown.sources)
    assert "script" not in shown.tags and not re.search("[\x00-\x08\x1b\u202e]", text)
    assert "<script>alert('ana')</script>" in shown.words and "\\x1b[2J" in shown.words and "one two …" in shown.words
    assert sorted(file.name for file in (tmp_path / "new").iterdir()) == ["out"]


async def test_an_export_that_fails_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "talks.sqlite3"
    await filled(path)
    next(path.parent.rglob("*.wav")).unlink()
    async with SqliteStore(path) as store:
        with pytest.raises(StorageError, match="is missing"):
            await store.export("ana", tmp_path / "new" / "out")
    assert not list((tmp_path / "new").iterdir())


async def test_a_replay_gives_the_answers_of_another_agent_beside_the_stored_ones(tmp_path: Path) -> None:
    steps = [{"heard": "how are you", "say": "Well."}, calls(("look", {"what": "here"})), "Found.", "Bye."]
    async with SqliteStore(tmp_path / "talks.sqlite3", keep_sound=True) as store:
        session = await store.session(Agent(scripted(*steps), tools=[look]), "ana")
        for said in (tone(300, 0.5), "look here", "goodbye"):
            await session.run(said)
        before = await store.turns("ana")
        other = Agent(scripted({"heard": "who are you", "say": "Fine."}, "Nothing."))
        first, second, third = await store.replay("ana", other)
        assert await store.turns("ana") == before
    assert (first.asked, first.before, first.after and first.after.text) == ("how are you", "Well.", "Fine.")
    assert first.after is not None and first.after.heard == "who are you", "it heard the stored sound"
    assert [call.name for call in second.before_calls] == ["look"] and second.before == "Found."
    assert second.after is not None and second.after.text == "Nothing." and not second.after.tool_calls
    assert third.after is None and "the script has 2 steps" in str(third.error)


async def test_a_replay_answers_the_calls_of_the_caller_with_the_stored_results(tmp_path: Path) -> None:
    from agentaudio import external_tool

    door = external_tool("door", "Open the door.", {"type": "object", "properties": {}})
    async with SqliteStore(tmp_path / "talks.sqlite3") as store:
        session = await store.session(Agent(scripted(calls(("door", {})), "It is open."), tools=[door]), "ana")
        (call,) = (await session.run("open it")).open_calls
        await session.run({call.id: "opened"})
        other = Agent(scripted(calls(("door", {}), ("door", {})), "Twice."), tools=[door])
        (only,) = await store.replay("ana", other)
    assert only.before == "It is open." and only.after is not None and only.after.text == "Twice."


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["sessions", *arguments])
    return int(ended.value.code or 0)


def test_the_commands_list_show_export_and_erase(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    asyncio.run(filled(Path("talks.sqlite3")))
    assert run("list") == 0 and "ana" in (listed := capsys.readouterr().out) and "Ana <3" in listed
    assert run("list", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["turns"] == 3
    assert run("show", "ana") == 0
    shown = capsys.readouterr().out
    assert "\\x1b[2J" in shown and "\x1b" not in shown and "one two" in shown and "look(what=" in shown
    assert run("show", "ana", "--json") == 0 and len(json.loads(capsys.readouterr().out)) == 3
    assert run("export", "ana", "out") == 0 and Path("out/session.html").exists()
    assert run("erase", "ana") == 0 and run("show", "ana") == 1
    assert "there is no session 'ana'" in capsys.readouterr().err
    assert run("erase", "--speaker", "nobody") == 0 and "0 sessions" in capsys.readouterr().out
    assert run("erase") == 1 and run("erase", "ana", "--voice", "ruby") == 1


def test_the_commands_make_no_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list", "--store", str(tmp_path / "none.sqlite3")) == 1
    assert "there is no store" in capsys.readouterr().err and not list(tmp_path.iterdir())


async def test_turns_in_a_voice_that_the_library_revoked_are_erased_at_the_next_use(
    tmp_path: Path, library: object
) -> None:
    from agentaudio import VoiceLibrary

    assert isinstance(library, VoiceLibrary)
    agent = Agent(Scripted(["Yes."], loop=True), voices=library)
    async with SqliteStore(tmp_path / "talks.sqlite3", voices=library) as store:
        session = await store.session(agent, "ana")
        await session.run("one")
        await session.run("two", voice="ruby")
        assert len(await store.turns("ana")) == 2
        library.revoke("ruby")
        assert len(await store.turns("ana")) == 1
