"""Schemathesis sends made-up requests, valid and invalid, to a real server process: none of them makes it fail.

`make test-schema` installs it and runs this; elsewhere AGENTAUDIO_SCHEMATHESIS names its program.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.server import KEY, Process, server_process

from agentaudio.voice_library.library import demo_voices

SCHEMATHESIS = os.environ.get("AGENTAUDIO_SCHEMATHESIS", "")
pytestmark = pytest.mark.skipif(not SCHEMATHESIS, reason="needs Schemathesis: make test-schema")

EXAMPLES = int(os.environ.get("AGENTAUDIO_SCHEMATHESIS_EXAMPLES", "60"))
"""Requests made up for each operation and phase."""
LONGEST_S = 3_000
SCRIPT = [{"heard": "What time is it?", "say": "It is nine o'clock."}]
LIMITS = ("requests_per_minute=1000000", "sound_s_per_minute=1000000", "voices=100000")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp("schema")
    voices = Path(shutil.copytree(demo_voices().folder, folder / "voices"))
    (folder / "script.json").write_text(json.dumps(SCRIPT), encoding="utf-8")
    options = ["--model", f"scripted:{folder / 'script.json'}", "--option", "loop=true", "--voices", str(voices)]
    for limit in LIMITS:
        options += ["--limit", limit]
    # Its log goes to a file: a pipe that nobody reads would fill and stop it.
    with server_process(*options, log=folder / "log.txt") as server:
        yield server


def answers(server: Process) -> bool:
    with urllib.request.urlopen(f"{server.url}/healthz", timeout=30) as answer:
        return int(answer.status) == 200


def test_no_made_up_request_makes_the_server_fail(server: Process, tmp_path: Path) -> None:
    command = [
        SCHEMATHESIS, "run", f"{server.url}/openapi.json", "--header", f"Authorization: Bearer {KEY}",
        "--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
        "--max-examples", str(EXAMPLES), "--continue-on-failure", "--request-timeout", "120", "--no-color",
    ]  # fmt: skip
    hooks = {"SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ | hooks, capture_output=True, text=True, timeout=LONGEST_S, check=False
    )
    assert done.returncode == 0, done.stdout[-8_000:]
    assert answers(server)
