"""From a file to its tools."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agentaudio.errors import AgentAudioError, OptionError, did_you_mean
from agentaudio.tools.declarative.entry import Entry
from agentaudio.tools.declarative.format import (
    KINDS,
    AnyTool,
    CommandTool,
    DocumentsTool,
    HttpTool,
    McpTools,
    PythonTool,
)
from agentaudio.tools.declarative.source import Place, Source, read_source
from agentaudio.tools.tool import Tool, tool

MAX_PROBLEMS = 10


def load_tools(path: str | os.PathLike[str], *, allow_commands: bool = False) -> list[Tool]:
    """The tools of a YAML or TOML file.

    allow_commands: whether tools of the kind `command` may run programs

    Raises OptionError that names each problem with its line, and MissingExtra for the kind `mcp`
    without the package it needs.
    """
    made, problems = read_tools(path, allow_commands=allow_commands)
    if problems:
        more = len(problems) - MAX_PROBLEMS
        told = [str(problem) for problem in problems[:MAX_PROBLEMS]] + ([f"and {more} more"] if more > 0 else [])
        raise OptionError("; ".join(told)) from None
    return made


def read_tools(
    path: str | os.PathLike[str], *, allow_commands: bool = False
) -> tuple[list[Tool], list[AgentAudioError]]:
    """The tools of a file that can be made, and what is wrong with the others."""
    made: list[Tool] = []
    problems: list[AgentAudioError] = []
    try:
        source = read_source(Path(path))
    except OptionError as error:
        return [], [error]
    for entry, data in _entries(source):
        if isinstance(data, OptionError):
            problems.append(data)
            continue
        checked = _checked(entry, data)
        if isinstance(checked, list):
            problems += checked
            continue
        try:
            tools = _made(entry, checked, allow_commands)
        except AgentAudioError as error:
            problems.append(error)
            continue
        for one in tools:
            if any(one.name == other.name for other in made):
                problems.append(entry.wrong(f"another tool is named {one.name!r}; rename one", "name"))
            else:
                made.append(one)
    return made, problems


def _entries(source: Source) -> Iterator[tuple[Entry, Any]]:
    data = source.data
    if not isinstance(data, dict):
        problem = "the file is empty" if data is None else f"this is {_called(data)}"
        yield Entry(source, ()), source.wrong((), f"{problem}; write a tool with name, description and kind")
    elif "tools" in data and "kind" not in data:
        for name in set(data) - {"tools"}:
            yield Entry(source, ()), source.wrong((name,), f"{name!r} cannot stand beside tools; put it into a tool")
        if not isinstance(data["tools"], list) or not data["tools"]:
            yield Entry(source, ()), source.wrong(("tools",), "tools is a list with at least one tool")
            return
        for number, one in enumerate(data["tools"]):
            yield Entry(source, ("tools", number)), one
    else:
        yield Entry(source, ()), data


def _checked(entry: Entry, data: Any) -> AnyTool | list[AgentAudioError]:
    """The tool as its kind describes it, or what is wrong with it."""
    if not isinstance(data, dict):
        return [entry.wrong(f"a tool is a mapping with name, description and kind, not {_called(data)}")]
    kind = data.get("kind")
    if kind is None:
        return [entry.wrong(f"kind is missing; it is one of {', '.join(KINDS)}")]
    if not isinstance(kind, str) or kind not in KINDS:
        return [entry.wrong(f"{kind!r} is no kind of tool; {did_you_mean(str(kind), KINDS)}", "kind")]
    try:
        return KINDS[kind].model_validate(data)
    except ValidationError as error:
        return [_told(entry, KINDS[kind], item) for item in error.errors(include_url=False)]


def _told(entry: Entry, kind: type[AnyTool], item: Any) -> AgentAudioError:
    place: Place = tuple(step for step in item["loc"] if step != "[key]")
    written = ".".join(str(step) for step in place)
    if item["type"] == "missing":
        return entry.wrong(f"{written} is missing", *place)
    if item["type"] == "extra_forbidden":
        known: set[str] = set()
        if len(place) == 1:
            known = {field.alias or name for name, field in kind.model_fields.items()}
        hint = f"; {did_you_mean(str(place[-1]), known)}" if known else ""
        return entry.wrong(f"{written} is not known here{hint}", *place)
    if item["type"] == "value_error":
        return entry.wrong(str(item["ctx"]["error"]), *place)
    shown = repr(item["input"])
    return entry.wrong(f"{written}: {item['msg']}, not {shown if len(shown) < 60 else shown[:59] + '…'}", *place)


def _made(entry: Entry, written_down: AnyTool, allow_commands: bool) -> list[Tool]:
    # Each kind is imported when it is met: most need libraries of their own.
    match written_down:
        case HttpTool():
            from agentaudio.tools.declarative.http import http_tool

            return [http_tool(entry, written_down)]
        case CommandTool():
            from agentaudio.tools.declarative.command import command_tool

            return [command_tool(entry, written_down, allowed=allow_commands)]
        case DocumentsTool():
            from agentaudio.tools.declarative.documents import documents_tool

            return [documents_tool(entry, written_down)]
        case McpTools():
            return _mcp_tools(entry, written_down)
        case PythonTool():
            return [_python_tool(entry, written_down)]


def _python_tool(entry: Entry, written_down: PythonTool) -> Tool:
    module, _, attributes = written_down.import_.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for attribute in attributes.split("."):
            found = getattr(found, attribute)
    except (Exception, SystemExit) as error:
        raise entry.wrong(f"{written_down.import_} cannot be imported: {error!r}", "import") from error
    if not callable(found):
        raise entry.wrong(f"{written_down.import_} is {type(found).__name__}; name a function", "import")
    said = {
        name: value
        for name in written_down.model_fields_set - {"kind", "import_"}
        if (value := getattr(written_down, name)) is not None
    }
    try:
        return replace(found if isinstance(found, Tool) else tool(found), **said)
    except OptionError as error:
        raise entry.wrong(str(error), "import") from None


def _mcp_tools(entry: Entry, written_down: McpTools) -> list[Tool]:
    from agentaudio.tools.declarative.placeholder import fill
    from agentaudio.tools.mcp import McpServer

    secrets = entry.secrets(written_down.secrets)
    for field in ("env", "headers"):
        entry.check_names(getattr(written_down, field), secrets, field)
    server = McpServer(
        written_down.url or written_down.command or "",
        env={name: fill(text, secrets) for name, text in written_down.env.items()},
        headers={name: fill(text, secrets) for name, text in written_down.headers.items()},
        folder=entry.source.path.parent,
        include=written_down.include,
        exclude=written_down.exclude,
        prefix=written_down.prefix,
        timeout_s=written_down.timeout_s,
    )
    try:
        found = server.tools()
    except AgentAudioError as error:
        raise entry.wrong(str(error), "url" if written_down.url else "command") from None
    if not found:
        raise entry.wrong("no tool of the server is left; see include and exclude", "include")
    return [replace(one, approval=written_down.approval, cancellable=written_down.cancellable) for one in found]


def _called(data: Any) -> str:
    names = {list: "a list", dict: "a mapping", str: "a text", bool: "true or false", type(None): "nothing"}
    return names.get(type(data), "a number")
