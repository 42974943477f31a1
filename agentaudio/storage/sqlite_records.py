"""`SqliteRecords`: sessions in one SQLite file, with their sound in a folder beside it.

talks.sqlite3          sessions and turns; -wal and -shm beside it are SQLite's own while the store is open
talks.sqlite3.sound/   sound files, named after their content; see `SoundFiles`
talks.sqlite3.holds/   a locked file for each session that a program has open
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

from agentaudio.files import flush
from agentaudio.storage.hold import FileHold
from agentaudio.storage.records import Correction, SessionRow, TurnRow
from agentaudio.storage.sound_files import SoundFiles
from agentaudio.storage.sqlite_file import SqliteFile

_LISTED = """
SELECT id, speaker, begun, changed, (SELECT count(*) FROM turns WHERE session = sessions.row),
    coalesce(last.model, ''), last.voice
FROM sessions LEFT JOIN turns last
    ON last.session = sessions.row AND last.number = (SELECT max(number) FROM turns WHERE session = sessions.row)
"""
_TURNS = """
SELECT number, at, stop, model, voice, error, counts, messages FROM turns
WHERE session = ? ORDER BY number DESC LIMIT ?
"""


class SqliteRecords:
    """Implements Records. path: of the SQLite file"""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        path = Path(path)
        self.place = str(path)
        self._file = SqliteFile(path)
        self._sounds = SoundFiles(path.with_name(f"{path.name}.sound"))
        self._holds = path.with_name(f"{path.name}.holds")
        self._unsettled: list[Path] = []

    def hold(self, id: str) -> FileHold:
        name = hashlib.sha256(id.encode("utf-8", "replace")).hexdigest()[:32]
        return FileHold(self._holds / f"{name}.lock", f"session {id!r} of {self.place}")

    def session(self, id: str) -> SessionRow | None:
        found = self._file.rows(f"{_LISTED} WHERE id = ?", id)
        return SessionRow(*found[0]) if found else None

    def sessions(self) -> list[SessionRow]:
        return [SessionRow(*row) for row in self._file.rows(f"{_LISTED} ORDER BY changed DESC, row DESC")]

    def turns(self, id: str, last: int | None = None) -> list[TurnRow]:
        found = self._file.rows("SELECT row FROM sessions WHERE id = ?", id)
        if not found:
            return []
        session = found[0][0]
        rows = self._file.rows(_TURNS, session, -1 if last is None else last)[::-1]
        first = rows[0][0] if rows else 0
        sounds, voices = (self._named(what, session, first) for what in ("name FROM sounds", "voice FROM voices"))
        return [
            TurnRow(
                number, at, stop, model, messages, tuple(sounds.get(number, ())), voice,
                tuple(voices.get(number, ())), error, *json.loads(counts),
            )
            for number, at, stop, model, voice, error, counts, messages in rows
        ]  # fmt: skip

    def _named(self, what: str, session: int, first: int) -> dict[int, list[str]]:
        """Names of sounds or voices by turn, from turn `first` on."""
        found: dict[int, list[str]] = {}
        sql = f"SELECT number, {what} WHERE session = ? AND number >= ? ORDER BY 1, 2"
        for number, name in self._file.rows(sql, session, first):
            found.setdefault(number, []).append(name)
        return found

    def write(
        self, id: str, speaker: str | None, turns: Sequence[TurnRow | Correction], sounds: Mapping[str, bytes]
    ) -> None:
        with self._file.change() as db:
            # Within the transaction, so that no other process deletes a file that is found here.
            self._unsettled += [path for name, content in sounds.items() if (path := self._sounds.put(name, content))]
            new = [turn for turn in turns if isinstance(turn, TurnRow)]
            if new:
                db.execute(
                    "INSERT OR IGNORE INTO sessions (id, speaker, begun, changed) VALUES (?, ?, ?, ?)",
                    (id, speaker, new[0].at, new[0].at),
                )
            found = db.execute("SELECT row FROM sessions WHERE id = ?", (id,)).fetchone()
            if found is None:
                return  # it was erased
            for turn in turns:
                self._write_turn(db, found[0], turn)
            if new:
                db.execute(
                    "UPDATE sessions SET changed = ?, speaker = coalesce(?, speaker) WHERE row = ?",
                    (new[-1].at, speaker, found[0]),
                )

    def _write_turn(self, db: sqlite3.Connection, session: int, turn: TurnRow | Correction) -> None:
        key = session, turn.number
        if isinstance(turn, TurnRow):
            db.execute("DELETE FROM turns WHERE session = ? AND number = ?", key)
            db.execute(
                "INSERT INTO turns VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*key, turn.at, turn.stop, turn.model, turn.voice, turn.error, turn.counts(), turn.messages),
            )
            db.executemany("INSERT INTO voices VALUES (?, ?, ?)", [(one, *key) for one in turn.voices])
        elif turn.messages is None:
            db.execute("DELETE FROM turns WHERE session = ? AND number = ?", key)
            return
        else:
            sql = "UPDATE turns SET messages = ?, stop = coalesce(?, stop) WHERE session = ? AND number = ?"
            if not db.execute(sql, (turn.messages, turn.stop, *key)).rowcount:
                return  # it was erased
            db.execute("DELETE FROM sounds WHERE session = ? AND number = ?", key)
        db.executemany("INSERT INTO sounds VALUES (?, ?, ?)", [(name, *key) for name in turn.sounds])

    def settle(self) -> None:
        unsettled, self._unsettled = self._unsettled, []
        for path in unsettled:
            flush(path)
        self._file.settle()
        if self._file.rows("SELECT 1 FROM discarded LIMIT 1"):
            self._purge()

    def sound(self, name: str) -> bytes | None:
        return self._sounds.get(name)

    def erase(self, id: str) -> bool:
        return bool(self._erase("DELETE FROM sessions WHERE id = ?", id))

    def erase_speaker(self, speaker: str) -> int:
        return self._erase("DELETE FROM sessions WHERE speaker = ?", speaker)

    def erase_voice(self, voice: str) -> int:
        spoken = "SELECT 1 FROM voices v WHERE v.session = t.session AND v.number = t.number AND v.voice = ?"
        return self._erase(f"DELETE FROM turns AS t WHERE EXISTS ({spoken})", voice)

    def erase_before(self, at: str) -> int:
        return self._erase("DELETE FROM turns WHERE at < ?", at)

    def _erase(self, sql: str, value: str) -> int:
        with self._file.change() as db:
            count = db.execute(sql, (value,)).rowcount
            if count:
                db.execute("DELETE FROM sessions WHERE NOT EXISTS (SELECT 1 FROM turns WHERE session = sessions.row)")
        if count:
            self._purge()
            self._file.wipe()
        return count

    def voices(self) -> list[str]:
        return [voice for (voice,) in self._file.rows("SELECT DISTINCT voice FROM voices ORDER BY voice")]

    def tidy(self) -> None:
        """Delete the sound that a killed process left."""
        if not self._sounds.folder.exists():
            return
        with self._file.change() as db:
            for stray in list(self._sounds.strays({name for (name,) in db.execute("SELECT name FROM sounds")})):
                stray.unlink(missing_ok=True)
        self._purge()

    def _purge(self) -> None:
        """Delete the sound files that no turn names any more."""
        with self._file.change() as db:
            used = "EXISTS (SELECT 1 FROM sounds WHERE sounds.name = discarded.name)"
            for (name,) in db.execute(f"SELECT name FROM discarded WHERE NOT {used}").fetchall():
                self._sounds.discard(name)
            db.execute("DELETE FROM discarded")

    def close(self) -> None:
        self._file.close()
