"""Rules for imports between modules: one direction between rooms, no circles, no private names.

All imports count: at the top of a module, inside functions (which only delays a circle) and under TYPE_CHECKING (a type
is a dependency too). Importing a module of a package does not count as importing the package itself.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Mapping, Set
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "agentaudio"
ROOMS = ("tools", "retrieval", "voice_library", "model")

# Shared modules, which all rooms may import, and which import only each other.
GROUND = (
    "sound",
    "text",
    "beside",
    "cache",
    "cancellation",
    "conversation",
    "entry_points",
    "errors",
    "escaping",
    "files",
    "free_memory",
    "guarded_proxy",
    "http",
    "onnx",
    "portal",
    "quotation",
    "retry",
    "uncopied",
    "weights",
    "workers",
)
ABOVE = {
    "voice_library": ("voice_library",),
    "retrieval": ("retrieval", "voice_library"),
    "tools": ("tools", "retrieval", "voice_library"),
    "model": ("model",),
}


def modules() -> dict[str, Path]:
    """Every module by its import name, with its real path (the rooms in the package are links)."""
    found = {}
    for folder, _, names in os.walk(PACKAGE, followlinks=True):
        for file in (Path(folder) / name for name in names if name.endswith(".py")):
            parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
            found[".".join(parts).removesuffix(".__init__")] = file.resolve()
    return found


MODULES = modules()


@cache
def nodes(file: Path) -> list[ast.Import | ast.ImportFrom | ast.Attribute]:
    """The imports of a file, and what it takes of names. Each file is parsed and walked once."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom | ast.Attribute)]


def from_imports(file: Path) -> Iterator[tuple[str, str]]:
    """(module, name) for each `from module import name`."""
    for node in nodes(file):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, alias.name) for alias in node.names)


def imports(file: Path) -> set[str]:
    """The modules of agentaudio that a file imports.

    `import agentaudio` and `__version__` are left out, because they load nothing else.
    """
    found = set()
    for module, name in from_imports(file):
        if module.partition(".")[0] == "agentaudio" and name != "__version__":
            found.add(f"{module}.{name}" if f"{module}.{name}" in MODULES else module)
    for node in nodes(file):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names if alias.name.startswith("agentaudio."))
    return found


@cache
def import_graph() -> dict[str, set[str]]:
    """The modules that each module imports. Built by the first test that needs it, not when tests are collected."""
    return {name: imports(file) for name, file in MODULES.items()}


def within(name: str, places: tuple[str, ...]) -> bool:
    return any(f"{name}.".startswith(f"agentaudio.{place}.") for place in places)


def circles(graph: Mapping[str, Set[str]]) -> list[list[str]]:
    """The strongly connected components of more than one node.

    Source: Tarjan 1972, "Depth-first search and linear graph algorithms".
    """
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    path: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        order[node] = lowest[node] = len(order)
        path.append(node)
        for other in graph[node]:
            if other not in order:
                visit(other)
                lowest[node] = min(lowest[node], lowest[other])
            elif other in path:
                lowest[node] = min(lowest[node], order[other])
        if lowest[node] == order[node]:
            component = path[path.index(node) :]
            del path[path.index(node) :]
            if len(component) > 1:
                found.append(sorted(component))

    for node in graph:
        if node not in order:
            visit(node)
    return found


def test_circles_are_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set()}) == [["a", "b", "c"]]
    assert circles({"a": {"b", "c"}, "b": {"d"}, "c": {"d"}, "d": set()}) == []


def test_each_room_is_a_link_to_its_folder_at_the_top() -> None:
    for room in ROOMS:
        assert (PACKAGE / room).is_symlink()
        assert (PACKAGE / room).resolve() == PACKAGE.parent / room
    assert {name.split(".")[1] for name in import_graph() if name.count(".") > 1} >= {*ROOMS, "sound", "text"}


def test_every_import_names_an_existing_module() -> None:
    missing = [
        f"{name} imports {other}" for name, needed in import_graph().items() for other in needed if other not in MODULES
    ]
    assert missing == []


@pytest.mark.parametrize("room", ROOMS)
def test_imports_between_rooms_point_one_way(room: str) -> None:
    wrong = [
        f"{name} imports {other}"
        for name in import_graph()
        if within(name, (room,))
        for other in import_graph()[name]
        if not within(other, ABOVE[room] + GROUND)
    ]
    assert wrong == []


def test_shared_modules_import_only_each_other() -> None:
    ground = [name for name in import_graph() if within(name, GROUND)]
    wrong = [
        f"{name} imports {other}" for name in ground for other in import_graph()[name] if not within(other, GROUND)
    ]
    assert {name.split(".")[1] for name in ground} == set(GROUND) and wrong == []


def test_only_the_command_line_imports_the_server() -> None:
    wrong = [
        f"{name} imports {other}"
        for name in import_graph()
        if not within(name, ("server", "cli"))
        for other in import_graph()[name]
        if within(other, ("server",))
    ]
    assert wrong == []


def test_modules_have_no_import_circles() -> None:
    assert circles(import_graph()) == []


def test_subpackages_have_no_import_circles() -> None:
    """Only sibling packages are checked: a module beside them may be used by them (`tokens`) or use them (`engine`)."""
    packages = {name for name, file in MODULES.items() if file.name == "__init__.py"} - {"agentaudio"}
    graph: dict[str, set[str]] = {package: set() for package in packages}
    for name, needed in import_graph().items():
        for other in needed:
            parents, others = name.split("."), other.split(".")
            shared = next((n for n, (a, b) in enumerate(zip(parents, others, strict=False)) if a != b), None)
            if shared is None:
                continue
            mine, theirs = ".".join(parents[: shared + 1]), ".".join(others[: shared + 1])
            if mine in packages and theirs in packages:
                graph[mine].add(theirs)
    assert circles(graph) == []


def test_no_module_imports_a_private_name_of_another() -> None:
    wrong = [
        f"{name} imports {private} of {module}"
        for name, file in MODULES.items()
        for module, private in from_imports(file)
        if module.split(".")[0] == "agentaudio" and private.startswith("_") and not private.startswith("__")
    ]
    for name, file in MODULES.items():
        imported = {
            alias.asname or alias.name: f"{node.module}.{alias.name}"
            for node in nodes(file)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
            if f"{node.module}.{alias.name}" in MODULES
        }
        wrong += [
            f"{name} takes {node.attr} of {imported[node.value.id]}"
            for node in nodes(file)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in imported
            if node.attr.startswith("_") and not node.attr.startswith("__")
        ]
    assert wrong == []
