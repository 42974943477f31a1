"""The package: its files, its public names, and imports on first use."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import agentaudio

ROOT = Path(__file__).parents[1]
ROOMS = ("tools", "retrieval", "voice_library", "model")


@pytest.mark.system
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
        ("import agentaudio.cli.ask", "torch faiss onnxruntime agentaudio.model.embedded.engine"),
        ("import agentaudio.cli.eval", "inspect_ai numpy jiwer"),
        ("import agentaudio.evaluation.run", "inspect_ai jiwer sacrebleu matplotlib wetext"),
        ("import agentaudio.weights.store", "torch numpy httpx2 huggingface_hub rich"),
    ],
)
def test_heavy_libraries_are_imported_on_first_use(code: str, unwanted: str) -> None:
    output = subprocess.check_output(
        [sys.executable, "-c", f"{code}; import sys; print(*sorted(set({unwanted.split()!r}) & set(sys.modules)))"],
        text=True,
    )
    assert output.strip() == ""


def test_every_public_name_can_be_imported() -> None:
    for name in agentaudio.__all__:
        assert getattr(agentaudio, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Agnet'"):
        _ = agentaudio.Agnet


def test_files_have_at_most_400_lines() -> None:
    long = {
        str(file.relative_to(ROOT)): lines
        for folder in ("agentaudio", *ROOMS)
        for file in (ROOT / folder).rglob("*.py")
        if (lines := len(file.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert long == {}


@pytest.mark.parametrize(("name", "lines"), [("agent.py", 200), ("turn.py", 300)])
def test_the_agent_and_the_loop_fit_in_a_few_screens(name: str, lines: int) -> None:
    assert len((ROOT / "agentaudio" / name).read_text(encoding="utf-8").splitlines()) < lines


def test_the_readme_names_every_extra_once() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    table = (ROOT / "README.md").read_text(encoding="utf-8").partition("| extra | adds |")[2].partition("\n\n")[0]
    assert sorted(re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE)) == sorted(set(extras) - {"dev"})
