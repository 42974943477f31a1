"""Finds the sentences of retrieved passages that answer a question."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from agentaudio.conversation import Citation, Passage
from agentaudio.model.asked.queries import search_query
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
DEFINITION = 0.06
"""Added to the first sentence of a document, which says what and where its topic is."""
SECOND_SENTENCE_MARGIN = 0.04
MOST_SENTENCES = 60
_PAIR = re.compile(r"(?=\b([a-z]{3,})[ -]([a-z]{3,})\b)")
"""Two words that may be written as one."""
_REFERS_BACK = re.compile(
    r"^(?:It|They|He|She|This|These|That|Those|Its|Their|His|Her|But|However|So|Then|Also|Such|Both)\b"
)
_LEAD = re.compile(
    r"\b(?:tell (?:me|us) (?:something |more |a bit |a little |all )?about|introduc|overview|summary|"
    r"what do you know about|what can you tell|describe|learn about|know (?:anything |something |much |a lot |a bit "
    r")?about|interested in|curious about|intro to)"
)
_SHORT_LEAD = re.compile(
    r"^(?:(?:please|can you|could you) )*(?:explain|what (?:is|are)|who (?:is|was)) \w+(?: \w+){0,3} ?$"
)
_YEAR = re.compile(r"\b1\d{3}\b|\b20\d\d\b|\bcentur(?:y|ies)\b")
_REASON = re.compile(r"\b(?:because|so that|since|due to|this (?:makes|turns|gives|lets)|therefore|which)\b")
_SAME_MEANING = tuple(
    tuple(map(stem, words.split()))
    for words in (
        "begin start began", "end finish", "big large huge", "buy purchase", "quick fast rapid speed",
        "colour color", "photograph picture photo", "ill sick", "film movie", "heavy weigh weight "
                                                                              "weighed", "tall high height",
        "phone telephone", "wide width", "deep depth", "long length", "hot heat temperature", "die died death",
        "tire tyre", "person people man somebody someone", "good best famous great",
        "invent design create develop build built construct",
    )
)  # fmt: skip
_SUPERLATIVE = re.compile(r"\b(?:\w{2,}est|most|first|last|only)\b")
_LENGTHS = r"(?:(?:kilo|centi|milli)?met(?:er|re)s?|miles?|feet|foot|inch(?:es)?|yards?|(?:kilo)?metres?)"
_WEIGHTS = r"(?:tons?|tonnes?|(?:kilo)?grams?|pounds?|ounces?)"
_TIMES = r"(?:seconds?|minutes?|hours?|days?|weeks?|months?|years?|centur(?:y|ies))"
_SHARES = (
    r"times as|twice as|half as|as \w+ as|bigger|larger|wider|largest|biggest|one (?:half|third|quarter|"
    r"fifth|sixth|tenth)"
)
_UNITS = tuple(
    (re.compile(rf"\bhow (?:{asked})\b"), re.compile(rf"\b(?:{units})\b"))
    for asked, units in (
        ("tall|high|far|deep|thick", _LENGTHS),
        ("wide|big|large", f"{_LENGTHS}|{_SHARES}"),
        ("heavy|much (?:do|does|did|can|could) .+ weigh", _WEIGHTS),
        (
            "long (?:do|does|did|can|could|will) .+ (?:live|last|take|get)|long .+ (?:takes|lasts|lives|lived|took)",
            _TIMES,
        ),
        ("long", f"{_LENGTHS}|{_TIMES}"),
        ("old (?:do|does|can|will|could|get|did)", _TIMES),
        ("old (?!do|can|does|did|will|could)", r"1\d{3}|20\d\d|years old|centur(?:y|ies)"),
        ("hot|cold|warm", "degrees"),
        ("fast", r"an hour|a second|a minute"),
        ("often", r"every|each|once|twice|times"),
    )
)
"""Units that the answer to a question for a measure has."""
_DEED = re.compile(
    r"\b(?:built|build|invented|made|make|designed|created|discovered|wrote|painted|founded|printed|developed|"
    r"composed|named|"
    r"constructed|gave|received a patent)\b"
)
_BEGAN = re.compile(
    r"\b(?:began|begun|built|opened|finished|founded|formed|born|invented|made|completed|started|patent|discovered|"
    r"received)\b"
)
_SOME_ONE = re.compile(r"\b(?:baby|young|female|male|mother)\b", re.IGNORECASE)
_WHERE_IS = re.compile(r"^(?:(?:and|so|okay) )*where (?:is|are|was|were)\b")
_MADE_BY = re.compile(r"^(?:\S+ ){0,3}[A-Z]\w+ (?:\S+ ){0,4}?(?:" + _DEED.pattern[5:-3] + r")\b|\bby (?:the )?[A-Z]")
_WHERE = re.compile(
    r"\b(?:in|at|across|near|between|beside|from|through|off|of|on) (?:the )?(?:\w+ (?:of|part of) )?[A-Z]"
)
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
    question = _as_written(question, passages)
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
        0.6 * fit
        + 0.25 * share
        + _kind(question, s.text, passages[s.passage].title)
        + TITLE_NAMED * named[s.passage]
        - _unclear(question, s.text)
        for fit, share, s in zip(fits, shares, sentences, strict=True)
    ]
    if _WHERE_IS.match(" ".join(split_words(question))):
        for number, s in enumerate(sentences):
            opens = s.place == 0 and passages[s.passage].position < 80 and named[s.passage]
            scores[number] += DEFINITION if opens else 0.0
    best = max(range(len(sentences)), key=scores.__getitem__)
    if 0.75 * fits[best] + 0.25 * shares[best] < LEAST_FIT:
        return []
    said = " ".join(split_words(question))
    if _LEAD.search(said) or (_SHORT_LEAD.match(said) and any(_only_named(p.title, asked) for p in passages)):
        chosen = _lead(sentences, passages, query, fits, embed)
    else:
        chosen = _with_support(best, sentences, scores)
    return [_cited(sentences[number], passages) for number in sorted(chosen)]


def _as_written(question: str, passages: Sequence[Passage]) -> str:
    """The question with compounds that no passage has as the passages write them: "honey bees" for "honeybees"."""
    text = " ".join(f"{passage.title} {passage.text}" for passage in passages).lower()
    held = set(split_words(text))
    apart = {one + other: f"{one} {other}" for one, other in _PAIR.findall(text)}

    def written(found: re.Match[str]) -> str:
        word = found[0].lower()
        return found[0] if word in held else apart.get(word, found[0])

    return re.sub(r"[A-Za-z]{6,}", written, question)


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


def _only_named(title: str, asked: set[str]) -> bool:
    """Whether the topic words of the question are those of the title, and no others: "what is the Nile"."""
    words = {stem(word) for word in content_words(title)}
    return bool(asked) and asked <= words


def _shares(query: str, sentences: Sequence[_Sentence], passages: Sequence[Passage]) -> list[float]:
    """The share of the query's words that each sentence or its title holds; rare words count more."""
    held = [{_meant(w) for w in content_words(s.text + " " + passages[s.passage].title)} for s in sentences]
    counts = Counter(word for words in held for word in words)
    # The answer to "how old" gives years and seldom says "old".
    asked = re.sub(r"\bhow (?:old|big|large|far|long)\b", "how", query)
    if re.search(r"\bwho\b", query):
        asked = _DEED.sub("", asked)  # what it takes to have done it is judged by `_kind`
    weights = {word: math.log(1 + len(held) / (1 + counts[word])) for word in map(_meant, content_words(asked))}
    total = sum(weights.values())
    return [sum(w for word, w in weights.items() if word in words) / total if total else 0.0 for words in held]


def _meant(word: str) -> str:
    """The stem of a word, or of the common word with the same meaning: "begin" for "start"."""
    return next((group[0] for group in _SAME_MEANING if stem(word) in group), stem(word))


def _kind(question: str, sentence: str, title: str) -> float:
    """A bonus when the sentence has the kind of thing that the question word asks for."""
    said = " ".join(split_words(question))
    if counted := re.search(r"\bhow many (?P<things>\w+(?: \w+)?)", said):
        return _count(sentence, {stem(word) for word in content_words(counted["things"])})
    if re.search(
        r"\bhow (?:much|long|tall|high|far|old|big|heavy|fast|deep|large|wide|hot|cold|often|thick|warm)\b", said
    ):
        units = next((units for asked, units in _UNITS if asked.search(said)), None)
        if units is not None and not units.search(sentence):
            return 0.0
        if re.search(r"\bhow old (?!do|can|does|did|will|could)", said):
            return 0.12 if _YEAR.search(sentence) and _BEGAN.search(sentence) else 0.0
        if re.search(r"\baway\b", sentence) and not re.search(r"\bfar\b", said):
            return 0.0
        words = split_words(sentence)
        counts = [number for number in find_numbers(words) if number.value != 1 or words[number.start].isdecimal()]
        asked_for = re.search(r"\bhow (long|tall|high|wide|deep|thick|far|heavy)\b", said)
        exact = asked_for is not None and re.search(rf"{_LENGTHS} {asked_for[1]}\b", sentence) is not None
        return (0.16 if exact else 0.1) if counts else 0.0
    if re.search(r"\bwhere\b|\b(?:which|what) (?:country|city|place|continent|sea|ocean)\b", said):
        named = {stem(word) for word in content_words(f"{question} {title}")}
        places = (
            match[0].split()[-1:] + sentence[match.end() - 1 :].split()[:1] for match in _WHERE.finditer(sentence)
        )
        return 0.1 if any(stem(place[-1].strip(".,").lower()) not in named for place in places) else 0.0
    if re.search(r"\bwhen\b|\b(?:which|what) (?:year|century|date)\b", said):
        if _BEGAN.search(said) and not _BEGAN.search(sentence):
            return 0.03 if _YEAR.search(sentence) else 0.0
        return 0.1 if _YEAR.search(sentence) else 0.0
    if re.search(r"\bwho(?:se|m)?\b", said):
        if deed := _DEED.search(said):
            if not _MADE_BY.search(sentence):
                return 0.0
            same = _meant(deed[0]) in map(_meant, split_words(sentence))
            return 0.16 if same else 0.1  # "built", where it was asked who built it
        return 0.06 if _NAME.search(sentence) else 0.0
    if (
        what := re.fullmatch(r"(?:what|who) (?:is|are|was|were) (?:the |an? )?(?P<it>\w+(?: \w+){0,2})", said)
    ) is not None:
        it = rf"{re.escape(what['it'].removesuffix('s'))}s?"
        defines = rf"\b{it} (?:is|are|was|were) (?:an?|the|one|that)\b|\b(?:called|named|name) (?:the )?{it}\b"
        return 0.1 if re.search(defines, sentence.lower()) else 0.0
    if re.search(r"\bwhy\b", said):
        return 0.06 if _REASON.search(sentence) else 0.0
    return 0.0


def _count(sentence: str, things: set[str]) -> float:
    """A bonus for a number, and a higher one for a number of the things that were asked for."""
    words = split_words(sentence)
    found = 0.0
    for number in find_numbers(words):
        after = {stem(word) for word in words[number.end : number.end + 3]}
        if things & after:
            return 0.15
        is_year = words[number.start].isdecimal() and len(words[number.start]) == 4 and 1000 < number.value < 2100
        if not is_year and (number.value != 1 or words[number.start].isdecimal()):
            found = 0.07
    return found


def _unclear(question: str, sentence: str) -> float:
    """What a sentence loses that refers to the one before it, unless it gives the reason that was asked for."""
    if (one := _SOME_ONE.search(sentence)) and one[0].lower() not in split_words(question):
        return 0.06  # "a baby blue whale" is not the one that was asked about
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
