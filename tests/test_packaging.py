"""What a user installs: agentaudio alone, all of it, and nothing heavy before it is needed."""

from __future__ import annotations

import ast
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import agentaudio

ROOT = Path(__file__).parents[1]
ROOMS = ("tools", "retrieval", "voice_library", "model")


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs a git checkout to list tracked files")
def test_wheel_holds_every_tracked_file_under_agentaudio_and_nothing_else(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    shipped = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    listing = subprocess.check_output(["git", "ls-files", "-z", "agentaudio", *ROOMS], cwd=ROOT, text=True)
    tracked = set(listing.rstrip("\0").split("\0")) - {f"agentaudio/{room}" for room in ROOMS}
    assert shipped == {name if name.startswith("agentaudio/") else f"agentaudio/{name}" for name in tracked}


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [
        ("import agentaudio", "numpy torch faiss pydantic soundfile onnxruntime rich cyclopts asyncio"),
        ("from agentaudio import Agent, Audio, tool", "torch faiss onnxruntime pocketsphinx rich tokenizers"),
        ("import agentaudio.cli", "torch faiss onnxruntime pocketsphinx numpy"),
    ],
)
def test_heavy_libraries_are_imported_on_first_use(code: str, unwanted: str) -> None:
    told = subprocess.check_output(
        [sys.executable, "-c", f"{code}; import sys; print(*sorted(set({unwanted.split()!r}) & set(sys.modules)))"],
        text=True,
    )
    assert told.strip() == ""


def test_every_public_name_can_be_imported() -> None:
    for name in agentaudio.__all__:
        assert getattr(agentaudio, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Agnet'"):
        _ = agentaudio.Agnet


# What each room may import of ours; the ground floor is the shared nouns.
GROUND = ("sound", "text", "conversation", "errors", "files", "http", "onnx", "portal", "retry")
ALLOWED = {
    "voice_library": {"agentaudio.voice_library"},
    "retrieval": {"agentaudio.retrieval", "agentaudio.voice_library"},
    "tools": {"agentaudio.tools", "agentaudio.retrieval", "agentaudio.voice_library"},
    "model": {"agentaudio.model"},
}


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "agentaudio":
            yield from (f"agentaudio.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            # `import agentaudio` alone hands out nothing: every name of it is imported on first use.
            yield from (alias.name for alias in node.names if alias.name != "agentaudio")


def within(name: str, rooms: set[str]) -> bool:
    return any(name == room or name.startswith(f"{room}.") for room in rooms)


@pytest.mark.parametrize("room", ROOMS)
def test_arrows_between_rooms_point_one_way(room: str) -> None:
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in (ROOT / room).rglob("*.py")
        for name in imports(file)
        if name.split(".")[0] == "agentaudio"
        and not within(name, {*ALLOWED[room], *(f"agentaudio.{ground}" for ground in GROUND)})
    ]
    assert wrong == []


def test_the_ground_floor_stands_on_nothing_of_ours() -> None:
    ground = {f"agentaudio.{name}" for name in GROUND}
    files = [file for name in GROUND for file in (ROOT / "agentaudio").glob(f"{name}.py")]
    files += [file for name in GROUND for file in (ROOT / "agentaudio" / name).rglob("*.py")]
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in files
        for name in imports(file)
        if name.split(".")[0] == "agentaudio" and not within(name, ground)
    ]
    assert len(files) > len(GROUND) and wrong == []


def test_no_file_is_two_nouns() -> None:
    long = {
        str(file.relative_to(ROOT)): lines
        for folder in ("agentaudio", *ROOMS)
        for file in (ROOT / folder).rglob("*.py")
        if (lines := len(file.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert long == {}


def dependencies(room: str) -> dict[str, set[str]]:
    """Which modules of a room import which others of it, imports for type checkers included."""
    files = {file: ".".join(file.relative_to(ROOT).with_suffix("").parts) for file in (ROOT / room).rglob("*.py")}
    modules = {f"agentaudio.{name}".removesuffix(".__init__"): file for file, name in files.items()}
    return {name: {other for other in imports(file) if other in modules} for name, file in modules.items()}


@pytest.mark.parametrize("room", ROOMS)
def test_no_modules_of_a_room_import_each_other_in_a_circle(room: str) -> None:
    left = dependencies(room)
    while free := [name for name, needed in left.items() if not needed & left.keys()]:
        for name in free:
            del left[name]
    assert sorted(left) == []
