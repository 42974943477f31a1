"""Which passages an answer used, and the form in which servers report them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from agentaudio.conversation import Citation, Passage
from agentaudio.text.sentences import sentence_spans
from agentaudio.text.terms import search_terms

LEAST_SHARE = 0.5
"""Share of the words of an answer's sentence that a passage's sentence must contain to be its source."""


def cite(answer: str, passages: Sequence[Passage]) -> tuple[Citation, ...]:
    """The passages that an answer used, in the order of the answer, each with the sentence it relies on.

    Sentences are compared by their words. When no passage shares enough of them, as with an answer in
    another language, every passage is cited, because the model has read them all.
    """
    if not passages:
        return ()
    read = [
        (passage, place, sentence, f"{passage.title} {sentence}")
        for passage in passages
        for place, sentence in _sentences(passage.text)
    ]
    found: dict[tuple[str, int], Citation] = {}
    for _, said in _sentences(answer):
        best = max(read, key=lambda item: _share(said, item[3]), default=None)
        if best is None or _share(said, best[3]) < LEAST_SHARE:
            continue
        passage, place, sentence, _ = best
        citation = Citation(passage.title, passage.source, sentence, passage.position + place)
        found.setdefault((citation.source, citation.position), citation)
    return tuple(found.values()) or tuple(Citation(p.title, p.source, p.text, p.position) for p in passages)


def url_citations(answer: str, citations: Sequence[Citation]) -> list[dict[str, Any]]:
    """OpenAI's `annotations` of type url_citation: which characters of the answer rely on which URL.

    Citations of local documents are left out.
    """
    return [
        {
            "type": "url_citation",
            "url_citation": {"url": item.source, "title": item.title, "start_index": start, "end_index": end},
        }
        for item in citations
        if _is_web(item.source)
        for start, end in [_supported(answer, item.quote)]
    ]


def _supported(answer: str, quote: str) -> tuple[int, int]:
    """Start and end of the sentence that shares the most words with the quote; of the whole answer when none does."""
    places = [(_share(said, quote), place, place + len(said)) for place, said in _sentences(answer)]
    share, start, end = max(places, key=lambda item: item[0], default=(0.0, 0, 0))
    return (start, end) if share > 0 else (0, len(answer))


def _share(said: str, read: str) -> float:
    wanted = set(search_terms(said))
    return len(wanted & set(search_terms(read))) / len(wanted) if wanted else 0.0


def _sentences(text: str) -> Iterator[tuple[int, str]]:
    return ((start, text[start:end]) for start, end in sentence_spans(text))


def _is_web(source: str) -> bool:
    return re.match(r"https?://", source) is not None
