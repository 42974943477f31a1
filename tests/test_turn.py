"""The loop of a turn: what it waits for, and where its work is done."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from support.models import calls, scripted

from agentaudio import Agent, tool


class Folder(os.PathLike[str]):
    """A folder that notes the threads in which its path is read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.threads: list[threading.Thread] = []

    def __fspath__(self) -> str:
        self.threads.append(threading.current_thread())
        return str(self._path)


@tool
def look() -> str:
    return "seen"


async def test_documents_are_opened_outside_the_event_loop(tmp_path: Path) -> None:
    (tmp_path / "hours.txt").write_text("The museum opens at nine.", encoding="utf-8")
    folder = Folder(tmp_path)
    agent = Agent(scripted(calls(("look", {})), "Nine."), tools=[look], documents=folder)
    folder.threads.clear()
    assert (await agent.run("when?")).text == "Nine."
    assert folder.threads and threading.current_thread() not in folder.threads
