"""`find_tools`: tools from names, files, folders and functions, as in `Agent(tools=[...])`."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from agentaudio.entry_points import installed
from agentaudio.errors import AgentAudioError, OptionError, ToolNotFound, did_you_mean
from agentaudio.tools.declarative.grants import Grants
from agentaudio.tools.tool import Tool, tool

log = logging.getLogger(__name__)

GROUP = "agentaudio.tools"
FILE_SUFFIXES = (".yaml", ".yml", ".toml")
ToolLike = str | os.PathLike[str] | Tool | Callable[..., Any]


def installed_tools() -> dict[str, EntryPoint]:
    """The tools that installed packages offer, by name. Imports none of them.

    If several packages offer the same name, agentaudio comes first, then the package whose name sorts
    first; `crowded_names` lists such names.
    """
    return {name: points[0] for name, points in _offered().items()}


def crowded_names() -> dict[str, list[str]]:
    """Names that several packages offer a tool for, and these packages. The tool of the first is used."""
    return {name: [_package(p) for p in points] for name, points in _offered().items() if len(points) > 1}


def find_tools(
    wanted: Iterable[ToolLike],
    *,
    allow_commands: bool = False,
    allow_secrets: Iterable[str | os.PathLike[str]] = (),
) -> dict[str, Tool]:
    """Tools by name, from names of installed tools, files and folders of tools, Tool objects, and plain
    typed functions.

    allow_commands, allow_secrets: what tools in files may do, as for `load_tools`

    Raises ToolNotFound for an unknown name, OptionError for one name instead of a list, two tools with the
    same name, a plugin that does not load, or a file with errors. Files with errors in a folder are left out
    with a warning in the log.
    """
    if isinstance(wanted, str | bytes | os.PathLike | Mapping) or not isinstance(wanted, Iterable):
        raise OptionError(f"tools is {_shown(wanted)}; give a list, such as tools={_list_of(wanted)}")
    found: dict[str, Tool] = {}
    grants = Grants.of(allow_commands, allow_secrets)
    for item in wanted:
        for one in _tools_of(item, grants):
            if one.name in found and found[one.name] is not one:
                raise OptionError(f"two tools are named {one.name!r}; rename one with @tool(name=...)")
            found[one.name] = one
    return found


def folder_tools(folder: str | os.PathLike[str], grants: Grants = Grants()) -> tuple[list[Tool], list[AgentAudioError]]:
    """The tools of the files in a folder, in the order of the file names, and the errors of the others.

    Raises OptionError when the folder does not exist or contains no tool files.
    """
    from agentaudio.tools.declarative.load import read_tools

    if not Path(folder).is_dir():
        raise OptionError(f"there is no folder of tools {folder}")
    paths = sorted(path for path in Path(folder).iterdir() if path.suffix in FILE_SUFFIXES and path.is_file())
    if not paths:
        raise OptionError(f"{folder} contains no tool files; add files ending in {', '.join(FILE_SUFFIXES)}")
    made: dict[str, Tool] = {}
    problems: list[AgentAudioError] = []
    for path in paths:
        tools, wrong = read_tools(path, grants)
        problems += wrong
        for one in tools:
            if one.name in made:
                problems.append(OptionError(f"{path}: another file has a tool named {one.name!r}; rename one"))
            made.setdefault(one.name, one)
    return list(made.values()), problems


def _tools_of(item: ToolLike, grants: Grants) -> list[Tool]:
    if isinstance(item, Tool):
        return [item]
    if isinstance(item, str | os.PathLike):
        path = Path(item)
        if path.suffix in FILE_SUFFIXES:
            from agentaudio.tools.declarative.load import load_tools

            return load_tools(path, allow_commands=grants.commands, allow_secrets=grants.secrets)
        if not isinstance(item, str) or len(path.parts) > 1 or str(item).endswith(os.sep):
            tools, problems = folder_tools(path, grants)
            for problem in problems:
                log.warning("a tool is left out: %s", problem)
            return tools
        return [_load(item)]
    if callable(getattr(item, "tools", None)):
        raise OptionError(f"{_shown(item)} is not a tool, but has tools; write tools=[*it.tools(), ...]")
    if isinstance(item, list | tuple | set | frozenset):
        raise OptionError(f"tools holds {_shown(item)}; put its tools in the outer list, such as tools=[*these, ...]")
    if not callable(item) and not isinstance(item, classmethod | staticmethod):
        raise OptionError(
            f"{_shown(item)} is not a tool; give a name, a file, a typed function, or a Tool made by @tool"
        )
    return [tool(item)]


def _shown(item: object) -> str:
    """What was given, for a message: a text or number as it is, of anything else its kind and name."""
    if item is None or isinstance(item, str | bytes | int | float):
        return f"the text {item!r:.100}" if isinstance(item, str) else f"{item!r:.100}"
    name = getattr(item, "name", None) or getattr(item, "__name__", None)
    kind = "function" if callable(item) and not isinstance(item, Tool) else type(item).__name__
    return f"the {kind} {name!r:.100}" if isinstance(name, str) else f"a {kind}"


def _list_of(wanted: object) -> str:
    if isinstance(wanted, Mapping):
        return "list(them.values())"
    if callable(getattr(wanted, "tools", None)):
        return "it.tools()"
    named = getattr(wanted, "__name__", None) or getattr(wanted, "name", None)
    if isinstance(wanted, str) or not isinstance(named, str):
        return f"[{wanted!r:.100}]" if isinstance(wanted, str) else "[]"
    return f"[{named}]"


def _load(name: str) -> Tool:
    offered = _offered()
    if name not in offered:
        hint = f"; to use the folder, write {name}/" if Path(name).is_dir() else ""
        raise ToolNotFound(f"no tool {name!r} is installed{hint}; {did_you_mean(name, offered)}")
    point, *others = offered[name]
    if others:
        packages = " and ".join(_package(other) for other in (point, *others))
        log.warning("tool %r is offered by %s; the tool of %s is used", name, packages, _package(point))
    try:
        loaded = point.load()
    except (Exception, SystemExit) as error:
        raise OptionError(f"the plugin of tool {name!r} ({point.value}) does not load: {error!r}") from error
    if not isinstance(loaded, Tool):
        raise OptionError(f"the plugin of tool {name!r} is {type(loaded).__name__}, not a Tool; decorate it with @tool")
    return loaded


def _offered() -> dict[str, list[EntryPoint]]:
    offered: dict[str, list[EntryPoint]] = {}
    for point in installed(GROUP):
        offered.setdefault(point.name, []).append(point)
    for points in (points for points in offered.values() if len(points) > 1):
        points.sort(key=lambda point: (_package(point) != "agentaudio", _package(point)))
    return offered


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else "an unknown package"
