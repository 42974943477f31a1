"""`DocumentIndex`: search in documents by meaning and by words."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from agentaudio.conversation import Passage
from agentaudio.errors import RetrievalError
from agentaudio.retrieval.documents.corpus import Corpus, FileState, embedded_text
from agentaudio.retrieval.documents.files import SUFFIXES, Ocr, Transcribe
from agentaudio.retrieval.documents.folder import Changes, Folder
from agentaudio.retrieval.text.bm25 import TextIndex
from agentaudio.retrieval.text.hybrid import hybrid_search
from agentaudio.retrieval.text.search_form import search_form
from agentaudio.retrieval.text.splitting import Document, split
from agentaudio.retrieval.vectors.faiss_index import FaissIndex
from agentaudio.retrieval.vectors.id_set import IdSet
from agentaudio.retrieval.vectors.plan import EXACT_UP_TO, ID_BYTES
from agentaudio.text.embedding import Embed, embed_query, find_embedder
from agentaudio.text.sentences import sentences

log = logging.getLogger(__name__)

Rerank = Callable[[str, Sequence[str]], Sequence[float]]
"""A query and n texts to n scores, higher is better; such as a cross-encoder."""

LOOK_EVERY_S = 2.0
EMBEDDED_AT_ONCE = 64
POOL = 20
_PROBE = "The quick brown fox jumps over the lazy dog."


class DocumentIndex:
    """Passages of documents, searched by BM25 and, with an embedder, by meaning.

    A folder is watched: every LOOK_EVERY_S seconds a search has it checked in the background, and later searches
    see what changed. Several threads may share an index.

    documents: passages, documents to split, or a Folder
    embed: text embedder, or its name for `load_embedder`. The default is the one that agentaudio ships, where the extra
        `embedded` is installed; without it, and with None, the search is by words only.
    rerank: orders the best passages of the search

    Raises RetrievalError when there is no text to index.
    """

    def __init__(
        self, documents: Iterable[Passage | Document] | Folder, *, embed: Embed | str | None = "default",
        rerank: Rerank | None = None,
    ) -> None:  # fmt: skip
        self._folder = documents if isinstance(documents, Folder) else None
        self._embed = find_embedder(embed)
        self._rerank = rerank
        self._refreshing = threading.Lock()
        self._looked = time.monotonic()
        self._words: TextIndex | None = None
        self._vectors: FaissIndex | None = None
        if isinstance(documents, Folder):
            self._corpus = documents.corpus
            changes = documents.refresh()
        else:
            self._corpus = Corpus()
            self._corpus.put(FileState("", 0, 0, ""), _passages(documents))
            changes = Changes()
        self._writes = self._corpus.changed_elsewhere()
        self._passages = self._corpus.passages()
        if not self._passages:
            raise RetrievalError(_nothing(self._folder, changes))

    @classmethod
    def from_folder(
        cls, folder: str | os.PathLike[str], *, embed: Embed | str | None = "default", rerank: Rerank | None = None,
        store: str | os.PathLike[str] | None = None, transcribe: Transcribe | None = None, ocr: Ocr | None = None,
    ) -> DocumentIndex:  # fmt: skip
        """The documents under a folder: text, Markdown, HTML, PDF, Word, and recordings with `transcribe`.

        embed, rerank: as for DocumentIndex
        store: SQLite file that keeps texts and vectors for the next time
        transcribe: returns the words of recordings; their passages carry times in their source
        ocr: returns the text of pages of a PDF that are pictures; without it they are reported as not read

        Raises RetrievalError when the folder is missing or has no text.
        """
        return cls(Folder(folder, store=store, transcribe=transcribe, ocr=ocr), embed=embed, rerank=rerank)

    @property
    def passages(self) -> tuple[Passage, ...]:
        return tuple(self._passages.values())

    @property
    def sentences(self) -> tuple[str, ...]:
        """All titles and sentences, without repetitions: vocabulary for speech recognisers."""
        passages = self.passages
        found = dict.fromkeys(passage.title for passage in passages)
        for passage in passages:
            found.update(dict.fromkeys(sentences(passage.text)))
        return tuple(found)

    def prepare(self) -> None:
        """Build the indexes now instead of at the first search; blocks for about 10 ms per new passage."""
        with self._refreshing:
            if self._words is None:
                self._update_indexes()

    def refresh(self) -> Changes:
        """Read what changed in the folder and update the indexes; blocks."""
        if self._folder is None:
            return Changes()
        with self._refreshing:
            changes = self._folder.refresh()
            if changes or self._corpus.changed_elsewhere() != self._writes:
                self._update_indexes()
            self._looked = time.monotonic()
        return changes

    def search(self, query: str, k: int = 4) -> list[Passage]:
        """The k best passages, best first. Scores are 0 to 1 without a reranker, else the reranker's.

        A query without letters and digits finds nothing.
        """
        if not any(map(str.isalnum, query)):
            return []
        query = search_form(query)
        self._look()
        if self._words is None:
            self.prepare()
        passages, words, pool = self._passages, self._words, max(POOL, 3 * k)
        assert words is not None
        vector = None if self._embed is None or self._vectors is None else embed_query(self._embed, query)
        scored = hybrid_search(query, words, vector, self._vectors, pool)
        found = [replace(passages[id], score=round(score, 4)) for id, score in scored if id in passages]
        return found[:k] if self._rerank is None else _reranked(query, found[:pool], self._rerank)[:k]

    def _look(self) -> None:
        """Check for changes in a thread when the last check is old enough; the search does not wait for it."""
        if self._folder is None or time.monotonic() - self._looked < LOOK_EVERY_S or self._refreshing.locked():
            return
        self._looked = time.monotonic()
        threading.Thread(target=self._refresh_and_log, name="refresh documents", daemon=True).start()

    def _refresh_and_log(self) -> None:
        try:
            self.refresh()
        except Exception:
            log.exception("cannot read the documents again; searching their last state")

    def _update_indexes(self) -> None:
        """Bring the indexes in step with the corpus. The caller holds the lock."""
        writes, passages = self._corpus.changed_elsewhere(), self._corpus.passages()
        wanted = IdSet(passages)
        if self._embed is not None:
            self._vectors = self._embedded(self._embed, wanted)
        words = self._words or TextIndex()
        words.remove(words.ids() - wanted)
        new = (wanted - words.ids()).ids().tolist()
        words.add(new, [search_form(f"{passages[id].title} {passages[id].text}") for id in new])
        self._words, self._passages, self._writes = words, passages, writes

    def _embedded(self, embed: Embed, wanted: IdSet) -> FaissIndex:
        probe = embed([_PROBE])[0]
        embedder = self._corpus.embedded_by(probe)
        waiting = self._corpus.without_vector()
        for start in range(0, len(waiting), EMBEDDED_AT_ONCE):
            some = waiting[start : start + EMBEDDED_AT_ONCE]
            self._corpus.put_vectors(some, embed([embedded_text(passage) for passage in some]))
        dim = len(probe)
        vectors = self._vectors or self._kept(dim, embedder) or FaissIndex(dim, bytes_per_vector=_bytes(dim))
        held = vectors.ids()
        vectors.remove(held - wanted)
        for ids, rows in self._corpus.vectors((wanted - held).ids()):
            vectors.add(ids, rows)
        # Few vectors load from the corpus just as fast; an index of many takes minutes to build.
        if self._corpus.path is not None and len(vectors) > EXACT_UP_TO and vectors.needs_compaction:
            vectors.compact(self._corpus.vectors)
            vectors.save(self._index_path(self._corpus.path), embedder=embedder)
        return vectors

    def _kept(self, dim: int, embedder: str) -> FaissIndex | None:
        if self._corpus.path is None:
            return None
        opened = FaissIndex.open(self._index_path(self._corpus.path), dim, bytes_per_vector=_bytes(dim))
        return opened[0] if opened and opened[1].get("embedder") == embedder else None

    @staticmethod
    def _index_path(store: Path) -> Path:
        # Not STORE.json: an index deletes its old files STEM-*, and STORE-wal belongs to SQLite.
        return store.with_name(f"{store.name}.vectors.json")


def _bytes(dim: int) -> float:
    """Memory for a vector and its id in a large index: one byte per dimension."""
    return dim + ID_BYTES


def _reranked(query: str, passages: Sequence[Passage], rerank: Rerank) -> list[Passage]:
    """Passages with the scores of a reranker, best first."""
    scores = rerank(query, [embedded_text(p) for p in passages]) if passages else []
    scored = (replace(p, score=round(float(score), 4)) for p, score in zip(passages, scores, strict=True))
    return sorted(scored, key=lambda passage: -passage.score)


def _passages(items: Iterable[Passage | Document]) -> Iterable[Passage]:
    for item in items:
        if isinstance(item, Passage):
            yield item
        else:
            yield from split(item)


def _nothing(folder: Folder | None, changes: Changes) -> str:
    if folder is None:
        return "there is no passage to index; give it some text"
    if changes.problems:
        return "; ".join([f"there is no passage in {folder.path}", *list(changes.problems.values())[:5]])
    if changes.added:
        return f"there is no passage to index in {folder.path}: its files are empty; add some text"
    return f"{folder.path} has no documents; add files ending in {', '.join(SUFFIXES)}"
