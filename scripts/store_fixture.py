"""Write a store of sessions as SQL text, so that tests can open every format that was ever written.

    python scripts/store_fixture.py FILE.sql

Run it once for each new format, and keep the files of the older ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from agentaudio import Agent, Audio, SqliteStore, external_tool, tool
from agentaudio.conversation import SpeechTokens
from agentaudio.errors import BackendError
from agentaudio.model.scripted import Scripted, ScriptStep
from agentaudio.model.speech_lm import Delta, TextDelta, TokensDelta
from agentaudio.storage.sqlite_file import APPLICATION, FORMAT


@tool
def look(place: str) -> str:
    """Look at a place."""
    return f"{place} is there"


DOOR = external_tool("door", "Open the door.", {"type": "object", "properties": {}})
STEPS: list[ScriptStep] = [
    {"heard": "how are you", "say": "Well, thank you."},
    {"calls": [{"name": "look", "arguments": {"place": "Zürich"}}]},
    "It is there.",
    {"calls": [{"name": "door", "arguments": {}}]},
]


def fail(*_: object) -> Iterator[Delta]:
    """Words and speech tokens, and the end of the connection."""
    yield TextDelta("Yes")
    yield TokensDelta(SpeechTokens((1, 2), "cosyvoice2", 25.0))
    raise BackendError("the line is dead")


async def fill(path: Path) -> None:
    async with SqliteStore(path) as store:
        session = await store.session(Agent(Scripted(STEPS), tools=[look, DOOR]), "ana", speaker="Ana")
        await session.run(Audio([0.5, -0.5] * 800, 16_000))
        await session.run("where is Zürich")
        await session.run("open the door")
    async with SqliteStore(path, keep_sound=True) as store:
        session = await store.session(Agent(Scripted([fail])), "ben")
        with contextlib.suppress(BackendError):
            await session.run("hello")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "talks.sqlite3"
        asyncio.run(fill(path))
        with contextlib.closing(sqlite3.connect(path)) as db:
            lines = [f"PRAGMA application_id = {APPLICATION};", f"PRAGMA user_version = {FORMAT};", *db.iterdump()]
    Path(sys.argv[1]).write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
