"""The worker process of a `Pool`: runs tasks of this package on foreign content, within limits.

    python -m agentaudio.workers.child

A task is a function `(request, content) -> (answer, bytes)`; the request and the answer are plain data.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import logging
import math
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agentaudio.errors import AgentAudioError
from agentaudio.workers.messages import Answer
from agentaudio.workers.serving import serve

LARGEST_IDLE_MB = 300
"""A process that has grown to more than this ends after its answer; the next request starts another."""

NICENESS = 5
"""Foreign content waits for the turns of all sessions, not the other way round."""


def main() -> None:
    # What parsers have to say about bad files is not for anyone.
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    serve(answer)


def answer(header: dict[str, Any], content: bytes | bytearray) -> Answer:
    """Run the task of a request.

    With `load_only` the task is imported, and not run: importing a parser can take longer than a small
    file may, and is not limited.

    An error of agentaudio is answered with its class and message, another one with its text, and
    too little memory with `limit`.
    """
    module, _, name = header["task"].partition(":")
    task = getattr(importlib.import_module(module), name)
    if header.get("load_only"):
        _give_way()
        return {"found": None}, b""
    try:
        with _limits(header["memory_bytes"], header["cpu_s"]):
            found, body = task(header["request"], content)
    except MemoryError:
        return {"limit": "memory", "leave": True}, b""
    except AgentAudioError as error:
        return {"error": str(error), "class": type(error).__name__, "leave": _is_large()}, b""
    except Exception as error:  # damaged files make parsers raise exceptions of any type
        problem = "it is nested too deeply" if isinstance(error, RecursionError) else " ".join(str(error).split())
        return {"error": problem[:300] or type(error).__name__, "leave": True}, b""
    return {"found": found, "leave": _is_large()}, body


@contextlib.contextmanager
def _limits(memory_bytes: int, cpu_s: float) -> Iterator[None]:
    try:
        import resource
    except ImportError:  # Windows: the parent's timeout and the size of the answer remain
        yield
        return
    usage = resource.getrusage(resource.RUSAGE_SELF)
    seconds = math.ceil(usage.ru_utime + usage.ru_stime + cpu_s)
    _, hardest_cpu = resource.getrlimit(resource.RLIMIT_CPU)
    _, hardest_memory = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, hardest_cpu))
    size = _pages(0)
    if size is not None:
        resource.setrlimit(resource.RLIMIT_AS, (size + memory_bytes, hardest_memory))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (hardest_memory, hardest_memory))


def _pages(column: int) -> int | None:
    """Bytes of virtual (column 0) or resident (column 1) memory of this process; None where Linux does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[column])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def _is_large() -> bool:
    return (_pages(1) or 0) > LARGEST_IDLE_MB * 1_000_000


@functools.cache
def _give_way() -> None:
    """Lower the priority, once: the caller waits for the imports, which come before."""
    if sys.platform != "win32":
        os.nice(NICENESS)


if __name__ == "__main__":
    main()
