"""`Folder`: keeps a corpus in step with the documents in a folder."""

from __future__ import annotations

import logging
import os
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from hashlib import file_digest
from pathlib import Path
from typing import Any

from agentaudio.conversation import Passage
from agentaudio.errors import AgentAudioError, RetrievalError
from agentaudio.files import open_within
from agentaudio.retrieval.documents.corpus import Corpus, FileState
from agentaudio.retrieval.documents.files import SUFFIXES, Ocr, Transcribe, read_documents
from agentaudio.retrieval.text.splitting import Document, split
from agentaudio.sound.formats import SOUND_SUFFIXES
from agentaudio.workers.limits import DOCUMENT
from agentaudio.workers.pool import DOCUMENTS

log = logging.getLogger(__name__)

SPLIT_HERE_CHARS = 200_000
"""Longest text that is split in this process; it takes some tenths of a second."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What a refresh changed: names of files, relative to the folder.

    problems: files that could not be read, or not in full, and why
    """

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    problems: dict[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


class Folder:
    """A folder of documents. Changed files are noticed by size and date, and confirmed by content.

    store: SQLite file that keeps texts and vectors; None reads and embeds everything each time
    transcribe: returns the words of recordings; without it recordings are skipped
    ocr: returns the text of pages of a PDF that are pictures

    Raises RetrievalError when the folder does not exist or the store cannot be used.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, store: str | os.PathLike[str] | None = None,
        transcribe: Transcribe | None = None, ocr: Ocr | None = None,
    ) -> None:  # fmt: skip
        self.path = Path(path)
        if not self.path.is_dir():
            raise RetrievalError(f"no such folder of documents: {self.path}; check the path")
        self.suffixes = SUFFIXES + SOUND_SUFFIXES if transcribe else SUFFIXES
        self.corpus = Corpus(store)
        self._transcribe, self._ocr = transcribe, ocr
        self._refused: dict[FileState, str] = {}
        self._logged: set[str] = set()

    def refresh(self) -> Changes:
        """Read new and changed files and remove deleted ones; a file that cannot be read is logged and skipped."""
        before, refused, notes = self.corpus.files(), self._refused, self.corpus.notes()
        added: list[str] = []
        changed: list[str] = []
        seen: set[str] = set()
        still_refused: dict[FileState, str] = {}
        for name, status in self._found():
            if not _is_utf8(name):
                state = FileState(ascii(name), status.st_size, status.st_mtime_ns, "")
                still_refused[state] = f"the name {ascii(name)} is not UTF-8; rename the file"
                continue
            # Pages that no OCR had read are worth another look once there is one.
            known = None if self._ocr is not None and name in notes else before.get(name)
            if known and (known.size, known.mtime_ns) == (status.st_size, status.st_mtime_ns):
                seen.add(name)
                continue
            state = FileState(name, status.st_size, status.st_mtime_ns, "")
            if state in refused:
                still_refused[state] = refused[state]
                continue
            try:
                hashed = replace(state, sha256=self._hash(name))
                if known and known.sha256 == hashed.sha256:
                    self.corpus.touch(hashed)
                    seen.add(name)
                    continue
                problems = list[str]()
                documents = read_documents(
                    self.path / name, unicodedata.normalize("NFC", name), self._transcribe,
                    ocr=self._ocr, within=self.path, on_problem=problems.append,
                )  # fmt: skip
                passages = [passage for document in documents for passage in _passages(document)]
                self.corpus.put(hashed, passages, note="; ".join(problems))
            except FileNotFoundError:
                continue  # deleted since it was listed
            except (AgentAudioError, OSError) as error:
                still_refused[state] = str(error)
                continue
            seen.add(name)
            (changed if name in before else added).append(name)
        removed = sorted(set(before) - seen)
        if removed or changed:  # texts that were edited out leave vectors behind
            self.corpus.drop(removed)
        for state in set(still_refused) - set(refused):
            log.warning("skipped: %s", still_refused[state])
        self._refused = still_refused
        unread = {name: note for name, note in self.corpus.notes().items() if name in seen}
        for note in set(unread.values()) - self._logged:
            log.warning("not read in full: %s", note)
        self._logged = set(unread.values())
        return Changes(
            tuple(added),
            tuple(changed),
            tuple(removed),
            unread | {state.name: why for state, why in still_refused.items()},
        )

    def _found(self) -> Iterator[tuple[str, os.stat_result]]:
        """Name and status of readable files in order, without hidden files and links that lead out of the folder."""
        root = self.path.resolve()
        for path in sorted(self.path.rglob("*")):
            name = path.relative_to(self.path)
            if path.suffix.lower() not in self.suffixes or any(part.startswith((".", "~$")) for part in name.parts):
                continue
            try:
                if path.is_file() and path.resolve().is_relative_to(root):
                    yield name.as_posix(), path.stat()
            except OSError:
                continue

    def _hash(self, name: str) -> str:
        with open_within(self.path, self.path / name) as file:
            return file_digest(file, "sha256").hexdigest()


def _passages(document: Document) -> Iterable[Passage]:
    """`split`, in a worker process when the text is long, which would hold up the turns of other sessions."""
    if len(document.text) <= SPLIT_HERE_CHARS:
        return split(document)
    content = document.text.encode("utf-8", "replace")
    rows: Any
    rows, _ = DOCUMENTS.run(
        lambda job: job.ask(
            "agentaudio.retrieval.documents.split_task:passages",
            {"title": document.title, "source": document.source},
            content,
            limits=DOCUMENT.with_time_for(len(content)),
            what=document.source,
            error=RetrievalError,
        )
    )
    return [Passage(text, title, source, position) for text, title, source, position in rows]


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
