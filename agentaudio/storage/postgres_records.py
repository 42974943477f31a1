"""`PostgresRecords`: sessions in a PostgreSQL database, in a schema of their own, with their sound."""

from __future__ import annotations

import json
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from agentaudio.errors import MissingExtra, SessionInUse, StorageError
from agentaudio.storage.hold import holder
from agentaudio.storage.records import Correction, SessionRow, TurnRow

FORMAT = 1
SCHEMA = f"""
CREATE SCHEMA IF NOT EXISTS agentaudio;
CREATE TABLE agentaudio.about (format integer NOT NULL);
INSERT INTO agentaudio.about VALUES ({FORMAT});
CREATE TABLE agentaudio.sessions (
    row bigserial PRIMARY KEY, id text NOT NULL UNIQUE, speaker text, begun text NOT NULL, changed text NOT NULL
);
CREATE TABLE agentaudio.turns (
    session bigint NOT NULL REFERENCES agentaudio.sessions ON DELETE CASCADE, number integer NOT NULL, at text NOT NULL,
    stop text NOT NULL, model text NOT NULL, voice text, error text, counts text NOT NULL, messages text NOT NULL,
    PRIMARY KEY (session, number)
);
CREATE INDEX turns_by_time ON agentaudio.turns (at);
CREATE TABLE agentaudio.voices (
    voice text NOT NULL, session bigint NOT NULL, number integer NOT NULL, PRIMARY KEY (voice, session, number),
    FOREIGN KEY (session, number) REFERENCES agentaudio.turns ON DELETE CASCADE
);
CREATE INDEX voices_by_turn ON agentaudio.voices (session, number);
CREATE TABLE agentaudio.sounds (
    name text NOT NULL, session bigint NOT NULL, number integer NOT NULL, PRIMARY KEY (name, session, number),
    FOREIGN KEY (session, number) REFERENCES agentaudio.turns ON DELETE CASCADE
);
CREATE INDEX sounds_by_turn ON agentaudio.sounds (session, number);
CREATE TABLE agentaudio.sound_files (name text PRIMARY KEY, content bytea NOT NULL);
"""
MAKING = 0x61675353
"""Key of the advisory lock under which the schema is made."""

CONNECT_TIMEOUT_S = 5
# The server notices within 10 s that a client's machine is gone, and frees what it held.
_OPTIONS = "-c tcp_keepalives_idle=4 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=2 -c lock_timeout=5s"

_LISTED = """
SELECT id, speaker, begun, changed, (SELECT count(*) FROM agentaudio.turns WHERE session = s.row),
    coalesce(last.model, ''), last.voice
FROM agentaudio.sessions s LEFT JOIN LATERAL (
    SELECT model, voice FROM agentaudio.turns WHERE session = s.row ORDER BY number DESC LIMIT 1
) last ON true
"""


class PostgresRecords:
    """Implements Records.

    url: of the database, as libpq takes it, such as "postgresql://user:password@host/database"

    Raises MissingExtra without the extra `postgres`.
    """

    def __init__(self, url: str) -> None:
        try:
            import psycopg
        except ImportError:
            raise MissingExtra("a store in PostgreSQL", "postgres") from None
        self._psycopg = psycopg
        self._url = url
        try:
            known = psycopg.conninfo.conninfo_to_dict(url)
        except psycopg.Error as error:
            raise StorageError(f"this is not the address of a PostgreSQL database: {error}") from None
        self.place = f"PostgreSQL {known.get('host', 'localhost')}/{known.get('dbname', '')}"
        self._locks = {"read": threading.RLock(), "write": threading.RLock()}
        self._open: dict[str, Any] = {}
        self._held: weakref.WeakValueDictionary[str, PostgresHold] = weakref.WeakValueDictionary()

    def hold(self, id: str) -> PostgresHold:
        hold = PostgresHold(self, id)
        self._held[id] = hold
        return hold

    def session(self, id: str) -> SessionRow | None:
        found = self._rows(f"{_LISTED} WHERE id = %s", id)
        return SessionRow(*found[0]) if found else None

    def sessions(self) -> list[SessionRow]:
        return [SessionRow(*row) for row in self._rows(f"{_LISTED} ORDER BY changed DESC, row DESC")]

    def turns(self, id: str, last: int | None = None) -> list[TurnRow]:
        rows = self._rows(
            """
            SELECT number, at, stop, model, voice, error, counts, messages,
                ARRAY(SELECT name FROM agentaudio.sounds n WHERE n.session = t.session AND n.number = t.number),
                ARRAY(SELECT v.voice FROM agentaudio.voices v WHERE v.session = t.session AND v.number = t.number)
            FROM agentaudio.turns t WHERE session = (SELECT row FROM agentaudio.sessions WHERE id = %s)
            ORDER BY number DESC LIMIT %s
            """,
            id,
            last,
        )
        return [
            TurnRow(
                number, at, stop, model, messages, tuple(sounds), voice, tuple(voices), error, *json.loads(counts)
            )
            for number, at, stop, model, voice, error, counts, messages, sounds, voices in reversed(rows)
        ]  # fmt: skip

    def write(
        self, id: str, speaker: str | None, turns: Sequence[TurnRow | Correction], sounds: Mapping[str, bytes]
    ) -> None:
        hold = self._held.get(id)
        if hold is not None:
            hold.renew()  # a server that was restarted has forgotten it
        with self._change() as db:
            for name, content in sounds.items():
                sql = "INSERT INTO agentaudio.sound_files VALUES (%s, %s) ON CONFLICT DO NOTHING"
                db.execute(sql, (name, content))
            new = [turn for turn in turns if isinstance(turn, TurnRow)]
            if new:
                db.execute(
                    "INSERT INTO agentaudio.sessions (id, speaker, begun, changed) VALUES (%s, %s, %s, %s) "
                    "ON CONFLICT (id) DO UPDATE SET changed = excluded.changed, "
                    "speaker = coalesce(excluded.speaker, sessions.speaker)",
                    (id, speaker, new[0].at, new[-1].at),
                )
            found = db.execute("SELECT row FROM agentaudio.sessions WHERE id = %s", (id,)).fetchone()
            if found is None:
                return  # it was erased
            is_less = [self._write_turn(db, found[0], turn) for turn in turns]
            if any(is_less):
                self._drop_sound(db)

    def _write_turn(self, db: Any, session: int, turn: TurnRow | Correction) -> bool:
        """Returns whether sound may no longer be needed."""
        key = session, turn.number
        here = "session = %s AND number = %s"
        if isinstance(turn, TurnRow):
            db.execute(f"DELETE FROM agentaudio.turns WHERE {here}", key)
            db.execute(
                "INSERT INTO agentaudio.turns VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
                (*key, turn.at, turn.stop, turn.model, turn.voice, turn.error, turn.counts(), turn.messages),
            )
            for voice in turn.voices:
                db.execute("INSERT INTO agentaudio.voices VALUES (%s, %s, %s)", (voice, *key))
        elif turn.messages is None:
            return bool(db.execute(f"DELETE FROM agentaudio.turns WHERE {here}", key).rowcount)
        else:
            sql = f"UPDATE agentaudio.turns SET messages = %s, stop = coalesce(%s, stop) WHERE {here}"
            if not db.execute(sql, (turn.messages, turn.stop, *key)).rowcount:
                return bool(turn.sounds)  # it was erased
            db.execute(f"DELETE FROM agentaudio.sounds WHERE {here}", key)
        for name in turn.sounds:
            db.execute("INSERT INTO agentaudio.sounds VALUES (%s, %s, %s)", (name, *key))
        return isinstance(turn, Correction)

    def settle(self) -> None:
        """A commit survives a power cut already."""

    def sound(self, name: str) -> bytes | None:
        found = self._rows("SELECT content FROM agentaudio.sound_files WHERE name = %s", name)
        return bytes(found[0][0]) if found else None

    def erase(self, id: str) -> bool:
        return bool(self._erase("DELETE FROM agentaudio.sessions WHERE id = %s", id))

    def erase_speaker(self, speaker: str) -> int:
        return self._erase("DELETE FROM agentaudio.sessions WHERE speaker = %s", speaker)

    def erase_voice(self, voice: str) -> int:
        spoken = "SELECT session, number FROM agentaudio.voices WHERE voice = %s"
        return self._erase(f"DELETE FROM agentaudio.turns WHERE (session, number) IN ({spoken})", voice)

    def erase_before(self, at: str) -> int:
        return self._erase("DELETE FROM agentaudio.turns WHERE at < %s", at)

    def _erase(self, sql: str, value: str) -> int:
        with self._change() as db:
            count = int(db.execute(sql, (value,)).rowcount)
            if count:
                empty = "NOT EXISTS (SELECT 1 FROM agentaudio.turns WHERE session = sessions.row)"
                db.execute(f"DELETE FROM agentaudio.sessions WHERE {empty}")
                self._drop_sound(db)
        return count

    @staticmethod
    def _drop_sound(db: Any) -> None:
        """Delete the sound that no turn names. Writers of sound wait, so that none refers to what is deleted."""
        db.execute("LOCK TABLE agentaudio.sound_files IN SHARE ROW EXCLUSIVE MODE")
        used = "EXISTS (SELECT 1 FROM agentaudio.sounds WHERE sounds.name = sound_files.name)"
        db.execute(f"DELETE FROM agentaudio.sound_files WHERE NOT {used}")

    def voices(self) -> list[str]:
        return [voice for (voice,) in self._rows("SELECT DISTINCT voice FROM agentaudio.voices ORDER BY voice")]

    def tidy(self) -> None:
        """A killed process leaves nothing."""

    def close(self) -> None:
        """Close the connections; the next call opens them again."""
        with self._locks["read"], self._locks["write"]:
            for connection in self._open.values():
                connection.close()
            self._open.clear()

    def connect(self, name: str = "agentaudio") -> Any:
        """A new connection, whose statements are transactions of their own. name: shown to others by the server"""
        with self._as_storage_errors():
            return self._psycopg.connect(
                self._url,
                autocommit=True,
                connect_timeout=CONNECT_TIMEOUT_S,
                application_name=name[:63],
                options=_OPTIONS,
            )

    def _rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._locks["read"], self._as_storage_errors("read"):
            return list(self._connection("read").execute(sql, values).fetchall())

    @contextmanager
    def _change(self) -> Iterator[Any]:
        with self._locks["write"], self._as_storage_errors("write"):
            db = self._connection("write")
            with db.transaction():
                yield db

    def _connection(self, kind: str) -> Any:
        if kind not in self._open or self._open[kind].closed:
            db = self.connect()
            try:
                self._make(db)
            except BaseException:
                db.close()
                raise
            self._open[kind] = db
        return self._open[kind]

    def _make(self, db: Any) -> None:
        """Make the tables where there are none. Raises StorageError for those of another format."""
        with db.transaction():
            db.execute("SELECT pg_advisory_xact_lock(%s)", (MAKING,))
            if db.execute("SELECT to_regclass('agentaudio.about')").fetchone()[0] is None:
                db.execute(SCHEMA)
            (version,) = db.execute("SELECT format FROM agentaudio.about").fetchone()
        if version > FORMAT:
            raise StorageError(
                f"{self.place} has format {version}, and this version of agentaudio reads formats up to {FORMAT}; "
                "upgrade agentaudio. The database was left as it is"
            )

    @contextmanager
    def _as_storage_errors(self, kind: str | None = None) -> Iterator[None]:
        """Raise StorageError in place of psycopg's errors. kind: of the connection that is given up after one"""
        try:
            yield
        except self._psycopg.Error as error:
            broken = self._open.pop(kind, None) if kind is not None else None
            if broken is not None:
                with suppress(self._psycopg.Error):
                    broken.close()
            raise StorageError(f"cannot use {self.place}: {error}; it is tried again") from None


class PostgresHold:
    """An advisory lock of the server, which ends with its connection.

    Raises SessionInUse while another connection holds it.
    """

    def __init__(self, records: PostgresRecords, id: str) -> None:
        self._records, self._id = records, id
        self._connection: Any = None
        self._released = False
        self.renew()

    def renew(self) -> None:
        """Take the lock again if the server has lost it."""
        if self._released or (self._connection is not None and self._is_alive()):
            return
        if self._connection is not None:
            self._records.close()  # the other connections are broken, too
        db = self._records.connect(f"agentaudio {holder()}")
        key = f"agentaudio session {self._id}"
        if not db.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (key,)).fetchone()[0]:
            other = db.execute(
                "SELECT application_name FROM pg_stat_activity JOIN pg_locks USING (pid) WHERE locktype = 'advisory' "
                "AND ((classid::bigint << 32) | objid::bigint) = hashtextextended(%s, 0)",
                (key,),
            ).fetchone()
            db.close()
            name = str(other[0]).removeprefix("agentaudio ") if other else "another process"
            raise SessionInUse(
                f"session {self._id!r} of {self._records.place} is in use by {name}; end it there first, "
                "or choose another id"
            )
        self._connection = db

    def _is_alive(self) -> bool:
        try:
            self._connection.execute("SELECT 1")
        except Exception:
            return False
        return True

    def release(self) -> None:
        if not self._released:
            self._released = True
            if self._connection is not None:
                self._connection.close()

    def __del__(self) -> None:
        if hasattr(self, "_released"):
            self.release()
