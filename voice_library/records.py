"""`Records`: the changes that a transaction makes to a library's database."""

from __future__ import annotations

import sqlite3
from datetime import UTC, date, datetime

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import VoiceError
from agentaudio.sound.speaker_encoder import SpeakerEncoder
from agentaudio.text.terms import folded
from agentaudio.voice_library.voice import Policy, VoiceCard


class Records:
    """Changes within the transaction of `Database.change`.

    db: the connection that `Database.change` gives
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def settle_encoder(self, encoder: SpeakerEncoder | None) -> None:
        """Check that new voices get embeddings of the library's encoder; an empty library adopts `encoder`.

        Raises VoiceError for another encoder, or for none where the library has one.
        """
        known, dim = (self._about(key) for key in ("encoder", "dim"))
        if encoder is None:
            if known is not None:
                raise VoiceError(f"this library's voices are embedded by {known!r}; open it with that encoder")
            return
        if known is None:
            if self._db.execute("SELECT 1 FROM voices WHERE revoked IS NULL LIMIT 1").fetchone():
                raise VoiceError(
                    f"this library's voices are not embedded; run `voices reindex` to embed them with {encoder.name!r}"
                )
            self.set_encoder(encoder)
        elif (known, int(dim or 0)) != (encoder.name, encoder.dim):
            raise VoiceError(
                f"this library is embedded by {known!r}, not {encoder.name!r}; open it with that encoder, "
                "or migrate it with `voices reindex --encoder`"
            )

    def set_encoder(self, encoder: SpeakerEncoder) -> None:
        """Make this the library's encoder, and delete the embeddings of others."""
        self._set_about("encoder", encoder.name)
        self._set_about("dim", str(encoder.dim))
        self._db.execute("DELETE FROM embeddings WHERE encoder != ?", (encoder.name,))

    def clash(self, card: VoiceCard) -> str | None:
        """Why a card cannot be added; None when it can."""
        taken = self._db.execute("SELECT revoked FROM voices WHERE id = ?", (card.id,)).fetchone()
        if taken is not None:
            return (
                f"there is a voice {card.id!r} already; remove it or choose another id"
                if taken[0] is None
                else f"voice {card.id!r} was revoked on {taken[0][:10]}; choose another id"
            )
        revoked = self._db.execute(
            "SELECT id, revoked FROM voices WHERE sha256 = ? AND revoked IS NOT NULL", (card.sha256,)
        ).fetchone()
        if revoked is not None:
            return f"the recording of {card.id!r} is that of {revoked[0]!r}, which was revoked on {revoked[1][:10]}"
        return None

    def insert(self, card: VoiceCard, vector: NDArray[np.float32] | None, origin: str | None) -> None:
        row = self._db.execute(
            f"INSERT INTO voices ({', '.join(SELECTED)}, id, sha256, origin, duration_s) "
            f"VALUES ({', '.join('?' * (len(SELECTED) + 4))})",
            (*_selected(card), card.id, card.sha256, origin, card.duration_s),
        ).lastrowid
        assert row is not None
        self._db.execute("INSERT INTO cards VALUES (?, ?)", (row, _json(card)))
        self._label(row, card)
        if vector is not None:
            self.embed(row, str(self._about("encoder")), vector)
        self._note(row, "added")

    def edit(self, card: VoiceCard) -> None:
        """Replace the card of a voice. It moves to a new row, so that search indexes read it again."""
        old = self._row(card.id)
        row = int(self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'voices'").fetchone()[0]) + 1
        self._db.execute("PRAGMA defer_foreign_keys = ON")  # until the transaction ends, when all rows fit again
        self._db.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'voices'", (row,))
        columns = ", ".join(f"{name} = ?" for name in SELECTED)
        self._db.execute(f"UPDATE voices SET row = ?, ended = 0, {columns} WHERE row = ?", (row, *_selected(card), old))
        self._db.execute("DELETE FROM labels WHERE voice = ?", (old,))
        for table in ("cards", "embeddings", "log"):
            self._db.execute(f"UPDATE {table} SET voice = ? WHERE voice = ?", (row, old))
        self._db.execute("UPDATE cards SET card = ? WHERE voice = ?", (_json(card), row))
        self._label(row, card)
        self._note(row, "edited")

    def _label(self, row: int, card: VoiceCard) -> None:
        labels = {("tag", folded(tag)) for tag in card.tags}
        labels |= {("purpose", purpose) for purpose in (card.consent.scope if card.consent is not None else ())}
        self._db.executemany("INSERT INTO labels VALUES (?, ?, ?)", [(*label, row) for label in sorted(labels)])

    def embed(self, row: int, encoder: str, vector: NDArray[np.float32]) -> None:
        """Store a voice's embedding, normalised to unit length. Raises VoiceError for a length of 0 or NaN.

        vector: (dim,) float32
        """
        length = float(np.linalg.norm(vector))
        if not np.isfinite(length) or length == 0.0:
            raise VoiceError(f"encoder {encoder!r} gave an embedding of length {length}; check the clip")
        unit = np.asarray(vector / length, np.float32)
        self._db.execute(
            "INSERT OR REPLACE INTO embeddings SELECT row, ?, ? FROM voices WHERE row = ? AND revoked IS NULL",
            (encoder, unit.tobytes(), row),
        )

    def revoke(self, card: VoiceCard) -> None:
        """Replace the voice by its revoked card; its embeddings and labels are deleted."""
        assert card.revoked is not None
        row = self._row(card.id)
        self._db.execute(
            "UPDATE voices SET revoked = ?, gender = ? WHERE row = ?", (card.revoked.isoformat(), card.gender, row)
        )
        self._db.execute("UPDATE cards SET card = ? WHERE voice = ?", (_json(card), row))
        for table in ("embeddings", "labels"):
            self._db.execute(f"DELETE FROM {table} WHERE voice = ?", (row,))
        self._discard(card.sha256)
        self._note(row, "revoked")

    def remove(self, card: VoiceCard) -> None:
        self._db.execute("DELETE FROM voices WHERE id = ?", (card.id,))
        self._discard(card.sha256)

    def set_policy(self, policy: Policy) -> None:
        self._set_about("policy", policy.model_dump_json())
        self._note(None, f"policy {policy.model_dump_json()}")

    def end_consents(self, today: date) -> list[str]:
        """Delete the embeddings of voices whose consent ended before `today`; returns the hashes of their clips."""
        ended = self._db.execute(
            "SELECT row, sha256 FROM voices WHERE until < ? AND NOT ended AND revoked IS NULL", (today.isoformat(),)
        ).fetchall()
        for row, _ in ended:
            self._db.execute("DELETE FROM embeddings WHERE voice = ?", (row,))
            self._db.execute("UPDATE voices SET ended = 1 WHERE row = ?", (row,))
            self._note(row, "consent ended")
        return [sha256 for _, sha256 in ended]

    def take_discarded(self) -> list[tuple[str, bool]]:
        """Hashes of the clips of deleted voices, each with whether another voice still uses it; clears the list."""
        kept = "EXISTS (SELECT 1 FROM voices WHERE voices.sha256 = discarded.sha256 AND revoked IS NULL)"
        gone = self._db.execute(f"SELECT sha256, {kept} FROM discarded").fetchall()
        self._db.execute("DELETE FROM discarded")
        return [(sha256, bool(kept)) for sha256, kept in gone]

    def _discard(self, sha256: str) -> None:
        self._db.execute("INSERT OR IGNORE INTO discarded VALUES (?)", (sha256,))

    def _row(self, id: str) -> int:
        return int(self._db.execute("SELECT row FROM voices WHERE id = ?", (id,)).fetchone()[0])

    def _note(self, row: int | None, event: str) -> None:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        self._db.execute("INSERT INTO log VALUES (?, ?, ?)", (at, row, event))

    def _about(self, key: str) -> str | None:
        value = self._db.execute("SELECT value FROM about WHERE key = ?", (key,)).fetchone()[0]
        return None if value is None else str(value)

    def _set_about(self, key: str, value: str) -> None:
        self._db.execute("UPDATE about SET value = ? WHERE key = ?", (value, key))


def _json(card: VoiceCard) -> str:
    return card.model_dump_json(exclude_defaults=True)


SELECTED = ("name", "language", "gender", "age", "accent", "licensed", "consented", "until")
"""Columns of `voices` that are derived from a card and searched."""


def _selected(card: VoiceCard) -> tuple[object, ...]:
    consent = card.consent
    return (
        folded(card.name), card.language.lower(), card.gender, card.age,
        None if card.accent is None else folded(card.accent), bool(card.licence), consent is not None,
        None if consent is None or consent.until is None else consent.until.isoformat(),
    )  # fmt: skip
