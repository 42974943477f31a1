"""The example of a voice switch, as a user runs it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "voice_switch.py"
SAID = (
    "please answer in the voice of a little girl",
    "tell me about the great wall of china",
    "go back to your own voice",
)


async def printed(*arguments: str, environment: Mapping[str, str] | None = None) -> list[str]:
    """The lines of the example; all three requests are answered, and nothing is said on standard error."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, EXAMPLE, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **(environment or {})},
    )  # fmt: skip
    out, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    lines = out.decode().splitlines()
    assert [line for line in lines if line.startswith("you:")] == [f"you:   {said}" for said in SAID]
    assert len([line for line in lines if line.startswith("agent:")]) == 3
    return lines


def voices(lines: list[str]) -> list[str]:
    return [line.removeprefix("voice: ") for line in lines if line.startswith("voice:")]
