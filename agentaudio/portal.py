"""`portal()`: one background event loop per process, for callers that have none.

Connections and tasks belong to the event loop that made them. Synchronous callers and MCP servers
share this loop, so that what one call opened still works in the next.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import contextvars
import logging
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

from agentaudio.errors import OptionError

log = logging.getLogger(__name__)

Result = TypeVar("Result")
Cleanup = Callable[[], Awaitable[None]]

MAX_THREADS = 64
"""Limit of `asyncio.to_thread` in this loop. A blocking call inside such a thread keeps it until another
coroutine of the loop is done; with asyncio's default (6 threads on 2 cores) a few of them could use up all."""
CLOSE_TIMEOUT_S = 5.0
"""Time that `close` gives cancelled tasks to end, and then the cleanups, and then the thread."""


class Portal:
    """An event loop in a daemon thread, which starts with the first call. `portal()` returns it.

    Coroutines run with a copy of the caller's context variables. All methods may be called from any
    thread. A Portal does not survive `fork`: `portal()` returns a new one in the child.
    """

    def __init__(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self.closed = False
        self._cleanups: dict[object, Cleanup] = {}

    def run(
        self, work: Coroutine[Any, Any, Result], *, instead: str = "await the coroutine", may_block_loop: bool = False
    ) -> Result:
        """Run a coroutine to its end. Returns its result, or raises what it raised.

        KeyboardInterrupt cancels the coroutine, waits until it has ended and is raised again; a second
        KeyboardInterrupt stops the waiting.

        instead: what to write inside an event loop, for the error message
        may_block_loop: allow the call inside an event loop other than the portal's, for short work

        Raises OptionError inside an event loop, because the call would block it, and when the portal is
        closed or was made before a fork.
        """
        if threading.current_thread() is self._thread or (_in_event_loop() and not may_block_loop):
            work.close()
            raise OptionError(f"a blocking call was made inside an event loop; {instead} there")
        call = _Call(work)
        try:
            self._begin(call)
            call.ended.wait()
        except BaseException:
            self._cancel(call)
            call.ended.wait()
            raise
        return call.result()

    def submit(self, work: Coroutine[Any, Any, Result]) -> Future[Result]:
        """Start a coroutine without waiting for it. Cancelling the future cancels the coroutine.

        Raises OptionError when the portal is closed or was made before a fork.
        """
        future: Future[Result] = Future()
        call = _Call(work, when_ended=lambda call: _settle(future, call))
        self._begin(call)
        future.add_done_callback(lambda done: self._cancel(call) if done.cancelled() else None)
        return future

    async def call(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine in the portal's loop and await its end in the caller's loop.

        Cancelling cancels the coroutine, and returns when it has ended.

        Raises what the coroutine raised, and OptionError outside asyncio and when the portal is closed or was
        made before a fork.
        """
        try:
            require_asyncio()
        except OptionError:
            work.close()
            raise
        loop = asyncio.get_running_loop()
        if loop is self._loop:
            return await work
        ended = loop.create_future()

        def wake() -> None:
            if not ended.done():
                ended.set_result(None)

        def has_ended(_: _Call[Result]) -> None:
            with contextlib.suppress(RuntimeError):  # the caller's loop was closed meanwhile
                loop.call_soon_threadsafe(wake)

        call = _Call(work, when_ended=has_ended)
        self._begin(call)
        cancellation: asyncio.CancelledError | None = None
        while not ended.done():
            try:
                await asyncio.shield(ended)
            except asyncio.CancelledError as error:
                cancellation = error
                self._cancel(call)
        if cancellation is not None:
            raise cancellation
        return call.result()

    def on_close(self, cleanup: Cleanup) -> Callable[[], None]:
        """Have `cleanup()` awaited before the loop stops. Returns a function that takes this back."""
        key = object()
        with self._lock:
            self._cleanups[key] = cleanup

        def forget() -> None:
            with self._lock:
                self._cleanups.pop(key, None)

        return forget

    def close(self) -> None:
        """Cancel all that runs, await the cleanups, then stop the loop. It happens at interpreter exit.

        Each step may take CLOSE_TIMEOUT_S. A loop blocked by its own code is abandoned, with a warning.

        Raises OptionError inside an event loop.
        """
        if _in_event_loop():
            raise OptionError("a portal cannot be closed inside an event loop; close it in a thread without one")
        with self._lock:
            was_closed, self.closed = self.closed, True
            loop, thread = self._loop, self._thread
        if was_closed or loop is None or thread is None or self._process != os.getpid():
            return
        try:
            asyncio.run_coroutine_threadsafe(self._end(), loop).result(4 * CLOSE_TIMEOUT_S)
        except TimeoutError:
            log.warning("the background event loop is blocked by a task; it is abandoned")
            return
        loop.call_soon_threadsafe(loop.stop)
        thread.join(CLOSE_TIMEOUT_S)
        if not thread.is_alive():
            loop.close()

    def _begin(self, call: _Call[Any]) -> None:
        try:
            with self._lock:
                self._running_loop().call_soon_threadsafe(call.begin)
        except OptionError:
            call.discard()
            raise

    def _cancel(self, call: _Call[Any]) -> None:
        try:
            if self._loop is None:
                call.discard()
            else:
                self._loop.call_soon_threadsafe(call.cancel)
        except RuntimeError:  # the loop is closed
            call.discard()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._process != os.getpid():
            raise OptionError(
                f"this portal belongs to process {self._process}, and this is process {os.getpid()}, a fork of it; "
                "call portal() again here"
            )
        if self.closed:
            raise OptionError("the background event loop is closed; nothing runs in it any more")
        if self._loop is None:
            loop = asyncio.new_event_loop()
            loop.set_default_executor(ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="agentaudio-portal"))
            # A daemon, because the interpreter joins all other threads before it runs `close`.
            self._thread = threading.Thread(target=_serve, args=(loop,), name="agentaudio-portal", daemon=True)
            self._thread.start()
            self._loop = loop
        return self._loop

    async def _end(self) -> None:
        this = asyncio.current_task()
        await _cancel_all(task for task in asyncio.all_tasks() if task.get_name() == CALL_NAME)
        with self._lock:
            cleanups = list(self._cleanups.values())
            self._cleanups.clear()
        if cleanups:
            await asyncio.wait([asyncio.create_task(_clean(cleanup)) for cleanup in cleanups], timeout=CLOSE_TIMEOUT_S)
        await _cancel_all(task for task in asyncio.all_tasks() if task is not this)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.get_running_loop().shutdown_asyncgens(), CLOSE_TIMEOUT_S)


CALL_NAME = "agentaudio-portal-call"


class _Call(Generic[Result]):
    """A coroutine on its way through the loop. `begin` and `cancel` run in the loop's thread."""

    def __init__(
        self, work: Coroutine[Any, Any, Result], when_ended: Callable[[_Call[Result]], None] = lambda call: None
    ) -> None:
        self.ended = threading.Event()
        self._work, self._when_ended = work, when_ended
        self._context = contextvars.copy_context()
        self._task: asyncio.Task[Result] | None = None

    def begin(self) -> None:
        if self.ended.is_set():
            return
        loop = asyncio.get_running_loop()
        self._task = loop.create_task(self._work, name=CALL_NAME, context=self._context)
        self._task.add_done_callback(lambda _: self._end())

    def cancel(self) -> None:
        if self._task is None:
            self.discard()
        else:
            self._task.cancel()

    def discard(self) -> None:
        """End the call although it never began."""
        self._work.close()
        self._end()

    def result(self) -> Result:
        """Raises CancelledError when the call was cancelled, and what the coroutine raised."""
        if self._task is None:
            raise asyncio.CancelledError("the call was cancelled before it began")
        return self._task.result()

    def _end(self) -> None:
        self.ended.set()
        self._when_ended(self)


def _settle(future: Future[Result], call: _Call[Result]) -> None:
    with contextlib.suppress(InvalidStateError):  # its holder cancelled it meanwhile
        try:
            future.set_result(call.result())
        except asyncio.CancelledError:
            future.cancel()
        except BaseException as error:
            future.set_exception(error)


def require_asyncio() -> None:
    """Raises OptionError where no asyncio event loop runs, such as in trio's."""
    other = _other_library()
    if other is not None or not _in_event_loop():
        where = f"{other} runs this coroutine" if other else "no asyncio event loop runs this coroutine"
        raise OptionError(
            f"agentaudio needs asyncio, but {where}; use asyncio.run(...), anyio with the backend 'asyncio', or the "
            f"blocking call in a thread, such as {other or 'trio'}.to_thread.run_sync(agent.run_sync, ...)"
        )


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _other_library() is not None
    return True


def _other_library() -> str | None:
    """The library other than asyncio whose event loop runs in this thread, as it tells `sniffio`; None without one."""
    sniffio = sys.modules.get("sniffio")
    try:
        name = sniffio.current_async_library() if sniffio is not None else "asyncio"
    except Exception:  # sniffio.AsyncLibraryNotFoundError: none runs
        return None
    return None if name == "asyncio" else str(name)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    while True:
        try:
            loop.run_forever()
            return
        except (KeyboardInterrupt, SystemExit) as error:
            # A task raised it. Whoever awaits the task gets it too; the other tasks go on.
            log.debug("a task in the background event loop raised %r", error)


async def _cancel_all(tasks: Iterable[asyncio.Task[Any]]) -> None:
    cancelled = list(tasks)
    for task in cancelled:
        task.cancel()
    if cancelled:
        await asyncio.wait(cancelled, timeout=CLOSE_TIMEOUT_S)


async def _clean(cleanup: Cleanup) -> None:
    try:
        await cleanup()
    except Exception as error:
        log.warning("a cleanup failed when the background event loop was closed: %r", error)


_choosing = threading.Lock()
_current: Portal | None = None
_of_parents: list[Portal] = []
_exiting = False


def portal() -> Portal:
    """The portal of this process: a new one after `Portal.close` and in the child of a fork, a closed one
    once the interpreter exits."""
    global _current
    with _choosing:
        if _current is None or (_current.closed and not _exiting):
            _current = Portal()
        return _current


def _after_fork() -> None:
    global _choosing, _current
    _choosing = threading.Lock()  # another thread of the parent may have held it
    if _current is not None:
        # Kept: destroying the loop would remove the parent's wake-up from the selector that both share.
        _of_parents.append(_current)
        _current = None


def _at_exit() -> None:
    global _exiting
    _exiting = True
    portal().close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
