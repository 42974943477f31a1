"""`load_tools`: the tools of a file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
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
from agentaudio.tools.declarative.grants import NO_COMMANDS, Grants
from agentaudio.tools.declarative.source import Place, Source, read_source
from agentaudio.tools.tool import Tool

MAX_PROBLEMS = 10


def load_tools(
    path: str | os.PathLike[str],
    *,
    allow_commands: bool = False,
    allow_secrets: Iterable[str | os.PathLike[str]] = (),
) -> list[Tool]:
    """The tools of a YAML or TOML file.

    allow_commands: allow the file to start programs: tools of the kind `command`, and MCP servers with one
    allow_secrets: names of environment variables, and paths of files or folders, that the file may read as
        secrets and send to the services it names

    Raises OptionError with the line of each problem, and MissingExtra for the kind `mcp` when its
    package is not installed.
    """
    made, problems = read_tools(path, Grants.of(allow_commands, allow_secrets))
    if problems:
        more = len(problems) - MAX_PROBLEMS
        shown = [str(problem) for problem in problems[:MAX_PROBLEMS]] + ([f"and {more} more"] if more > 0 else [])
        raise OptionError("; ".join(shown)) from None
    return made


def read_tools(path: str | os.PathLike[str], grants: Grants = Grants()) -> tuple[list[Tool], list[AgentAudioError]]:
    """The tools of a file, and the errors of those that cannot be made."""
    made: list[Tool] = []
    problems: list[AgentAudioError] = []
    try:
        source = read_source(Path(path))
    except OptionError as error:
        return [], [error]
    for entry, data in _entries(source, grants):
        if isinstance(data, OptionError):
            problems.append(data)
            continue
        checked = _check(entry, data)
        if isinstance(checked, list):
            problems += checked
            continue
        try:
            tools = _make_tools(entry, checked)
        except AgentAudioError as error:
            problems.append(error)
            continue
        for one in tools:
            if any(one.name == other.name for other in made):
                problems.append(entry.error(f"another tool is named {one.name!r}; rename one", "name"))
            else:
                made.append(one)
    return made, problems


def _entries(source: Source, grants: Grants) -> Iterator[tuple[Entry, Any]]:
    data = source.data
    if not isinstance(data, dict):
        problem = "the file is empty" if data is None else f"the file holds {_kind_of(data)}"
        yield Entry(source, ()), source.error((), f"{problem}; write a tool with name, description and kind")
    elif "tools" in data and "kind" not in data:
        for name in set(data) - {"tools"}:
            yield Entry(source, ()), source.error((name,), f"{name!r} is not allowed beside tools; put it in a tool")
        if not isinstance(data["tools"], list) or not data["tools"]:
            yield Entry(source, ()), source.error(("tools",), "tools must be a list with at least one tool")
            return
        for number, one in enumerate(data["tools"]):
            yield Entry(source, ("tools", number), grants), one
    else:
        yield Entry(source, (), grants), data


def _check(entry: Entry, data: Any) -> AnyTool | list[AgentAudioError]:
    """The validated tool, or its errors."""
    if not isinstance(data, dict):
        return [entry.error(f"a tool must be a mapping with name, description and kind, not {_kind_of(data)}")]
    kind = data.get("kind")
    if kind is None:
        return [entry.error(f"kind is missing; give one of {', '.join(KINDS)}")]
    if not isinstance(kind, str) or kind not in KINDS:
        return [entry.error(f"{kind!r} is not a kind of tool; {did_you_mean(str(kind), KINDS)}", "kind")]
    try:
        return KINDS[kind].model_validate(data)
    except ValidationError as error:
        return [_validation_error(entry, KINDS[kind], item) for item in error.errors(include_url=False)]


def _validation_error(entry: Entry, kind: type[AnyTool], item: Any) -> AgentAudioError:
    place: Place = tuple(step for step in item["loc"] if step != "[key]")
    dotted = ".".join(str(step) for step in place)
    if item["type"] == "missing":
        return entry.error(f"{dotted} is missing", *place)
    if item["type"] == "extra_forbidden":
        known: set[str] = set()
        if len(place) == 1:
            known = {field.alias or name for name, field in kind.model_fields.items()}
        hint = f"; {did_you_mean(str(place[-1]), known)}" if known else ""
        return entry.error(f"there is no setting {dotted}{hint}", *place)
    if item["type"] == "value_error":
        return entry.error(str(item["ctx"]["error"]), *place)
    try:
        shown = repr(item["input"])
    except (ValueError, RecursionError):  # a number with thousands of digits, deep nesting
        shown = "such a value"
    return entry.error(f"{dotted}: {item['msg']}, not {shown if len(shown) < 60 else shown[:59] + '…'}", *place)


def _make_tools(entry: Entry, config: AnyTool) -> list[Tool]:
    # Imported here because most kinds need libraries of their own.
    match config:
        case HttpTool():
            from agentaudio.tools.declarative.http import http_tool

            return [http_tool(entry, config)]
        case CommandTool():
            from agentaudio.tools.declarative.command import command_tool

            return [command_tool(entry, config)]
        case DocumentsTool():
            from agentaudio.tools.declarative.documents import documents_tool

            return [documents_tool(entry, config)]
        case McpTools():
            return _mcp_tools(entry, config)
        case PythonTool():
            from agentaudio.tools.declarative.python import python_tool

            return [python_tool(entry, config)]


def _mcp_tools(entry: Entry, config: McpTools) -> list[Tool]:
    from agentaudio.tools.declarative.placeholder import fill

    if config.command is not None and not entry.grants.commands:
        # Even a look at the tools starts the server.
        raise entry.error(NO_COMMANDS, "command")
    from agentaudio.tools.mcp import McpServer

    secrets = entry.secrets(config.secrets)
    for field in ("env", "headers"):
        entry.check_names(getattr(config, field), secrets, field)
    server = McpServer(
        config.url or config.command or "",
        env={name: fill(text, secrets) for name, text in config.env.items()},
        headers={name: fill(text, secrets) for name, text in config.headers.items()},
        folder=entry.source.path.parent,
        allow_private=config.allow_private,
        include=config.include,
        exclude=config.exclude,
        prefix=config.prefix,
        timeout_s=config.timeout_s,
    )
    try:
        found = server.tools()
    except AgentAudioError as error:
        raise entry.error(str(error), "url" if config.url else "command") from None
    if not found:
        raise entry.error("include and exclude leave no tool of the server", "include")
    return [replace(one, approval=config.approval, cancellable=config.cancellable) for one in found]


def _kind_of(data: Any) -> str:
    names = {list: "a list", dict: "a mapping", str: "a text", bool: "a boolean", type(None): "nothing"}
    return names.get(type(data), "a number")
