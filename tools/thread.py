"""Run a blocking function without blocking the event loop."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import Any


async def in_thread(
    function: Callable[[], Any], started: Callable[[asyncio.Future[Any]], None] = lambda ending: None
) -> Any:
    """The result of the function, run in a daemon thread of its own and in the caller's context variables.

    The event loop's pool is not used: a function that never returns would occupy one of its few threads
    and keep the interpreter from exiting. Cancellation leaves the thread running.

    started: called with a future that gets the outcome of the function, after a cancellation too

    Raises what the function raises; StopIteration, KeyboardInterrupt and SystemExit as RuntimeError.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()
    surroundings = contextvars.copy_context()

    def deliver(setter: str, value: Any) -> None:
        if not future.done():
            getattr(future, setter)(value)

    def work() -> None:
        setter, value = "set_result", None
        try:
            value = surroundings.run(function)
        except (StopIteration, KeyboardInterrupt, SystemExit) as error:
            # A future cannot hold StopIteration, and `exit()` in a tool must not end the process.
            setter, value = "set_exception", RuntimeError(f"the tool raised {error!r}")
            value.__cause__ = error
        except BaseException as error:
            setter, value = "set_exception", error
        try:
            loop.call_soon_threadsafe(deliver, setter, value)
        except RuntimeError:
            pass  # the loop is closed; the result has no receiver

    threading.Thread(target=work, name="agentaudio-tool", daemon=True).start()
    future.add_done_callback(_retrieve)
    started(future)
    await asyncio.wait([future])
    return future.result()


def _retrieve(future: asyncio.Future[Any]) -> None:
    """Keep asyncio from reporting the exception of an abandoned function."""
    if not future.cancelled():
        future.exception()
