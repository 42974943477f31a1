"""Commands of `agentaudio`, run in the process of the tests, which is faster than a new interpreter for each."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from agentaudio.cli import main


class Done(NamedTuple):
    """What a command printed, and its exit status."""

    returncode: int
    stdout: str
    stderr: str


def run(capfd: pytest.CaptureFixture[str], *arguments: object) -> Done:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    captured = capfd.readouterr()
    return Done(int(ended.value.code or 0), captured.out, captured.err)
