"""`Writing`: the thread of a store that writes, one job after the other."""

from __future__ import annotations

import atexit
import logging
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TypeVar

Found = TypeVar("Found")
Job = Callable[[], object]

log = logging.getLogger(__name__)


class Writing:
    """Runs jobs in the order in which they were given. The thread begins with the first of them; what waits at the end
    of the program is done then.

    A ThreadPoolExecutor does the same in several times the time of who gives a job, which is an event loop here.

    name: of the thread
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        weakref.finalize(self, self._jobs.put, None).atexit = False  # who holds no store any more waits for no thread
        _OPEN.add(self)

    def start(self, job: Job) -> None:
        """Run a job that reports its own errors. Raises RuntimeError after `shutdown`."""
        with self._lock:
            if self._closed:
                raise RuntimeError("this thread has ended; no job can be given to it")
            if self._thread is None or not self._thread.is_alive():  # as in a fork
                self._thread = threading.Thread(target=_run, args=(self._jobs,), name=self._name, daemon=True)
                self._thread.start()
            self._jobs.put(job)

    def submit(self, work: Callable[[], Found]) -> Future[Found]:
        """Run a job; returns its outcome to come. Raises RuntimeError after `shutdown`."""
        future: Future[Found] = Future()

        def job() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(work())
            except BaseException as error:
                future.set_exception(error)

        self.start(job)
        return future

    def shutdown(self) -> None:
        """Do what is waiting, and end the thread. Blocks."""
        with self._lock:
            thread, closed, self._closed = self._thread, self._closed, True
            if thread is not None and not closed:
                self._jobs.put(None)
        if thread is not None:
            thread.join()


def _run(jobs: SimpleQueue[Job | None]) -> None:
    while (job := jobs.get()) is not None:
        try:
            job()
        except Exception:
            log.exception("a job of a store failed")
        del job  # it may hold the session


_OPEN: weakref.WeakSet[Writing] = weakref.WeakSet()


@atexit.register
def _finish() -> None:
    for writing in list(_OPEN):
        writing.shutdown()
