"""`RedisRecords`: sessions in a Redis database, under names that begin with "agentaudio:", with their sound."""

from __future__ import annotations

import json
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from agentaudio.errors import MissingExtra, StorageError
from agentaudio.storage.records import Correction, SessionRow, TurnRow
from agentaudio.storage.redis_hold import RedisHold

FORMAT = 1
TIMEOUT_S = 5
BATCH = 500
"""Turns that are read at a time."""

# What is kept: the ids of all sessions; of each, its facts, and its turns as JSON by number; by voice and by sound the
# turns that have it; the content of sounds; and all turns by the time when they ended.
_FORMAT, _SESSIONS, _VOICES, _TIMES, _ROWS = (
    f"agentaudio:{name}" for name in ("format", "sessions", "voices", "times", "rows")
)


def _session(id: str) -> str:
    return f"agentaudio:session:{id}"


def _turns(id: str) -> str:
    return f"agentaudio:turns:{id}"


def _voice(voice: str) -> str:
    return f"agentaudio:voice:{voice}"


def _users(sound: str) -> str:
    return f"agentaudio:sound-users:{sound}"


def _content(sound: str) -> str:
    return f"agentaudio:sound:{sound}"


def _reference(id: str, number: int) -> str:
    return f"{number}:{id}"


class RedisRecords:
    """Implements Records.

    url: of the database, such as "redis://user:password@host:6379/0"; "rediss" for TLS

    Raises MissingExtra without the extra `redis`, and StorageError for another kind of address.
    """

    def __init__(self, url: str) -> None:
        try:
            import redis
        except ImportError:
            raise MissingExtra("a store in Redis", "redis") from None
        self._errors = redis.RedisError

        def connect() -> Any:
            return redis.Redis.from_url(
                url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, protocol=2
            )  # fmt: skip

        self._connect = connect
        try:
            self._db = connect()
        except ValueError as error:
            raise StorageError(f"this is not the address of a Redis database: {error}") from None
        known = self._db.connection_pool.connection_kwargs
        address = known.get("path") or f"{known.get('host', 'localhost')}:{known.get('port', 6379)}"
        self.place = f"Redis {address}/{known.get('db') or 0}"
        self._made = False
        self._making = threading.Lock()
        self._held: weakref.WeakValueDictionary[str, RedisHold] = weakref.WeakValueDictionary()

    def hold(self, id: str) -> RedisHold:
        with self._as_storage_errors():
            hold = RedisHold(self._connect(), id, self.place)
        self._held[id] = hold
        return hold

    def session(self, id: str) -> SessionRow | None:
        with self._as_storage_errors():
            return self._listed(id)

    def sessions(self) -> list[SessionRow]:
        with self._as_storage_errors():
            rows = [self._listed(id.decode()) for id in self._db.zrevrange(_SESSIONS, 0, -1)]
        return sorted((row for row in rows if row is not None), key=lambda row: row.changed, reverse=True)

    def _listed(self, id: str) -> SessionRow | None:
        facts = {name.decode(): value.decode() for name, value in self._db.hgetall(_session(id)).items()}
        if not facts:
            return None
        numbers = [int(number) for number in self._db.hkeys(_turns(id))]
        kept = self._db.hget(_turns(id), max(numbers)) if numbers else None
        last = None if kept is None else _turn(kept)
        return SessionRow(
            id, facts.get("speaker"), facts["begun"], facts["changed"], len(numbers),
            last.model if last else "", last.voice if last else None,
        )  # fmt: skip

    def turns(self, id: str, last: int | None = None) -> list[TurnRow]:
        with self._as_storage_errors():
            numbers = sorted(int(number) for number in self._db.hkeys(_turns(id)))
            if last is not None:
                numbers = numbers[len(numbers) - min(last, len(numbers)) :]
            found: list[TurnRow] = []
            for at in range(0, len(numbers), BATCH):
                kept = self._db.hmget(_turns(id), numbers[at : at + BATCH])
                found += [_turn(one) for one in kept if one is not None]
            return found

    def write(
        self, id: str, speaker: str | None, turns: Sequence[TurnRow | Correction], sounds: Mapping[str, bytes]
    ) -> None:
        hold = self._held.get(id)
        new = [turn for turn in turns if isinstance(turn, TurnRow)]

        def change(db: Any) -> None:
            facts = {name.decode(): value.decode() for name, value in db.hgetall(_session(id)).items()}
            before = _read(db, id, [turn.number for turn in turns])
            if not facts and not new:
                return  # it was erased
            row = None if facts else int(db.incr(_ROWS))
            after = _changed(before, turns)
            gone = _unused(db, id, before, after)
            db.multi()
            if new:
                changed = {"changed": new[-1].at, **({} if facts else {"begun": new[0].at})}
                db.hset(_session(id), mapping=changed | ({"speaker": speaker} if speaker is not None else {}))
            if row is not None:
                db.zadd(_SESSIONS, {id: row})
            for name, content in sounds.items():
                if name not in gone:
                    db.set(_content(name), content, nx=True)
            _put(db, id, before, after, gone)

        with self._as_storage_errors():
            if hold is not None:
                hold.renew()  # a server that was restarted has forgotten it
            named = {name for turn in turns for name in turn.sounds}
            self._db.transaction(change, _session(id), _turns(id), *map(_users, named))

    def settle(self) -> None:
        """What survives a power cut is up to the server's settings (`appendonly`, `appendfsync`)."""

    def sound(self, name: str) -> bytes | None:
        with self._as_storage_errors():
            found: bytes | None = self._db.get(_content(name))
            return found

    def erase(self, id: str) -> bool:
        with self._as_storage_errors():
            found = bool(self._db.exists(_session(id)))
            self._erase_turns(id, lambda turn: True)
            return found

    def erase_speaker(self, speaker: str) -> int:
        with self._as_storage_errors():
            ids = [id.decode() for id in self._db.zrange(_SESSIONS, 0, -1)]
            wanted = [id for id in ids if self._db.hget(_session(id), "speaker") == speaker.encode()]
            for id in wanted:
                self._erase_turns(id, lambda turn: True)
            return len(wanted)

    def erase_voice(self, voice: str) -> int:
        with self._as_storage_errors():
            return self._erase_among(self._db.smembers(_voice(voice)), lambda turn: voice in turn.voices)

    def erase_before(self, at: str) -> int:
        with self._as_storage_errors():
            found = self._db.zrangebyscore(_TIMES, "-inf", f"({_seconds(at)}")
            return self._erase_among(found, lambda turn: turn.at < at)

    def _erase_among(self, references: Sequence[bytes], unwanted: Callable[[TurnRow], bool]) -> int:
        ids = {reference.decode().partition(":")[2] for reference in references}
        return sum(self._erase_turns(id, unwanted) for id in sorted(ids))

    def _erase_turns(self, id: str, unwanted: Callable[[TurnRow], bool]) -> int:
        """Delete turns of a session, and the session with its last one. Returns how many turns."""
        count = 0

        def change(db: Any) -> None:
            nonlocal count
            numbers = [int(number) for number in db.hkeys(_turns(id))]
            found = _read(db, id, numbers)
            before = {number: turn for number, turn in found.items() if turn is not None and unwanted(turn)}
            gone = _unused(db, id, before, {})
            count = len(before)
            db.multi()
            _put(db, id, before, {}, gone)
            if count == len(numbers):
                db.delete(_session(id))
                db.zrem(_SESSIONS, id)

        self._db.transaction(change, _session(id), _turns(id))
        return count

    def voices(self) -> list[str]:
        with self._as_storage_errors():
            found = sorted(voice.decode() for voice in self._db.smembers(_VOICES))
            return [voice for voice in found if self._db.exists(_voice(voice))]

    def tidy(self) -> None:
        """A killed process leaves nothing."""

    def close(self) -> None:
        """Close the connections; the next call opens them again."""
        self._db.close()

    def _check_format(self) -> None:
        """Raises StorageError for data of another format."""
        with self._making:
            if self._made:
                return
            self._db.set(_FORMAT, FORMAT, nx=True)
            version = int(self._db.get(_FORMAT))
            if version > FORMAT:
                raise StorageError(
                    f"{self.place} has format {version}, and this version of agentaudio reads formats up to {FORMAT}; "
                    "upgrade agentaudio. The database was left as it is"
                )
            self._made = True

    @contextmanager
    def _as_storage_errors(self) -> Iterator[None]:
        """Raise StorageError in place of the client's errors."""
        try:
            self._check_format()
            yield
        except self._errors as error:
            self._made = False  # a server that comes back may have lost everything
            raise StorageError(f"cannot use {self.place}: {error}; it is tried again") from None


def _turn(kept: bytes) -> TurnRow:
    found = json.loads(kept)
    return TurnRow(**found | {"sounds": tuple(found["sounds"]), "voices": tuple(found["voices"])})


def _kept(turn: TurnRow) -> str:
    return json.dumps(asdict(turn), ensure_ascii=False)


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()


def _read(db: Any, id: str, numbers: Sequence[int]) -> dict[int, TurnRow | None]:
    kept = db.hmget(_turns(id), list(numbers)) if numbers else []
    return {number: None if one is None else _turn(one) for number, one in zip(numbers, kept, strict=True)}


def _changed(before: Mapping[int, TurnRow | None], turns: Sequence[TurnRow | Correction]) -> dict[int, TurnRow]:
    """The turns as they are to be, by number."""
    after = {number: turn for number, turn in before.items() if turn is not None}
    for turn in turns:
        if isinstance(turn, TurnRow):
            after[turn.number] = turn
        elif turn.messages is None:
            after.pop(turn.number, None)
        elif (old := after.get(turn.number)) is not None:
            after[turn.number] = replace(
                old, messages=turn.messages, sounds=turn.sounds, stop=old.stop if turn.stop is None else turn.stop
            )
    return after


def _unused(
    db: Any, id: str, before: Mapping[int, TurnRow | None], after: Mapping[int, TurnRow]
) -> set[str]:  # fmt: skip
    """Sounds of the turns that no turn will name."""
    named = {name for turn in after.values() for name in turn.sounds}
    gone = set()
    for name in {name for turn in before.values() if turn is not None for name in turn.sounds} - named:
        db.watch(_users(name))
        users = {user.decode() for user in db.smembers(_users(name))}
        if users <= {_reference(id, number) for number in before}:
            gone.add(name)
    return gone


def _put(
    db: Any, id: str, before: Mapping[int, TurnRow | None], after: Mapping[int, TurnRow], gone: set[str]
) -> None:  # fmt: skip
    """Replace turns, with what refers to them."""
    for number, old in before.items():
        if old is not None:
            reference = _reference(id, number)
            db.hdel(_turns(id), number)
            db.zrem(_TIMES, reference)
            for name in old.sounds:
                db.srem(_users(name), reference)
            for voice in old.voices:
                db.srem(_voice(voice), reference)
    for number, turn in after.items():
        reference = _reference(id, number)
        db.hset(_turns(id), number, _kept(turn))
        db.zadd(_TIMES, {reference: _seconds(turn.at)})
        for name in turn.sounds:
            db.sadd(_users(name), reference)
        for voice in turn.voices:
            db.sadd(_voice(voice), reference)
            db.sadd(_VOICES, voice)
    for name in gone:
        db.delete(_content(name))
