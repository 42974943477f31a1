"""What must hold for each input besides its outcome: text of errors, files, processes, memory, and what is opened."""

from __future__ import annotations

import os
import resource
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from agentaudio.errors import AgentAudioError
from agentaudio.escaping import one_line

MAX_ERROR_CHARS = 4_000


class Broken(Exception):
    """Something that must hold does not. kind: of failure, a word"""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind


def check_text(error: AgentAudioError) -> None:
    """Raise Broken for an error whose text is empty, long, on several lines, or moves the cursor of a terminal."""
    check_line(str(error))


def check_line(text: str) -> None:
    """`check_text` for the text of an error."""
    if not text.strip() or len(text) > MAX_ERROR_CHARS:
        raise Broken("text", f"an error of {len(text)} characters: {text[:300]!r}")
    if one_line(text) != text:
        raise Broken("text", f"an error with characters that a terminal obeys: {text[:300]!r}")


class Opened:
    """Notes each file that Python opens, each program it starts and each connection it makes, while `on`.

    allowed: folders in which files may be opened; what the interpreter itself opens is not noted
    """

    def __init__(self) -> None:
        self.on = False
        self.allowed: tuple[str, ...] = ()
        self.outside: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event == "open":
            path = arguments[0]
            if isinstance(path, str | bytes | os.PathLike):
                name = os.path.abspath(os.fsdecode(path))
                if name.startswith(_OURS) or name.endswith((".py", ".pyc", ".so")):
                    return
                if not (os.path.realpath(name) + os.sep).startswith(self.allowed):
                    self.outside.append(f"opens {name}")
        elif event in ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system", "os.fork"):
            self.outside.append(f"starts a program: {arguments!r:.200}")
        elif event in ("socket.connect", "socket.getaddrinfo"):
            self.outside.append(f"connects: {arguments!r:.200}")
            raise ConnectionRefusedError("no network in a fuzzer")


_OURS = (sys.prefix, sys.base_prefix, "/proc/", "/sys/", "/usr/", "/lib/", "/etc/")


class Leaks:
    """What the process holds now: open files, files in its folder, children, threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._before = self._now()
        self._most_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def _now(self) -> dict[str, int]:
        tasks = Path("/proc/self/task")
        running = list(tasks.iterdir()) if tasks.exists() else []
        children = 0
        for task in running:
            with suppress(FileNotFoundError):  # the thread has ended
                children += len((task / "children").read_text().split())
        return {
            "open files": len(os.listdir("/proc/self/fd")) if tasks.exists() else 0,
            "files": sum(len(names) + len(folders) for _, folders, names in os.walk(self._folder)),
            "processes": children,
            "threads": threading.active_count(),
        }

    def check(self) -> None:
        """Raise Broken when there is more than at the beginning."""
        for pause_s in (0.0, 0.05, 0.2, 1.0):  # threads and processes take a moment to end
            time.sleep(pause_s)
            now = self._now()
            grown = {name: count - self._before[name] for name, count in now.items() if count > self._before[name]}
            if not grown:
                break
        self._before = now
        if grown:
            raise Broken("left", ", ".join(f"{count} more {name}" for name, count in grown.items()))

    def grown_mb(self) -> float:
        """How much the highest resident memory has grown since the last call."""
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        grown, self._most_kb = most - self._most_kb, most
        return grown / 1_000
