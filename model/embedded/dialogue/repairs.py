"""`repaired`: a request without what its speaker took back: "set a timer for ten, no, twelve minutes"."""

from __future__ import annotations

import re

from agentaudio.model.embedded.dialogue.forms import AH
from agentaudio.text.numbers import find_numbers
from agentaudio.text.words import COMMAND_VERBS, QUESTION_WORDS, STOP_WORDS, command_place, split_words

_FILLER = rf"(?:u+h+m*|u+m+|e+rm*|h+m+|eh|{AH})"
_TERM = (
    r"(?:oh no|no|nope|sorry|wait|i mean|i meant|or rather|scratch that|make that|hold on|hang on|correction|let me "
    r"rephrase|i should say|what i mean is|my mistake|that is wrong)"
)
_WEAK = rf"(?:oh|actually|well|please|{_FILLER})"
_PAUSE = r"[,.;:…–—-]+"
_EDIT = re.compile(
    # Between commas one word is enough; without them it takes two, or one that is nothing else.
    rf"\s*{_PAUSE}\s*(?:(?:{_WEAK}|and|but)\b[\s,.…]*)*{_TERM}\b(?:[\s,.!…–—-]*\b(?:{_TERM}|{_WEAK})\b)*[\s,.!…–—-]*"
    rf"|\s+(?:{_TERM}|{_WEAK})(?:[\s,.!…]+\b(?:{_TERM}|{_WEAK})\b)+[\s,.!…]+"
    rf"|\s+(?:i mean|i meant|or rather|scratch that)\b[\s,.!…]*",
    re.IGNORECASE,
)
_WEAK_EDIT = re.compile(rf"[\s,.…–—-]+(?:{_FILLER}|actually)\b[\s,.!…–—-]+", re.IGNORECASE)
_FILLERS = re.compile(rf"(?:^|(?<=[\s,.…–—-])){_FILLER}\b[\s,.…]*", re.IGNORECASE)
_BETWEEN_NUMBERS = re.compile(r"\s+no\s+", re.IGNORECASE)

_ASIDES = re.compile(
    r"[\s,]+(?:what(?:['’]s| is) (?:it|that|he|she|the name)(?: called)?|what do you call (?:it|that|them)|you "
    r"know|how do you say)(?=,)[,\s]+",
    re.IGNORECASE,
)
_CLEFT = (
    # "no, the Atlantic is what I was after", "it is Oasis I was thinking of"
    re.compile(
        r"^\W*(?:(?:no|oh|sorry|wait|well|actually|ah)\b[\s,.!]*)*(?:it(?:['’]s| is| "
        r"was)\s+)?(?P<meant>(?:[\w'’-]+\s+){1,5}?)"
        r"(?:(?:is|was)\s+)?(?:what|the one|that|which|who)?\s*(?:i|we)(?:['’]m|['’]d| am| was| had)?\s+(?:been\s+)?"
        r"(?:after|meant|mean|wanted|thinking of|looking for|asking about|talking about|asked for|asked about)\W*$",
        re.IGNORECASE,
    ),
    # "no, not Brooklyn, the Golden Gate"
    re.compile(
        r"^\W*(?:(?:no|oh|sorry|wait|well|actually)\b[\s,.!]*)*not (?!bad|now|today|so|too|really|quite|that|sure|yet|"
        r"much|at all|any|the (?:one|same))(?:[\w'’-]+ ?){1,4}[,;.]\s*(?:but |rather |i (?:meant|said|wanted|want) )?"
        r"(?P<meant>(?!in\b|at\b|for\b|i\b|it\b|you\b)[\w'’ -]{2,40})\W*$",
        re.IGNORECASE,
    ),
    # "that is not the one I was after, it was the Amazon"
    re.compile(
        r"^\W*(?:(?:no|oh|sorry|wait|well|actually)\b[\s,.!]*)*(?:that|this|it)(?:['’]s| is| was)? ?(?:not|wasn['’]t|"
        r"isn['’]t) (?:the (?:one|right one)|what|who|right|it)\b[^,.;]*[,.;]\s*(?:but )?(?:it(?:['’]s| is| was)|i "
        r"(?:meant|mean|want|wanted))\s+(?P<meant>[\w'’ -]{2,40})\W*$",
        re.IGNORECASE,
    ),
)
_REPEATED = re.compile(r"\b(the|a|an|in|to|of|for|and|is|i|my|what|how)[\s,]+\1\b", re.IGNORECASE)
_OPENS = (
    QUESTION_WORDS | COMMAND_VERBS | frozenset("is are was were do does did can could will would has have tell".split())
)
_OPEN_ENDS = frozenset(
    "a an the in at for to of with by from about like as is are was were and or plus minus times my your on into "
    "what how who when where which some another that".split()
)
_BEFORE_VALUE = frozenset("a an the in at for to of with by from about like as on into my plus minus times and".split())
_LONGEST_VALUE = 3
_SAYS_NOTHING = STOP_WORDS | frozenset("just rather instead then".split())


def repaired(request: str) -> str:
    """The request as it was meant, where a part of it replaces another; else as it is, without "um" and "er".

    A part that is a whole request replaces all before it, one that begins with a word of the part before it
    replaces that from there on, and a number replaces the last number.
    """
    request = _REPEATED.sub(r"\1", _ASIDES.sub(" ", request))
    for pattern in _CLEFT:
        match = pattern.match(request)
        if (
            match
            and not QUESTION_WORDS.intersection(said := split_words(match["meant"]))
            and said[-1] not in STOP_WORDS
            and command_place(said) is None
        ):
            return f"no, i meant {match['meant'].strip()}"
    for _ in range(3):
        after = _once(request)
        if after == request:
            break
        request = after
    if len(split_words(bare := _FILLERS.sub("", request))) >= 1:
        return bare.strip() or request
    return request


def _once(request: str) -> str:
    for pattern, strong in ((_EDIT, True), (_WEAK_EDIT, False), (_BETWEEN_NUMBERS, False)):
        for match in pattern.finditer(request):
            before, after = request[: match.start()].strip(), request[match.end() :].strip()
            if pattern is _BETWEEN_NUMBERS and not _numbers_meet(before, after):
                continue
            found = _joined(before, after, strong=strong)
            if found is not None:
                return found
    return request


def _numbers_meet(before: str, after: str) -> bool:
    left, right = split_words(before), split_words(after)
    ends = find_numbers(left)
    starts = find_numbers(right)
    return bool(ends) and bool(starts) and ends[-1].end == len(left) and starts[0].start == 0


def _joined(before: str, after: str, *, strong: bool) -> str | None:
    """What `before` means when `after` puts it right; None where that is not a repair."""
    said, meant = split_words(before), split_words(after)
    opened = any(word in _OPENS for word in said[:4])
    if not meant or not said or all(word in _SAYS_NOTHING for word in said):
        return None
    # "Set a timer, and, er, what is six times nine" goes on.
    broken_off = said[-1] in _OPEN_ENDS and not (not strong and opened and said[-1] in ("and", "or") and len(said) > 3)
    while len(meant) > 1 and meant[0] in ("just", "rather", "it", "make") and meant[1] not in ("is", "was"):
        meant = meant[1:]
    if any(word in _OPENS for word in meant[:2]) and len(meant) > 2 and (broken_off or (strong and opened)):
        return " ".join(meant)
    if meant[0] == "not" or not (opened or find_numbers(said) or len(said) > 2):
        return None
    if (
        strong
        and len(meant) > 1
        and meant[0] == said[0]
        and len(said) <= len(meant) + 1
        and meant[0] not in _SAYS_NOTHING
    ):
        return " ".join(meant)
    place = _anchor(said, meant)
    if place is not None and (strong or broken_off or place >= len(said) - 4):
        return " ".join([*said[:place], *meant])
    if broken_off and said[-1] in _BEFORE_VALUE:
        return " ".join([*said, *(meant[1:] if meant[0] == said[-1] else meant)])
    if find_numbers(meant):
        return _with_number(said, meant)
    return _with_value(said, meant) if strong and opened else None


def _with_value(said: list[str], meant: list[str]) -> str | None:
    """`said` with a short `meant` in the place of its last value: "play bach" and "mozart"."""
    if len(meant) > _LONGEST_VALUE or any(word in _SAYS_NOTHING for word in meant[:1]):
        return None
    ends = [place for place, word in enumerate(said) if word in _BEFORE_VALUE or word in COMMAND_VERBS]
    return " ".join([*said[: ends[-1] + 1], *meant]) if ends and ends[-1] + 1 < len(said) else None


def _anchor(said: list[str], meant: list[str]) -> int | None:
    """Where `said` has the word that `meant` begins with."""
    if meant[0] in _SAYS_NOTHING and len(meant) < 2:
        return None
    places = [place for place, word in enumerate(said) if word == meant[0]]
    return places[-1] if places and places[-1] > 0 else None


def _with_number(said: list[str], meant: list[str]) -> str | None:
    """`said` with the number that `meant` begins with in the place of one of its own."""
    new = next((number for number in find_numbers(meant) if number.start == 0), None)
    olds = find_numbers(said)
    if new is None or not olds:
        return None
    counts = meant[new.end : new.end + 1]
    alike = [old for old in olds if said[old.end : old.end + 1] == counts or said[old.start - 1 : old.start] == ["for"]]
    old = alike[-1] if counts and alike else olds[-1]
    rest = meant[new.end :]
    tail = said[old.end :]
    if rest and tail[: len(rest)] == rest:
        tail = tail[len(rest) :]
    elif rest and old is olds[-1]:
        tail = []
    return " ".join([*said[: old.start], *meant[: new.end], *rest, *tail])
