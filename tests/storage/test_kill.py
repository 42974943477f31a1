"""A process that is killed at any moment loses no turn that it had completed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import session_child

from agentaudio.conversation import Conversation
from agentaudio.storage.sqlite_store import SqliteStore

pytestmark = pytest.mark.hostile

KILLS = 100


def check(conversation: Conversation, told: int) -> None:
    """Every turn is there, whole, in order, once; the one after the last that was told may be there, too."""
    users = [message.text for message in conversation if message.role == "user"]
    answers = [message.text for message in conversation if message.role == "assistant" and message.text]
    assert users == [f"question {number}" for number in range(1, len(users) + 1)]
    assert answers == [f"answer {number}" for number in range(1, len(users) + 1)]
    assert len(users) in (told, told + 1)
    outputs = [output.text for message in conversation for output in message.tool_outputs]
    assert outputs == [f"noted {number}" for number in range(3, len(users) + 1, 3)]


async def test_every_completed_turn_survives_a_kill_at_100_random_points_and_none_is_there_twice(
    tmp_path: Path,
) -> None:
    path = tmp_path / "talks.sqlite3"
    rng = random.Random(14)
    told = 0
    parent = subprocess.Popen(
        [sys.executable, str(Path(session_child.__file__))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert parent.stdin is not None and parent.stdout is not None
    try:
        for _ in range(KILLS):
            parent.stdin.write(f"{path}\n".encode())
            parent.stdin.flush()
            child = int(parent.stdout.readline()[1:])
            for _ in range(rng.randrange(5)):  # 0 may kill it before the session is open
                line = parent.stdout.readline()
                told = told if line == b"r\n" else int(line)
            time.sleep(rng.uniform(0.0, 0.008))
            os.kill(child, signal.SIGKILL)
            while (line := parent.stdout.readline()) != b"d\n":
                told = told if line == b"r\n" else int(line)
            async with SqliteStore(path) as store:
                if told or path.exists() and await store.list():
                    conversation, _ = await store.load("ana")
                    check(conversation, told)
                    told = len([message for message in conversation if message.role == "user"])
    finally:
        parent.kill()
        parent.wait()
        parent.stdin.close()
        parent.stdout.close()
    assert told >= KILLS
