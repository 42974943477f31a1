"""Finds the sentences of retrieved passages that answer a question."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from agentaudio.conversation import Citation, Passage
from agentaudio.model.embedded.routing.queries import search_query
from agentaudio.text.embedding import Embed
from agentaudio.text.numbers import find_numbers
from agentaudio.text.sentences import sentence_spans
from agentaudio.text.stems import stem
from agentaudio.text.words import content_words, split_words

LEAST_FIT = 0.54
"""Least score of an answer: questions that the demo documents answer have 0.69 or more on dev.jsonl, others 0.50 or
less."""
TITLE_NAMED = 0.1
LEAD_SENTENCES = 3
SECOND_SENTENCE_MARGIN = 0.04
MOST_SENTENCES = 60
_REFERS_BACK = re.compile(
    r"^(?:It|They|He|She|This|These|That|Those|Its|Their|His|Her|But|However|So|Then|Also|Such|Both)\b"
)
_LEAD = re.compile(
    r"\b(?:tell (?:me|us) (?:something |more |a bit |a little |all )?about|introduc|overview|summary|"
    r"what do you know about|what can you tell|describe|learn about|know about|interested in)"
)
_SHORT_LEAD = re.compile(
    r"^(?:(?:please|can you|could you) )*(?:explain|what (?:is|are)|who (?:is|was)) \w+(?: \w+){0,3} ?$"
)
_YEAR = re.compile(r"\b1\d{3}\b|\b20\d\d\b|\bcentur(?:y|ies)\b")
_REASON = re.compile(r"\b(?:because|so that|since|due to|this (?:makes|turns|gives|lets)|therefore|which)\b")
_SAME_MEANING = tuple(
    tuple(map(stem, words.split()))
    for words in (
        "begin start began", "end finish", "big large huge", "buy purchase", "quick fast rapid",
        "colour color", "photograph picture photo", "ill sick", "film movie",
    )
)  # fmt: skip
_NAME = re.compile(r"(?<=\w\s)[A-Z][a-z]+")


@dataclass(frozen=True, slots=True)
class Extract:
    """A sentence of a passage, with its citation."""

    text: str
    citation: Citation


@dataclass(frozen=True, slots=True)
class _Sentence:
    text: str
    passage: int
    place: int
    offset: int


def extract(question: str, passages: Sequence[Passage], embed: Embed) -> list[Extract]:
    """One to three sentences that answer the question, in the order of their document; none when nothing fits.

    The score of a sentence is made of its cosine with the question, the share of the question's words that it
    holds (rare words count more), whether it contains the expected kind of answer (a number, a name, a year), and
    whether the question names the title of the passage.
    A sentence that refers to the one before it ("It ...") is returned with that one.
    """
    sentences = _sentences(passages)[:MOST_SENTENCES]
    query = search_query(question) or question
    if not sentences or not query.strip():
        return []
    in_context = [f"{passages[sentence.passage].title}: {sentence.text}" for sentence in sentences]
    vectors = embed([query, *in_context, *(sentence.text for sentence in sentences)])
    titled = vectors[1 : 1 + len(sentences)] @ vectors[0]
    alone = vectors[1 + len(sentences) :] @ vectors[0]
    shares = _shares(query, sentences, passages)
    fits = [float(max(t, a)) for t, a in zip(titled, alone, strict=True)]
    asked = {stem(word) for word in content_words(question)}
    named = [_named(passage.title, asked) for passage in passages]
    scores = [
        0.6 * fit + 0.25 * share + _kind(question, s.text) + TITLE_NAMED * named[s.passage] - _unclear(question, s.text)
        for fit, share, s in zip(fits, shares, sentences, strict=True)
    ]
    best = max(range(len(sentences)), key=scores.__getitem__)
    if 0.75 * fits[best] + 0.25 * shares[best] < LEAST_FIT:
        return []
    said = " ".join(split_words(question))
    if _LEAD.search(said) or _SHORT_LEAD.match(said):
        chosen = _lead(sentences, passages, query, fits, embed)
    else:
        chosen = _with_support(best, sentences, scores)
    return [_cited(sentences[number], passages) for number in sorted(chosen)]


def _sentences(passages: Sequence[Passage]) -> list[_Sentence]:
    found: list[_Sentence] = []
    for number, passage in enumerate(passages):
        place = 0
        for start, end in sentence_spans(passage.text):
            text = passage.text[start:end]
            if text.startswith("#") or len(text.split()) < 3:
                continue
            found.append(_Sentence(" ".join(text.split()), number, place, start))
            place += 1
    return found


def _named(title: str, asked: set[str]) -> bool:
    """Whether all topic words of the title are among the stems that were asked for."""
    words = {stem(word) for word in content_words(title)}
    return bool(words) and words <= asked


def _shares(query: str, sentences: Sequence[_Sentence], passages: Sequence[Passage]) -> list[float]:
    """The share of the query's words that each sentence or its title holds; rare words count more."""
    held = [{_meant(w) for w in content_words(s.text + " " + passages[s.passage].title)} for s in sentences]
    counts = Counter(word for words in held for word in words)
    # The answer to "how old" gives years and seldom says "old".
    asked = re.sub(r"\bhow old\b", "how", query)
    weights = {word: math.log(1 + len(held) / (1 + counts[word])) for word in map(_meant, content_words(asked))}
    total = sum(weights.values())
    return [sum(w for word, w in weights.items() if word in words) / total if total else 0.0 for words in held]


def _meant(word: str) -> str:
    """The stem of a word, or of the common word with the same meaning: "begin" for "start"."""
    return next((group[0] for group in _SAME_MEANING if stem(word) in group), stem(word))


def _kind(question: str, sentence: str) -> float:
    """A bonus when the sentence has the kind of thing that the question word asks for."""
    said = " ".join(split_words(question))
    if re.search(r"\bhow (?:many|much|long|tall|high|far|old|big|heavy|fast|deep|large|wide|hot|cold|often)\b", said):
        words = split_words(sentence)
        counts = [number for number in find_numbers(words) if number.value != 1 or words[number.start].isdecimal()]
        return 0.1 if counts else 0.0
    if re.search(r"\bwhen\b|\b(?:which|what) (?:year|century|date)\b", said):
        return 0.1 if _YEAR.search(sentence) else 0.0
    if re.search(r"\bwho(?:se|m)?\b", said):
        return 0.06 if _NAME.search(sentence) else 0.0
    if re.search(r"\bwhy\b", said):
        return 0.06 if _REASON.search(sentence) else 0.0
    return 0.0


def _unclear(question: str, sentence: str) -> float:
    """What a sentence loses that refers to the one before it, unless it gives the reason that was asked for."""
    if not _REFERS_BACK.match(sentence):
        return 0.0
    return 0.0 if re.match(r"\W*why\b", question, re.IGNORECASE) and _REASON.search(sentence) else 0.08


def _lead(
    sentences: Sequence[_Sentence], passages: Sequence[Passage], query: str, fits: Sequence[float], embed: Embed
) -> list[int]:
    """The first sentences of the passage that is about the whole query."""
    titles = embed([passage.title for passage in passages]) @ embed([query])[0]
    first = [number for number, sentence in enumerate(sentences) if sentence.place == 0]

    def fit(number: int) -> float:
        passage = sentences[number].passage
        opens = 0.1 * (passages[passage].position < 80) - 0.15 * bool(_REFERS_BACK.match(sentences[number].text))
        return float(titles[passage]) + fits[number] + opens

    start = max(first, key=fit)
    passage = sentences[start].passage
    return [n for n, s in enumerate(sentences) if s.passage == passage and s.place < LEAD_SENTENCES]


def _with_support(best: int, sentences: Sequence[_Sentence], scores: Sequence[float]) -> list[int]:
    chosen = {best}
    earlier = best
    while len(chosen) < 3 and _REFERS_BACK.match(sentences[earlier].text) and sentences[earlier].place > 0:
        earlier -= 1
        chosen.add(earlier)
    neighbours = [n for n, s in enumerate(sentences) if n not in chosen and s.passage == sentences[best].passage]
    near = max(neighbours, key=scores.__getitem__, default=None)
    if near is not None and len(chosen) < 2 and scores[near] >= scores[best] - SECOND_SENTENCE_MARGIN:
        if not _REFERS_BACK.match(sentences[near].text) or near - 1 in chosen:
            chosen.add(near)
    return sorted(chosen)


def _cited(sentence: _Sentence, passages: Sequence[Passage]) -> Extract:
    passage = passages[sentence.passage]
    citation = Citation(passage.title, passage.source, sentence.text, passage.position + sentence.offset)
    return Extract(sentence.text, citation)
