"""`VoiceIndexes`: the search indexes of a voice library, kept in step with it."""

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
from agentaudio.text.terms import folded
from agentaudio.voice_library.library import VoiceLibrary
from agentaudio.voice_library.voice import Voice

SAVED_FROM = 200
CARDS_AT_ONCE = 256
MOST_FILTERS = 64
DESCRIPTIONS, SPEAKERS = "descriptions", "speakers"

log = logging.getLogger(__name__)


class VoiceIndexes:
    """Indexes of words, meaning and sound of the voices that may be used for synthesis.

    Each index is built when it is first needed, and then updated as voices are added and removed. Indexes that take
    long to build are saved in the library's folder when it is writable. Several threads may share one instance.

    embed: text embedder, for the meaning of cards; None leaves it out
    speakers: index of speaker embeddings; None makes a FaissIndex
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
        """Read the state of the library; returns the rows of all voices that may be used."""
        with self._lock:
            now = self.library.generation, date.today()
            if now != self._seen:
                self.usable = IdSet(self.library.select(purpose="synthesis"))
                self._filters.clear()
                self._seen = now
            return self.usable

    def select(self, **conditions: Any) -> IdSet:
        """Rows of the usable voices that meet conditions, given as `VoiceLibrary.select` takes them."""
        key = tuple((name, tuple(v) if isinstance(v, list | tuple | set) else v) for name, v in conditions.items())
        with self._lock:
            usable = self.refresh()
            if key not in self._filters:
                if len(self._filters) >= MOST_FILTERS:
                    self._filters.clear()
                self._filters[key] = usable & IdSet(self.library.select(**conditions))
            return self._filters[key]

    def texts(self) -> tuple[TextIndex, FaissIndex | None]:
        """The indexes of words and of meaning. New cards are embedded first, about 10 ms each."""
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
        if len(new) >= SAVED_FROM or (len(meanings) >= SAVED_FROM and not self._path(DESCRIPTIONS).is_file()):
            self._save_meanings(meanings, background=len(meanings) > EXACT_UP_TO)

    def save_texts(self) -> None:
        """Save the index of meaning in the library's folder, also when it is quick to build."""
        with self._lock:
            _, meanings = self.texts()
            if meanings is not None and self._embedder is not None:
                self._save_meanings(meanings, background=False)

    def _save_meanings(self, meanings: FaissIndex, *, background: bool) -> None:
        about = {"embedder": self._embedder or ""}
        meanings.compact(background=background, then=lambda: self._keep(meanings, DESCRIPTIONS, about))

    def speakers(self) -> VectorIndex:
        """The index of speaker embeddings. Raises RetrievalError when the library has none."""
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
                # Revoking a voice deletes the saved files, because they contain its embedding.
                lost = len(index) > EXACT_UP_TO and not self._path(SPEAKERS).is_file()
                if index.needs_compaction or lost:
                    about = {"encoder": encoder}
                    index.compact(self._embeddings, background=True, then=lambda: self._keep(index, SPEAKERS, about))
            self._speakers_seen = self._seen
            return index

    def embeddings(self, rows: Iterable[int]) -> dict[int, Vectors]:
        """Exact speaker embeddings by row, (dim,) float32 each; rows without one are left out."""
        wanted = [int(row) for row in rows]
        # One bind variable for all rows, because SQLite limits their number.
        found = self.library.database.rows(
            "SELECT voice, vector FROM embeddings WHERE encoder = (SELECT value FROM about WHERE key = 'encoder') "
            "AND voice IN (SELECT value FROM json_each(?))", str(wanted),
        )  # fmt: skip
        return {row: np.frombuffer(vector, np.float32) for row, vector in found}

    def voices(self, rows: Iterable[int]) -> list[tuple[int, Voice]]:
        """(row, voice) in the given order; rows without a voice are left out."""
        wanted = [int(row) for row in rows]
        voices = self.library.at(wanted)
        if len(voices) == len(wanted):
            return list(zip(wanted, voices, strict=True))
        # A voice was removed in between: ask for each row, so that every voice keeps its own.
        return [(row, voice) for row in wanted for voice in self.library.at([row])]

    def rows_of(self, ids: Iterable[str]) -> IdSet:
        """Rows of the voices with these ids or names; unknown ones are left out."""
        wanted = list(ids)
        sql = (
            "SELECT row FROM voices WHERE id IN (SELECT value FROM json_each(?1)) "
            "OR (name IN (SELECT value FROM json_each(?2)) AND name NOT IN (SELECT id FROM voices))"
        )
        names = json.dumps([folded(name) for name in wanted])
        return IdSet(row for (row,) in self.library.database.rows(sql, json.dumps(wanted), names))

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
        """Save a compacted index in the library's folder, when it is writable and holds only usable voices."""
        with suppress(VoiceError), self.library.database.alone():
            # No voice can be revoked while the block runs; one that was revoked before must not be written again.
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
    for start in range(0, len(rows), CARDS_AT_ONCE):
        yield rows[start : start + CARDS_AT_ONCE]
