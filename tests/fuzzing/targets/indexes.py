"""Files of vector indexes (the record in JSON, and FAISS's data), of document stores, and of voice libraries."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from support.sounds import tone

from agentaudio.conversation import Passage
from agentaudio.errors import AgentAudioError, RetrievalError, VoiceError
from agentaudio.retrieval.documents.corpus import Corpus, FileState
from agentaudio.retrieval.documents.index import DocumentIndex
from agentaudio.retrieval.vectors.build import Built
from agentaudio.retrieval.vectors.faiss_index import FaissIndex
from agentaudio.retrieval.vectors.file import write_index
from agentaudio.retrieval.vectors.id_set import IdSet
from agentaudio.retrieval.vectors.plan import Plan
from agentaudio.voice_library.library import VoiceLibrary
from agentaudio.voice_library.voice import Consent
from fuzzing import mutate
from fuzzing.target import Case, Target
from fuzzing.watch import Broken, check_text

DIM, COUNT = 8, 400
OUTSIDE_ID = 4_040_404
FREE = Consent(basis="synthetic", holder="nobody", scope=("synthesis",))


def _vectors(count: int) -> np.ndarray[Any, Any]:
    rows = np.random.default_rng(1).normal(size=(count, DIM)).astype(np.float32)
    return np.ascontiguousarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def _saved(folder: Path, factory: str, lists: int, first_id: int = 0) -> Path:
    """An index on disk. factory: "Flat", or FAISS's name of one with inverted lists"""
    index: Any = faiss.IndexIDMap(faiss.IndexFlatIP(DIM))
    if lists:
        index = faiss.index_factory(DIM, factory, faiss.METRIC_INNER_PRODUCT)
        index.cp.min_points_per_centroid = 1
        index.train(_vectors(COUNT))
    ids = np.arange(first_id, first_id + COUNT, dtype=np.int64)
    index.add_with_ids(_vectors(COUNT), ids)
    path = folder / "index.json"
    write_index(path, Built(index, Plan(factory, lists, COUNT, 40.0), IdSet(ids), min(2, lists), 1.0), {"encoder": "x"})
    return path


class Indexes(Target):
    name = "indexes"
    refusals = (RetrievalError, VoiceError)
    memory_mb = 150
    inside = True
    dictionary = (
        b"IxMp", b"IxM2", b"IxFI", b"IwFl", b"IwSq", b"ilar", b"full", b"sprs", b'"data": ', b'"lists": ', b"Infinity",
        b"NaN", b"1e999", b"null", b"../outside/index.faiss", b"SQLite format 3\0", b'"plan"', b"[", b"{", b'"',
    )  # fmt: skip
    factories = {"flat": ("Flat", 0), "lists": ("IVF4,Flat", 4), "codes": ("IVF4,SQ8", 4)}

    def seeds(self) -> dict[str, list[bytes]]:
        found: dict[str, list[bytes]] = {}
        with tempfile.TemporaryDirectory() as made:
            for name, (factory, lists) in self.factories.items():
                folder = Path(made, name)
                folder.mkdir()
                record = json.loads(_saved(folder, factory, lists).read_text())
                content = (folder / record["data"]).read_bytes()
                found[name] = [content]
                record["data"] = f"index-{name}.faiss"
                found.setdefault("record", []).append(json.dumps(record).encode())
            store = Path(made, "store.sqlite3")
            corpus = Corpus(store)
            passages = [Passage(f"Bell {n} is cast from bronze.", "Bells", f"a#{n}", n) for n in range(5)]
            corpus.put(FileState("a", 1, 2, "0" * 64), passages)
            corpus.embedded_by(_vectors(1)[0])
            corpus.put_vectors(passages, _vectors(5))
            found["store"] = [_one_file(store)]
            library = VoiceLibrary.create(Path(made, "voices"))
            for name in ("walter", "ruby"):
                library.add(
                    tone(220, 1.5), id=name, name=name, description="A calm voice.", consent=FREE, licence="CC0-1.0"
                )
            found["library"] = [_one_file(Path(made, "voices", "library.sqlite3"))]
        found["store rows"], found["library rows"] = found["store"], found["library"]
        return found

    def prepare(self, folder: Path) -> None:
        self._folder = folder / "inner"
        self._folder.mkdir()
        outside = folder / "outside"
        outside.mkdir()
        record = json.loads(_saved(outside, "Flat", 0, OUTSIDE_ID).read_text())
        os.rename(outside / record["data"], outside / "index.faiss")
        (self._folder / "index-link.faiss").symlink_to("../outside/index.faiss")
        os.mkfifo(self._folder / "index-pipe.faiss")
        self._records = {json.loads(one)["data"]: one for one in self._seeds["record"]}
        for name in self.factories:
            (self._folder / f"index-{name}.faiss").write_bytes(self._seeds[name][0])
        (self._folder / "index.json").write_bytes(b"")
        os.chdir(self._folder)  # names that are opened relative to a folder count as inside
        (self._folder / "library.sqlite3").write_bytes(b"")
        (self._folder / "store.sqlite3").write_bytes(b"")

    def changed(self, chance: random.Random, kind: str, seed: bytes, others: list[bytes]) -> bytes:
        if kind == "record" and chance.random() < 0.6:
            data = mutate.changed_data(chance, json.loads(seed), ("../outside/index.faiss", "index-link.faiss",
                                                                  "index-pipe.faiss", "index.json", "."))  # fmt: skip
            if isinstance(data, dict) and chance.random() < 0.2:
                data["data"] = chance.choice(("index-link.faiss", "index-pipe.faiss", "../outside/index.faiss", ".."))
            return json.dumps(data).encode()
        if kind.endswith("rows"):
            return _changed_rows(chance, seed)
        return mutate.changed(chance, seed, others, self.dictionary)

    def read(self, case: Case) -> str:
        if case.kind.startswith("store"):
            return self._store(case.content)
        if case.kind.startswith("library"):
            return self._library(case.content)
        path = self._folder / "index.json"
        data = self._folder / f"index-{case.kind}.faiss"
        if case.kind == "record":
            path.write_bytes(case.content)
        else:
            path.write_bytes(self._records[data.name])
            data.write_bytes(case.content)
        try:
            opened = FaissIndex.open(path, DIM)
            if opened is None:
                return "none"
            index, _ = opened
            if OUTSIDE_ID in index.ids():
                raise Broken("outside", "reads an index outside the folder")
            self._use(index)
        finally:
            if case.kind != "record":
                data.write_bytes(self._seeds[case.kind][0])
        return "index"

    def _use(self, index: FaissIndex) -> None:
        query = _vectors(1)[0]
        for among in (None, IdSet([1, 2, 3])):
            for id, _ in index.search(query, 5, among=among):
                if id not in index.ids():
                    raise Broken("invalid", f"finds the id {id}, which it does not hold")
        index.stats()
        index.add([COUNT + 1], query[None])
        index.remove([1])
        index.search(query, 100)
        index.compact()

    def _store(self, content: bytes) -> str:
        path = self._folder / "store.sqlite3"
        path.write_bytes(content)
        try:
            corpus = Corpus(path)
            corpus.files()
            passages = corpus.passages()
            embedder = corpus.embedded_by(_vectors(1)[0])
            corpus.without_vector()
            for ids, rows in corpus.vectors():
                if rows.shape[0] != len(ids) or rows.dtype != np.float32:
                    raise Broken("invalid", f"{len(ids)} ids for {rows.shape}")
            corpus.put(FileState("b", 1, 2, "1" * 64), [Passage("x", "y", "z")])
            corpus.drop(["a"])
            if not embedder or not all(isinstance(one.text + one.title + one.source, str) for one in passages.values()):
                raise Broken("invalid", repr(passages)[:300])
            if passages:
                DocumentIndex(list(passages.values()), embed=None).search("bronze bell")
            del corpus
        finally:
            for suffix in ("-wal", "-shm", "-journal"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
        return "store"

    def _library(self, content: bytes) -> str:
        folder = self._folder / "voices"
        folder.mkdir(exist_ok=True)
        (folder / "library.sqlite3").write_bytes(content)
        library = None
        good = 0
        try:
            library = VoiceLibrary(folder, wait_s=0.1)
            for row in library.select(purpose="synthesis"):
                try:
                    for voice in library.at([row]):
                        good += voice.permit.refusal() is None
                        json.dumps(voice.to_dict())
                except AgentAudioError as error:
                    check_text(error)
            for name in ("ruby", "Walter"):
                try:
                    library.get(name)
                except AgentAudioError as error:
                    check_text(error)
            for _, rows in library.embeddings():
                rows.sum()
        finally:
            if library is not None:
                library.close()
            shutil.rmtree(folder)
        return "voices" if good else "no voice"


def _one_file(path: Path) -> bytes:
    """A database with all that its write-ahead log holds, the same in each process."""
    copy = path.with_suffix(".copy")
    for file, command in ((path, f"VACUUM INTO '{copy}'"), (copy, "UPDATE log SET at = '2024-01-01T00:00:00+00:00'")):
        db = sqlite3.connect(file)
        with suppress(sqlite3.OperationalError), db:  # a store has no log
            db.execute(command)
        db.close()
    return copy.read_bytes()


def _data(value: object) -> Any:
    """The value of a JSON object; None for what is none, also since an earlier change."""
    with suppress(ValueError):
        return json.loads(value) if isinstance(value, str) and value.startswith("{") else None
    return None


def _changed_rows(chance: random.Random, seed: bytes) -> bytes:
    """A database with values of its rows replaced, of other types too."""
    db = sqlite3.connect(":memory:")
    db.deserialize(seed)
    db.text_factory = bytes
    tables = [
        name.decode()
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
    ]
    for _ in range(chance.choice((1, 1, 3))):
        table = chance.choice(tables)
        column = chance.choice([row[1].decode() for row in db.execute(f"PRAGMA table_info({table})")])
        held = [row[0] for row in db.execute(f"SELECT {column} FROM {table}")]
        old = chance.choice(held or [None])
        if isinstance(old, bytes) and chance.random() < 0.9:
            with suppress(UnicodeDecodeError):
                old = old.decode()
        new: Any
        if (data := _data(old)) is not None and chance.random() < 0.8:
            new = json.dumps(mutate.changed_data(chance, data))
        elif isinstance(old, str) and chance.random() < 0.5:
            new = mutate.changed_text(chance, old).encode("utf-8", "surrogatepass")
            new = chance.choice((new, new.decode("utf-8", "replace")))
        elif isinstance(old, bytes) and chance.random() < 0.7:
            new = mutate.changed(chance, old)
        else:
            new = chance.choice((None, -1, 2**62, 1.5, float("inf"), b"\xff", "", "x", "2024-99-99", b"\0" * 32))
        try:
            if isinstance(new, bytes) and chance.random() < 0.5:
                db.execute(f"UPDATE {table} SET {column} = CAST(? AS TEXT) WHERE {column} IS ?", (new, old))
            else:
                db.execute(f"UPDATE {table} SET {column} = ? WHERE {column} IS ?", (new, old))
        except (sqlite3.Error, OverflowError):
            continue
    db.commit()
    return db.serialize()
