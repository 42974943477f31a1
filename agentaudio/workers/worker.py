"""`Worker`: a child process that answers one request at a time over pipes, and is replaced when it dies.

Libraries that are not thread-safe, hold the interpreter's lock for seconds, or can abort the
process run in one.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import agentaudio
from agentaudio.errors import BackendError
from agentaudio.workers.messages import LARGEST_FRAME, Message, read_message, write_message


class WorkerLost(Exception):
    """The process ended, or had to be ended, before it answered.

    reason: "time" (the timeout), "processor" (the limit of its time), "size" (of the answer), "cancelled",
        "closed" (this process ended it with `kill`) or "died"
    is_new: whether the process had no earlier request of this kind
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason} {detail}".strip())
        self.reason, self.detail = reason, detail
        self.is_new = True


class Worker:
    """The parent's side: runs `python -m module *arguments` from the first request on. Thread-safe.

    The child ends with `close`, with this object, or with this process, even when it is killed.

    timeout_s: for one request, in seconds
    loaded: names that the holder of the worker keeps for what the running process has loaded
    environment: variables of the child; None copies those of this process
    """

    def __init__(
        self, module: str, *arguments: str, timeout_s: float = 60.0, environment: Mapping[str, str] | None = None
    ) -> None:
        self._module, self._arguments, self._timeout_s = module, arguments, timeout_s
        self._environment = environment
        self.loaded: set[str] = set()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._killed: subprocess.Popen[bytes] | None = None
        self._finalizer: weakref.finalize[..., Worker] | None = None
        _workers.add(self)

    @property
    def pid(self) -> int | None:
        """The process's id; None before the first request and after `close`."""
        return self._process.pid if self._process else None

    def ask(self, header: Mapping[str, Any], content: bytes = b"") -> Message:
        """Send a request and return the answer; if the process dies it is replaced and the request repeated once.

        Raises BackendError when it dies twice, which includes being killed after `timeout_s`, when it
        cannot be started, or when it answers with an `error`.
        """
        for last_try in (False, True):
            try:
                answer, body = self.ask_once(header, content, timeout_s=self._timeout_s)
                break
            except WorkerLost:
                if last_try:
                    raise BackendError(
                        f"the process of {self._module} died twice on the same request; "
                        "leave out this input and report it"
                    ) from None
        if "error" in answer:
            raise BackendError(f"{self._module.rpartition('.')[2]}: {answer['error']}")
        return answer, body

    def ask_once(
        self,
        header: Mapping[str, Any],
        content: bytes | bytearray | memoryview = b"",
        *,
        timeout_s: float,
        largest_answer: int = LARGEST_FRAME,
        cancelled: threading.Event | None = None,
    ) -> Message:
        """Send a request and return the answer, which may have an `error`.

        largest_answer: bytes of a frame
        cancelled: set it and call `kill` to give up

        Raises WorkerLost when the process is lost, and BackendError when it cannot be started.
        """
        with self._lock:
            process = self._running()
            if cancelled is not None and cancelled.is_set():
                self._stop(kill=True)
                raise WorkerLost("cancelled")
            late = threading.Event()
            try:
                return self._exchange(process, header, content, timeout_s, largest_answer, late)
            except (EOFError, OSError, ValueError, OverflowError) as error:
                status = process.wait()
                self._stop()
                if cancelled is not None and cancelled.is_set():
                    raise WorkerLost("cancelled") from None
                if late.is_set():
                    raise WorkerLost("time") from None
                if process is self._killed:
                    raise WorkerLost("closed") from None
                if status < 0 and status == -getattr(signal, "SIGXCPU", 0):
                    raise WorkerLost("processor") from None
                if isinstance(error, OverflowError):
                    raise WorkerLost("size") from None
                raise WorkerLost("died", f"with status {status}") from None

    def kill(self) -> None:
        """End the process at once, also while another thread waits for its answer; that thread gets WorkerLost."""
        process = self._process
        if process is not None:
            self._killed = process
            process.kill()

    def close(self, *, kill: bool = False) -> None:
        """End the process; it may be called twice, and a later request starts another.

        kill: do not give it half a second to end by itself
        """
        with self._lock:
            self._stop(kill=kill)

    def abandon(self) -> None:
        """Forget a process that belongs to the parent of a fork, and close this process's ends of its pipes.

        Two writers would corrupt each other's messages. It is called after each fork.
        """
        process = self._process
        if self._finalizer is not None:
            self._finalizer.detach()
        self._lock = threading.Lock()
        self._process = self._finalizer = None
        if process is not None and process.stdin is not None and process.stdout is not None:
            process.stdin.close()  # the pipes are unbuffered: nothing is sent
            process.stdout.close()
            process.returncode = 0  # otherwise its destructor waits for a process that is not a child of ours

    def _exchange(
        self,
        process: subprocess.Popen[bytes],
        header: Mapping[str, Any],
        content: bytes | bytearray | memoryview,
        timeout_s: float,
        largest_answer: int,
        late: threading.Event,
    ) -> Message:
        assert process.stdin is not None and process.stdout is not None

        def end() -> None:
            late.set()
            process.kill()

        watchdog = threading.Timer(timeout_s, end)
        watchdog.daemon = True
        watchdog.start()
        try:
            write_message(process.stdin, header, content)
            return read_message(process.stdout, largest_answer)
        except BaseException:
            # A partial message in a pipe would corrupt every later one.
            process.kill()
            raise
        finally:
            watchdog.cancel()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._stop()
            self._process = self._start()
            self.loaded.clear()
            self._finalizer = weakref.finalize(self, _end, self._process)
        return self._process

    def _start(self) -> subprocess.Popen[bytes]:
        package_root = str(Path(agentaudio.__file__).resolve().parent.parent)
        paths = os.pathsep.join([package_root, *(path for path in sys.path if path)])
        command = [sys.executable, "-P", "-m", self._module, *self._arguments]
        environment = os.environ if self._environment is None else self._environment
        try:
            return subprocess.Popen(
                command,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**environment, "PYTHONPATH": paths},
                # Ctrl-C reaches the whole foreground process group, but the parent decides when the worker ends. A
                # session of its own would do the same, but Linux shares the CPUs between sessions first
                # (CONFIG_SCHED_AUTOGROUP), so that a lower priority than that of the parent would have no effect.
                process_group=0,
            )
        except OSError as error:
            raise BackendError(f"cannot start {self._module} ({error}); check {sys.executable!r}") from None

    def _stop(self, *, kill: bool = False) -> None:
        if kill and self._process is not None:
            self._process.kill()
        if self._finalizer is not None:
            self._finalizer()
        self._process = self._finalizer = None


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        if process.stdin is not None:
            process.stdin.close()
    try:
        process.wait(timeout=0.5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


_workers: weakref.WeakSet[Worker] = weakref.WeakSet()


def _after_fork() -> None:
    for worker in list(_workers):
        worker.abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
