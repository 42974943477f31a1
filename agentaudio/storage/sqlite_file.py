"""`SqliteFile`: the connections to the SQLite file of a store."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agentaudio.errors import AgentAudioError, StorageError
from agentaudio.files import replacing

FORMAT = 1
APPLICATION = 0x61675353
"""SQLite's application_id ("agSS"), which distinguishes a store from other SQLite files."""

# `counts` is a JSON list of usage, timings and what the session has used. `discarded` lists sound files that turns no
# longer name, until they are deleted. Cascades fire the trigger, too.
SCHEMA = f"""
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {FORMAT};
CREATE TABLE sessions (
    row INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, speaker TEXT,
    begun TEXT NOT NULL, changed TEXT NOT NULL
);
CREATE INDEX sessions_by_speaker ON sessions (speaker) WHERE speaker IS NOT NULL;
CREATE TABLE turns (
    session INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE, number INTEGER NOT NULL, at TEXT NOT NULL,
    stop TEXT NOT NULL, model TEXT NOT NULL, voice TEXT, error TEXT, counts TEXT NOT NULL, messages TEXT NOT NULL,
    PRIMARY KEY (session, number)
);
CREATE INDEX turns_by_time ON turns (at);
CREATE TABLE voices (
    voice TEXT NOT NULL, session INTEGER NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (voice, session, number),
    FOREIGN KEY (session, number) REFERENCES turns ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX voices_by_turn ON voices (session, number);
CREATE TABLE sounds (
    name TEXT NOT NULL, session INTEGER NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (name, session, number),
    FOREIGN KEY (session, number) REFERENCES turns ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX sounds_by_turn ON sounds (session, number);
CREATE TABLE discarded (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TRIGGER sound_of_erased AFTER DELETE ON sounds BEGIN INSERT OR IGNORE INTO discarded VALUES (old.name); END;
"""

MIGRATIONS: dict[int, tuple[str, ...]] = {}
"""Statements that bring a file of a format to the next one, by the older format."""

BUSY_S = 5.0
"""How long to wait for another process that writes."""

Row = tuple[Any, ...]


class SqliteFile:
    """One SQLite file with a write-ahead log; two connections, one for each of two threads.

    The file is made on first use; a file that is empty, damaged, of another kind or of a newer format is refused, and
    stays as it is. While the file is missing or replaced nothing is read or written, and it is opened again when it
    is back. All methods raise StorageError.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._locks = {"read": threading.RLock(), "write": threading.RLock()}
        self._open: dict[str, tuple[sqlite3.Connection, tuple[int, int]]] = {}
        self._left: list[sqlite3.Connection] = []
        self._process = os.getpid()
        self._was_there = False

    def rows(self, sql: str, *values: Any) -> list[Row]:
        """The rows that a query finds."""
        with self._locks["read"], self._as_storage_errors():
            return self._connection("read").execute(sql, values).fetchall()

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """A transaction: committed when the block ends, rolled back when it raises."""
        with self._locks["write"], self._as_storage_errors():
            db = self._connection("write")
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    def settle(self) -> None:
        """Flush the write-ahead log to the disk."""
        log = self.path.with_name(f"{self.path.name}-wal")
        with self._as_storage_errors():
            try:
                handle = os.open(log, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    def wipe(self) -> None:
        """Empty the write-ahead log, which may hold copies of deleted data. Raises StorageError while one reads."""
        with self._locks["write"], self._as_storage_errors():
            busy, _, _ = self._connection("write").execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise StorageError(
                f"the data is deleted, but an open reader keeps a copy in {self.path}-wal; erase again later"
            )

    def close(self) -> None:
        with self._locks["read"], self._locks["write"]:
            if self._process == os.getpid():
                for connection, _ in self._open.values():
                    connection.close()
            self._open.clear()

    def _connection(self, kind: str) -> sqlite3.Connection:
        if self._process != os.getpid():
            self._left += [connection for connection, _ in self._open.values()]  # not to be used in a forked child
            self._open.clear()
            self._process = os.getpid()
        stamp = self._stamp()
        found = self._open.get(kind)
        if found is not None and found[1] == stamp:
            return found[0]
        if found is not None:
            # Closing it would delete the log of the file that is there now.
            self._left.append(self._open.pop(kind)[0])
        if stamp is None:
            if self._was_there:
                raise StorageError(f"the store {self.path} is gone; put it back, and it is used again")
            self._make()
            stamp = self._stamp()
        assert stamp is not None
        self._open[kind] = self._connect(), stamp
        self._was_there = True
        return self._open[kind][0]

    def _stamp(self) -> tuple[int, int] | None:
        try:
            state = os.stat(self.path)
        except FileNotFoundError:
            return None
        return state.st_dev, state.st_ino

    def _make(self) -> None:
        # Made whole under another name, so that no one opens a store without tables.
        with replacing(self.path, error=StorageError, durable=True) as temporary:
            db = sqlite3.connect(temporary, isolation_level=None)
            try:
                db.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN; {SCHEMA} COMMIT;")
            finally:
                db.close()
            if self._stamp() is not None:
                raise StorageError(f"another program makes {self.path} now; try again")

    def _connect(self) -> sqlite3.Connection:
        self._check()
        uri = f"{self.path.resolve().as_uri()}?mode=rw"
        db = sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            # A commit survives a kill at once, and a power cut after `settle`.
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("PRAGMA foreign_keys = ON")
            db.execute("PRAGMA secure_delete = ON")
            self._migrate(db)
        except BaseException:
            db.close()
            raise
        return db

    def _check(self) -> None:
        """Refuse a file that is not a store of a known format, without a connection that could write."""
        if not os.path.getsize(self.path):
            raise StorageError(f"{self.path} is empty, not a store of sessions; delete it, or choose another place")
        uri = f"{self.path.resolve().as_uri()}?mode=ro"
        db = sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None)
        try:
            (application,) = db.execute("PRAGMA application_id").fetchone()
            version = _format(db)
        finally:
            db.close()
        if application != APPLICATION:
            raise StorageError(f"{self.path} is another kind of SQLite file, not a store of sessions")
        if version > FORMAT:
            raise StorageError(
                f"{self.path} has format {version}, and this version of agentaudio reads formats up to {FORMAT}; "
                "upgrade agentaudio. The file was left as it is"
            )

    def _migrate(self, db: sqlite3.Connection) -> None:
        """Bring a file of an older format to this one, wholly or not at all."""
        if _format(db) >= FORMAT:
            return
        db.execute("BEGIN IMMEDIATE")  # rolled back when the connection is closed by an error
        for version in range(_format(db), FORMAT):
            for statement in MIGRATIONS[version]:
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {version + 1}")
        db.execute("COMMIT")

    @contextmanager
    def _as_storage_errors(self) -> Iterator[None]:
        """Raise StorageError in place of SQLite's errors and of OSErrors."""
        try:
            yield
        except AgentAudioError:
            raise
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
                raise StorageError(f"cannot write the store {self.path}: {error}; free some space") from None
            if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise StorageError(f"the store {self.path} is busy: {error}; try again") from None
            if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
                raise StorageError(
                    f"cannot open the store {self.path}: {error}; it may be mounted read-only: move it to where it "
                    "can be written"
                ) from None
            raise StorageError(
                f"the store {self.path} is damaged: {error}; restore it from a copy. It was left as it is"
            ) from None
        except OSError as error:
            raise StorageError(f"cannot use the store {self.path}: {error.strerror or error}") from None


def _format(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])
