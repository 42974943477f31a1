"""`Worker`: a child process that answers one request at a time over pipes, and is replaced when it dies.

Libraries that are not thread-safe, hold the interpreter's lock for seconds, or can abort the
process run in one. A frame is a 32-bit little-endian length and that many bytes. A message, in
either direction, is a frame of JSON and a frame of bytes.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import agentaudio
from agentaudio.errors import BackendError

LARGEST_FRAME = 64 * 2**20

Message = tuple[dict[str, Any], bytes]


def read_message(pipe: IO[bytes]) -> Message:
    """Read a message. Raises EOFError when the other process has ended or sent a frame above LARGEST_FRAME."""
    return json.loads(_read_frame(pipe)), _read_frame(pipe)


def write_message(pipe: IO[bytes], header: Mapping[str, Any], content: bytes = b"") -> None:
    """Send a message. Raises OSError when the other process has ended."""
    encoded = json.dumps(header).encode()
    pipe.write(struct.pack("<I", len(encoded)) + encoded + struct.pack("<I", len(content)) + content)
    pipe.flush()


def _read_frame(pipe: IO[bytes]) -> bytes:
    (size,) = struct.unpack("<I", _read_exactly(pipe, 4))
    if size > LARGEST_FRAME:
        raise EOFError(f"a frame of {size} bytes is longer than {LARGEST_FRAME}: the stream is out of step")
    return _read_exactly(pipe, size)


def _read_exactly(pipe: IO[bytes], size: int) -> bytes:
    parts = []
    while size:
        part = pipe.read(size)
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


class Worker:
    """The parent's side: runs `python -m module *arguments` from the first request on. Thread-safe.

    The child ends with `close`, with this object, or with this process, even when it is killed.

    timeout_s: for one request, in seconds
    """

    def __init__(self, module: str, *arguments: str, timeout_s: float = 60.0) -> None:
        self._module, self._arguments, self._timeout_s = module, arguments, timeout_s
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._finalizer: weakref.finalize[..., Worker] | None = None
        self._owner = os.getpid()

    @property
    def pid(self) -> int | None:
        """The process's id; None before the first request and after `close`."""
        return self._process.pid if self._process else None

    def ask(self, header: Mapping[str, Any], content: bytes = b"") -> Message:
        """Send a request and return the answer; if the process dies it is replaced and the request repeated once.

        Raises BackendError when it dies twice, which includes being killed after `timeout_s`, when it
        cannot be started, or when it answers with an `error`.
        """
        with self._lock:
            for last_try in (False, True):
                try:
                    answer, body = self._exchange(self._running(), header, content)
                    break
                except (EOFError, OSError, ValueError):
                    self._stop()
                    if last_try:
                        raise BackendError(
                            f"the process of {self._module} died twice on the same request; "
                            "leave out this input and report it"
                        ) from None
        if "error" in answer:
            raise BackendError(f"{self._module.rpartition('.')[2]}: {answer['error']}")
        return answer, body

    def close(self) -> None:
        """End the process; it may be called twice, and a later request starts another."""
        with self._lock:
            self._stop()

    def _exchange(self, process: subprocess.Popen[bytes], header: Mapping[str, Any], content: bytes) -> Message:
        assert process.stdin is not None and process.stdout is not None
        watchdog = threading.Timer(self._timeout_s, process.kill)
        watchdog.daemon = True
        watchdog.start()
        try:
            write_message(process.stdin, header, content)
            return read_message(process.stdout)
        except BaseException:
            # A partial message in a pipe would corrupt every later one.
            process.kill()
            raise
        finally:
            watchdog.cancel()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._owner != os.getpid():
            # After a fork the pipes belong to the parent; two writers would corrupt each other's messages.
            if self._finalizer is not None:
                self._finalizer.detach()
            self._process, self._finalizer, self._owner = None, None, os.getpid()
        if self._process is None or self._process.poll() is not None:
            self._stop()
            self._process = self._start()
            self._finalizer = weakref.finalize(self, _end, self._process)
        return self._process

    def _start(self) -> subprocess.Popen[bytes]:
        package_root = str(Path(agentaudio.__file__).resolve().parent.parent)
        paths = os.pathsep.join([package_root, *(path for path in sys.path if path)])
        command = [sys.executable, "-P", "-m", self._module, *self._arguments]
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": paths},
                # Ctrl-C reaches the whole foreground process group, but the parent decides when the worker ends.
                start_new_session=True,
            )
        except OSError as error:
            raise BackendError(f"cannot start {self._module} ({error}); check {sys.executable!r}") from None

    def _stop(self) -> None:
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


def serve(handle: Callable[[dict[str, Any], bytes], Message]) -> None:
    """The worker's side: answer requests from standard input until it is closed.

    handle: takes a request's header and bytes; its RuntimeError becomes the answer's `error`
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, args=(os.getppid(),), daemon=True).start()
    # The library may print to standard output, which must not mix with the frames.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with contextlib.suppress(EOFError, OSError):
        while True:
            header, content = read_message(sys.stdin.buffer)
            try:
                answer, body = handle(header, content)
            except RuntimeError as error:
                answer, body = {"error": str(error)}, b""
            write_message(answers, answer, body)


def _leave_with_parent(parent: int) -> None:
    # A forked child of the parent can keep our input open, so end of input does not show that the parent ended.
    while os.getppid() == parent:
        time.sleep(2)
    os._exit(0)
