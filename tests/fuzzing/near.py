"""`run_near`: tasks of a worker pool run in this process, because a million messages to another take too long."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from types import ModuleType
from typing import Any, cast

from agentaudio.workers.child import answer
from agentaudio.workers.messages import LARGEST_FRAME, Message
from agentaudio.workers.pool import Job, Pool, Result
from agentaudio.workers.worker import Worker, WorkerLost

IN_WORKERS = "FUZZ_IN_WORKERS"
"""Environment variable: when it is set, the worker processes are used after all."""


def run_near(*modules: ModuleType) -> None:
    """Replace the pools that these modules use."""
    if os.environ.get(IN_WORKERS):
        return
    for module in modules:
        for name, value in list(vars(module).items()):
            if isinstance(value, Pool):
                setattr(module, name, NearPool(name))


class _Near:
    """Answers as the worker process does, with the same limits of memory and processor time."""

    def __init__(self) -> None:
        self.loaded: set[str] = set()
        self.pid = None

    def ask_once(
        self,
        header: Mapping[str, Any],
        content: bytes | bytearray | memoryview = b"",
        *,
        timeout_s: float,
        largest_answer: int = LARGEST_FRAME,
        cancelled: threading.Event | None = None,
    ) -> Message:
        if header.get("load_only"):
            return {"found": None}, b""  # `answer` would lower the priority of this process
        found, body = answer(json.loads(json.dumps(header)), bytes(content))
        written = json.dumps(found)
        if max(len(written), len(body)) > largest_answer:
            raise WorkerLost("size")
        return json.loads(written), bytes(body)

    def close(self, *, kill: bool = False) -> None:
        pass

    def kill(self) -> None:
        pass


class NearPool(Pool):
    """Runs everything in the calling thread."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._near = _Near()

    def take(self) -> Worker:
        return cast(Worker, self._near)

    def give_back(self, worker: Worker, *, keep: bool) -> None:
        pass

    def _submit(self, work: Any) -> Job[Result]:
        job: Job[Result] = Job(self, work)
        job.run()
        return job
