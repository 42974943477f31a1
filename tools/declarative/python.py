"""Tools of the kind `python`: a function of an installed module, or of a module beside the file."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from agentaudio.errors import OptionError
from agentaudio.tools.declarative.entry import Entry
from agentaudio.tools.declarative.format import PythonTool
from agentaudio.tools.tool import Tool, tool

_folders: set[Path] = set()
"""Folders of tool files whose modules may be imported, at the end of `sys.path`."""


def python_tool(entry: Entry, config: PythonTool) -> Tool:
    """The tool. An installed module comes before one of the same name beside the file, whose code needs a grant.

    Raises OptionError when the module is not found or not allowed, and when it holds no function of that name.
    """
    module, _, attributes = config.import_.partition(":")
    beside = _beside(entry.source.path, module)
    local = beside is not None and _prepare(entry, module, beside)
    try:
        found: Any = importlib.import_module(module)
        for attribute in attributes.split("."):
            found = getattr(found, attribute)
    except (Exception, SystemExit) as error:
        hint = ""
        if beside is not None and not local:
            hint = f"; an installed module hides {beside.name} beside this file: rename that"
        elif isinstance(error, ModuleNotFoundError) and beside is None:
            hint = f"; install it, or put {module.partition('.')[0]}.py beside this file"
        raise entry.error(f"{config.import_} cannot be imported: {error!r}{hint}", "import") from error
    if not callable(found):
        raise entry.error(f"{config.import_} is {type(found).__name__}; name a function", "import")
    said = {
        name: value
        for name in config.model_fields_set - {"kind", "import_"}
        if (value := getattr(config, name)) is not None
    }
    try:
        return replace(found if isinstance(found, Tool) else tool(found), **said)
    except OptionError as error:
        raise entry.error(str(error), "import") from None


def _beside(file: Path, module: str) -> Path | None:
    """The module or package beside the file that `module` begins with; None when there is none."""
    top = file.resolve().parent / module.partition(".")[0]
    if top.with_suffix(".py").is_file():
        return top.with_suffix(".py")
    return top if top.is_dir() else None


def _prepare(entry: Entry, module: str, beside: Path) -> bool:
    """Let a module beside the file be imported; False when a module of its name is installed elsewhere.

    Raises OptionError when its code is not allowed, and when another file has a module of that name.
    """
    top, folder = module.partition(".")[0], beside.parent
    loaded = sys.modules.get(top)
    try:
        spec = loaded.__spec__ if loaded is not None else importlib.util.find_spec(top)
    except (ImportError, ValueError):
        spec = None
    places = {Path(place).resolve().parent for place in (spec.submodule_search_locations or ())} if spec else set()
    if spec is not None and spec.origin is not None and spec.has_location and not places:
        places = {Path(spec.origin).resolve().parent}
    if spec is not None and not places & _folders:
        return folder in places
    if spec is not None and folder not in places:
        others = ", ".join(map(str, places & _folders))
        raise entry.error(f"{beside.name} is also a module beside a tool file in {others}; rename one", "import")
    if not entry.grants.commands:
        raise entry.error(
            f"{beside.name} beside this file is code, which is not allowed to run; allow it with "
            "load_tools(..., allow_commands=True) or --allow-commands if you trust it",
            "import",
        )
    _folders.add(folder)
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
        importlib.invalidate_caches()
    return True
