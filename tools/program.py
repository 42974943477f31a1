"""`Program`: a program that a tool starts, and that ends together with everything it started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import time
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, SubprocessStreamProtocol
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from agentaudio.errors import ToolError
from agentaudio.tools.thread import in_thread

INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")
"""Environment variables that every program gets; all others must be given."""
MARK = "AGENTAUDIO_PROGRAM"
"""Environment variable that identifies a program's descendants, also those that left its session."""
DRAIN_S = 0.2
"""Time for the last output of a program that has ended while a child of it still holds the pipe."""
KILL_S = 1.0
"""Longest time that `end` spends on finding and killing descendants."""
EMPTY_LISTS = 3
"""Lists in a row without a descendant after which none is left."""
READ_BYTES = 65_536


class Program:
    """A running program without a shell, in a session of its own. Made by `start`."""

    def __init__(self, name: str, transport: asyncio.SubprocessTransport, pipes: _Pipes, mark: str, since: int) -> None:
        self.name = name
        self._transport, self._pipes, self._mark, self._since = transport, pipes, mark, since

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        folder: str | os.PathLike[str] | None,
        talks: bool = False,
        line_bytes: int = READ_BYTES,
    ) -> Program:
        """Start a program.

        env: environment variables beside those in INHERITED
        talks: open standard input, and read standard error apart from standard output
        line_bytes: longest line that `readline` of `stdout` returns

        Raises OSError when it cannot be started, ValueError for a null character.
        """
        mark = secrets.token_hex(16)
        environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
        loop = asyncio.get_running_loop()
        since = _ticks() - 100  # the clocks of the kernel may differ by a little
        starting = asyncio.ensure_future(
            loop.subprocess_exec(
                lambda: _Pipes(line_bytes, loop),
                *command,
                cwd=folder,
                env=environment | dict(env) | {MARK: mark},
                start_new_session=True,
                stdin=PIPE if talks else DEVNULL,
                stdout=PIPE,
                stderr=PIPE if talks else STDOUT,
            )
        )
        name = Path(command[0]).name
        try:
            # asyncio would kill the program alone, which may have started others before its pipes are connected.
            transport, pipes = await asyncio.shield(starting)
        except asyncio.CancelledError:
            with contextlib.suppress(OSError, ValueError):
                transport, pipes = await starting
                await cls(name, transport, pipes, mark, since).end()
            raise
        return cls(name, transport, pipes, mark, since)

    @property
    def pid(self) -> int:
        return self._transport.get_pid()

    @property
    def stdin(self) -> asyncio.StreamWriter:
        assert self._pipes.stdin is not None
        return self._pipes.stdin

    @property
    def stdout(self) -> asyncio.StreamReader:
        assert self._pipes.stdout is not None
        return self._pipes.stdout

    @property
    def stderr(self) -> asyncio.StreamReader:
        assert self._pipes.stderr is not None
        return self._pipes.stderr

    async def exited(self) -> int:
        """The exit status, once the program has ended; children of it may still hold its pipes."""
        await self._pipes.exited.wait()
        return self._transport.get_returncode() or 0

    async def output(self, most_bytes: int) -> tuple[int, bytes]:
        """The exit status and the output, once the program has ended. Its children are not waited for.

        Raises ToolError for more than `most_bytes`.
        """
        output = bytearray()
        reading = asyncio.ensure_future(self._read(output, most_bytes))
        ending = asyncio.ensure_future(self.exited())
        try:
            await asyncio.wait((reading, ending), return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                reading.result()
            code = await ending
            await asyncio.wait((reading,), timeout=DRAIN_S)
            if reading.done():
                reading.result()
            return code, bytes(output)
        finally:
            reading.cancel()
            ending.cancel()

    async def _read(self, output: bytearray, most_bytes: int) -> None:
        while piece := await self.stdout.read(READ_BYTES):
            output += piece
            if len(output) > most_bytes:
                raise ToolError(f"{self.name} printed more than {most_bytes} bytes and was stopped")

    async def end(self) -> None:
        """Kill the program and everything it started, and close its pipes. May be called twice.

        Descendants are found by their session, their parents and MARK in their environment. Without
        /proc only the program's process group is killed.
        """
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        try:
            await in_thread(partial(_kill_descendants, self.pid, self._mark, self._since))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.exited(), KILL_S)
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                self._transport.close()


class _Pipes(SubprocessStreamProtocol):
    """Knows when the program has ended; `Process.wait` of asyncio also waits for the pipes in some versions."""

    def __init__(self, limit: int, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit, loop)
        self.exited = asyncio.Event()

    def process_exited(self) -> None:
        super().process_exited()
        self.exited.set()


def _ticks() -> int:
    """Time since boot in clock ticks, the unit of start times in /proc."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return int(time.clock_gettime(clock) * os.sysconf("SC_CLK_TCK"))


def _kill_descendants(program: int, mark: str, since: int) -> None:
    deadline = time.monotonic() + KILL_S
    empty = 0
    # Repeated because a process may start others while the list is read, and has no environment while it calls exec.
    while empty < EMPTY_LISTS and time.monotonic() < deadline:
        found = _descendants(program, mark.encode(), since)
        empty = 0 if found else empty + 1
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.002)


def _descendants(program: int, mark: bytes, since: int) -> set[int]:
    """Ids of living processes that the program started, and its own.

    since: start time in clock ticks; older processes are left out, among them all that had the same id before
    """
    found: set[int] = set()
    children: dict[int, list[int]] = {}
    for pid, parent, session in _processes(since):
        children.setdefault(parent, []).append(pid)
        if program in (pid, session) or mark in _environment(pid):
            found.add(pid)
    below = list(found)
    while below:
        below = [child for pid in below for child in children.get(pid, ()) if child not in found]
        found.update(below)
    return found


def _processes(since: int) -> Iterator[tuple[int, int, int]]:
    """Id, parent and session of the living processes that started at `since` or later, from /proc/PID/stat."""
    try:
        names = os.listdir("/proc")
    except OSError:
        return
    for name in filter(str.isdecimal, names):
        try:
            status = Path(f"/proc/{name}/stat").read_bytes()
        except OSError:
            continue  # it has ended
        # The second field, the name in brackets, may hold any characters.
        state, parent, _, session, *more = status[status.rindex(b")") + 2 :].split()
        if state not in (b"Z", b"X") and int(more[15]) >= since:
            yield int(name), int(parent), int(session)


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""
