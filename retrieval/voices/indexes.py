"""`VoiceIndexes`: what a library's voices are searched by, kept in step with the library."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from agentaudio.errors import RetrievalError, VoiceError
from agentaudio.retrieval.text.bm25 import TextIndex
from agentaudio.retrieval.vectors.build import Vectors
from agentaudio.retrieval.vectors.faiss_index import BYTES_PER_VECTOR, FaissIndex
from agentaudio.retrieval.vectors.id_set import Ids, IdSet
from agentaudio.retrieval.vectors.index import VectorIndex
from agentaudio.retrieval.vectors.plan import EXACT_UP_TO, ID_BYTES
from agentaudio.retrieval.voices.query import card_prose, card_terms
from agentaudio.text.embedding import Embed
from agentaudio.voice_library.library import VoiceLibrary
from agentaudio.voice_library.voice import Voice

KEPT_FROM = 200
AT_ONCE = 256
MOST_FILTERS = 64
DESCRIPTIONS, SPEAKERS = "descriptions", "speakers"

log = logging.getLogger(__name__)


class VoiceIndexes:
    """Words, meanings and sound of the voices of a library that may be used for synthesis.

    Each index is made when it is first needed; afterwards it takes in what came, and finds no more
    what went, without being made again. What takes long to make is kept in the library's folder
    where that can be written. Several threads may share it.

    embed: texts to unit vectors, for meanings
    speakers: where speaker embeddings are searched; None takes a FaissIndex
    """

    def __init__(self, library: VoiceLibrary, embed: Embed | None, speakers: VectorIndex | None) -> None:
        self.library = library
        self.usable = IdSet()
        self.words = TextIndex(split=str.split)
        self._embed = embed
        self._meanings: FaissIndex | None = None
        self._speakers = speakers
        self._speakers_of: str | None = None
        self._own_speakers = speakers is None
        self._lock = threading.RLock()
        self._seen: tuple[int, date] | None = None
        self._texts_seen: tuple[int, date] | None = None
        self._speakers_seen: tuple[int, date] | None = None
        self._filters: dict[Any, IdSet] = {}

    def refresh(self) -> IdSet:
        """See what the library holds now: the rows of all voices that may be used."""
        with self._lock:
            now = self.library.generation, date.today()
            if now != self._seen:
                self.usable = IdSet(self.library.select(purpose="synthesis"))
                self._filters.clear()
                self._seen = now
            return self.usable

    def select(self, **conditions: Any) -> IdSet:
        """Rows of the usable voices that meet the conditions of `VoiceLibrary.select`."""
        key = tuple((name, tuple(v) if isinstance(v, list | tuple | set) else v) for name, v in conditions.items())
        with self._lock:
            usable = self.refresh()
            if key not in self._filters:
                if len(self._filters) >= MOST_FILTERS:
                    self._filters.clear()
                self._filters[key] = usable & IdSet(self.library.select(**conditions))
            return self._filters[key]

    def texts(self) -> tuple[TextIndex, FaissIndex | None]:
        """Words and meanings of the cards. New cards are embedded first, which takes about 10 ms for each."""
        with self._lock:
            usable = self.refresh()
            if self._texts_seen == self._seen:
                return self.words, self._meanings
            new = (usable - self.words.ids()).ids()
            for rows in _parts(new):
                found = self.voices(rows)
                self.words.add([row for row, _ in found], [" ".join(card_terms(voice.card)) for _, voice in found])
            if self._embed is not None:
                self._embed_new(self._embed, usable)
            self._texts_seen = self._seen
            return self.words, self._meanings

    def _embed_new(self, embed: Embed, usable: IdSet) -> None:
        if self._meanings is None:
            self._meanings = self._opened_meanings(embed)
        new = (usable - self._meanings.ids()).ids() if self._meanings is not None else usable.ids()
        for rows in _parts(new):
            found = self.voices(rows)
            if found:
                vectors = embed([card_prose(voice.card) for _, voice in found])
                if self._meanings is None:
                    self._meanings = _meanings(vectors.shape[1])
                self._meanings.add([row for row, _ in found], vectors)
        meanings = self._meanings
        if meanings is None or self._embedder is None:
            return
        meanings.remove(meanings.ids() - usable)
        if len(new) >= KEPT_FROM or (len(meanings) >= KEPT_FROM and not self._path(DESCRIPTIONS).is_file()):
            about = {"embedder": self._embedder}
            meanings.compact(
                background=len(meanings) > EXACT_UP_TO, then=lambda: self._keep(meanings, DESCRIPTIONS, about)
            )

    def speakers(self) -> VectorIndex:
        """Speaker embeddings. Raises RetrievalError when the library has none."""
        library = self.library
        with self._lock:
            usable, encoder = self.refresh(), library.encoder_name
            if encoder is None:
                raise RetrievalError(
                    "this library has no speaker embeddings; make them with `agentaudio voices reindex`"
                )
            if self._speakers is None or (self._own_speakers and self._speakers_of != encoder):
                self._speakers, self._speakers_of = self._opened_speakers(encoder, usable), encoder
            index = self._speakers
            if self._speakers_seen == self._seen:
                return index
            index.remove(index.ids() - usable)
            new = usable - index.ids()
            if len(new):
                for rows, vectors in self.library.embeddings(after=int(new.ids()[0]) - 1):
                    kept = new.holds(rows)
                    if kept.any():
                        index.add(rows[kept], vectors[kept])
            if isinstance(index, FaissIndex):
                # Whoever takes a voice back deletes the files, because its embedding is in them.
                lost = len(index) > EXACT_UP_TO and not self._path(SPEAKERS).is_file()
                if index.needs_compaction or lost:
                    about = {"encoder": encoder}
                    index.compact(self._embeddings, background=True, then=lambda: self._keep(index, SPEAKERS, about))
            self._speakers_seen = self._seen
            return index

    def embeddings(self, rows: Iterable[int]) -> dict[int, Vectors]:
        """The exact speaker embeddings of a few rows: (dim,) float32 each; rows without one are left out."""
        wanted = [int(row) for row in rows]
        # One bind variable for all rows: SQLite limits how many there may be.
        found = self.library.database.rows(
            "SELECT voice, vector FROM embeddings WHERE encoder = (SELECT value FROM about WHERE key = 'encoder') "
            "AND voice IN (SELECT value FROM json_each(?))", str(wanted),
        )  # fmt: skip
        return {row: np.frombuffer(vector, np.float32) for row, vector in found}

    def voices(self, rows: Iterable[int]) -> list[tuple[int, Voice]]:
        """The voices of these rows, in this order; those that are gone are left out."""
        wanted = [int(row) for row in rows]
        voices = self.library.at(wanted)
        if len(voices) == len(wanted):
            return list(zip(wanted, voices, strict=True))
        # One went meanwhile: ask for each, so that none takes another one's row.
        return [(row, voice) for row in wanted for voice in self.library.at([row])]

    def rows_of(self, ids: Iterable[str]) -> IdSet:
        """The rows of the voices with these ids; unknown ones are left out."""
        sql = "SELECT row FROM voices WHERE id IN (SELECT value FROM json_each(?))"
        return IdSet(row for (row,) in self.library.database.rows(sql, json.dumps(list(ids))))

    @property
    def _embedder(self) -> str | None:
        return getattr(self._embed, "name", None)

    def _opened_meanings(self, embed: Embed) -> FaissIndex | None:
        if self._embedder is None or not (path := self._path(DESCRIPTIONS)).is_file():
            return None
        dim = embed(["one"]).shape[1]
        opened = FaissIndex.open(path, dim, bytes_per_vector=_meanings(dim).bytes_per_vector)
        return opened[0] if opened is not None and opened[1].get("embedder") == self._embedder else None

    def _opened_speakers(self, encoder: str, usable: IdSet) -> FaissIndex:
        dim = self.library.dim
        budget = max(BYTES_PER_VECTOR, dim + ID_BYTES)
        opened = FaissIndex.open(self._path(SPEAKERS), dim, bytes_per_vector=budget)
        if opened is not None and opened[1].get("encoder") == encoder:
            return opened[0]
        count = len(self.select(embedded=True)) if len(usable) > EXACT_UP_TO else len(usable)
        if count <= EXACT_UP_TO:
            return FaissIndex(dim, bytes_per_vector=budget)
        index = FaissIndex.of(self._embeddings, dim, count=count, bytes_per_vector=budget)
        self._keep(index, SPEAKERS, {"encoder": encoder})
        return index

    def _embeddings(self) -> Iterator[tuple[Ids, Vectors]]:
        usable = self.usable
        for rows, vectors in self.library.embeddings():
            kept = usable.holds(rows)
            yield rows[kept], vectors[kept]

    def _keep(self, index: FaissIndex, name: str, about: dict[str, str]) -> None:
        """Write a compacted index into the library's folder, if that can be written and everything in it may stay."""
        with suppress(VoiceError), self.library.database.alone():
            # Nobody takes a voice back while the block runs, and what was taken back before is not written again.
            gone = index.ids() - IdSet(self.library.select(purpose="synthesis"))
            if len(gone) or not index.compacted:
                return
            try:
                index.save(self._path(name), **about)
            except RetrievalError as error:
                log.warning("%s", error)

    def _path(self, name: str) -> Path:
        return self.library.folder / "index" / f"{name}.json"


def _meanings(dim: int) -> FaissIndex:
    return FaissIndex(dim, bytes_per_vector=max(BYTES_PER_VECTOR, dim + ID_BYTES))


def _parts(rows: Ids) -> Iterator[Ids]:
    for start in range(0, len(rows), AT_ONCE):
        yield rows[start : start + AT_ONCE]
