"""Whether a task was cancelled, where the code that it ran may have hidden it."""

from __future__ import annotations

import asyncio
from typing import Any


def is_cancelled(task: asyncio.Task[Any] | None) -> bool:
    """Whether `cancel` was called on the task, even if a model or a tool has swallowed the CancelledError."""
    return task is not None and task.cancelling() > 0


def is_left_behind(task: asyncio.Task[Any] | None) -> bool:
    """Whether the caller no longer runs in this task: its event loop is gone, and Python clears it away."""
    try:
        return asyncio.current_task() is not task
    except RuntimeError:  # no loop is running
        return True
