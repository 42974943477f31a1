"""`clauses_of`: which tokens of a request a voice must meet, which alternatives there are, and what it must not be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import product

from agentaudio.retrieval.voices.lexing import Token
from agentaudio.retrieval.voices.vocabulary import AGES, GENDERS, PLACES, ROLES

MOST_ALTERNATIVES = 8
_GENDERS = frozenset(GENDERS)

Tokens = list[Token]


@dataclass(frozen=True, slots=True)
class Clauses:
    """The parts of a request.

    alternatives: at least one list of tokens; a voice must meet one of them. Empty lists ask for nothing in particular
    excluded: lists of tokens; a voice that meets one of them is unwanted
    """

    alternatives: list[Tokens]
    excluded: list[Tokens]


def clauses_of(tokens: Tokens) -> Clauses:
    """Split the tokens of a request at negations and choices."""
    positive, excluded = _without_negations(tokens)
    return Clauses(_alternatives(positive), excluded)


# Negation


def _without_negations(tokens: Tokens) -> tuple[Tokens, list[Tokens]]:
    """The tokens that are not negated, and one list for each thing that is."""
    positive: Tokens = []
    excluded: list[Tokens] = []
    at = 0
    while at < len(tokens):
        if tokens[at].kind != "not":
            positive.append(tokens[at])
            at += 1
            continue
        end = _end_of_negation(tokens, at)
        excluded += _parts(tokens[at + 1 : end])
        positive.append(Token("end", ","))
        at = end
    return positive, [part for part in map(_words, excluded) if part]


def _words(part: Tokens) -> Tokens:
    """The tokens with content. Without any, the asking words may be a name: "anyone but Will"."""
    said = [token for token in part if token.kind in ("trait", "word")]
    return said or [Token("word", token.text) for token in part if token.kind == "asking"]


def _end_of_negation(tokens: Tokens, at: int) -> int:
    """Position after the last token that the negation at `at` covers."""
    wide = tokens[at].wide
    graded = at + 1 < len(tokens) and tokens[at + 1].text in ("too", "so", "very", "overly", "that")
    begun = False
    for end in range(at + 1, len(tokens)):
        token, following = tokens[end], tokens[end + 1] if end + 1 < len(tokens) else Token("end", "")
        if token.kind == "not":
            return end
        if token.kind == "end":
            if end > at + 1 and not (begun and wide and _listed(tokens, end)):
                return end
        elif begun and not wide:
            if token.kind in ("link", "de"):
                return end
            if token.kind == "and" and (graded or following.kind in ("link", "asking")):
                return end
            if token.kind == "or" and following.kind == "article":
                return end
        elif begun and token.kind == "and" and following.kind in ("asking", "end"):
            return end
        begun = begun or token.kind in ("trait", "word")
    return len(tokens)


def _listed(tokens: Tokens, comma: int) -> bool:
    """Whether a comma continues a list, as in "no robots, children or whispers"."""
    for at in range(comma + 1, len(tokens)):
        kind = tokens[at].kind
        if kind in ("or", "and"):
            return at > comma + 1 or (at + 1 < len(tokens) and tokens[at + 1].kind in ("trait", "word"))
        if kind not in ("trait", "word") and not (kind == "article" and at == comma + 1):
            return False
    return False


def _parts(span: Tokens) -> list[Tokens]:
    """A negated span, split at "or", "and" and commas: none of them is wanted."""
    parts: list[Tokens] = [[]]
    for token in span:
        if token.kind in ("or", "and", "end"):
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


# Choice


def _alternatives(tokens: Tokens) -> list[Tokens]:
    """Each way to meet the request: one disjunct of every clause."""
    clauses: list[list[Tokens]] = []
    for clause in _clauses(tokens):
        disjuncts = [part for part in _split(clause, "or") if _content(part)]
        if not disjuncts:
            continue
        before = clauses[-1] if clauses else []
        if len(disjuncts) > 1 and len(before) == 1 and _kinds(before[0]) and _kinds(before[0]) <= _kinds(disjuncts[0]):
            disjuncts = clauses.pop() + disjuncts  # "a German, a French or an Italian woman"
        clauses.append(_completed(disjuncts))
    ways = 1
    for number, disjuncts in enumerate(clauses):
        ways *= len(disjuncts)
        if ways > MOST_ALTERNATIVES:
            clauses[number] = [[token for part in disjuncts for token in part]]
            ways //= len(disjuncts)
    return [[token for part in way for token in part] for way in product(*clauses)]


def _clauses(tokens: Tokens) -> list[Tokens]:
    """The tokens, split at punctuation, except where an "or" or "and" follows it or is before it."""
    clauses: list[Tokens] = [[]]
    for number, token in enumerate(tokens):
        following = next((other for other in tokens[number + 1 :] if other.kind != "end"), None)
        joined = (following is not None and following.kind == "or") or any(t.kind == "or" for t in clauses[-1][-1:])
        if token.kind != "end":
            clauses[-1].append(token)
        elif not joined:
            clauses.append([])
    return clauses


def _split(tokens: Tokens, kind: str) -> list[Tokens]:
    parts: list[Tokens] = [[]]
    for token in tokens:
        if token.kind == kind:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _completed(disjuncts: list[Tokens]) -> list[Tokens]:
    """The disjuncts, each with what it shares with the others.

    "a French or an Italian woman": the first is a woman too. "an old man or woman": the second is old too, as it has no
    article. "a man or a woman with a calm voice": both are calm.
    """
    if len(disjuncts) == 1:
        return disjuncts
    first, last = disjuncts[0], disjuncts[-1]
    head = _head(last)
    tail = _tail(last)
    done: list[Tokens] = []
    for number, part in enumerate(disjuncts):
        kinds = _kinds(part)
        more: Tokens = []
        if number + 1 < len(disjuncts):
            if head is not None and "gender" not in kinds and "role" not in kinds:
                more.append(head)
            more += _lacking(tail, kinds)
        if number and not any(token.kind == "article" for token in part) and "role" not in kinds:
            more += _lacking(_body(first), kinds | {"role"})
        done.append(part + more)
    return done


def _lacking(tokens: Tokens, kinds: set[str]) -> Tokens:
    """The traits of the tokens that are of other kinds than these."""
    cut = [replace(t, traits=tuple(g for g in t.traits if _kind_of(g) not in kinds)) for t in tokens if t.traits]
    return [token for token in cut if token.traits]


def _head(tokens: Tokens) -> Token | None:
    """The last noun that names a gender, if the tokens have one."""
    return next((token for token in reversed(tokens) if "gender" in _kinds([token])), None)


def _body(tokens: Tokens) -> Tokens:
    """The tokens before the first link that follows content."""
    for at, token in enumerate(tokens):
        if token.kind == "link" and _content(tokens[:at]):
            return tokens[:at]
    return tokens


def _tail(tokens: Tokens) -> Tokens:
    return [token for token in tokens[len(_body(tokens)) :] if token.kind == "trait"]


def _content(tokens: Iterable[Token]) -> bool:
    return any(token.kind in ("trait", "word") for token in tokens)


def _kinds(tokens: Iterable[Token]) -> set[str]:
    """What the traits of the tokens are about: gender, age, place, role or manner."""
    return {_kind_of(group) for token in tokens for group in token.traits}


def _kind_of(group: frozenset[str]) -> str:
    if group <= _GENDERS:
        return "gender"
    if group <= AGES.keys():
        return "age"
    if group <= PLACES.keys():
        return "place"
    return "role" if group <= ROLES else "manner"
