"""From what a user writes in `tools=[...]` to tools: names come through entry points."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from agentaudio.errors import OptionError, ToolNotFound, did_you_mean
from agentaudio.tools.tool import Tool, tool

GROUP = "agentaudio.tools"
ToolLike = str | Tool | Callable[..., Any]


def installed_tools() -> dict[str, EntryPoint]:
    """The tools that installed packages offer, by name; nothing of them is imported."""
    return {point.name: point for point in entry_points(group=GROUP)}


def find_tools(wanted: Iterable[ToolLike]) -> dict[str, Tool]:
    """Tools by name, from names of installed tools, `@tool` objects, or plain typed functions.

    Raises ToolNotFound for an unknown name, OptionError for two tools of one name or a plugin
    that does not load.
    """
    found: dict[str, Tool] = {}
    for item in wanted:
        one = _load(item) if isinstance(item, str) else item if isinstance(item, Tool) else _wrap(item)
        if one.name in found and found[one.name] is not one:
            raise OptionError(f"two tools are named {one.name!r}; give one another name: @tool(name=...)")
        found[one.name] = one
    return found


def _wrap(item: Any) -> Tool:
    if not callable(item):
        raise OptionError(f"{item!r} is no tool; give a name, a typed function, or what @tool returned")
    return tool(item)


def _load(name: str) -> Tool:
    offered = installed_tools()
    if name not in offered:
        raise ToolNotFound(f"no tool {name!r} is installed; {did_you_mean(name, offered)}")
    try:
        loaded = offered[name].load()
    except Exception as error:
        raise OptionError(f"the plugin of tool {name!r} ({offered[name].value}) does not load: {error!r}") from error
    if not isinstance(loaded, Tool):
        raise OptionError(f"the plugin of tool {name!r} is {type(loaded).__name__}, not a Tool; decorate it with @tool")
    return loaded
