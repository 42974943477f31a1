"""`DocumentIndex`: a folder of text that can be searched by meaning and by words."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

from agentaudio.conversation import Passage
from agentaudio.errors import RetrievalError
from agentaudio.retrieval.embedding import Embed
from agentaudio.retrieval.fusion import reciprocal_rank_fusion
from agentaudio.retrieval.text_index import TextIndex
from agentaudio.retrieval.vector_index import VectorIndex

SUFFIXES = (".txt", ".md")
MAX_PASSAGE_CHARS = 700
MAX_FILE_BYTES = 10_000_000

_HEADING = re.compile(r"^#{1,6}\s+(.*)$")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


class DocumentIndex:
    """Passages of the text files under a folder, searched by BM25 and, with an embedder, by meaning too.

    embed: texts to unit vectors; None searches by words only

    Raises RetrievalError when the folder is missing, or holds no text.
    """

    def __init__(self, passages: Iterable[Passage], *, embed: Embed | None = None) -> None:
        self.passages = tuple(passages)
        if not self.passages:
            raise RetrievalError("there is not one passage to index; add .txt or .md files")
        self._embed = embed

    @classmethod
    def from_folder(cls, folder: str | os.PathLike[str], *, embed: Embed | None = None) -> DocumentIndex:
        """Read every .txt and .md file under a folder."""
        folder = Path(folder)
        if not folder.is_dir():
            raise RetrievalError(f"no such folder of documents: {folder}")
        paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
        if not paths:
            raise RetrievalError(f"{folder} holds no documents; add files ending in {' or '.join(SUFFIXES)}")
        return cls((p for path in paths for p in _split(path, folder)), embed=embed)

    @cached_property
    def _words(self) -> TextIndex:
        return TextIndex([f"{p.title} {p.text}" for p in self.passages])

    @cached_property
    def _vectors(self) -> VectorIndex | None:
        if self._embed is None:
            return None
        rows = self._embed([f"{p.title}. {p.text}" for p in self.passages])
        index = VectorIndex(rows.shape[1])
        index.add(range(len(rows)), rows)
        return index

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """Every title and sentence: what people may talk about, for recognisers."""
        found = dict.fromkeys(passage.title for passage in self.passages)
        for passage in self.passages:
            found.update(dict.fromkeys(_SENTENCE_END.split(passage.text)))
        return tuple(found)

    def prepare(self) -> None:
        """Build the indexes now instead of at the first search; it blocks for about 10 ms a passage."""
        _ = self._words, self._vectors

    def search(self, query: str, k: int = 4) -> list[Passage]:
        """The k best passages, best first; score is 1 when every signal puts a passage first."""
        pool = max(20, 3 * k)
        rankings = [self._words.search(query, pool)]
        if self._embed is not None and self._vectors is not None:
            rankings.append(self._vectors.search(self._embed([query])[0], pool))
        fused = reciprocal_rank_fusion(*rankings)[:k]
        return [_scored(self.passages[position], score) for position, score in fused]


def _scored(passage: Passage, score: float) -> Passage:
    return Passage(passage.text, passage.title, passage.source, passage.position, round(score, 4))


def _split(path: Path, folder: Path) -> Iterator[Passage]:
    """Paragraphs of a file, joined while they are short and cut where they are long."""
    if path.stat().st_size > MAX_FILE_BYTES:
        raise RetrievalError(f"{path} is larger than {MAX_FILE_BYTES // 1_000_000} MB; split it")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise RetrievalError(f"{path} is not UTF-8 text; convert it, or move it out of the folder") from None
    title = path.stem.replace("_", " ").replace("-", " ").capitalize()
    source = path.relative_to(folder).as_posix()
    for match in re.finditer(r"\S.*?(?=\n\s*\n|\Z)", text, re.DOTALL):
        paragraph = " ".join(match.group().split())
        heading = _HEADING.match(paragraph)
        if heading and "\n" not in match.group().strip():
            title = heading.group(1)
            continue
        start = match.start()
        piece = ""
        for sentence in _SENTENCE_END.split(paragraph):
            if piece and len(piece) + len(sentence) > MAX_PASSAGE_CHARS:
                yield Passage(piece, title, source, start)
                start += len(piece) + 1
                piece = ""
            piece = f"{piece} {sentence}".strip()
        if piece:
            yield Passage(piece, title, source, start)
