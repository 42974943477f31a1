"""Programs that tools start: their output, their environment, and the end of everything they started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from pathlib import Path

import pytest

from agentaudio.errors import ToolError
from agentaudio.tools.program import Program

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds descendants in /proc")

# Ways to leave a process behind, whose command line contains the first argument.
HEAD = """
import os, subprocess, sys, time
late = [sys.executable, "-c", f"import time; time.sleep(60); {sys.argv[1]!r}"]
"""
LEAVERS = {
    "child": "subprocess.Popen(late)",
    "child without the pipes": "subprocess.Popen(late, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)",
    "new session": "subprocess.Popen(late, start_new_session=True)",
    "new process group": "subprocess.Popen(late, process_group=0)",
    "clean environment": "subprocess.Popen(late, env={})",
    "twice forked": "os.fork() or (os.setsid(), os.fork() and os._exit(0), os.execv(late[0], late))",
    "session of a session": "subprocess.Popen([late[0], '-c', f'import os; os.setsid();"
    " os.execv({late[0]!r}, {late!r})'])",
    "ignores signals": "import signal; [signal.signal(s, signal.SIG_IGN) for s in (1, 2, 15)]; subprocess.Popen(late)",
    "grandchild through a shell": "os.system(f'setsid {late[0]} -c \"{late[2]}\" &')",
}  # fmt: skip


async def run(code: str, *arguments: object, most: int = 1_000_000) -> tuple[int, bytes]:
    program = await Program.start([sys.executable, "-c", code, *map(str, arguments)], env={}, folder=None)
    try:
        return await program.output(most)
    finally:
        await program.end()


def with_argument(text: object) -> list[str]:
    """The command lines of living processes that contain the text."""
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            lines.append(file.read_text(errors="replace"))
    return [line for line in lines if str(text) in line]


@needs_proc
@pytest.mark.parametrize("way", LEAVERS)
def test_what_a_finished_program_leaves_behind_is_killed_and_not_waited_for(tmp_path: Path, way: str) -> None:
    code, output = asyncio.run(run(f"{HEAD}print('done', flush=True)\n{LEAVERS[way]}", tmp_path))
    assert (code, output, with_argument(tmp_path)) == (0, b"done\n", [])


@needs_proc
@pytest.mark.parametrize("way", LEAVERS)
def test_cancellation_ends_everything_that_a_program_started(tmp_path: Path, way: str) -> None:
    async def give_up() -> None:
        running = asyncio.create_task(run(f"{HEAD}{LEAVERS[way]}\ntime.sleep(60)", tmp_path))
        while len(with_argument(tmp_path)) < 2:
            await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.wait([running])

    asyncio.run(give_up())
    assert with_argument(tmp_path) == []


@needs_proc
def test_other_processes_are_left_alone() -> None:
    async def both() -> tuple[int, bytes]:
        other = await Program.start(
            [sys.executable, "-c", "import time; time.sleep(0.5); print(1)"], env={}, folder="/"
        )
        try:
            await run("print(2)")
            return await other.output(100)
        finally:
            await other.end()

    assert asyncio.run(both()) == (0, b"1\n")


@pytest.mark.parametrize(
    "code",
    [
        "while True: print('x' * 1000)",
        "import sys\nwhile True: sys.stderr.write('x')",
        "import os\nwhile True: os.write(1, bytes(65536))",
        "import os, time\nos.write(1, bytes(20_000)); time.sleep(60)",
        "import subprocess, sys, time\nsubprocess.Popen(['yes']); time.sleep(60)",
    ],
)
def test_more_output_than_allowed_stops_the_program(code: str) -> None:
    begun = time.monotonic()
    with pytest.raises(ToolError, match=r"printed more than 10000 bytes and was stopped"):
        asyncio.run(run(code, most=10_000))
    assert time.monotonic() - begun < 5


def test_output_that_is_just_allowed_is_complete() -> None:
    code, output = asyncio.run(run("print('x' * 99_999)", most=100_000))
    assert code == 0 and output == b"x" * 99_999 + b"\n"


def test_a_program_gets_a_minimal_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "LD_PRELOAD_X", "PYTHONSTARTUP", "OPENAI_API_KEY", "SSH_AUTH_SOCK"):
        monkeypatch.setenv(name, "secret")
    _, output = asyncio.run(run("import os; print(*os.environ)"))
    names = set(output.decode().split()) - {"LC_CTYPE"}
    assert names <= {"PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "AGENTAUDIO_PROGRAM"}


def test_no_descriptor_is_passed_on_or_leaked() -> None:
    async def several() -> None:
        for _ in range(5):
            await run("print(1)")

    read, write = os.pipe()
    os.set_inheritable(write, True)
    try:
        asyncio.run(several())
        before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
        asyncio.run(several())
        assert not before or len(os.listdir("/proc/self/fd")) <= before
        _, output = asyncio.run(run(f"import os\ntry: os.fstat({write})\nexcept OSError: print('closed')"))
        assert output == b"closed\n"
    finally:
        os.close(read)
        os.close(write)


@pytest.mark.parametrize(("code", "status"), [("", 0), ("raise SystemExit(3)", 3), ("import os; os.abort()", -6)])
def test_the_exit_status_is_returned(code: str, status: int) -> None:
    assert asyncio.run(run(code))[0] == status


def test_a_program_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        asyncio.run(Program.start(["/nowhere/program"], env={}, folder=None))
