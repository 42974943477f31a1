"""`is_report`: whether a sentence only reports what was, or what is so as a rule: "my wife booked a table"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentaudio.model.embedded.routing.intents import is_room
from agentaudio.model.embedded.routing.time_zones import zones_by_place
from agentaudio.text.numbers import find_numbers
from agentaudio.text.words import COMMAND_VERBS, LIGHT_WORDS, QUESTION_WORDS, split_words

_MOST_WORDS = 40
"""Words of a longer text that are looked at."""
_LONGEST_SUBJECT = 7
_LEADING = frozenset(
    "and but so or because since oh ah no yes yeah well then also plus anyway funny sorry okay ok right even when "
    "whenever while after before until though although you-know once yesterday tonight today hm wow honestly actually "
    "normally usually often sometimes generally".split()
)
_TIME_BEFORE = re.compile(
    r"(?:last \w+|(?:every|each|most|all) (?:single )?\w+|(?:the other|this|that|one) (?:day|night|week|morning|"
    r"afternoon|evening|time|year|summer|winter)|on (?:\w+day\w*|\w+ (?:mornings?|evenings?|nights?))|"
    r"(?:\w+ )?(?:\w+ )?(?:days?|weeks?|months?|years?|nights?|hours?) ago|as (?:an? )?(?:child|kid|boy|girl|student|"
    r"children|kids)|back then|in those days|in (?:the )?(?:past|winter|summer|spring|autumn|evenings?|mornings?|"
    r"19\d\d|20\d\d)|at (?:night|home|work|weekends?)|at the weekend|years back|for years) "
)
"""What may stand before the subject."""
_PRONOUNS = frozenset(
    "i we he she they you it that there this everybody everyone somebody someone nobody anybody people".split()
)
_DETERMINERS = frozenset("my our his her their your the a an some these those most all both one no another".split())
_HABITS = frozenset(
    "always never usually often sometimes normally generally rarely seldom hardly mostly typically".split()
)
_ADVERBS = _HABITS | frozenset(
    "ever just only also once already finally even really still almost nearly actually recently accidentally both all "
    "then suddenly kindly simply first not quite".split()
)
_IRREGULAR = frozenset(
    "went came took gave made got left bought brought built broke chose drank drove ate fell felt found flew forgot "
    "froze grew heard held kept knew lost met paid put ran rang rode rose sang sat saw sold sent set shone shut slept "
    "spent spoke stood stole swam taught told threw understood wore won woke wrote became began blew caught cost cut "
    "did drew dreamt fed fought hid hit hung hurt laid led lent let lit lay read sank shook shot showed stuck struck "
    "swept swung tore was were had".split()
)
_PARTICIPLES = _IRREGULAR | frozenset(
    "taken given broken chosen drunk driven eaten fallen flown forgotten grown known ridden rung sung seen spoken "
    "stolen thrown worn written begun gone done been shown woken torn hidden drawn".split()
)
_PARTICIPLES -= frozenset("got was were had did".split())
_TIMELESS = frozenset("put set shut cost cut hit hurt let read".split())
"""Verbs whose past is like their present."""
_NOT_PAST = frozenset(
    "need red bed speed seed feed bleed breed exceed proceed succeed indeed hundred embed wed shed sled united "
    "said asked wanted wished hoped wondered meant mentioned supposed excited interested tired bored worried confused "
    "changed decided realised realized figured preferred needed cancelled canceled joined thought gifted".split()
)
"""Words that only look like a past, and verbs with which people wish for something, or say what has changed."""
_ENDURING = frozenset(
    "need needs want wants would must should ask asks wonder wonders prefer prefers fancy fancies is are am has have "
    "can could will may might wish wishes".split()
)
"""Verbs of a present that call for something, or may."""
_DEEDS = frozenset(
    "plays books sets turns switches speaks talks sings reserves keeps leaves listens works lives puts goes comes "
    "takes makes gets gives says cooks eats sleeps reads watches drives walks hates loves likes converts lights wakes "
    "sounds tells calls uses spends teaches learns".split()
)
_LASTS = frozenset("takes took lasts costs weighs".split())
"""What something does that a number tells of: "it takes me forty minutes"."""
"""What others do as a rule."""
_NO_DOERS = frozenset("light lights lamp lamps music timer table room voice it that this there kitchen hall".split())
_FEELS = frozenset("hate love like enjoy mind adore dislike loathe".split())
_LONG_AGO = re.compile(
    r"\b(?:yesterday|last (?:night|week|weekend|month|year|summer|winter|spring|autumn|time|\w+day)|ago|used to|"
    r"when (?:i|we|he|she|they|(?:my|our) \w+) (?:was|were|had|lived|grew)|as (?:an? )?(?:child|kid|boy|girl|children|"
    r"kids)|back then|in those days|the other (?:day|night|week)|this morning|earlier today|years back|"
    r"all (?:night|day|week|weekend|evening|morning)|"
    r"in (?:19|20)\d\d|at (?:the|our|their|my|his|her) (?:\w+ )?(?:wedding|party|funeral|birthday))\b"
)
_EVERY = re.compile(r"\b(?:every|each) (?!one\b|of\b)\w+|\bon \w+days\b|\bmost (?:days|nights|evenings|mornings)\b")
_WISHED = re.compile(
    r"\b(?:please|(?:can|could|would|will) you|(?:i|we) (?:want|need|would like|would love|would prefer|prefer)|"
    r"(?:turn|switch|put|make|play|set|book|change|move) (?:it|that|them|one)|needs?|wants?|has to|have to|must|"
    r"should(?! have))\b"
)
DISBELIEF = re.compile(r"\W*\b(?:can|could|would|do) you (?:believe|credit|imagine) (?:it|that)\W*$", re.IGNORECASE)
_FORGETS = re.compile(
    r"\b(?:i|we|he|she|they) (?:(?:can|could|do|does|did) )?(?:never|not|hardly|barely) (?:ever |really |quite )?"
    r"(?:remember|recall|know|knows|notice|remembers) (?:whether|if) (?:i|we|he|she|they)\b"
)
"""What somebody does not know of their own deeds: "I can never remember if I locked the door"."""
_PERCEIVES = re.compile(
    r"^(?:(?:and|but|oh|so|well|now) )*(?:i|we|you) (?:can|could) (?:still |just |really |even |almost |always |only )*"
    r"(?:hear|see|smell|feel|taste|imagine|remember|picture|listen to (?:him|her|them|you|that|this|it))\b(?! "
    r"(?:you )?(?:from|with)\b)"
)
_FINDS = re.compile(
    r"(?:(?:mm+|oh|ah|aw|ooh|well) )*that is (?:(?:so|very|really|rather|quite|much|far|a lot|a bit) )*(?:more )?"
    r"[a-z]+(?: (?:now|already))?(?: (?:thank you|thanks|cheers|ta))?(?: (?:very much|so much|a lot))?"
)
_COMMITS = re.compile(
    r"(?:(?:and|but|so|okay|ok|right|oh|ah|well|then|fine|good|great|all right|perfect|thanks|thank you) )*"
    r"(?:i|we) (?:will|shall|(?:am|are) (?:just )?going to|(?:am|are) about to|had better) (?:just |then |probably )*"
    r"(?!(?:take|have|need|go|try|want|like|prefer|choose|pick|be|make|say|do|order|book|listen|hear|come|bring|arrive|"
    r"eat|dine|stay|stick|settle|keep|leave|change|use|rather|only|actually|also)\b)(?P<deed>[a-z]+)\b"
)
_MUST_DO = re.compile(
    r"(?:(?:and|but|so|okay|well|then|now|because|as|oh) )*(?:(?:i|we) )?(?:just |really |also )*(?:need|have|got|"
    r"ought) to (?!(?:know|book|convert|set|find|hear|listen|turn|switch|play|work|calculate|reserve|speak|talk|change|"
    r"have|check|see|ask|go|be|get|figure|look|search|start|wake|use|say|tell|add|divide|multiply|double|do|make|take|"
    r"split|put)\b)[a-z]+\b"
)
_EXCEEDS = re.compile(r"\b(?:takes?|took|lasts?|lasted|costs?|weighs?)\b.*\b(?:longer|more|less) than\b")
_CORRECTS = re.compile(r"\b(?:i|we|you) (?:just |only )?(?:said|asked|meant|wanted|wondered|thought|hoped)\b")


def is_report(text: str) -> bool:
    """Whether a sentence tells what somebody did, was doing or does as a rule, and wishes for nothing.

    "My grandmother always switched off the light" is one; "I left the kitchen light on", "I need the lights off" and
    "my son wants some jazz" are none, since something is to be done.
    """
    text = DISBELIEF.sub("", text)
    words = split_words(text)[:_MOST_WORDS]
    said = " ".join(words)
    if "?" not in text and not _WISHED.search(said) and (_FORGETS.search(said) or _PERCEIVES.search(said)):
        return True
    if len(words) < 3 or "?" in text or (QUESTION_WORDS - {"when"}).intersection(words) or _CORRECTS.search(said):
        return False
    long_ago = _LONG_AGO.search(said) is not None
    if _WISHED.search(said) and not long_ago:
        return False
    clause = _without_leads(words)
    found = _verb(clause)
    if found is None:
        return False
    place, habitual = found[0], found[1] or _EVERY.search(said) is not None
    verb, subject = clause[place], clause[:place]
    if "one" in subject or _commands(clause[place + 1 :]):
        return False  # "the one before was better"
    if verb in ("left", "forgot") and not (long_ago or habitual):
        return False  # it is still so, and calls for something
    return _tells(clause, place, habitual, subject[0] in ("i", "we", "you", "they"), long_ago)


def _commands(rest: Sequence[str]) -> bool:
    """Whether a command follows without a stop: "my son loves jazz play some"."""
    return any(
        word in COMMAND_VERBS and rest[place - 1] not in _BEFORE_VERBS and rest[place + 1] in _OBJECTS
        for place, word in enumerate(rest[:-1])
        if place
    )


_BEFORE_VERBS = (
    _PRONOUNS | _DETERMINERS | _ADVERBS | frozenset("to and or not will would can could did do does".split())
)
_OBJECTS = frozenset("it them me us some something the a an my our".split())


def is_long_past(text: str) -> bool:
    """Whether a report is of a time that is over, so that it changes nothing of what was just asked for."""
    return is_report(text) and _LONG_AGO.search(" ".join(split_words(text)[:_MOST_WORDS])) is not None


def is_plan(text: str) -> bool:
    """Whether a sentence says what somebody is going to do themselves: "I will cut it at eleven"."""
    said = " ".join(split_words(text)[:_MOST_WORDS])
    if _MUST_DO.match(said) and "?" not in text and not _WISHED.search(said.partition(" to ")[2]):
        return True
    plan = _COMMITS.match(said)
    if plan is None or "?" in text or _WISHED.search(said):
        return False
    return plan["deed"] not in zones_by_place()


def changes_nothing(text: str) -> bool:
    """Whether a sentence changes nothing of a call before: a report of long ago, a comparison, "that's cosy"."""
    said = " ".join(split_words(text)[:_MOST_WORDS])
    if _FINDS.fullmatch(said) and not find_numbers(said.split()) and re.search(r"\b[A-Z]", text.lstrip()[1:]) is None:
        return True
    return is_long_past(text) or (_EXCEEDS.search(said) is not None and is_report(text))


def _without_leads(words: Sequence[str]) -> list[str]:
    """The words from the subject on."""
    rest = list(words)
    while rest:
        if rest[0] in _LEADING:
            rest.pop(0)
        elif (time := _TIME_BEFORE.match(f"{' '.join(rest)} ")) is not None:
            del rest[: len(time[0].split())]
        else:
            break
    return rest


def _verb(clause: Sequence[str]) -> tuple[int, bool] | None:
    """The place of the verb of a clause that begins with its subject, and whether a word says that it is a habit."""
    if not clause:
        return None
    first = clause[0]
    pronoun = first in _PRONOUNS
    if first in ("that", "this") and clause[1:2] and not (_is_past(clause[1]) or clause[1] in _ENDURING | _LASTS):
        pronoun = False  # "that voice was nice"
    if not pronoun and first not in _DETERMINERS | {"that", "this"} and not _is_name(clause):
        return None
    habitual = False
    for place in range(1, min(len(clause), _LONGEST_SUBJECT + 1)):
        word = clause[place]
        if word in _ADVERBS:
            habitual |= word in _HABITS
        elif word == "and":
            if place + 1 == len(clause) or clause[place + 1] not in _PRONOUNS | _DETERMINERS:
                return None
            pronoun = False
        elif _is_past(word) or word in _ENDURING or word in _DEEDS or word in _LASTS or word in ("used", "do", "does"):
            return place, habitual
        elif habitual or pronoun or (place > 1 and clause[place - 1] in _PRONOUNS):
            return place, habitual
        elif first not in _DETERMINERS | {"that", "this"} and "and" not in clause[:place]:
            return None
    return None


def _is_name(clause: Sequence[str]) -> bool:
    """Whether a bare word may be the name of somebody who did what follows: "Anna booked a table"."""
    first = clause[0]
    known = first in LIGHT_WORDS or first in COMMAND_VERBS or first in _NO_DOERS or first.endswith("s")
    return not known and not is_room(first)


def _is_past(word: str) -> bool:
    return word in _IRREGULAR or (len(word) > 4 and word.endswith("ed") and word not in _NOT_PAST)


def _tells(clause: Sequence[str], place: int, habitual: bool, plural: bool, long_ago: bool) -> bool:
    """Whether the verb at a place of a clause reports; see is_report."""
    verb, rest = clause[place], list(clause[place + 1 :])
    while rest and rest[0] in _ADVERBS:
        habitual |= rest[0] in _HABITS
        rest.pop(0)
    after = rest[0] if rest else ""
    doer = not _NO_DOERS.intersection(clause[:place])
    if verb in ("has", "have", "had"):
        return verb == "had" or after in _PARTICIPLES or (after.endswith("ed") and after not in _NOT_PAST)
    if verb in ("is", "are", "am"):
        return habitual or (verb != "am" and doer and not plural and after.endswith("ing") and after not in _AWAITED)
    if verb in ("would", "could", "might", "must"):
        return habitual or after == "have"
    if verb == "used":
        return after == "to"
    if _is_past(verb):
        # "I set the timer" and "we put the light on" may be of the past.
        return verb not in _TIMELESS or habitual or long_ago or (doer and not plural and "and" not in clause[:place])
    if verb in _ENDURING:
        return False
    if habitual:
        return True
    if verb in _FEELS and rest:
        return after in ("when", "it", "how") and "when" in rest or after.endswith("ing")
    return verb in _LASTS or (verb in _DEEDS and doer and not plural)


_AWAITED = frozenset("asking wondering hoping going coming joining bringing eating dining waiting looking".split())
"""What others are doing that may give a value: "my parents are joining us"."""
