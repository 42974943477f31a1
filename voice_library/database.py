"""`Database`: the cards, embeddings and log of a library, in SQLite."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from agentaudio.errors import AgentAudioError, VoiceError
from agentaudio.files import TEMPORARY_SUFFIX, replacing
from agentaudio.voice_library.writer_lock import FILE as LOCK
from agentaudio.voice_library.writer_lock import WriterLock

FILE = "library.sqlite3"
FORMAT = 2
APPLICATION = 0x61675643
"""SQLite's application_id ("agVC"), which distinguishes a library from other SQLite files."""

# Row numbers are never reused, so a search index may use them as its ids. Names are stored
# folded, languages in lower case. `until` is the last day of the consent, `ended` says whether
# the data it covered is purged, `origin` is the hash of the file that a clip was cut from.
# `discarded` lists clips of deleted voices until their files are deleted. Cards have a table of
# their own: a selection scans all rows of `voices`, but few cards are read.
SCHEMA = f"""
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {FORMAT};
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE voices (
    row INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, language TEXT NOT NULL, gender TEXT, age TEXT, accent TEXT,
    licensed INTEGER NOT NULL, consented INTEGER NOT NULL, until TEXT, ended INTEGER NOT NULL DEFAULT 0, revoked TEXT,
    sha256 TEXT NOT NULL, origin TEXT, duration_s REAL NOT NULL
);
CREATE TABLE cards (voice INTEGER PRIMARY KEY REFERENCES voices ON DELETE CASCADE, card TEXT NOT NULL);
CREATE VIEW carded AS SELECT voices.*, card FROM voices JOIN cards ON cards.voice = voices.row;
CREATE INDEX voices_in_use ON voices (row) WHERE revoked IS NULL;
CREATE INDEX voices_by_name ON voices (name);
CREATE INDEX voices_by_clip ON voices (sha256, revoked);
CREATE INDEX voices_by_origin ON voices (origin) WHERE origin IS NOT NULL;
CREATE INDEX voices_by_end ON voices (until) WHERE until IS NOT NULL;
CREATE TABLE labels (
    kind TEXT NOT NULL, value TEXT NOT NULL, voice INTEGER NOT NULL REFERENCES voices ON DELETE CASCADE,
    PRIMARY KEY (kind, value, voice)
) WITHOUT ROWID;
CREATE INDEX labels_by_voice ON labels (voice);
CREATE TABLE embeddings (
    voice INTEGER NOT NULL REFERENCES voices ON DELETE CASCADE, encoder TEXT NOT NULL, vector BLOB NOT NULL,
    UNIQUE (voice, encoder)
);
CREATE TABLE log (at TEXT NOT NULL, voice INTEGER REFERENCES voices ON DELETE CASCADE, event TEXT NOT NULL);
CREATE INDEX log_by_voice ON log (voice);
CREATE TABLE discarded (sha256 TEXT PRIMARY KEY) WITHOUT ROWID;
INSERT INTO about VALUES ('generation', '0'), ('encoder', NULL), ('dim', NULL), ('policy', '{{}}');
"""

Row = tuple[Any, ...]


class Database:
    """One SQLite file, read by many processes while one of them writes. Thread-safe.

    folder: of the library
    wait_s: how long to wait for another writer, in seconds

    Raises VoiceError when there is no library, it cannot be read, or it has another format.
    """

    def __init__(self, folder: Path, wait_s: float) -> None:
        self.path = folder / FILE
        self._folder = folder
        self._wait_s = wait_s
        self._reading, self._writing = threading.RLock(), threading.RLock()
        self._reader: sqlite3.Connection | None = None
        self._writer: sqlite3.Connection | None = None
        self._process = os.getpid()
        self._frozen: tuple[int, ...] | None = None
        self.rows("SELECT 1 FROM about")

    @classmethod
    def create(cls, folder: Path) -> None:
        """Make an empty database. Raises VoiceError when there is one, or the folder cannot be written."""
        if not cls._made(folder):
            raise VoiceError(f"{folder} is a voice library already; open it with VoiceLibrary({str(folder)!r})")

    @classmethod
    def create_if_new(cls, folder: Path) -> None:
        """Make an empty database in a folder that is missing, empty, or left by an interrupted creation.

        Nothing is made where a database or other files are. Raises VoiceError when the folder cannot be written.
        """
        with _as_voice_errors(folder):
            if (folder / FILE).exists() or (folder.exists() and not _is_unborn(folder)):
                return  # opening says what is wrong with a folder of other files
        cls._made(folder)

    @staticmethod
    def _made(folder: Path) -> bool:
        """Make an empty database; False when there is one."""
        with _as_voice_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        with WriterLock(folder, 1.0), _as_voice_errors(folder):
            if (folder / FILE).exists():
                return False
            for left in left_by_a_kill(folder):
                left.unlink(missing_ok=True)
            # Made whole under another name, so that no reader opens a library without tables, and flushed once.
            with replacing(folder / FILE, error=VoiceError, durable=True) as temporary:
                db = sqlite3.connect(temporary)
                try:
                    db.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN; {SCHEMA} COMMIT;")
                finally:
                    db.close()
        return True

    def rows(self, sql: str, *values: Any) -> list[Row]:
        """The rows that a query finds, as a consistent snapshot."""
        with self._reading, _as_voice_errors(self._folder):
            return self._for_reading().execute(sql, values).fetchall()

    def damaged(self, what: str) -> VoiceError:
        """The error for rows that no version of this package writes. what: which ones"""
        return VoiceError(f"the voice library {self._folder} is damaged: {what}; restore it from a copy")

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """A transaction: committed when the block ends, rolled back when it raises."""
        with self._writing, WriterLock(self._folder, self._wait_s), _as_voice_errors(self._folder):
            db = self._for_writing()
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("UPDATE about SET value = value + 1 WHERE key = 'generation'")
                db.execute("COMMIT")
                self._move_log(db)
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the writer lock: no other process changes the library while the block runs."""
        with self._writing, WriterLock(self._folder, self._wait_s):
            yield

    @staticmethod
    def _move_log(db: sqlite3.Connection) -> None:
        """Move the write-ahead log into the database file, so that a copy of the folder without the log is whole.

        It is committed already: frames that a reader still needs are moved after a later change.
        """
        with suppress(sqlite3.Error):
            db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def wipe(self) -> None:
        """Empty the write-ahead log, which may still hold copies of deleted data.

        Raises VoiceError when a reader prevents it; the deletion itself is not undone.
        """
        with self._writing, _as_voice_errors(self._folder):
            busy, _, _ = self._for_writing().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise VoiceError(
                f"the data is deleted, but an open reader keeps a copy in {self.path}-wal; run "
                "`agentaudio voices check --repair` once that reader has finished"
            )

    def close(self) -> None:
        """Close the connections; the next call opens them again."""
        with self._reading, self._writing:
            for connection in (self._reader, self._writer):
                if connection is not None and self._process == os.getpid():
                    connection.close()
            self._reader = self._writer = None

    def __del__(self) -> None:
        with suppress(AttributeError):  # __init__ raised early
            self.close()

    def _for_reading(self) -> sqlite3.Connection:
        if self._process != os.getpid():
            # SQLite connections must not be used or closed in a forked child.
            self._reader = self._writer = None
            self._process = os.getpid()
        if self._reader is not None and self._frozen is not None and self._frozen != self._stamp():
            self._reader.close()
            self._reader = None
        if self._reader is None:
            self._reader = self._open_reader()
        return self._reader

    def _open_reader(self) -> sqlite3.Connection:
        if not self.path.is_file():
            older = (self._folder / "voices.json").exists()
            raise VoiceError(
                f"{self._folder} is a voice library of format 1, which is not supported any more; make it again"
                if older
                else f"{self._folder} is not a voice library: it has no {FILE}"
            )
        writable = os.access(self._folder, os.W_OK) and os.access(self.path, os.W_OK)
        self._frozen = None
        try:
            reader = self._connect("rw" if writable else "ro")
        except sqlite3.OperationalError:
            log = self.path.with_name(f"{FILE}-wal")
            if writable or (log.exists() and log.stat().st_size):
                raise
            # On a read-only medium SQLite cannot create its shared-memory file.
            self._frozen = self._stamp()
            reader = self._connect("ro&immutable=1")
        reader.execute("PRAGMA query_only = ON")
        return reader

    def _for_writing(self) -> sqlite3.Connection:
        if self._process != os.getpid():
            self._reader = self._writer = None
            self._process = os.getpid()
        if self._writer is None:
            self._writer = self._connect("rw")
            self._writer.execute("PRAGMA journal_mode = WAL")
            self._writer.execute("PRAGMA synchronous = FULL")
            self._writer.execute("PRAGMA foreign_keys = ON")
            self._writer.execute("PRAGMA secure_delete = ON")
        return self._writer

    def _connect(self, mode: str) -> sqlite3.Connection:
        uri = f"{self.path.resolve().as_uri()}?mode={mode}"
        db = sqlite3.connect(uri, uri=True, timeout=self._wait_s, isolation_level=None, check_same_thread=False)
        try:
            (application,) = db.execute("PRAGMA application_id").fetchone()
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if application != APPLICATION:
                raise VoiceError(f"{self.path} is another kind of SQLite file, not a voice library")
            if version != FORMAT:
                raise VoiceError(
                    f"{self.path} has format {version}, this version of agentaudio reads format {FORMAT}; "
                    "upgrade agentaudio"
                )
        except BaseException:
            db.close()
            raise
        return db

    def _stamp(self) -> tuple[int, ...]:
        state = self.path.stat()
        return state.st_ino, state.st_mtime_ns, state.st_size, self.path.with_name(f"{FILE}-wal").exists()


def left_by_a_kill(folder: Path) -> list[Path]:
    """Files that processes left when they were killed while they made a library."""
    return list(folder.glob(f".*{TEMPORARY_SUFFIX}"))


def _is_unborn(folder: Path) -> bool:
    """Whether a folder is empty, or holds only what an interrupted creation of a library leaves there."""
    return {path.name for path in folder.iterdir()} <= {LOCK, *(path.name for path in left_by_a_kill(folder))}


@contextmanager
def _as_voice_errors(folder: Path) -> Iterator[None]:
    """Raise VoiceError in place of SQLite's errors and of OSErrors."""
    try:
        yield
    except AgentAudioError:  # ConsentError is an OSError too
        raise
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
            raise VoiceError(
                f"cannot write the voice library {folder}: {error}; free some space; nothing was lost"
            ) from None
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise VoiceError(f"the voice library {folder} is busy: {error}; try again") from None
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
            raise VoiceError(
                f"cannot open the voice library {folder}: {error}; it may be mounted read-only, or have been "
                "copied while it was written: copy it to where it can be written, and open it there"
            ) from None
        raise VoiceError(f"the voice library {folder} is damaged: {error}; restore it from a copy") from None
    except UnicodeDecodeError:  # in a message of SQLite
        raise VoiceError(f"the voice library {folder} is damaged; restore it from a copy") from None
    except OSError as error:
        raise VoiceError(f"cannot use the voice library {folder}: {error.strerror or error}") from None
