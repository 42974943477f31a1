"""`tokens_of`: a request for a voice as tokens: traits, other words, and the words that negate, choose and separate."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

from agentaudio.retrieval.voices.vocabulary import (
    AGES,
    ASKING,
    CHINESE,
    CHINESE_ASKING,
    COMPOUND,
    GENDERS,
    MANNERS,
    PLACE_AND_GENDER,
    PLACES,
)  # fmt: skip
from agentaudio.text.languages import HAN
from agentaudio.text.stems import root, singular

Kind = Literal["trait", "word", "asking", "article", "not", "or", "and", "end", "link", "de"]


@dataclass(frozen=True, slots=True)
class Token:
    """A word or a known phrase.

    kind: `trait` names traits; `word` is any other content; `asking` carries no content; `article` begins a noun
        phrase; `not` negates what follows; `or` and `and` join; `end` is punctuation or a word that starts anew; `link`
        begins what follows a noun (with, who, from); `de` is the Chinese 的
    text: in English, or Chinese characters that are not in the vocabulary
    traits: groups of traits; a voice must have one of each group
    wide: of `not`: it negates the whole noun phrase (without a man), not only an adjective (is not old)
    """

    kind: Kind
    text: str
    traits: tuple[frozenset[str], ...] = ()
    wide: bool = False


# Idioms come first; each rule sees the text that the earlier ones left. `xnot` negates a whole noun phrase.
_VERBS = (
    r"(?:want|wants|need|needs|like|use|give|pick|choose|take|make|let|have|get|play|speak|talk|sound|answer|read|"
    r"care for|be|go for|go with)"
)
_STRUCTURE = (
    (r"\b(is|are|was|does|do|did|has|have|would|should|could|must|need)n['’]?t\b", r"\1 not"),
    (r"\b(?:can['’]?t|cannot)\b", "can not"),
    (r"\bwon['’]t\b", "will not"),
    (r"\bain['’]?t\b", "is not"),
    (r"\bnon-?(binary|sense)\b", r"non\1"),
    (r"\bnon[- ]([a-z]+)", r" not \1 de "),
    (r"\bnothing but\b|\bnone but\b", " "),
    (r"\bnot (?:only|just|merely|simply|necessarily)\b|\bwhy not\b|\bwhether or not\b", " "),
    (r"\bnot un(?=[a-z])", " "),
    (
        r"\b(?:do|does|did|would) not (?:really |much |at all )?(?:care|mind|matter)\b(?: (?:if|whether|which))?",
        " ",
    ),
    (r"\bno (?:matter|preference|problem|worries|idea)\b|\bnot (?:fussy|picky|bothered|sure)\b", " "),
    (r"(?:^|[.!?] *)(?:no|nope)(?: thanks?(?: you)?)? *[,.!;]", " "),
    (r"\band\s*/\s*or\b|(?<=[a-z])/(?=[a-z])", " or "),
    (r"\b(?:prefer|rather|more) ([^,.;]{1,60}?) (?:over|than)\b", r"\1 xnot"),
    (r"\bprefer ([^,.;]{1,60}?) to (?!be|sound|speak|talk|have|hear|use|get)", r"\1 xnot "),
    (r"\bbetween ([^,.;]{1,60}?) and\b", r"\1 or"),
    (r"\bif not\b|\b(?:or,? )?failing that,?|\bor else\b|\botherwise\b|\balternatively\b", " or "),
    (r"\b(?:any|every)(?:thing|one|body)?(?: [a-z]+)?(?: else)? (?:but|bar)\b|\ball (?:but|bar)\b", " xnot "),
    (
        r"\bother than\b|\bapart from\b|\baside from\b|\brather than\b|\binstead of\b|\bas opposed to\b|"
        r"\bin (?:place|lieu) of\b|\bsave for\b|\bexcept(?:ing)?(?: for)?\b|\bexclud(?:e|ing)\b|\bbesides\b|"
        r"\bavoid(?:ing)?\b|\bminus\b|\bsans\b|\bbarring\b|\bnobody\b|\bno[- ]one\b|\bnone of\b|\bunlike\b",
        " xnot ",
    ),
    (r"\b(?:can|could) not (?:stand|bear|take)\b|\b(?:hates?|dislikes?|detests?|loathes?)\b", " xnot "),
    (r"\b(?:sick|tired|fed up) (?:of|with)\b|\b(?:stop|quit)\b", " xnot "),
    (rf"\b(?:do|does|did|would|will|should|can|could) not (?:ever |really )?{_VERBS}\b(?: me\b)?", " xnot "),
    (rf"\bnot {_VERBS} (?:me |like )?(?=(?:an?|the|any|one)\b)", " xnot "),
    (r"\b(?:neither|nor|without|no|nothing|none)\b(?!-)", " xnot "),
    (r"\b(?:never|less|hardly|far from)\b", " not "),
    (r"\bnot (?=(?:an?|the|any|one|my|her|his)\b)", " xnot "),
    (r"\bbut\b|\bthough\b|\bhowever\b|\byet\b", " | "),
    (r"\b(?:more|pick|give|choose|preferably|prefer|please|instead)\b(?! of)", " | "),
    (r"[.;:!?。；：！？…—]| - ", " | | "),  # no list of what is not wanted goes on after these
    (r"[,，]", " | "),
    (r"、", " or "),
)
_YEARS = re.compile(r"\b(\d{1,3}|[a-z]+)[ -]years?[ -]old\b")
_NUMBERS = "one two three four five six seven eight nine ten eleven twelve".split()
_WORD = re.compile(rf"[a-z0-9]+(?:['-][a-z0-9]+)*|[{HAN}]+|\|")
_CHINESE_RUN = re.compile(f"[{HAN}]+")
_ARTICLES = frozenset("a an the one some any".split())
_LINKS = frozenset("with who whose that which from speaking has having".split())
_MARKS: dict[str, Token] = {
    "xnot": Token("not", "not", wide=True), "not": Token("not", "not"), "or": Token("or", "or"),
    "and": Token("and", "and"), "|": Token("end", ","), "de": Token("de", "de"),
}  # fmt: skip
_CHINESE_STRUCTURE = {
    word: meaning
    for meaning, words in {
        " xnot ": (
            "不要 不想要 不想听 不想听到 不想 不喜欢 不爱听 不需要 别用 别要 别给我 别 勿 勿用 除了 除去 除 避免 排除 "
            "讨厌 受不了 既不是 也不是 而不是 也不要 就是不要 只要不是 禁止"
        ),
        " not ": (
            "不是 不 非 没有 没 无 不太 不那么 不怎么 不带 不能 不会 不够 不要太 别太 不要那么 别那么 不要这么 "
            "也不 又不 并不 既不 不像"
        ),
        " or ": "或者 或 或是 还是 要么 要不",
        " and ": "和 跟 与 以及 及",
        " | ": (
            "但是 但 可是 不过 而是 而 以外 之外 外 谁都行 谁都可以 都可以 都行 都好 就行 就好 换成 换个 换一个 要 只要"
        ),
        " de ": "的",
        " ": (
            "不错 是不是 要不要 不管 无论 不论 没关系 无所谓 没问题 随便 任何 任何人 别人 别的 其他 其他人 "
            "所有 所有人 谁 都"
        ),
    }.items()
    for word in words.split()
}
_KNOWN_CHINESE = {**dict.fromkeys(CHINESE_ASKING, " "), **CHINESE, **_CHINESE_STRUCTURE}
_LONGEST_CHINESE = max(map(len, _KNOWN_CHINESE))


@cache
def _structure() -> list[tuple[re.Pattern[str], str]]:
    """_STRUCTURE, compiled on first use, as that takes long."""
    return [(re.compile(pattern), meaning) for pattern, meaning in _STRUCTURE]


def tokens_of(text: str) -> list[Token]:
    """The tokens of a request or a description, in English, Chinese or both."""
    english = _YEARS.sub(_age_word, _CHINESE_RUN.sub(_translated, text.lower()))
    for pattern, meaning in _structure():
        english = pattern.sub(meaning, english)
    words = _WORD.findall(english.replace("’", "'"))
    return list(_tokens(words))


def _tokens(words: list[str]) -> Iterator[Token]:
    at = 0
    while at < len(words):
        length, traits = _known_at(words, at)
        phrase = " ".join(words[at : at + length])
        at += length
        if traits is not None:
            yield Token("trait", phrase, traits)
        elif phrase in _MARKS:
            yield _MARKS[phrase]
        elif phrase in _ARTICLES:
            yield Token("article", phrase)
        elif phrase in _LINKS:
            yield Token("link", phrase)
        elif phrase in ASKING:
            yield Token("asking", phrase)
        else:
            yield Token("word", phrase)


def _known_at(words: list[str], at: int) -> tuple[int, tuple[frozenset[str], ...] | None]:
    """Length in words and traits of the longest known phrase at this position; None for other words."""
    known = _vocabulary()
    for length in (3, 2):
        # "no" and "without" are marks by now, but belong to phrases such as "without emotion".
        phrases = [" ".join(words[at : at + length])]
        if words[at] == "xnot":
            phrases += [f"{word} {' '.join(words[at + 1 : at + length])}" for word in ("no", "without")]
        for phrase in phrases:
            if at + length <= len(words) and phrase in known:
                return length, known[phrase]
    word = words[at].removesuffix("'s")
    if word in known:
        return 1, known[word]
    if word in ASKING or word in _MARKS or word in _LINKS or word in _ARTICLES:
        return 1, None
    return 1, known.get(singular(word)) or _roots().get(root(word))


@cache
def _vocabulary() -> dict[str, tuple[frozenset[str], ...]]:
    """The groups of traits of each known word and phrase."""
    found: dict[str, dict[str, set[str]]] = {}
    names = {place: names for place, (names, _) in PLACES.items()}
    for kind, table in (("gender", GENDERS), ("age", AGES), ("place", names), ("manner", MANNERS)):
        for trait, listed in table.items():
            single, *phrases = listed.split("|")
            for word in (*single.split(), *phrases, trait):
                found.setdefault(word, {}).setdefault(kind, set()).add(trait)
    for table in (PLACE_AND_GENDER, {word: genders[0] for word, genders in COMPOUND.items() if genders}):
        for word, gender in table.items():
            found.setdefault(word, {}).setdefault("gender", set()).add(gender)
    for word in ("little girl", "small girl", "tiny girl"):
        found[word]["gender"] = {"female"}
    for word in ("little boy", "small boy", "tiny boy"):
        found[word]["gender"] = {"male"}
    found["young girl"]["gender"], found["young boy"]["gender"] = {"female"}, {"male"}
    found["old man"]["gender"], found["old woman"]["gender"] = {"male"}, {"female"}
    return {word: tuple(frozenset(group) for group in kinds.values()) for word, kinds in found.items()}


@cache
def _roots() -> dict[str, tuple[frozenset[str], ...]]:
    return {root(word): groups for word, groups in _vocabulary().items() if " " not in word}


def _translated(match: re.Match[str]) -> str:
    """A run of Chinese with known words in English; the unknown rest stays."""
    found, left, run, at = [], "", match.group(), 0
    while at < len(run):
        for length in range(min(_LONGEST_CHINESE, len(run) - at), 0, -1):
            piece = run[at : at + length]
            if piece in _KNOWN_CHINESE:
                found += [left, _KNOWN_CHINESE[piece]]
                left, at = "", at + length
                break
        else:
            left, at = left + run[at], at + 1
    return f" {' '.join((*found, left))} "


def _age_word(match: re.Match[str]) -> str:
    said = match[1]
    if not said.isdigit() and said not in _NUMBERS:
        if said[:4] in ("sixt", "seve", "eigh", "nine"):
            return "old"
        return "young" if said.startswith("twent") or said.endswith("teen") else "adult"
    years = int(said) if said.isdigit() else _NUMBERS.index(said) + 1
    return "child" if years < 13 else "young" if years < 30 else "adult" if years < 60 else "old"
