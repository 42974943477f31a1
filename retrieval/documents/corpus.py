"""`Corpus`: passages, their vectors and the files they came from, in SQLite."""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentaudio.conversation import Passage
from agentaudio.errors import RetrievalError
from agentaudio.retrieval.text.search_form import search_form
from agentaudio.retrieval.vectors.id_set import Ids, IdSet

FORMAT = 1
APPLICATION = 0x61674443  # "agDC": marks the SQLite files of a corpus
WAIT_S = 30.0

# Ids are never reused and a passage never changes, so comparing ids is enough to update an index.
# Vectors are stored by text, not by passage: text that only moved to another passage is not embedded again.
SCHEMA = f"""
BEGIN IMMEDIATE;
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {FORMAT};
CREATE TABLE IF NOT EXISTS files (name TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, sha256 TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS passages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, file TEXT NOT NULL REFERENCES files ON DELETE CASCADE,
    text TEXT NOT NULL, title TEXT NOT NULL, source TEXT NOT NULL, position INTEGER NOT NULL, digest BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS passages_by_file ON passages (file);
CREATE INDEX IF NOT EXISTS passages_by_digest ON passages (digest);
CREATE TABLE IF NOT EXISTS vectors (digest BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;
COMMIT;
"""


@dataclass(frozen=True, slots=True)
class FileState:
    """A file when it was read: size in bytes, nanoseconds since 1970, hex SHA-256 of its content."""

    name: str
    size: int
    mtime_ns: int
    sha256: str


def embedded_text(passage: Passage) -> str:
    """The text of a passage that is embedded and reranked: its title and its text, as `search_form`."""
    return search_form(f"{passage.title}. {passage.text}")


class Corpus:
    """Passages in SQLite. Every change is atomic; threads may share a corpus, and processes its file.

    path: an SQLite file, created when it is missing; None keeps the corpus in memory

    Raises RetrievalError when the file cannot be used.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = None if path is None else Path(path)
        self._lock = threading.RLock()
        self._name = ":memory:" if self.path is None else str(self.path)
        with self._database_errors():
            if self.path is not None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self._name, timeout=WAIT_S, check_same_thread=False, isolation_level=None)
            weakref.finalize(self, self._db.close)
            self._open()

    def _open(self) -> None:
        db = self._db
        db.execute("BEGIN")  # one state of the file: another process may be creating the tables
        kind = db.execute("PRAGMA application_id").fetchone()[0], db.execute("PRAGMA user_version").fetchone()[0]
        tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        db.execute("COMMIT")
        if kind == (0, 0) and not tables:
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(SCHEMA)
        elif kind != (APPLICATION, FORMAT):
            raise RetrievalError(f"{self._name} is not a corpus of this version; name another file or delete it")
        db.execute("PRAGMA foreign_keys = ON")

    def files(self) -> dict[str, FileState]:
        """The files that were read, by name."""
        rows = self._rows("SELECT name, size, mtime_ns, sha256 FROM files", of=(str, int, int, str))
        return {row[0]: FileState(*row) for row in rows}

    def notes(self) -> dict[str, str]:
        """What could not be read of files in the corpus, by their names."""
        rows = self._rows("SELECT key, value FROM about WHERE key LIKE 'unread:%'", of=(str, str))
        return {key.removeprefix("unread:"): note for key, note in rows}

    def put(self, file: FileState, passages: Iterable[Passage], *, note: str = "") -> None:
        """Replace the passages of a file, unless the corpus already holds this content in full.

        note: what could not be read of it
        """
        rows = [(file.name, p.text, p.title, p.source, p.position, _digest(p)) for p in map(_storable, passages)]
        with self._change() as db:
            known = db.execute("SELECT sha256 FROM files WHERE name = ?", (file.name,)).fetchone()
            noted = db.execute("DELETE FROM about WHERE key = ?", (f"unread:{file.name}",)).rowcount
            if note:
                db.execute("INSERT INTO about VALUES (?, ?)", (f"unread:{file.name}", note))
            if known is not None and known[0] == file.sha256 and not noted:
                return
            db.execute("DELETE FROM files WHERE name = ?", (file.name,))
            db.execute("INSERT INTO files VALUES (?, ?, ?, ?)", (file.name, file.size, file.mtime_ns, file.sha256))
            db.executemany(
                "INSERT INTO passages (file, text, title, source, position, digest) VALUES (?, ?, ?, ?, ?, ?)", rows
            )

    def touch(self, file: FileState) -> None:
        """Update the size and date of a file whose content is unchanged."""
        with self._change() as db:
            db.execute("UPDATE files SET size = ?, mtime_ns = ? WHERE name = ?", (file.size, file.mtime_ns, file.name))

    def drop(self, names: Iterable[str]) -> None:
        """Remove files, and the vectors of texts that no passage holds any more."""
        with self._change() as db:
            for name in names:
                db.execute("DELETE FROM files WHERE name = ?", (name,))
                db.execute("DELETE FROM about WHERE key = ?", (f"unread:{name}",))
            db.execute("DELETE FROM vectors WHERE digest NOT IN (SELECT digest FROM passages)")

    def changed_elsewhere(self) -> int:
        """A number that changes when another process, or another Corpus of the same file, writes."""
        return int(self._rows("PRAGMA data_version")[0][0])

    def passages(self) -> dict[int, Passage]:
        """All passages by id, in the order of their files."""
        kinds = (int, str, str, str, int)
        rows = self._rows("SELECT id, text, title, source, position FROM passages ORDER BY file, id", of=kinds)
        return {row[0]: Passage(*row[1:]) for row in rows}

    def ids(self) -> IdSet:
        """Ids of all passages."""
        return IdSet(row[0] for row in self._rows("SELECT id FROM passages", of=(int,)))

    def without_vector(self) -> list[Passage]:
        """One passage for each text that is not embedded yet."""
        rows = self._rows(
            "SELECT text, title, source, position FROM passages"
            " WHERE digest NOT IN (SELECT digest FROM vectors) GROUP BY digest",
            of=(str, str, str, int),
        )
        return [Passage(*row) for row in rows]

    def put_vectors(self, passages: Sequence[Passage], vectors: NDArray[np.float32]) -> None:
        """Store (n, dim) float32 embeddings of the passages' `embedded_text`."""
        rows = [(_digest(p), np.float32(v).tobytes()) for p, v in zip(passages, vectors, strict=True)]
        with self._change() as db:
            db.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)

    def vectors(self, ids: Ids | None = None) -> Iterator[tuple[Ids, NDArray[np.float32]]]:
        """Batches of ids, (n,) int64, and their vectors, (n, dim) float32. ids: only these; None takes all."""
        known = (self.ids().ids() if ids is None else ids).tolist()
        for start in range(0, len(known), 500):  # SQLite limits the number of values in a statement
            some = known[start : start + 500]
            rows = self._rows(
                "SELECT passages.id, vector FROM passages JOIN vectors USING (digest)"
                f" WHERE passages.id IN ({','.join('?' * len(some))})", *some,
                of=(int, bytes),
            )  # fmt: skip
            if rows:
                sizes = {len(row[1]) for row in rows}
                if len(sizes) > 1 or sizes.pop() % 4:
                    raise self._damaged()
                found = np.array([row[0] for row in rows], np.int64)
                yield found, np.stack([np.frombuffer(row[1], np.float32) for row in rows])

    def embedded_by(self, probe: NDArray[np.float32]) -> str:
        """A name for the embedder, made of how it embeds a fixed text.

        When the stored vectors come from another embedder, they are deleted.

        probe: (dim,) the current embedder's vector of the fixed text
        """
        kept = self._rows("SELECT value FROM about WHERE key = 'probe'", of=(bytes,))
        if kept and len(kept[0][0]) % 4:
            raise self._damaged()
        before = np.frombuffer(kept[0][0], np.float32) if kept else np.zeros(0, np.float32)
        if before.shape != probe.shape or float(before @ probe) < 0.999:
            before = np.asarray(probe, np.float32)
            with self._change() as db:
                db.execute("DELETE FROM vectors")
                db.execute("INSERT OR REPLACE INTO about VALUES ('probe', ?)", (before.tobytes(),))
        return sha256(before.tobytes()).hexdigest()[:16]

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._database_errors():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def _rows(self, sql: str, *values: Any, of: tuple[type, ...] = ()) -> list[tuple[Any, ...]]:
        """The rows that a query finds. of: the types of their columns, which a damaged file may not have"""
        with self._lock, self._database_errors():
            rows = self._db.execute(sql, values).fetchall()
        if of and not all(all(map(isinstance, row, of)) for row in rows):
            raise self._damaged()
        return rows

    def _damaged(self) -> RetrievalError:
        return RetrievalError(f"corpus {self._name} is damaged; delete it, and it is made again from the documents")

    @contextmanager
    def _database_errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, ValueError) as error:  # ValueError: a message of SQLite that is not UTF-8
            raise RetrievalError(f"corpus {self._name} cannot be used: {error}; name another file") from None


def _digest(passage: Passage) -> bytes:
    return sha256(embedded_text(passage).encode("utf-8", "surrogatepass")).digest()


def _storable(passage: Passage) -> Passage:
    """The passage with unpaired surrogates, which SQLite cannot store, replaced by question marks."""
    text, title, source = (
        part.encode("utf-8", "replace").decode() for part in (passage.text, passage.title, passage.source)
    )
    return replace(passage, text=text, title=title, source=source)
