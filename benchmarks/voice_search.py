"""Voice search: accuracy on the demo library, and speed, recall and memory with up to a million voices.

    python benchmarks/voice_search.py [--json FILE] [--counts 10000 100000 1000000] [--parts quality speed growth]

quality: searches of the demo library by held-out utterances, synthesised with the engine on each card, and by the
questions of benchmarks/voice_questions/ (its README says how they were written).
speed: a library of 100,000 voices with embeddings of 192 dimensions. Exact search alternates with the bare FAISS
call; then whole searches by speaker embedding and by text.
growth: recall, time and memory of the index over synthetic voices in clusters of fifty.

Everything runs in one thread. Ratios are of times taken in one run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import faiss  # noqa: E402
import numpy as np  # noqa: E402
from demo_questions import quality  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from report import publish  # noqa: E402

from agentaudio.errors import VoiceError  # noqa: E402
from agentaudio.retrieval.vectors.faiss_index import FaissIndex  # noqa: E402
from agentaudio.retrieval.voices.search import VoiceSearch  # noqa: E402
from agentaudio.text.sentence_embedder import SentenceEmbedder  # noqa: E402
from agentaudio.voice_library.library import VoiceLibrary  # noqa: E402
from agentaudio.voice_library.records import Records  # noqa: E402
from agentaudio.voice_library.voice import Consent, VoiceCard  # noqa: E402

DIM = 192
BATCH = 10_000
PER_CLUSTER = 50
SPREAD = 0.7  # standard deviation of voices around their cluster; that of the clusters is 1.0
QUERIES = 300
LIBRARY = 100_000

Vectors = NDArray[np.float32]


def synthetic(count: int) -> Iterator[tuple[NDArray[np.int64], Vectors]]:
    """Yield ids (n,) and unit embeddings (n, DIM) of `count` voices in batches, the same in each call."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(max(1, count // PER_CLUSTER), DIM)).astype(np.float32)
    for start in range(0, count, BATCH):
        size = min(BATCH, count - start)
        rows = centres[rng.integers(0, len(centres), size)] + SPREAD * rng.normal(size=(size, DIM)).astype(np.float32)
        yield np.arange(start, start + size), rows / np.linalg.norm(rows, axis=1, keepdims=True)


def held_out(count: int) -> Vectors:
    """QUERIES unit embeddings from the same clusters, none of which is in the index."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(max(1, count // PER_CLUSTER), DIM)).astype(np.float32)
    other = np.random.default_rng(99)
    rows = centres[other.integers(0, len(centres), QUERIES)] + SPREAD * other.normal(size=(QUERIES, DIM))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def times_ms(calls: Callable[[Any], Any], arguments: Any) -> NDArray[np.float64]:
    taken = []
    for argument in arguments:
        begun = time.perf_counter()
        calls(argument)
        taken.append(1000 * (time.perf_counter() - begun))
    return np.array(taken)


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def built(count: int, path: Path) -> dict[str, Any]:
    begun = time.perf_counter()
    index = FaissIndex.of(lambda: synthetic(count), DIM, count=count)
    index.save(path)
    stats = index.stats()
    return {"index": stats["index"], "probes": stats["probes"], "stored_recall": stats["recall_at_10"],
            "build_s": round(time.perf_counter() - begun, 1)}  # fmt: skip


def opened(count: int, path: Path) -> dict[str, Any]:
    """Open the index and search it. Runs in a separate process, so that memory holds only what search needs."""
    queries, truth = held_out(count), _truth(count)
    FaissIndex(DIM).add([1], queries[:1])  # load FAISS before memory is measured
    before, begun = resident_bytes(), time.perf_counter()
    kept = FaissIndex.open(path, DIM)
    open_s = time.perf_counter() - begun
    assert kept is not None
    index = kept[0]
    found = [[id for id, _ in index.search(query, 10)] for query in queries]
    taken = times_ms(lambda query: index.search(query, 10), queries)
    grown = resident_bytes() - before
    few = np.random.default_rng(1).choice(count, count // 100, replace=False)
    filtered = times_ms(lambda query: index.search(query, 10, among=few), queries[:50])
    return {
        "open_s": round(open_s, 4),
        "recall_at_10": round(
            float(np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, truth, strict=True)])), 4
        ),
        "p50_ms": round(float(np.median(taken)), 3),
        "p99_ms": round(float(np.quantile(taken, 0.99)), 3),
        "p50_ms_among_1_percent": round(float(np.median(filtered)), 3),
        "resident_bytes_per_voice": round(grown / count, 1),
    }


def _truth(count: int) -> list[list[int]]:
    queries = held_out(count)
    scores, ids = np.full((QUERIES, 0), 0, np.float32), np.zeros((QUERIES, 0), np.int64)
    for batch_ids, rows in synthetic(count):
        scores = np.concatenate([scores, queries @ rows.T], 1)
        ids = np.concatenate([ids, np.broadcast_to(batch_ids, (QUERIES, len(batch_ids)))], 1)
        best = np.argpartition(-scores, 9, axis=1)[:, :10]
        scores, ids = np.take_along_axis(scores, best, 1), np.take_along_axis(ids, best, 1)
    return [[int(id) for id in row] for row in ids]


def growth(counts: list[int]) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for count in counts:
            row: dict[str, Any] = {}
            for step in ("built", "opened"):
                output = subprocess.check_output(
                    [sys.executable, __file__, "--step", step, "--counts", str(count), "--folder", folder], text=True
                )
                row |= json.loads(output)
            figures |= {f"{count}_{name}": value for name, value in row.items()}
    return figures


class Named:
    """Name and size of the encoder of the synthetic embeddings. It cannot encode."""

    name, dim, same_speaker_above = "synthetic-192", DIM, 0.9

    def encode(self, audio: object) -> Vectors:
        raise VoiceError("the synthetic encoder cannot encode sound; search by an embedding")


WORDS = {
    "gender": ("female", "male"),
    "age": ("child", "young", "adult", "old"),
    "accent": ("British", "American", "Scottish", "German", "Italian", "French", "Indian", "Sichuan"),
}
MANNERS = "calm deep cheerful hoarse soft stern warm fast slow friendly dry lively polite serious husky".split()


def synthetic_library(folder: Path) -> VoiceLibrary:
    """Write 100,000 cards with embeddings. There are no clips, because searching does not read them."""
    library = VoiceLibrary.create(folder, encoder=Named())
    rng = np.random.default_rng(5)
    consent = Consent(basis="synthetic", holder="nobody", scope=("synthesis",))
    for ids, rows in synthetic(LIBRARY):
        cards = []
        for number, row in zip(ids.tolist(), rows, strict=True):
            gender, age, accent = (str(rng.choice(values)) for values in WORDS.values())
            one, other = rng.choice(MANNERS, 2, replace=False)
            card = VoiceCard.model_construct(
                id=f"voice-{number}", name=f"Voice {number}", language="en", gender=gender, age=age, accent=accent,
                description=f"A {one}, {other} {accent} voice.", tags=(str(one),), licence="CC0-1.0",
                consent=consent, sha256=f"{number:064x}", duration_s=5.0,
            )  # fmt: skip
            cards.append((card, row))
        with library.database.change() as db:
            records = Records(db)
            records.settle_encoder(library.encoder)
            for card, row in cards:
                records.insert(card, row, None)
    return library


class Remembered:
    """The sentence embedder with a cache: the 100,000 cards have only about a thousand different descriptions."""

    def __init__(self) -> None:
        self._embed, self._known = SentenceEmbedder(), dict[str, Vectors]()

    def __call__(self, texts: Any) -> Vectors:
        if len(texts) == 1:
            return self._embed(texts)
        plain = [text.split(". ", 1)[-1] for text in texts]
        new = [text for text in dict.fromkeys(plain) if text not in self._known]
        if new:
            self._known |= dict(zip(new, self._embed(new), strict=True))
        return np.stack([self._known[text] for text in plain])


def speed() -> dict[str, Any]:
    rows = np.concatenate([part for _, part in synthetic(LIBRARY)])
    ours, bare = FaissIndex(DIM), faiss.IndexFlatIP(DIM)
    ours.add(range(LIBRARY), rows)
    bare.add(rows)
    queries = held_out(LIBRARY)
    calls = {"bare": lambda row: bare.search(row[None], 10), "ours": lambda row: ours.search(row, 10)}
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for number, query in enumerate(queries):  # alternate, so that each goes first equally often
        for name in sorted(calls, reverse=bool(number % 2)):
            taken[name] += times_ms(calls[name], [query]).tolist()
    exact = taken["ours"]
    with tempfile.TemporaryDirectory() as folder:
        library = synthetic_library(Path(folder) / "library")
        search = VoiceSearch(library, embed=Remembered())
        begun = time.perf_counter()
        search.search(clip=queries[0])
        first_by_clip_s = time.perf_counter() - begun
        begun = time.perf_counter()
        search.prepare()
        prepare_s = time.perf_counter() - begun
        texts = [
            f"a {one} {age} {'woman' if n % 2 else 'man'} with a {accent} accent"
            for n, (one, age, accent) in enumerate(
                (one, age, accent)
                for one in MANNERS
                for age in ("young", "old")
                for accent in ("german", "british", "")
            )
        ]
        search.search(texts[0])
        by_clip = times_ms(lambda query: search.search(clip=query, min_score=0.0), queries)
        by_text = times_ms(search.search, texts)
    return {
        "exact_over_bare_faiss": round(float(np.median(exact) / np.median(taken["bare"])), 3),
        "exact_p50_ms": round(float(np.median(exact)), 2),
        "by_clip_embedding_p50_ms": round(float(np.median(by_clip)), 2),
        "by_clip_embedding_p99_ms": round(float(np.quantile(by_clip, 0.99)), 2),
        "by_text_p50_ms": round(float(np.median(by_text)), 2),
        "by_text_p99_ms": round(float(np.quantile(by_text, 0.99)), 2),
        "first_search_by_clip_s": round(first_by_clip_s, 2),
        "index_cards_s": round(prepare_s, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--counts", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--parts", nargs="+", default=["quality", "speed", "growth"])
    parser.add_argument("--step", choices=["built", "opened"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        (count,) = options.counts
        step = built if options.step == "built" else opened
        print(json.dumps(step(count, options.folder / f"{count}.json")))
        return
    figures: dict[str, Any] = {}
    if "quality" in options.parts:
        figures |= quality()
    if "speed" in options.parts:
        figures |= speed()
    if "growth" in options.parts:
        figures |= growth(options.counts)
    publish("voice search", figures, options.json)


if __name__ == "__main__":
    main()
