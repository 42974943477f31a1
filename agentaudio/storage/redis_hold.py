"""`RedisHold`: reserves a session in Redis for one program, as long as that goes on saying so."""

from __future__ import annotations

import threading
import uuid
import weakref
from typing import Any

from agentaudio.errors import SessionInUse
from agentaudio.storage.hold import holder

LASTS_MS = 8_000
"""Time after which a session is free whose program has ended or is cut off."""
RENEWED_EVERY_S = 2.0

_EXTEND = """
if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) end
return 0
"""
_RELEASE = """
if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end
return 0
"""


class RedisHold:
    """A value that expires, and that a thread renews.

    db: client of Redis, which belongs to the hold and is closed with it
    place: what error messages call the database

    Raises SessionInUse while another program holds the session.
    """

    def __init__(self, db: Any, id: str, place: str) -> None:
        self._db, self._id, self._place = db, id, place
        self._key = f"agentaudio:hold:{id}"
        self._own = f"{holder()} ({uuid.uuid4().hex})"
        self._released, self._using = threading.Event(), threading.RLock()
        try:
            self.renew()
        except BaseException:
            self._released.set()
            db.close()
            raise
        threading.Thread(
            target=_renew, args=(weakref.ref(self), self._released), name="agentaudio-redis-hold", daemon=True
        ).start()

    def renew(self) -> None:
        """Hold the session on, also if the server has forgotten it. Raises SessionInUse when another one has it."""
        with self._using:
            if self._released.is_set() or self._db.eval(_EXTEND, 1, self._key, self._own, LASTS_MS):
                return
            if not self._db.set(self._key, self._own, px=LASTS_MS, nx=True):
                other = (self._db.get(self._key) or b"another process").decode()
                raise SessionInUse(
                    f"session {self._id!r} of {self._place} is in use by {other.rpartition(' (')[0] or other}; "
                    "end it there first, or choose another id"
                )

    def release(self) -> None:
        with self._using:
            if self._released.is_set():
                return
            self._released.set()
            try:
                self._db.eval(_RELEASE, 1, self._key, self._own)
            except Exception:
                return  # the server is away, and the value expires
            finally:
                self._db.close()

    def __del__(self) -> None:
        if hasattr(self, "_using"):
            self.release()


def _renew(found: weakref.ref[RedisHold], released: threading.Event) -> None:
    while not released.wait(RENEWED_EVERY_S):
        hold = found()
        if hold is None:
            return
        try:
            hold.renew()
        except Exception:
            continue  # the next write says so, and the next time may do
        finally:
            del hold
