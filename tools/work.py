"""`Work`: one execution of a tool, which may outlive its time and its turn. `Step`: those that a turn waits for."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any, Literal

from agentaudio.conversation import MAY_HAVE_EFFECT, STILL_RUNNING, ToolCall
from agentaudio.tools.tool import Tool

log = logging.getLogger(__name__)

_continuing: set[asyncio.Future[Any]] = set()


def keep_going(ending: asyncio.Future[Any]) -> None:
    """Keep something that nobody waits for from being garbage-collected before it ends."""
    _continuing.add(ending)
    ending.add_done_callback(_continuing.discard)


class Step:
    """The executions of one step.

    works: by what their calls ask for
    """

    def __init__(self) -> None:
        self.works: dict[str, Work] = {}
        self._open: set[Work] = set()
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def add(self, key: str, work: Work) -> None:
        self.works[key] = work
        self._open.add(work)

    def close(self, work: Work) -> None:
        """The calls of an execution have ended; closing it again does nothing."""
        self._open.discard(work)
        if not self._open and not self._over.done():
            self._over.set_result(None)

    def fail(self, error: BaseException) -> None:
        """Let `over` raise."""
        if self._over.done():
            log.error("the end of a tool call could not be reported", exc_info=error)
        else:
            self._over.set_exception(error)

    async def over(self) -> None:
        """Wait until all calls have ended."""
        if self._open or self._over.done():
            await self._over

    @property
    def is_cancelled(self) -> bool:
        """Whether the task that waits was cancelled."""
        return self._over.cancelled()


@dataclass(slots=True, eq=False)
class Work:
    """One execution of a tool, in a task of its own.

    calls: the identical calls that it serves
    tool: None until the function is called
    thread: the outcome of what runs in a thread; None before anything does
    slot: its place among the concurrent calls; None while it has none
    timer: rings when the time of the call is over
    stopped: why its task was cancelled: the end of its time, or of the turn
    is_left: it did not stop when it was cancelled, and nobody waits for it any more
    """

    calls: list[ToolCall]
    step: Step
    task: asyncio.Task[None] = field(init=False)
    tool: Tool | None = None
    thread: asyncio.Future[Any] | None = None
    slot: asyncio.Semaphore | None = None
    timer: asyncio.TimerHandle | None = None
    began_s: float = 0.0
    stopped: Literal["time", "turn"] | None = None
    is_left: bool = False

    async def take(self, slot: asyncio.Semaphore) -> None:
        """Wait until there is a place for one more call."""
        await slot.acquire()
        self.slot = slot

    def run_in(self, thread: asyncio.Future[Any]) -> None:
        self.thread = thread

    @property
    def in_thread(self) -> bool:
        return self.thread is not None and not self.thread.done()

    @property
    def cannot_stop(self) -> bool:
        return self.tool is not None and not self.tool.cancellable

    def stop(self, why: Literal["time", "turn"]) -> None:
        if self.timer is not None:
            self.timer.cancel()
        self.stopped = why
        self.task.cancel()

    def leave(self) -> None:
        """Wait no longer for a task that was cancelled and goes on."""
        log.warning("tool %s did not stop when cancelled", self.calls[0].name)
        self.is_left = True
        self.free()
        keep_going(self.task)

    def free(self) -> None:
        """Need no time and no place any more."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        if self.slot is not None:
            self.slot.release()
            self.slot = None

    def interrupted(self, name: str) -> str:
        """What the model reads about a call of `name` when the turn is interrupted now."""
        if self.cannot_stop or self.in_thread:
            return f"The turn was interrupted, but {name} is {STILL_RUNNING}."
        if self.tool is None:
            return f"The call of {name} was cancelled before it began."
        return f"The call of {name} was cancelled while it ran{self._effect}."

    def timed_out(self) -> str:
        """What the model reads about calls whose time is over."""
        assert self.tool is not None
        end = f"is {STILL_RUNNING}" if self.is_left or self.in_thread else f"was stopped{self._effect}"
        return f"{self.tool.name} took longer than {self.tool.timeout_s:g} s and {end}."

    @property
    def _effect(self) -> str:
        return "" if self.tool is not None and self.tool.idempotent else f"; {MAY_HAVE_EFFECT}"
