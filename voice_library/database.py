"""`Database`: the cards, embeddings and log of a library in SQLite."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from agentaudio.errors import AgentAudioError, VoiceError
from agentaudio.files import replacing
from agentaudio.voice_library.writer_lock import WriterLock

FILE = "library.sqlite3"
FORMAT = 2
APPLICATION = 0x61675643  # "agVC": told from other SQLite files by this

# Rows are never used twice, so an index may keep them as its ids. Names are stored case-folded,
# languages in lower case; `until` is the last day of the consent, `ended` whether what it covered
# is purged; `origin` the hash of the file that a clip was cut from; `discarded` lists clips that no
# voice has any more, until their files are gone. Cards are a table of their own, since conditions
# are checked on all voices, and cards are read of few.
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
    """One file, read by many processes while one of them writes; several threads may share an instance.

    folder: of the library; wait_s: how long to wait for another writer

    Raises VoiceError when there is no library, it cannot be read, or a newer version wrote it.
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
        """An empty database. Raises VoiceError when there is one, or the folder cannot be written."""
        with _told(folder):
            folder.mkdir(parents=True, exist_ok=True)
        with WriterLock(folder, 1.0), _told(folder):
            if (folder / FILE).exists():
                raise VoiceError(f"{folder} is a voice library already; open it with VoiceLibrary({str(folder)!r})")
            # Made whole under another name, so that no reader opens a library without tables.
            with replacing(folder / FILE, error=VoiceError, durable=True) as temporary:
                db = sqlite3.connect(temporary)
                try:
                    db.executescript(SCHEMA)
                finally:
                    db.close()

    def rows(self, sql: str, *values: Any) -> list[Row]:
        """What a query finds, as of one instant."""
        with self._reading, _told(self._folder):
            return self._for_reading().execute(sql, values).fetchall()

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """A transaction: all of it is kept when the block ends, or nothing when it raises."""
        with self._writing, WriterLock(self._folder, self._wait_s), _told(self._folder):
            db = self._for_writing()
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("UPDATE about SET value = value + 1 WHERE key = 'generation'")
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    @contextmanager
    def alone(self) -> Iterator[None]:
        """No process changes the library while the block runs."""
        with self._writing, WriterLock(self._folder, self._wait_s):
            yield

    def wipe(self) -> None:
        """Leave no copy of what was deleted in the write-ahead log.

        Raises VoiceError when readers keep it from being emptied; what was deleted stays deleted.
        """
        with self._writing, _told(self._folder):
            busy, _, _ = self._for_writing().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise VoiceError(
                f"it is deleted, but a reader keeps traces of it in {self.path}-wal; run "
                "`agentaudio voices check --repair` when that reader is done"
            )

    def close(self) -> None:
        """Let go of the file; it opens again by itself when it is needed."""
        with self._reading, self._writing:
            for connection in (self._reader, self._writer):
                if connection is not None and self._process == os.getpid():
                    connection.close()
            self._reader = self._writer = None

    def __del__(self) -> None:
        with suppress(AttributeError):  # never opened
            self.close()

    def _for_reading(self) -> sqlite3.Connection:
        if self._process != os.getpid():
            # SQLite must not be used across a fork: the parent's connections are left alone.
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
                f"{self._folder} is a voice library of format 1, which is not read any more; make it again"
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
            # On a read-only medium SQLite cannot make the files that it shares between processes.
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
                raise VoiceError(f"{self.path} is not a voice library, but another kind of SQLite file")
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


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """SQLite's errors, and those of the disk, as ours."""
    try:
        yield
    except AgentAudioError:  # some of ours are OSErrors too
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
    except OSError as error:
        raise VoiceError(f"cannot use the voice library {folder}: {error.strerror or error}") from None
