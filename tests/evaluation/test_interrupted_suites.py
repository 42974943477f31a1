"""`agentaudio eval agent`, interrupted while its parts are loaded."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.eval_child import environment, plugin

SUITE = """
name: mine
agent: {tools: [calculate]}
dialogues:
- id: greeting
  turns:
  - type: hello
    expect: {no_tool: true}
"""
LONGEST_S = 60.0


@pytest.mark.system
def test_an_interruption_while_parts_are_loaded_is_one_line(tmp_path: Path) -> None:
    begun, suite = tmp_path / "begun.txt", tmp_path / "suite.yaml"
    suite.write_text(SUITE, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "agentaudio", "eval", "agent", str(suite), "--model", "halting", "--out",
         str(tmp_path / "out")],
        env=environment(plugin(tmp_path / "plugin"), begun), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        until_s = time.monotonic() + LONGEST_S
        while not begun.exists() and process.poll() is None and time.monotonic() < until_s:
            time.sleep(0.01)
        assert begun.exists(), "the parts were to be loaded"
        process.send_signal(signal.SIGINT)
        _, printed = process.communicate(timeout=LONGEST_S)
    finally:
        process.kill()
    assert (process.returncode, printed.strip()) == (130, "interrupted")
