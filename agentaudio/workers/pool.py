"""`Pool`: tasks on foreign content in a few worker processes, from any thread or event loop."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from agentaudio import errors
from agentaudio.beside import start_beside
from agentaudio.errors import AgentAudioError
from agentaudio.workers.limits import WorkLimits
from agentaudio.workers.messages import Message
from agentaudio.workers.worker import Worker, WorkerLost

Result = TypeVar("Result")

PROCESSES = min(4, max(2, os.cpu_count() or 2))
"""Worker processes that one pool runs at the same time."""

LOAD_TIMEOUT_S = 60.0
"""Time for a worker process to start and to import a parser."""

_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "SYSTEMROOT", "TEMP", "TMPDIR", "TZ")
"""Environment variables that the children get: no keys or passwords."""


class Job(Generic[Result]):
    """A function that runs in a thread of the pool, where it may ask worker processes.

    Foreign content never runs in the threads of `asyncio.to_thread`, which all sessions share.
    """

    def __init__(self, pool: Pool, work: Callable[[Job[Result]], Result]) -> None:
        self.future: Future[Result] = Future()
        self._pool, self._work = pool, work
        self._cancelled = threading.Event()
        self._worker: Worker | None = None

    def ask(
        self,
        task: str,
        request: Mapping[str, Any],
        content: bytes | bytearray | memoryview = b"",
        *,
        limits: WorkLimits,
        what: str,
        error: type[AgentAudioError],
    ) -> Message:
        """Run a task of this package in a worker process.

        task: "module:function", see `agentaudio.workers.child`
        request: plain data for it
        what: the content's name, for error messages
        error: the class to raise when the content cannot be read

        Raises `error` when a limit is reached, the process dies or the task raises an error from
        outside agentaudio; otherwise the error of agentaudio that the task raised.
        """
        header = {
            "task": task,
            "request": request,
            "memory_bytes": limits.memory_mb * 1_000_000,
            "cpu_s": limits.cpu_s,
        }
        try:
            try:
                answer, body = self._exchange(header, content, limits)
            except WorkerLost as lost:
                if lost.reason != "died" or lost.is_new:
                    raise
                # Not its fault, perhaps: the process may have been damaged by an earlier request, or killed while idle.
                answer, body = self._exchange(header, content, limits)
        except WorkerLost as lost:
            remedy = "try again" if lost.reason in ("cancelled", "closed") else "leave it out"
            raise error(f"{what} {_explained(lost, limits)}; {remedy}") from None
        if answer.get("limit") == "memory":
            most = f"{limits.memory_mb} MB of memory to read ({limits.name}.memory_mb)"
            raise error(f"{what} needs more than {most}; leave it out")
        if "error" in answer:
            kind = getattr(errors, answer.get("class", ""), error)
            raise kind(answer["error"] if "class" in answer else f"{what} cannot be read ({answer['error']})")
        return answer["found"], body

    def _exchange(
        self, header: Mapping[str, Any], content: bytes | bytearray | memoryview, limits: WorkLimits
    ) -> Message:  # fmt: skip
        worker = self._worker = self._pool.take()
        keep = False
        try:
            is_new = header["task"] not in worker.loaded
            if is_new:
                load = {"task": header["task"], "load_only": True}
                worker.ask_once(load, timeout_s=LOAD_TIMEOUT_S, cancelled=self._cancelled)
                worker.loaded.add(header["task"])
            answer, body = worker.ask_once(
                header, content, timeout_s=limits.timeout_s, largest_answer=limits.output_mb * 1_000_000,
                cancelled=self._cancelled,
            )  # fmt: skip
            keep = not answer.get("leave")
        except WorkerLost as lost:
            lost.is_new = is_new
            raise
        finally:
            self._worker = None
            self._pool.give_back(worker, keep=keep)
        return answer, body

    def run(self) -> None:
        """Run the function, and settle the future."""
        if self._cancelled.is_set() or not self.future.set_running_or_notify_cancel():
            return
        try:
            result = self._work(self)
        except BaseException as raised:
            self.future.set_exception(raised)
        else:
            self.future.set_result(result)

    def cancel(self) -> None:
        """Give up: a function that has not begun does not begin, and a worker that is busy for it is killed."""
        self._cancelled.set()
        self.future.cancel()
        worker = self._worker
        if worker is not None:
            worker.kill()


class Pool:
    """Runs at most `processes` jobs at a time, each in a daemon thread; the others wait in order.

    A worker process starts with the first request that needs it, and is killed when its request is
    cancelled or reaches a limit. It costs no other request anything. `warm` idle processes are kept.
    """

    def __init__(self, name: str, *, processes: int = PROCESSES, warm: int = 2) -> None:
        self._name, self._processes, self._warm = name, processes, warm
        self._lock = threading.Lock()
        self._waiting: deque[Job[Any]] = deque()
        self._threads = 0
        self._idle: list[Worker] = []
        self._all: set[Worker] = set()
        _pools.add(self)

    def run(self, work: Callable[[Job[Result]], Result]) -> Result:
        """Run a function to its end and return its result, or raise what it raised. KeyboardInterrupt cancels it."""
        job = self._submit(work)
        try:
            return job.future.result()
        except BaseException:
            job.cancel()
            raise

    async def call(self, work: Callable[[Job[Result]], Result]) -> Result:
        """`run` for coroutines: cancelling kills the worker process that is busy for it."""
        job = self._submit(work)
        try:
            return await asyncio.wrap_future(job.future)
        except asyncio.CancelledError:
            job.cancel()
            raise

    @property
    def pids(self) -> list[int]:
        """Process ids of the worker processes."""
        with self._lock:
            return [pid for worker in self._all if (pid := worker.pid) is not None]

    def close(self) -> None:
        """Kill all worker processes. A later request starts another."""
        with self._lock:
            idle, self._idle = self._idle, []
            busy = self._all - set(idle)
        for worker in busy:
            worker.kill()
        for worker in idle:
            self._end(worker)

    def take(self) -> Worker:
        """A worker for one request. Its process may already be running."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
            worker = Worker("agentaudio.workers.child", environment=_environment())
            self._all.add(worker)
            return worker

    def give_back(self, worker: Worker, *, keep: bool) -> None:
        """End the request of a worker; keep: use its process again."""
        with self._lock:
            if keep and len(self._idle) < self._warm:
                self._idle.append(worker)
                return
        self._end(worker)

    def forget(self) -> None:
        """Begin again in the child of a fork, where the threads and the processes of the parent are not ours."""
        self._lock = threading.Lock()  # another thread of the parent may have held it
        self._waiting.clear()
        self._threads = 0
        self._idle.clear()
        self._all.clear()

    def _end(self, worker: Worker) -> None:
        worker.close(kill=True)
        with self._lock:
            self._all.discard(worker)

    def _submit(self, work: Callable[[Job[Result]], Result]) -> Job[Result]:
        job = Job(self, work)
        with self._lock:
            if self._threads < self._processes:
                # Daemons, because the interpreter joins all other threads before it exits.
                start_beside(self._serve, f"agentaudio-{self._name}", self._refused)
                self._threads += 1
            self._waiting.append(job)
        return job

    def _refused(self, error: RuntimeError) -> None:
        """A thread was not started. Without any other, nobody would end the jobs that wait."""
        with self._lock:
            self._threads -= 1
            left = [] if self._threads else list(self._waiting)
            if left:
                self._waiting.clear()
        for job in left:
            if job.future.set_running_or_notify_cancel():
                job.future.set_exception(error)

    def _serve(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._threads -= 1
                    return
                job = self._waiting.popleft()
            job.run()
            del job


def _explained(lost: WorkerLost, limits: WorkLimits) -> str:
    match lost.reason:
        case "processor":
            return f"takes more than {limits.cpu_s:.3g} s of processor time to read ({limits.name}.cpu_s)"
        case "time":
            return f"takes more than {limits.timeout_s:.3g} s to read ({limits.name}.timeout_s)"
        case "size":
            return f"becomes more than {limits.output_mb} MB when it is read ({limits.name}.output_mb)"
        case "cancelled":
            return "was not read, because the call was cancelled"
        case "closed":
            return "was not read, because its worker process was closed"
    return f"ended the process that read it {lost.detail}"


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    # One thread for each process: a thread of BLAS reserves more address space than most files need.
    return {**kept, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}


_pools: weakref.WeakSet[Pool] = weakref.WeakSet()


def _close_all() -> None:
    for pool in list(_pools):
        pool.close()


def _after_fork() -> None:
    for pool in list(_pools):
        pool.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
atexit.register(_close_all)

DOCUMENTS = Pool("documents")
"""Reads pages, PDF and Word files, and files of tools."""

SOUND = Pool("sound", processes=4)
"""Decodes compressed sound. It is separate, so that a spoken turn does not wait for documents."""

WEB = Pool("web", warm=1)
"""Asks public search engines, which may take as long as they are allowed to."""

LIGHT = Pool("light", processes=8)
"""Threads for foreign content whose size proves it harmless; no job of it asks a worker process."""
