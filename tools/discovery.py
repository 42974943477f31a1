"""From what a user writes in `tools=[...]` to tools: names, files, folders, functions."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from agentaudio.errors import AgentAudioError, OptionError, ToolNotFound, did_you_mean
from agentaudio.tools.tool import Tool, tool

log = logging.getLogger(__name__)

GROUP = "agentaudio.tools"
FILE_SUFFIXES = (".yaml", ".yml", ".toml")
ToolLike = str | os.PathLike[str] | Tool | Callable[..., Any]


def installed_tools() -> dict[str, EntryPoint]:
    """The tools that installed packages offer, by name; nothing of them is imported.

    Where two packages offer one name, ours comes first, then the order of the packages' names;
    `crowded_names` tells of them.
    """
    return {name: points[0] for name, points in _offered().items()}


def crowded_names() -> dict[str, list[str]]:
    """Names of tools that several packages offer, and these packages; the first one is taken."""
    return {name: [_package(p) for p in points] for name, points in _offered().items() if len(points) > 1}


def find_tools(wanted: Iterable[ToolLike], *, allow_commands: bool = False) -> dict[str, Tool]:
    """Tools by name, from names of installed tools, files and folders of tools, `@tool` objects, or
    plain typed functions.

    allow_commands: whether tools in files may run programs

    Raises ToolNotFound for an unknown name, OptionError for two tools of one name, a plugin that
    does not load, or a file with problems. In a folder, files with problems are left out, and the
    log says why.
    """
    found: dict[str, Tool] = {}
    for item in wanted:
        for one in _tools_of(item, allow_commands):
            if one.name in found and found[one.name] is not one:
                raise OptionError(f"two tools are named {one.name!r}; give one another name: @tool(name=...)")
            found[one.name] = one
    return found


def folder_tools(
    folder: str | os.PathLike[str], *, allow_commands: bool = False
) -> tuple[list[Tool], list[AgentAudioError]]:
    """The tools of the files in a folder, in the order of their names, and what is wrong with the others.

    Raises OptionError when there is no such folder, or no file of tools in it.
    """
    from agentaudio.tools.declarative.load import read_tools

    if not Path(folder).is_dir():
        raise OptionError(f"no such folder of tools: {folder}")
    paths = sorted(path for path in Path(folder).iterdir() if path.suffix in FILE_SUFFIXES and path.is_file())
    if not paths:
        raise OptionError(f"{folder} holds no tools; add files ending in {', '.join(FILE_SUFFIXES)}")
    made: dict[str, Tool] = {}
    problems: list[AgentAudioError] = []
    for path in paths:
        tools, wrong = read_tools(path, allow_commands=allow_commands)
        problems += wrong
        for one in tools:
            if one.name in made:
                problems.append(OptionError(f"{path}: another file has a tool named {one.name!r}; rename one"))
            made.setdefault(one.name, one)
    return list(made.values()), problems


def _tools_of(item: ToolLike, allow_commands: bool) -> list[Tool]:
    if isinstance(item, Tool):
        return [item]
    if isinstance(item, str | os.PathLike):
        path = Path(item)
        if path.suffix in FILE_SUFFIXES:
            from agentaudio.tools.declarative.load import load_tools

            return load_tools(path, allow_commands=allow_commands)
        if not isinstance(item, str) or len(path.parts) > 1 or str(item).endswith(os.sep):
            tools, problems = folder_tools(path, allow_commands=allow_commands)
            for problem in problems:
                log.warning("a tool is left out: %s", problem)
            return tools
        return [_load(item)]
    if not callable(item):
        raise OptionError(f"{item!r} is no tool; give a name, a file, a typed function, or what @tool returned")
    return [tool(item)]


def _load(name: str) -> Tool:
    offered = _offered()
    if name not in offered:
        hint = f"; the folder of that name is {name}/" if Path(name).is_dir() else ""
        raise ToolNotFound(f"no tool {name!r} is installed{hint}; {did_you_mean(name, offered)}")
    point, *others = offered[name]
    if others:
        packages = " and ".join(_package(other) for other in (point, *others))
        log.warning("tool %r is offered by %s; that of %s is taken", name, packages, _package(point))
    try:
        loaded = point.load()
    except (Exception, SystemExit) as error:
        raise OptionError(f"the plugin of tool {name!r} ({point.value}) does not load: {error!r}") from error
    if not isinstance(loaded, Tool):
        raise OptionError(f"the plugin of tool {name!r} is {type(loaded).__name__}, not a Tool; decorate it with @tool")
    return loaded


def _offered() -> dict[str, list[EntryPoint]]:
    offered: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=GROUP):
        offered.setdefault(point.name, []).append(point)
    for points in offered.values():
        points.sort(key=lambda point: (_package(point) != "agentaudio", _package(point)))
    return offered


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else "an unknown package"
