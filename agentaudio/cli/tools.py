"""`agentaudio tools`: list, check and run tools."""

from __future__ import annotations

import asyncio
import json as json_format
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.table import Table

from agentaudio.cli.console import ensure_writable, err, in_home, mark, out, print_json
from agentaudio.conversation import Conversation, ToolCall
from agentaudio.errors import AgentAudioError, OptionError, ToolNotFound, did_you_mean
from agentaudio.escaping import one_line
from agentaudio.plain import plain
from agentaudio.resources import Resources
from agentaudio.tools.declarative.grants import Grants
from agentaudio.tools.discovery import FILE_SUFFIXES, crowded_names, find_tools, folder_tools, installed_tools
from agentaudio.tools.execution import ToolRun, TurnCalls
from agentaudio.tools.tool import Tool

tools = App(name="tools", help="List, check and run the tools that an agent can use.")

Places = Annotated[tuple[str, ...], Parameter(consume_multiple=True)]
Secrets = Annotated[tuple[str, ...], Parameter(consume_multiple=False)]


@tools.command(name="list")
def list_tools(*places: str, json: bool = False, allow_commands: bool = False, allow_secret: Secrets = ()) -> None:
    """Show the tools that an agent can use: the installed ones, or those of files and folders.

    Parameters
    ----------
    places
        Files, folders or names; without any, all installed tools are shown.
    json
        Print names, descriptions and schemas as JSON.
    allow_commands
        Start the programs of MCP servers that files name, to ask them for their tools.
    allow_secret
        Environment variable, file or folder that files may read as a secret; repeat it for more.
    """
    rows: list[dict[str, Any]] = []
    installed = installed_tools()
    for place in places or sorted(installed):
        found, problems = _look(place, Grants(allow_commands, allow_secret, looking=True))
        rows += [{"name": one.name, "description": one.description, "parameters": one.parameters} for one in found]
        plugin = {"plugin": installed[place].value} if place in installed else {}
        rows += [{"name": place, "error": str(problem), **plugin} for problem in problems]
    for name, packages in crowded_names().items():
        err.print(mark(name, "yellow"), f"is offered by {' and '.join(packages)}; the first is used")
    if json:
        print_json(rows)
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("name", "arguments", "description"):
        table.add_column(title, no_wrap=title == "name")
    for row in rows:
        if "error" in row:
            err.print(mark("error", "red"), one_line(row["error"]))
            continue
        arguments = ", ".join(row["parameters"].get("properties", {}))
        table.add_row(row["name"], arguments, row["description"].split("\n")[0])
    out.print(table)


def _look(place: str, grants: Grants) -> tuple[list[Tool], list[AgentAudioError]]:
    """The tools of a file, a folder or a name, and the errors of the others."""
    from agentaudio.tools.declarative.load import read_tools

    try:
        if Path(place).suffix in FILE_SUFFIXES:
            return read_tools(place, grants)
        if Path(place).is_dir() and place not in installed_tools():
            return folder_tools(place, grants)
        return list(find_tools([place]).values()), []
    except AgentAudioError as error:
        return [], [error]


@tools.command
def check(*files: str, allow_commands: bool = False, allow_secret: Secrets = ()) -> int:
    """Check files of tools and print each error with its line.

    Exits with 1 when a file has errors.

    Parameters
    ----------
    files
        YAML or TOML files, or folders of them. MCP servers at a URL are connected to.
    allow_commands
        Start the programs of MCP servers that the files name, to ask them for their tools.
    allow_secret
        Environment variable, file or folder that the files may read as a secret; repeat it for more. Only
        these are checked.
    """
    if not files:
        raise OptionError("give at least one file to check")
    wrong = False
    for file in files:
        made, problems = _look(file, Grants(allow_commands, allow_secret, looking=True))
        for problem in problems:
            err.print(mark("error", "red"), one_line(str(problem)))
        if not problems:
            out.print(mark("ok", "green"), one_line(f"{file}: {', '.join(tool.name for tool in made)}"))
        wrong = wrong or bool(problems)
    return int(wrong)


@tools.command
def schema() -> None:
    """Print the JSON Schema of tool files, so that editors can complete and check them."""
    from agentaudio.tools.declarative.format import json_schema

    out.out(json_schema(), end="", highlight=False)


@tools.command
async def run(
    name: str,
    *,
    args: str = "{}",
    tools: Places = (),
    documents: str = "demo",
    voices: str = "demo",
    allow_commands: bool = False,
    allow_secret: Secrets = (),
    out_file: Annotated[Path | None, Parameter(name=["--out", "-o"])] = None,
    json: bool = False,
) -> int:
    """Call one tool, as an agent would.

    Exits with 1 when the call fails.

    Parameters
    ----------
    name
        Name of the tool; `agentaudio tools list` shows them.
    args
        Arguments of the tool, as a JSON object.
    tools
        Files and folders in which to look for the tool before the installed ones.
    documents
        Folder for search_documents. `demo` stands for the documents that ship with agentaudio.
    voices
        Folder of a voice library for audio_search. `demo` stands for the voices that ship with agentaudio.
    allow_commands
        Allow tools in files to run programs.
    allow_secret
        Environment variable, file or folder that tools in files may read as a secret; repeat it for more.
    out_file
        Write the sound that the tool returns to this file.
    json
        Print the call and its result as JSON.
    """
    try:
        arguments = json_format.loads(args)
    except (ValueError, RecursionError) as error:
        raise OptionError(f'--args is not JSON: {error}; write it like --args \'{{"city": "Rome"}}\'') from None
    if not isinstance(arguments, dict):
        raise OptionError(f'--args must be a JSON object, such as \'{{"city": "Rome"}}\', not {args[:60]}')
    if out_file is not None:
        ensure_writable(out_file)
    found = await asyncio.to_thread(find_tools, tools, allow_commands=allow_commands, allow_secrets=allow_secret)
    if name not in found:
        if name not in installed_tools():
            known = [*found, *installed_tools()]
            raise ToolNotFound(f"there is no tool {name!r}; {did_you_mean(name, known)}")
        found |= find_tools([name])
    resources = Resources(documents, voices)
    context = await asyncio.to_thread(resources.context, Conversation(), None)
    calls = TurnCalls(found, started=lambda call: None, finished=lambda run: None, approve=approve_on_terminal)
    (ended,) = await calls.run([ToolCall("1", name, arguments)], context)
    release = found[name].release
    if release is not None:
        await release()
    _show(ended, out_file, json)
    return 0 if ended.status == "done" else 1


def approve_on_terminal(tool: Tool, call: ToolCall) -> bool:
    """Ask on the terminal whether a call may run. Without a terminal it may not."""
    if not sys.stdin.isatty():
        return False
    given = ", ".join(f"{name}={value!r}" for name, value in call.arguments.items())
    err.print(mark(tool.name, "yellow"), one_line(f"({given}) wants to run. Allow it? [y/N] "), sep="", end="")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _show(ended: ToolRun, out_file: Path | None, json: bool) -> None:
    if ended.result.audio is not None and out_file is not None:
        ended.result.audio.save(out_file)
    if json:
        print_json(plain(ended))
        return
    status = "" if ended.status == "done" else mark(f"{ended.status}: ", "red")
    (out if ended.status == "done" else err).print(status, ended.result.text, sep="")
    if ended.result.audio is not None and out_file is not None:
        out.print(f"saved {in_home(out_file)} ({ended.result.audio.duration:.1f} s)")
