"""`agentaudio eval run` with a slow model, in processes that a test kills.

    python eval_child.py ARGUMENTS              runs the command
    python eval_child.py                        imports everything once, then forks a process for each line of ARGUMENTS
                                                as JSON; answers with its id, and with its status when it has ended

`plugin` makes the folder by which the command finds the models `slow` and `halting`, as it finds those of other
packages.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from agentaudio.conversation import AudioPart, Conversation, ToolSpec
from agentaudio.model.cascade.cascade import Cascade
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import Delta, TextDelta
from support.parts import Beeps, Ears, Mind

SECONDS = 0.1
"""An answer and a verdict take."""
PART = 16
"""Answers of a part of the log."""
GENERATED = "EVAL_CHILD_GENERATED"
"""Environment variable with the file that each generated answer is written to."""

ROOT = Path(__file__).parents[2]


def answer(conversation: Conversation, *_: object) -> Iterator[Delta]:
    """The length of the sound, which is also written to a file; as a judge: whether there is a digit 1."""
    user = conversation.messages[-1]
    sound = next((part.audio for part in user.parts if isinstance(part, AudioPart)), None)
    if sound is None:
        yield TextDelta("CORRECT" if "1" in user.text.partition("Candidate:")[2] else "INCORRECT")
        return
    yield TextDelta(f"{sound.duration:.2f}")
    with open(os.environ[GENERATED], "a", encoding="utf-8") as file:  # after the words, before they are kept
        file.write(f"{round(sound.duration * 10) - 1}\n")


def load(argument: str | None) -> Scripted:
    return Scripted([answer], loop=True, delay_s=SECONDS)


class Halting(Mind):
    """Takes a while to say which sentences are to be expected, and leaves a file when it begins."""

    def expected(self, tools: Sequence[ToolSpec]) -> Sequence[str]:
        Path(os.environ[GENERATED]).write_text("expected")
        time.sleep(1)
        return []


def load_halting(argument: str | None) -> Cascade:
    return Cascade(Ears(), Halting(), Beeps(), name="halting")


def plugin(folder: Path) -> Path:
    """An installed package, as far as entry points go."""
    info = folder / "slow-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: slow\nVersion: 1.0\n")
    models = "slow = support.eval_child:load\nhalting = support.eval_child:load_halting\n"
    (info / "entry_points.txt").write_text(f"[agentaudio.models]\n{models}")
    return folder


def environment(folder: Path, generated: Path) -> dict[str, str]:
    """For a child. folder: of `plugin`"""
    path = os.pathsep.join(map(str, (folder, ROOT, ROOT / "tests")))
    return {**os.environ, "PYTHONPATH": path, GENERATED: str(generated)}


def arguments(data: Path, run: Path) -> list[str]:
    """Of the command."""
    return ["eval", "run", "big-bench-audio", "--model", "slow", "--judge", "slow", "--parallel", "2",
            "--data", str(data), "--out", str(run)]  # fmt: skip


class Forks:
    """Processes that start at once, since the one that they are forked from has imported everything. One at a time."""

    def __init__(self, folder: Path, generated: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__], env=environment(folder, generated), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=1,
        )  # fmt: skip
        self._child = 0

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def start(self, given: Sequence[str]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(list(given)) + "\n")
        self._child = int(self._line())

    def ended(self) -> bool:
        assert self._process.stdout is not None
        return bool(select.select([self._process.stdout], [], [], 0)[0])

    def kill(self) -> None:
        os.kill(self._child, signal.SIGKILL)
        self.wait()

    def wait(self) -> int:
        return int(self._line())

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()


def command(given: Sequence[str]) -> None:
    from agentaudio.cli import main
    from agentaudio.evaluation import logs

    logs.PART = PART
    main(given)


def serve() -> None:
    import inspect_ai.log  # noqa: F401
    import inspect_ai.model  # noqa: F401

    import agentaudio.cli.eval_run  # noqa: F401
    import agentaudio.evaluation.benchmarks.big_bench_audio
    import agentaudio.evaluation.task  # noqa: F401

    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_RDWR), 0)
            os.dup2(0, 1)
            try:
                command(json.loads(line))
            except SystemExit as ended:
                os._exit(int(ended.code or 0))
            os._exit(0)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    if sys.argv[1:]:
        command(sys.argv[1:])
    else:
        serve()
