"""Run a blocking function beside the event loop."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import Any


async def in_thread(function: Callable[[], Any]) -> Any:
    """Run it in a thread of its own that dies with the process.

    Not the loop's shared pool: a tool that hangs would keep one of its few threads, and the
    interpreter, waiting for ever.
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
        except StopIteration as error:
            # A future cannot carry StopIteration.
            setter, value = "set_exception", RuntimeError(f"the tool raised StopIteration: {error.value!r}")
        except (KeyboardInterrupt, SystemExit) as error:
            # `exit()` in a tool ends the tool, not the agent.
            setter, value = "set_exception", RuntimeError(f"the tool raised {type(error).__name__}: {error}")
        except BaseException as error:
            setter, value = "set_exception", error
        try:
            loop.call_soon_threadsafe(deliver, setter, value)
        except RuntimeError:
            pass  # the loop is closed: nobody listens any more

    threading.Thread(target=work, name="agentaudio-tool", daemon=True).start()
    return await future
