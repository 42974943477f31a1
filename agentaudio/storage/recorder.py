"""`Recorder`: the Keeper of a stored session. Writes its turns in a thread, in order, and tries again what failed."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from agentaudio.conversation import Message
from agentaudio.errors import AgentAudioError, StorageError
from agentaudio.keeper import TurnEnd
from agentaudio.storage.hold import Hold
from agentaudio.storage.writing import Writing

log = logging.getLogger(__name__)

RETRY_S = 2.0
"""Time after which a write that failed is tried again, unless another turn ends before."""
REMEMBERED = 3
"""Number of turns of which the recorder knows what it has taken; only the latest two are corrected often."""


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """A turn to be written.

    end: None for a correction of a turn that is stored already
    at: when it ended, UTC, ISO 8601
    """

    number: int
    messages: tuple[Message, ...]
    end: TurnEnd | None
    at: str

    def says_what(self, other: Taken | None) -> bool:
        """Whether `other` holds the same."""
        if other is None or self.end != other.end or len(self.messages) != len(other.messages):
            return False
        return all(mine is theirs for mine, theirs in zip(self.messages, other.messages, strict=True))


class Recorder:
    """Implements Keeper.

    save: writes turns, all or none; it blocks, and raises StorageError. Its second argument is the number of the last
        turn that it has written: what it gets of older ones are corrections
    lighten: gives a stored message without its sound in memory
    writing: the thread that writes
    hold: of the session; released by `close`, or when the session is no longer used
    ended: number of the last turn that is stored
    used: as in Keeper
    recent: as in Keeper
    what: the session, for messages
    """

    def __init__(
        self,
        save: Callable[[Sequence[Taken], int], None],
        lighten: Callable[[Message], Message],
        writing: Writing,
        hold: Hold,
        *,
        ended: int,
        used: Mapping[str, float],
        recent: int | None,
        what: str,
    ) -> None:
        self._save, self._lighten, self._writing, self._hold, self._what = save, lighten, writing, hold, what
        self.recent, self.used = recent, used
        self._lock = threading.Lock()
        self._ended = self._written = ended
        self._latest: dict[int, Taken] = {}
        self._waiting: dict[int, Taken] = {}
        self._writes = False
        self._waiters: list[Callable[[], None]] = []  # called when nothing is written any more
        self._retry: threading.Timer | None = None
        self._problem: AgentAudioError | None = None
        self._slow = False
        self._closed = False

    @property
    def ended(self) -> int:
        return self._ended

    def keep(self, number: int, messages: Sequence[Message], end: TurnEnd | None) -> None:
        with self._lock:
            if self._closed:
                log.warning("%s is closed, so its turn %d is not stored", self._what, number)
                return
            if end is None and number > self._ended:
                return  # it will be stored when it ends
            self._ended = max(self._ended, number)
            before = self._latest.get(number)
            if before is not None:
                taken = Taken(number, tuple(messages), end or before.end, before.at)
            else:
                taken = Taken(number, tuple(messages), end, datetime.now(UTC).isoformat(timespec="milliseconds"))
            if taken.says_what(before) or (before is None and not messages and number > self._written):
                return
            self._latest[number] = self._waiting[number] = taken
            for old in [one for one in self._latest if one <= self._ended - REMEMBERED]:
                del self._latest[old]
            self._begin()

    def lightened(self, message: Message) -> Message:
        with self._lock:
            is_stored = message.turn <= self._written and message.turn not in self._waiting
        return self._lighten(message) if is_stored else message

    async def kept(self, wait_s: float) -> AgentAudioError | None:
        await self._until_written(0.0 if self._slow else wait_s)
        with self._lock:
            self._slow = self._problem is None and bool(self._waiting)
            if not self._slow:
                return self._problem
        return StorageError(f"{self._what} is not stored yet: writing takes longer than {wait_s:g} s; it goes on")

    def close(self) -> AgentAudioError | None:
        """Write what is waiting, and release the session. Blocks; returns why something could not be written."""
        with self._lock:
            if self._closed:
                return None
            if self._waiting:
                self._begin()
            written = threading.Event()
            if self._writes:
                self._waiters.append(written.set)
            else:
                written.set()
        written.wait()
        with self._lock:
            self._closed = True
            if self._retry is not None:
                self._retry.cancel()
        self._hold.release()
        return self._problem

    def forget(self) -> None:
        """Write nothing more, and release the session: it was erased."""
        with self._lock:
            self._closed = True
            self._waiting.clear()
        self._hold.release()

    def _begin(self) -> None:
        """Start writing, unless that goes on already. The lock is held."""
        if not self._writes:
            self._writing.start(self._write)
            self._writes = True

    def _end(self) -> None:
        """Writing has ended. The lock is held."""
        self._writes = False
        for waiter in self._waiters:
            waiter()
        self._waiters.clear()

    async def _until_written(self, wait_s: float) -> None:
        """Wait until nothing is written any more, `wait_s` seconds at most."""
        loop = asyncio.get_running_loop()
        over: asyncio.Future[None] = loop.create_future()

        def end() -> None:
            if not over.done():
                over.set_result(None)

        def ended() -> None:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(end)

        with self._lock:
            if not self._writes:
                return
            self._waiters.append(ended)
        timer = loop.call_later(wait_s, end)
        try:
            await over
        finally:
            timer.cancel()

    def _write(self) -> None:
        while True:
            with self._lock:
                batch = [self._waiting[number] for number in sorted(self._waiting)]
                known = self._written
                if not batch:
                    self._end()
                    return
            problem: AgentAudioError | None = None
            try:
                self._save(batch, known)
            except StorageError as error:
                problem = error
            except Exception as error:
                log.exception("%s cannot be stored", self._what)
                problem = StorageError(f"{self._what} cannot be stored: {error!r}; see the log")
            with self._lock:
                self._problem = problem
                if problem is not None:
                    self._retry_later()
                    self._end()
                    return
                self._written = max(known, *(one.number for one in batch))
                for one in batch:
                    if self._waiting.get(one.number) is one:
                        del self._waiting[one.number]

    def _retry_later(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
        self._retry = threading.Timer(RETRY_S, self._try_again)
        self._retry.daemon = True
        self._retry.start()

    def _try_again(self) -> None:
        with self._lock:
            if self._waiting and not self._closed:
                try:
                    self._begin()
                except RuntimeError:  # the program ends
                    log.warning("%s: %d turns could not be stored", self._what, len(self._waiting))
