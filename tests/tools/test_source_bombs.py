"""A small file of tools takes neither gigabytes nor minutes, and each problem is an OptionError that names the file."""

from __future__ import annotations

import contextlib
import resource
import time
from dataclasses import replace
from pathlib import Path

import pytest
from support import bombs

from agentaudio.errors import OptionError
from agentaudio.tools.declarative import source
from agentaudio.tools.declarative.source import read_source
from agentaudio.workers.limits import TOOL_FILE

pytestmark = pytest.mark.hostile


@pytest.mark.parametrize("name", bombs.tool_files())
def test_hostile_files_end_in_time(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "TOOL_FILE", replace(TOOL_FILE, timeout_s=3, cpu_s=2))
    (tmp_path / name).write_bytes(bombs.tool_files()[name]())
    before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    with contextlib.suppress(OptionError):
        assert read_source(tmp_path / name).path.name == name
    assert time.perf_counter() - begun < 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (bombs.tool_files()["dotted.toml"](), r"a.toml:1: a key has more than 50 parts between dots"),
        (b"a=" + b"9" * 5_000, r"a.toml: .*integer"),
        (b"a=0x" + b"f" * 3_000, r"a.toml: an integer has 12000 bits; TOML has at most 64"),
        (b"a=18446744073709551616", r"a.toml: an integer has 65 bits"),
        (b"a=" + b"[" * 30 + b"]" * 30, r"a.toml: this is nested more than 20 deep"),
        (b"a." * 30 + b"a=1", r"a.toml: this is nested more than 20 deep"),
        (b"a=" + b"[" * 1_500 + b"]" * 1_500, r"a.toml: this is nested"),
    ],
)
def test_the_problem_names_the_file(content: bytes, problem: str, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(content)
    with pytest.raises(OptionError, match=problem):
        read_source(tmp_path / "a.toml")


@pytest.mark.parametrize("suffix", ["yaml", "toml"])
def test_a_worker_process_reads_what_this_process_would(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = {
        "yaml": "a: [1, 2.5, true, null, 'ü']\nb:\n  c: .5\n",
        "toml": 'a = [1, 2.5, true, "ü", 1979-05-27]\n[b]\nc = 0.5\n',
    }[suffix]
    path = tmp_path / f"a.{suffix}"
    path.write_text(text, "utf-8")
    here = read_source(path)
    monkeypatch.setattr(source, "SMALL_BYTES", 0)
    assert read_source(path) == here


def test_an_error_in_a_worker_process_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: 1\n" + "# comment\n" * 1_000 + "a: 2\n")
    with pytest.raises(OptionError, match=r"a.yaml:1002: 'a' is given twice"):
        read_source(tmp_path / "a.yaml")
