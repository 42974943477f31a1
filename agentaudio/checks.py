"""Checks: functions of the program that read the user's words, or the agent's words before they are heard."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from agentaudio.cancellation import is_cancelled
from agentaudio.errors import CheckError
from agentaudio.tools.thread import in_thread

log = logging.getLogger(__name__)

CHECK_S = 10.0
"""Seconds that one check may take."""


@dataclass(frozen=True, slots=True)
class Stop:
    """What a check returns to end the turn.

    words: said to the user in place of the answer, or of its rest; without words nothing more is said
    """

    words: str = ""


Verdict = str | Stop | None
Check = Callable[[str], Verdict | Awaitable[Verdict]]
"""Reads words: of the user, or a sentence of the answer. It returns None when they are fine, other words to be used in
their place, or a Stop. A plain function runs in a thread."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What several checks make of a text.

    text: to be used; the one that was given, unless a check has replaced it
    stop: of the check named `by`; None when none stops the turn
    """

    text: str
    stop: Stop | None = None
    by: str = ""


async def judge(kind: str, checks: Sequence[Check], text: str) -> Judgement:
    """Run the checks one after the other; each reads what the one before has made of the text.

    kind: "input" or "output", for messages

    Raises CheckError when a check raises, returns anything else, or takes longer than CHECK_S.
    """
    for check in checks:
        verdict = await _verdict(kind, check, text)
        if isinstance(verdict, Stop):
            return Judgement(text, verdict, name_of(check))
        text = text if verdict is None else verdict
    return Judgement(text)


def name_of(check: Check) -> str:
    """The name of a check, for messages and events."""
    return str(getattr(check, "__name__", type(check).__name__))


async def _verdict(kind: str, check: Check, text: str) -> Verdict:
    name = f"{kind} check {name_of(check)!r}"
    limit = asyncio.timeout(CHECK_S)
    try:
        async with limit:
            verdict = await _returned(check, text)
    except (Exception, SystemExit, asyncio.CancelledError) as error:
        if isinstance(error, asyncio.CancelledError) and is_cancelled(asyncio.current_task()):
            raise
        if limit.expired():
            raise CheckError(f"the {name} took longer than {CHECK_S:g} s, so the words were not used") from error
        log.warning("the %s raised", name, exc_info=error)
        raise CheckError(f"the {name} raised {error!r:.500}, so the words were not used; mend the check") from error
    if verdict is None or isinstance(verdict, str | Stop):
        return verdict
    raise CheckError(f"the {name} returned {type(verdict).__name__}; return None, other words (str) or Stop")


async def _returned(check: Check, text: str) -> Any:
    if inspect.iscoroutinefunction(check) or inspect.iscoroutinefunction(getattr(check, "__call__", None)):  # noqa: B004
        returned: Any = check(text)
    else:
        returned = await in_thread(lambda: check(text))
    return await returned if inspect.isawaitable(returned) else returned
