"""Tools that run a program: an argument list, no shell, and only where the user allows it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from typing import Any

from agentaudio.errors import ToolError
from agentaudio.tools.declarative.entry import Entry, hidden
from agentaudio.tools.declarative.format import CommandTool
from agentaudio.tools.declarative.placeholder import fill
from agentaudio.tools.tool import Tool

MAX_OUTPUT_BYTES = 1_000_000
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")


def command_tool(entry: Entry, written_down: CommandTool, *, allowed: bool) -> Tool:
    """Raises OptionError when commands are not allowed, or the program cannot be found."""
    if not allowed:
        problem = "commands are off; allow them with load_tools(..., allow_commands=True) or --allow-commands"
        raise entry.wrong(problem, "kind")
    secrets = entry.secrets(written_down.secrets)
    entry.check_names(written_down.command, written_down.parameters, "command")
    entry.check_names(written_down.env, secrets, "env")
    program, folder = written_down.command[0], entry.path(written_down.folder)
    if "{" in program:
        raise entry.wrong("the program is fixed; only its arguments can be filled in", "command", 0)
    if not folder.is_dir():
        raise entry.wrong(f"there is no folder {folder}", "folder")
    found = shutil.which(program) or shutil.which(str(folder / program))
    if found is None:
        raise entry.wrong(f"there is no program {program!r}; install it, or write its path", "command", 0)
    environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
    environment |= {name: fill(text, secrets) for name, text in written_down.env.items()}

    async def run(**arguments: Any) -> str:
        words = [_argument(word, arguments) for word in written_down.command[1:]]
        process = await asyncio.create_subprocess_exec(
            found, *words, cwd=folder, env=environment, start_new_session=True,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        assert process.stdout is not None
        output = bytearray()
        try:
            while piece := await process.stdout.read(65_536):
                output += piece
                if len(output) > MAX_OUTPUT_BYTES:
                    raise ToolError(f"{program} printed more than {MAX_OUTPUT_BYTES} bytes and was stopped")
            code = await process.wait()
        finally:
            # The group, since a program may have started others.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        text = hidden(output.decode("utf-8", errors="replace"), secrets).strip()
        if code:
            raise ToolError(f"{program} ended with {code}: {text[-500:] or 'it said nothing'}")
        return text or "Done."

    return Tool(
        name=written_down.name,
        description=written_down.description,
        arguments=entry.arguments(written_down.name, written_down.parameters),
        function=run,
        phrases=tuple(written_down.phrases),
        timeout_s=written_down.timeout_s,
        approval=written_down.approval,
        cancellable=written_down.cancellable,
        filler=written_down.filler,
    )


def _argument(word: str, arguments: dict[str, Any]) -> str:
    filled = fill(word, arguments)
    if "\0" in filled:
        raise ToolError("an argument holds a null character")
    if word.startswith("{") and filled.startswith("-"):
        # A model must not turn a value into an option of the program.
        raise ToolError(f"{filled[:40]!r} begins with a hyphen, which an argument here must not")
    return filled
