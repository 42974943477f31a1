"""`Catalogue`: reading a library of voices."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import VoiceError, VoiceNotFound, did_you_mean
from agentaudio.text.terms import folded
from agentaudio.voice_library.clip_files import ClipFiles
from agentaudio.voice_library.consents import Consents
from agentaudio.voice_library.database import Database
from agentaudio.voice_library.prompts import Prompts
from agentaudio.voice_library.selection import OneOf, Selection
from agentaudio.voice_library.voice import Policy, Voice, VoiceCard

PAGE = 500
"""Cards read in one query."""

SMALL_LIBRARY = 1000
"""Voices up to which a mistyped id is compared with all ids."""

Rows = NDArray[np.int64]
Embeddings = NDArray[np.float32]


class Catalogue:
    """The voices in a folder, as they are on the disk at each call; `VoiceLibrary` adds the changes.

    folder: of the library
    wait_s: how long to wait while another process changes it, in seconds
    keep_prompts: whether models may keep what they make of a clip in the folder

    Raises VoiceError when the folder is not a library, or cannot be read.
    """

    def __init__(self, folder: str | os.PathLike[str], *, wait_s: float = 10.0, keep_prompts: bool = True) -> None:
        self.folder = Path(folder)
        self.keep_prompts = keep_prompts
        self.clip_files = ClipFiles(self.folder)
        self.prompts = Prompts(self.folder)
        self.consents = Consents(self.folder)
        self.database = Database(self.folder, wait_s)
        self._private: tuple[int, dict[str, str]] = -1, {}

    def __len__(self) -> int:
        """The number of voices that are not revoked."""
        return int(self.database.rows("SELECT count(*) FROM voices WHERE revoked IS NULL")[0][0])

    def __iter__(self) -> Iterator[Voice]:
        """Every voice that is not revoked, oldest first; read in pages, each a consistent snapshot."""
        last = 0
        while page := self.database.rows(
            "SELECT row, card FROM carded WHERE row > ? AND revoked IS NULL ORDER BY row LIMIT ?", last, PAGE
        ):
            yield from (self._voice(card) for _, card in page)
            last = page[-1][0]

    def get(self, wanted: str, *, hidden: Collection[str] = ()) -> Voice:
        """The voice with this id, or else with this name, in any case and with or without accents.

        hidden: ids of voices that are treated as unknown

        Raises VoiceNotFound for a voice that is unknown (naming the nearest id), revoked, or one of
        several with the name.
        """
        found = self.database.rows("SELECT card FROM carded WHERE id = ?", wanted) or self.database.rows(
            "SELECT card FROM carded WHERE name = ? AND revoked IS NULL", folded(wanted.strip())
        )
        voices = [voice for (card,) in found if (voice := self._voice(card)).id not in hidden]
        if not voices:
            known = [id for id in self._ids_like(wanted) if id not in hidden]
            raise VoiceNotFound(f"no voice {wanted!r}; {did_you_mean(wanted, known)}")
        if len(voices) > 1:
            some = ", ".join(voice.id for voice in voices[:12])
            raise VoiceNotFound(f"{len(voices)} voices are named {wanted!r}; use an id: {some}")
        if voices[0].card.revoked is not None:
            raise VoiceNotFound(f"voice {wanted!r} was revoked on {voices[0].card.revoked:%Y-%m-%d}; choose another")
        return voices[0]

    def private(self) -> Mapping[str, str]:
        """The owners of the private voices, by id."""
        generation, owners = self._private
        if generation != (now := self.generation):
            # The pattern finds the cards without reading each as JSON; a quotation mark in a text is escaped there.
            sql = (
                "SELECT voices.id, json_extract(card, '$.owner') FROM cards JOIN voices ON voices.row = cards.voice "
                """WHERE revoked IS NULL AND card LIKE '%"owner":%'"""
            )
            owners = {id: owner for id, owner in self.database.rows(sql) if owner is not None}
            self._private = now, owners
        return owners

    def has(self, id: str) -> bool:
        """Whether an id is in use, by a revoked voice too."""
        return bool(self.database.rows("SELECT 1 FROM voices WHERE id = ?", id))

    def card(self, id: str) -> VoiceCard:
        """The card with this id, of a revoked voice too. Raises VoiceNotFound."""
        found = self.database.rows("SELECT card FROM carded WHERE id = ?", id)
        if not found:
            raise VoiceNotFound(f"no voice {id!r}; {did_you_mean(id, self._ids_like(id))}")
        return self._voice(found[0][0]).card

    def find(self, wanted: str) -> VoiceCard:
        """The card with this id, or else of the one voice with this name, revoked or not. Raises VoiceNotFound."""
        if self.has(wanted):
            return self.card(wanted)
        named = self.database.rows("SELECT id FROM carded WHERE name = ?", folded(wanted.strip()))
        return self.card(named[0][0] if len(named) == 1 else self.get(wanted).id)

    def select(
        self,
        *,
        gender: OneOf = None,
        age: OneOf = None,
        accent: OneOf = None,
        language: OneOf = None,
        tags: Iterable[str] = (),
        purpose: str | None = None,
        embedded: bool | None = None,
    ) -> Rows:
        """Rows of the voices that meet every condition, ascending: (n,) int64.

        A row identifies a voice for the lifetime of the library; it is never reused.

        gender, age, accent: a value, or several of which one must match
        language: BCP-47, one or several; `en` includes `en-GB`
        tags: all of them must be present
        purpose: only voices that may be used for it today, by their cards and the library's policy
        embedded: only voices with an embedding of the library's encoder (True), or without one (False)
        """
        selection = Selection()
        for column, wanted in (("gender", gender), ("age", age), ("accent", accent)):
            selection.one_of(column, wanted)
        selection.language(language)
        selection.tags(tags)
        if purpose is not None:
            selection.purpose(purpose, self.policy)
        if embedded is not None:
            selection.embedded(embedded, self.encoder_name)
        return np.array([row for (row,) in self.database.rows(*selection.query())], np.int64)

    def at(self, rows: Iterable[int]) -> list[Voice]:
        """The voices in these rows, in this order; rows of voices that are gone are left out."""
        wanted = [int(row) for row in rows]
        found: dict[int, str] = {}
        for start in range(0, len(wanted), PAGE):
            part = wanted[start : start + PAGE]
            sql = f"SELECT row, card FROM carded WHERE revoked IS NULL AND row IN ({','.join('?' * len(part))})"
            found.update(self.database.rows(sql, *part))
        return [self._voice(found[row]) for row in wanted if row in found]

    def embeddings(self, *, after: int = 0, batch: int = 10_000) -> Iterator[tuple[Rows, Embeddings]]:
        """Speaker embeddings in batches of (rows: (n,) int64, vectors: (n, dim) float32 of unit length).

        after: only rows above this one; each batch is a consistent snapshot
        """
        while page := self.database.rows(
            "SELECT voice, vector FROM embeddings WHERE voice > ? "
            "AND encoder = (SELECT value FROM about WHERE key = 'encoder') ORDER BY voice LIMIT ?",
            after, batch,
        ):  # fmt: skip
            sizes = {len(vector) if isinstance(vector, bytes) else 0 for _, vector in page}
            if sizes != {4 * self.dim} or not all(isinstance(row, int) for row, _ in page):
                raise self.database.damaged(f"its embeddings do not all have {self.dim} numbers")
            vectors = np.frombuffer(b"".join(vector for _, vector in page), np.float32).reshape(len(page), -1)
            yield np.array([row for row, _ in page], np.int64), vectors
            after = page[-1][0]

    @property
    def encoder_name(self) -> str | None:
        """The encoder that made the embeddings; None when there are none."""
        name = self._about("encoder")
        return None if name is None else str(name)

    @property
    def dim(self) -> int:
        """The dimension of the embeddings; 0 when there are none."""
        return self._number("dim")

    @property
    def generation(self) -> int:
        """A counter that every change increases: what was derived at a lower count may be stale."""
        return self._number("generation")

    @property
    def policy(self) -> Policy:
        """Which missing entries of cards the library tolerates."""
        try:
            return Policy.model_validate_json(str(self._about("policy") or "{}"))
        except ValueError:
            raise self.database.damaged("its policy cannot be read") from None

    def recorded(self, sha256: str) -> VoiceCard | None:
        """The card of a voice, revoked or not, whose clip has this hash or was cut from a file with this hash."""
        rows = self.database.rows("SELECT card FROM carded WHERE sha256 = ? OR origin = ? LIMIT 1", sha256, sha256)
        return self._voice(rows[0][0]).card if rows else None

    def refusal(self, id: str, purpose: str) -> str | None:
        """Why a voice may not be used for a purpose now; None when it may."""
        try:
            card = self.card(id)
        except VoiceNotFound:
            return "it was removed from the library"
        return card.refusal(purpose, policy=self.policy)

    def state_path(self, sha256: str, model: str, version: str, suffix: str) -> Path | None:
        """The file for what (model, version) makes of the clip `sha256`; None without `keep_prompts`.

        Raises VoiceError when the arguments do not make a file name.
        """
        return self.prompts.path(sha256, model, version, suffix) if self.keep_prompts else None

    def log(self, id: str | None = None) -> list[dict[str, str]]:
        """The events of one voice, or those of the library as a whole, oldest first: `at` and `event`."""
        condition = "voice IS NULL" if id is None else "voice = (SELECT row FROM voices WHERE id = ?)"
        values = () if id is None else (id,)
        rows = self.database.rows(f"SELECT at, event FROM log WHERE {condition} ORDER BY rowid", *values)
        return [{"at": at, "event": event} for at, event in rows]

    def close(self) -> None:
        """Close the database; the next call opens it again."""
        self.database.close()

    def _about(self, key: str) -> Any:
        found = self.database.rows("SELECT value FROM about WHERE key = ?", key)
        if not found:
            raise self.database.damaged(f"it does not say its {key}")
        return found[0][0]

    def _number(self, key: str) -> int:
        try:
            return int(self._about(key) or 0)
        except (ValueError, OverflowError):
            raise self.database.damaged(f"its {key} is not a number") from None

    def _ids_like(self, wanted: str) -> list[str]:
        """All ids of a small library; of a large one those with the same first letter."""
        start = wanted.strip().lower()[:1] if len(self) > SMALL_LIBRARY else ""
        rows = self.database.rows(
            "SELECT id FROM voices WHERE revoked IS NULL AND id >= ? AND id < ? LIMIT ?",
            start, start + "\x7f", SMALL_LIBRARY,
        )  # fmt: skip
        return [id for (id,) in rows]

    def _voice(self, card: str) -> Voice:
        try:
            known = VoiceCard.model_validate_json(card)
        except ValueError as error:
            raise VoiceError(f"{self.database.path} holds a card that cannot be read: {error}") from None
        return Voice(known, self.clip_files.path(known.sha256), self)
