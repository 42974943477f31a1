"""Tools of the kind `command`: a program with arguments, without a shell, if the user allows it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from typing import Any

from agentaudio.errors import ToolError
from agentaudio.tools.declarative.entry import Entry, redact
from agentaudio.tools.declarative.format import CommandTool
from agentaudio.tools.declarative.grants import NO_COMMANDS
from agentaudio.tools.declarative.placeholder import fill
from agentaudio.tools.tool import Tool

MAX_OUTPUT_BYTES = 1_000_000
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")


def command_tool(entry: Entry, config: CommandTool) -> Tool:
    """The tool. Raises OptionError when commands are not allowed or the program does not exist."""
    if not (entry.grants.commands or entry.grants.looking):
        raise entry.error(NO_COMMANDS, "kind")
    secrets = entry.secrets(config.secrets)
    entry.check_names(config.command, config.parameters, "command")
    entry.check_names(config.env, secrets, "env")
    program, folder = config.command[0], entry.path(config.folder)
    if "{" in program:
        raise entry.error("the program cannot hold a placeholder; only its arguments can", "command", 0)
    if not folder.is_dir():
        raise entry.error(f"there is no folder {folder}", "folder")
    found = shutil.which(program) or shutil.which(str(folder / program))
    if found is None:
        raise entry.error(f"there is no program {program!r}; install it, or write its path", "command", 0)
    environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
    environment |= {name: fill(text, secrets) for name, text in config.env.items()}

    async def run(**arguments: Any) -> str:
        words = [_argument(word, arguments) for word in config.command[1:]]
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
            # The whole process group, because the program may have started others.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        text = redact(output.decode("utf-8", errors="replace"), secrets).strip()
        if code:
            raise ToolError(f"{program} exited with {code}: {text[-500:] or 'no output'}")
        return text or "Done."

    return Tool(
        name=config.name,
        description=config.description,
        arguments=entry.arguments(config.name, config.parameters),
        function=run,
        phrases=tuple(config.phrases),
        timeout_s=config.timeout_s,
        approval=config.approval,
        cancellable=config.cancellable,
        filler=config.filler,
    )


def _argument(word: str, arguments: dict[str, Any]) -> str:
    filled = fill(word, arguments)
    if "\0" in filled:
        raise ToolError("an argument contains a null character")
    if word.startswith("{") and filled.startswith("-"):
        # A model must not turn a value into an option of the program.
        raise ToolError(f"{filled[:40]!r} begins with a hyphen, which is not allowed in this argument")
    return filled
