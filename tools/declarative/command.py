"""Tools of the kind `command`: a program with arguments, without a shell, if the user allows it."""

from __future__ import annotations

import re
import shutil
from typing import Any

from agentaudio.errors import ToolError
from agentaudio.tools.declarative.code import read_as_code
from agentaudio.tools.declarative.entry import Entry, redact
from agentaudio.tools.declarative.format import CommandTool
from agentaudio.tools.declarative.grants import NO_COMMANDS
from agentaudio.tools.declarative.placeholder import fill
from agentaudio.tools.program import Program
from agentaudio.tools.quoting import excerpt
from agentaudio.tools.tool import Tool

MAX_OUTPUT_BYTES = 1_000_000


def command_tool(entry: Entry, config: CommandTool) -> Tool:
    """The tool. Raises OptionError when commands are not allowed or the program does not exist."""
    if not (entry.grants.commands or entry.grants.looking):
        raise entry.error(NO_COMMANDS, "kind")
    secrets = entry.secrets(config.secrets)
    entry.check_names(config.command, config.parameters, "command")
    entry.check_names(config.env, secrets, "env")
    program, folder = config.command[0], entry.folder(config.folder)
    if "{" in program:
        raise entry.error("the program cannot hold a placeholder; only its arguments can", "command", 0)
    found = shutil.which(program) or shutil.which(str(folder / program))
    if found is None:
        raise entry.error(f"there is no program {program!r}; install it, or write its path", "command", 0)
    code = read_as_code(config.command, found)
    if code is not None:
        problem = (
            f"{code[:60]!r} would be read as code or as a program; give values as arguments of a script or of "
            """fixed code: ["sh", "-c", 'echo "$1"', "sh", "{a}"]"""
        )
        raise entry.error(problem, "command", config.command.index(code))
    env = {name: fill(text, secrets) for name, text in config.env.items()}

    async def run(**arguments: Any) -> str:
        words = [_argument(word, arguments) for word in config.command[1:]]
        try:
            running = await Program.start([found, *words], env=env, folder=folder)
        except OSError as error:
            raise ToolError(f"{program} cannot be started: {error.strerror}") from None
        try:
            code, output = await running.output(MAX_OUTPUT_BYTES)
        finally:
            await running.end()
        text = redact(output.decode("utf-8", errors="replace"), secrets).strip()
        if code:
            raise ToolError(f"{program} exited with {code}: {excerpt(text[-500:], 500) or 'no output'}")
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
        untrusted=True,
    )


def _argument(word: str, arguments: dict[str, Any]) -> str:
    filled = fill(word, arguments, joint=",")
    if "\0" in filled:
        raise ToolError("an argument contains a null character")
    if word.startswith("{") and filled.startswith("-"):
        # A model must not turn a value into an option of the program.
        raise ToolError(f"{filled[:40]!r} begins with a hyphen, which is not allowed in this argument")
    # In a path, nothing and ".." would name another folder than the one that was meant.
    for part in word.split("/") if "/" in word else ():
        value = fill(part, arguments, joint=",")
        if part != value and (not value or ".." in re.split(r"[/\\]", value)):
            raise ToolError(f"{value[:40]!r} cannot be part of the path {word}")
    return filled
