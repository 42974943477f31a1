"""`agentaudio models list`, `fetch` and `verify`, and the lines of `doctor` about weights."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.command_line import run
from support.file_server import Fault, FileServer, file_server, sha256

from agentaudio.cli.console import Terminal
from agentaudio.weights import ledger as ledger_module
from agentaudio.weights.store import Store

BODY = b"weights" * 10_000


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A server with the files of a ledger of two entries, `tiny` and `tidy`."""
    monkeypatch.setenv("AGENTAUDIO_CACHE", str(tmp_path / "cache"))
    with file_server() as running:
        running.files["/a.bin"] = BODY
        entry = "".join(
            f"""
            [{name}]
            purpose = "speech in tests"
            licence = "CC-BY-4.0"
            credit = "a person"
            home = "https://example.org/{name}"
            terms = "Only with consent. [bold]"
            files."a.bin" = {{ size = {len(BODY)}, sha256 = "{sha256(BODY)}" }}
            [[{name}.sources]]
            kind = "release"
            urls."a.bin" = "{running.url}/a.bin"
            """
            for name in ("tiny", "tidy")
        )
        (tmp_path / "models.toml").write_text(entry)
        monkeypatch.setattr(ledger_module, "LEDGER", tmp_path / "models.toml")
        yield running


def weights(capfd: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
    code, output, _ = run(capfd, "models", "list", "--json")
    assert code == 0
    return {row["name"]: row for row in json.loads(output)["weights"]}


def test_licence_and_terms_are_shown_before_the_download(server: FileServer, capfd: pytest.CaptureFixture[str]) -> None:
    server.faults["/a.bin"] = [Fault(status=404), Fault()]
    code, output, error = run(capfd, "models", "fetch", "tiny")
    assert code == 1 and "Only with consent. [bold]" in output and "CC-BY-4.0, by a person" in output
    assert error.startswith("error: the weights 'tiny' cannot be fetched: 127.0.0.1") and error.count("\n") == 1
    assert run(capfd, "models", "fetch", "tiny", "tidy")[0] == 0
    assert (Store().folder("tiny") / "a.bin").read_bytes() == (Store().folder("tidy") / "a.bin").read_bytes() == BODY


def test_gated_weights_say_where_to_accept_their_terms(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTAUDIO_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    code, output, error = run(capfd, "models", "fetch", "pocket-tts")
    assert code == 1 and "HF_HUB_OFFLINE is set" in error
    assert "accept the terms at https://huggingface.co/kyutai/pocket-tts, then" in " ".join(output.split())
    assert "only with the consent of its speaker" in output
    listed = weights(capfd)
    assert listed["pocket-tts"]["gated"] == ["https://huggingface.co/kyutai/pocket-tts"]
    assert listed["pocket-tts-open"]["gated"] == []


def test_an_unknown_name_fails_before_anything_is_fetched(
    server: FileServer, capfd: pytest.CaptureFixture[str]
) -> None:
    code, _, error = run(capfd, "models", "fetch", "tiny", "tinny")
    assert code == 1 and "there are no weights named 'tinny'; did you mean 'tiny'?" in error
    assert server.asked == []


def test_weights_are_listed_with_size_licence_and_whether_they_are_here(
    server: FileServer, capfd: pytest.CaptureFixture[str]
) -> None:
    assert not weights(capfd)["tiny"]["here"]
    run(capfd, "models", "fetch", "tiny")
    row = weights(capfd)["tiny"]
    assert row["here"] and row["bytes"] == len(BODY) and row["licence"] == "CC-BY-4.0"
    assert row["terms"].startswith("Only with consent") and row["home"] == "https://example.org/tiny"
    lines = [line.split() for line in run(capfd, "models", "list")[1].splitlines()]
    assert next(line for line in lines if line[:1] == ["tiny"])[1:5] == ["70.0", "kB", "CC-BY-4.0", "yes"]
    assert next(line for line in lines if line[:1] == ["tidy"])[4] == "no"


def test_verify_reads_what_is_here_and_names_what_differs(
    server: FileServer, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(capfd, "models", "verify")[:2] == (
        0,
        "no weights on this machine; `agentaudio models list` shows what can be fetched\n",
    )
    run(capfd, "models", "fetch", "tiny")
    assert run(capfd, "models", "verify")[:2] == (0, "✓ tiny \n")
    (Store().folder("tiny") / "a.bin").write_bytes(b"?" * len(BODY))
    code, output, _ = run(capfd, "models", "verify")
    assert code == 1 and "✗ tiny a.bin has the sha256" in output and "agentaudio models fetch tiny" in output
    assert run(capfd, "models", "verify", "tidy")[0] == 1
    assert "did you mean 'tidy'" in run(capfd, "models", "verify", "tidi")[2]


def test_doctor_has_a_line_for_each_of_the_weights(server: FileServer, capfd: pytest.CaptureFixture[str]) -> None:
    run(capfd, "models", "fetch", "tiny")
    checks = {check["what"]: check for check in json.loads(run(capfd, "doctor", "--json")[1])["checks"]}
    assert checks["weights tiny"]["found"] and checks["weights tidy"]["found"] is None
    assert checks["weights tidy"]["remedy"] == "agentaudio models fetch tidy"


def test_a_terminal_shows_the_progress(
    server: FileServer, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal(stderr=True)
    terminal.file, terminal._force_terminal, terminal.is_interactive = io.StringIO(), True, True
    monkeypatch.setattr("agentaudio.cli.weights.err", terminal)
    server.faults["/a.bin"] = [Fault(pace_s=0.02)]
    assert run(capfd, "models", "fetch", "tiny")[0] == 0
    shown = terminal.file.getvalue()
    assert f"127.0.0.1:{server.port}" in shown and "kB" in shown


@pytest.mark.system
def test_weights_are_listed_without_heavy_imports() -> None:
    code = (
        "import sys; from agentaudio.cli import main\n"
        "try: main(['models', 'list'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'ctranslate2', 'onnxruntime', 'transformers', 'tokenizers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "whisper-base" in done.stdout and done.stdout.splitlines()[-1] == "[]"
