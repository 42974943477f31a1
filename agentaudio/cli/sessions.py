"""`agentaudio sessions`: list, show, export and erase stored sessions."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.table import Table

from agentaudio.cli.console import in_home, mark, out, print_json
from agentaudio.conversation import Message
from agentaudio.errors import OptionError, StorageError
from agentaudio.escaping import one_line
from agentaudio.storage.sqlite_store import SqliteStore

sessions = App(name="sessions", help="List, show, export and erase stored sessions.")

File = Annotated[Path, Parameter(name="--store")]
STORE = Path("talks.sqlite3")
LONGEST_RESULT = 160


def _open(store: Path) -> SqliteStore:
    """Raises StorageError for a missing file, which opening a store would create."""
    if not store.exists():
        raise StorageError(f"there is no store {store}; name one with --store FILE")
    return SqliteStore(store)


@sessions.command(name="list")
async def list_sessions(*, store: File = STORE, json: bool = False) -> None:
    """Show all sessions of a store, the latest first.

    Parameters
    ----------
    store
        File of the store.
    json
        Print the sessions as JSON.
    """
    async with _open(store) as opened:
        held = await opened.list()
    if json:
        print_json([asdict(one) for one in held])
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("id", "turns", "last", "model", "voice", "speaker"):
        table.add_column(title, justify="right" if title == "turns" else "left")
    for one in held:
        last = one.changed[:16].replace("T", " ")
        table.add_row(one.id, str(one.turns), last, one.model, one.voice or "", one.speaker or "")
    out.print(table)


@sessions.command
async def show(id: str, *, store: File = STORE, json: bool = False) -> None:
    """Print the conversation of a session.

    Parameters
    ----------
    id
        Id of the session.
    store
        File of the store.
    json
        Print the turns as JSON, as they are stored.
    """
    async with _open(store) as opened:
        turns = await opened.turns(id)
        if json:
            print_json([asdict(turn) for turn in turns])
            return
        conversation, _ = await opened.load(id)
    for turn in turns:
        end = "" if turn.stop == "answered" else f" ({turn.stop}{f': {turn.error}' if turn.error else ''})"
        out.print(mark(f"{turn.number}", "bold"), mark(f"{turn.at[:16].replace('T', ' ')} {turn.model}{end}", "dim"))
        for message in conversation.of_turn(turn.number):
            _show(message)


def _show(message: Message) -> None:
    if message.text:
        out.print(mark("  user " if message.role == "user" else "  agent", "green"), one_line(message.text))
    for call in message.tool_calls:
        given = ", ".join(f"{name}={value!r}" for name, value in call.arguments.items())
        out.print(mark("  call ", "yellow"), one_line(f"{call.name}({given})"))
    for output in message.tool_outputs:
        text = one_line(output.text)
        short = text if len(text) <= LONGEST_RESULT else f"{text[:LONGEST_RESULT]} …"
        out.print(mark("  error" if output.is_error else "  found", "yellow"), short)


@sessions.command
async def export(id: str, folder: Path, *, store: File = STORE) -> None:
    """Write a session to a new folder: JSON, sound files, and a page to read and hear it.

    Parameters
    ----------
    id
        Id of the session.
    folder
        Folder to make.
    store
        File of the store.
    """
    async with _open(store) as opened:
        made = await opened.export(id, folder)
    out.print(mark("saved", "green"), in_home(made / "session.html"))


@sessions.command
async def erase(
    id: str | None = None, *, voice: str | None = None, speaker: str | None = None, store: File = STORE
) -> None:
    """Erase a session, all turns spoken in a voice, or all sessions of a speaker. No copy is left in the store.

    Parameters
    ----------
    id
        Id of the session.
    voice
        Id of a voice: the turns in which it was heard are erased.
    speaker
        Name of a speaker: their sessions are erased.
    store
        File of the store.
    """
    if sum(one is not None for one in (id, voice, speaker)) != 1:
        raise OptionError("give one of: the id of a session, --voice or --speaker")
    async with _open(store) as opened:
        if id is not None:
            await opened.erase(id)
            out.print(mark("erased", "green"), one_line(f"session {id}"))
        elif voice is not None:
            out.print(mark("erased", "green"), f"{await opened.erase_voice(voice)} turns")
        elif speaker is not None:
            out.print(mark("erased", "green"), f"{await opened.erase_speaker(speaker)} sessions")
