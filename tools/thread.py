"""Run a blocking function without blocking the event loop."""

from __future__ import annotations

import asyncio
import contextvars
from asyncio import CancelledError
from collections.abc import Callable
from typing import Any

from agentaudio.beside import start_beside


async def in_thread(
    function: Callable[[], Any], started: Callable[[asyncio.Future[Any]], None] = lambda ending: None
) -> Any:
    """The result of the function, run in a daemon thread of its own and in the caller's context variables.

    The event loop's pool is not used: a function that never returns would occupy one of its few threads
    and keep the interpreter from exiting. Cancellation leaves the thread running.

    started: called with a future that gets the outcome of the function, after a cancellation too

    Raises what the function raises; StopIteration, and what is not an Exception, as RuntimeError. Raises RuntimeError
    when the system starts no more threads.
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
        except StopIteration as error:  # a future cannot hold it
            setter, value = "set_exception", RuntimeError("the tool raised StopIteration")
            value.__cause__ = error
        except (Exception, CancelledError) as error:
            setter, value = "set_exception", error
        except BaseException as error:
            # `exit()` in a tool must not end the process, nor GeneratorExit the task of the caller.
            setter, value = "set_exception", RuntimeError(f"the tool raised {type(error).__name__}")
            value.__cause__ = error
        end(setter, value)

    def end(setter: str, value: Any) -> None:
        try:
            loop.call_soon_threadsafe(deliver, setter, value)
        except RuntimeError:
            pass  # the loop is closed; the result has no receiver

    start_beside(work, "agentaudio-tool", lambda error: end("set_exception", error))
    future.add_done_callback(_retrieve)
    started(future)
    await asyncio.wait([future])
    return future.result()


def _retrieve(future: asyncio.Future[Any]) -> None:
    """Keep asyncio from reporting the exception of an abandoned function."""
    if not future.cancelled():
        future.exception()
