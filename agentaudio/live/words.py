"""What the words and the sound so far say about the user's turn: whether it is complete, and whether it is one."""

from __future__ import annotations

import re
from typing import Literal

from agentaudio.live.chinese_words import chinese_completeness, is_chinese, is_dictated_in_chinese
from agentaudio.text.words import split_words

Completeness = Literal["complete", "unclear", "open", "dictated"]

FINISHED_FROM, UNFINISHED_BELOW = 0.95, 0.5
"""Probabilities of a turn model: from the first one on an utterance without clear words is complete, below the second
one it is unfinished. Smart Turn's own threshold is 0.5."""
CONTRADICTED_BELOW = 0.1
"""Probability below which words that seem complete are not."""

_ALWAYS_OPEN = frozenset("a an the my your our their every and or but because if um uh er erm hm hmm than".split())
"""Words after which something follows, even where a recogniser ends the sentence with a full stop."""

_OPEN_BEFORE_A_STOP = frozenset(
    "his its some any at by for from into of onto via with without between during until towards in on to about "
    "is are was were am be been has had would could should may might must so while although unless whether which whose "
    "as half i we he she very really quite maybe perhaps probably possibly just also "
    "named called give show want need wants needs".split()
)
"""Words after which a statement goes on; a question may end in them."""

_AUXILIARY = "(?:is|are|was|were|am|has|have|had|would|could|should|may|might|must|do|does|did|will|can)"
_PRONOUN = "(?:i|you|he|she|it|we|they|that|this|there)"
_WHOLE = re.compile(
    r"(?:^|\b(?:yes|yeah|no|nope|sure|of course|certainly|absolutely|sorry|not|so)(?: not)? )"
    rf"{_PRONOUN} {_AUXILIARY}(?: not)?$"
    rf"|\b(?:what|where|who|how|when|why|which|whatever)\b(?: \w+)? {_PRONOUN} {_AUXILIARY}$"
    r"|\b(?:what|all|everything|anything|whatever|one|ones|nothing)(?: that)? "
    rf"{_PRONOUN} (?:\w+ )?(?:want|need|wants|needs)$"
    r"|\b(?:turn|switch|log|sign|come|go|move|hold|carry|keep|hang|get|fill|plug|bring|join|stay"
    r"|put (?:it|them|this|that))(?: \w+){0,2} (?:in|on|about|by)$"
    r"|\bnot (?:really|quite)$"
)  # fmt: skip
"""Ends of whole sentences whose last word is one of the above: "yes, it is", "all I need", "turn the lights on"."""

_WANTS_MORE = re.compile(
    r"\b(?:can|could|will|would) (?:you|i|we)(?: please)?(?: (?:show|tell|give|bring|get|find|send|read) me)?$"
    r"|\b(?:show|give|bring|get|find|buy|order|read|send) me$"
    rf"|^(?:and |so |but )?(?:how|what|where|when|why)(?: \w+)? {_AUXILIARY}$"
    r"|\b(?:said|says|say|thinks?|thought|knew|believes?|hope|guess|heard|mean|sure|told \w+) that$"
    r"|^(?:and |so |but )?(?:i|we) would(?: like)?$|^(?:there|here) (?:is|are|was|were)$|\bwhat \w+ \w+ (?:is|was)$"
)
"""Beginnings of requests and of clauses that no recogniser's punctuation makes complete."""

_OPENERS = re.compile(
    r"^(?:(?:um|uh|er|erm|hmm?|so|well|and|but|oh|excuse me|i think|i mean|you know|let me see"
    r"|let me think|actually|listen|what i wanted to ask is"
    r"|my (?:\w+ )?(?:number|name|address|code|email) is)\b[ ,]*)+$"
)
_GREETING = re.compile(r"^(?:(?:hey|hi|hello|okay|ok) ?)+$")
_CONDITION = re.compile(
    r"^(?:and |but |so )?(?:if|unless|although|once|as soon as|when) "
    r"(?!(?:is|are|was|were|do|does|did|can|could|will|would|should|not)\b)"
)
_TRAILS_OFF = re.compile(r"(?:\.\.\.|[,…—–\-、，:;：；])$")
_ENDED = re.compile(r"[.!。！]['\"”’)]*$")

_COMMANDS = frozenset("stop wait no halt pause quiet silence enough hold cancel".split())
_SPELLED = frozenset(
    "oh zero one two three four five six seven eight nine double triple dot dash hyphen underscore slash".split()
)
_OPEN_ADDRESS = frozenset("dot dash hyphen underscore slash double triple".split())
_LETTER_AS = re.compile(r"(?:^|[ ,])[a-z],? (?:as in|like in|for) [a-z]+", re.I)
_NUMBER_IS = re.compile(r"\b(?:number|code|pin|extension|zip|postcode|phone)(?: \w+)? is((?: \w+)+)$")
_GROUPS = re.compile(r"(?<![\d.:$€£/])(\d+(?:[ ,–-]+\d+)*)[.,]?$")
_THOUSANDS = re.compile(r"^\d{1,3}(?:,\d{3})+$")

_KEYWORD = r"(?:numbers?|code|address|e-?mail|digits|pin|post ?code|zip|iban|serial|plate)\b"
_ASKS_TO_DICTATE = re.compile(
    r"\bspell\b|\bletter by letter\b|\bdigit by digit\b"
    r"|\b(?:what(?:'s| is| are)?|which|give me|tell me|(?:can|could|may) i (?:\w+ )?(?:have|get)|read|say|repeat"
    rf"|provide|enter|dictate|need)\b[^.?!]*\b{_KEYWORD}"
    r"|怎么拼|怎么写|(?:多少|什么|告诉|请[说报输提给]|需要)[^。？]*(?:号|码|邮箱|地址|拼)"
    r"|(?:号|码|邮箱|地址)[^。？]*(?:多少|什么|告诉|说一|报一)"
)  # fmt: skip
_LAST_SENTENCE = re.compile(r"[^.?!。？！]+[.?!。？！\s]*$")

_BACK_CHANNEL = frozenset(
    "mm mmm mhm mmhm mhmm hmm hm um uh huh uhhuh aha ah ahh oh ooh yeah yes yep yup ok okay right sure "
    "i see got it wow cool nice great exactly really indeed fine true good go on of course all alright interesting "
    "嗯 嗯嗯 哦 啊 对 对对 是 是的 好 好的 行 明白 知道了".split()
)
_HEARD_OF_NOISE = re.compile(
    r"^[\W_]*(?:\[[^\]]*\]|\([^)]*\)|\*[^*]*\*|♪.*"
    r"|(?:(?:ha|ah|he|heh|huh|ho|hee)[\W_]*){2,}|haha\w*|ahem|ugh|achoo|cough)?[\W_]*$",
    re.I,
)


def completeness(text: str, *, dictating: bool = False) -> Completeness:
    """Whether the words heard before a pause are a whole utterance.

    text: as a recogniser writes it, with punctuation where it writes some
    dictating: the agent asked for a number, a spelling or an address
    """
    text = text.strip()
    words = split_words(text)
    if not words:
        return "unclear"
    if is_chinese(text):
        return "dictated" if dictating or is_dictated_in_chinese(text) else chinese_completeness(text)
    is_question = text.endswith(("?", "？"))
    if _is_dictated(text, words) or (dictating and not (is_question and len(words) > 3)):
        return "dictated"
    line, last = " ".join(words), words[-1]
    if _OPENERS.match(line) or last in _ALWAYS_OPEN or _TRAILS_OFF.search(text) or _WANTS_MORE.search(line):
        return "open"
    if is_question:
        return "complete"
    if _GREETING.match(line):
        return "unclear"
    if not _WHOLE.search(line) and last in _OPEN_BEFORE_A_STOP and (len(words) > 1 or not _ENDED.search(text)):
        return "open"
    if _CONDITION.match(line) and "," not in text:
        return "open"
    return "complete" if _ENDED.search(text) else "unclear"


def with_sound(words: Completeness | None, finished: float | None) -> Completeness | Literal["unfinished"]:
    """What words and sound say together. Clear words weigh more than the sound.

    words: as `completeness` finds them; None when nobody hears words
    finished: the probability of the turn model; None when it was not asked, or has not answered
    """
    known = words or "unclear"
    if finished is None or known in ("open", "dictated"):
        return known
    if finished < (CONTRADICTED_BELOW if known == "complete" else UNFINISHED_BELOW):
        return "unfinished"
    return "complete" if finished >= FINISHED_FROM else known


def asks_to_dictate(text: str) -> bool:
    """Whether an answer of the agent ends by asking for a number, a spelling or an address."""
    last = _LAST_SENTENCE.search(text.lower().replace("e-mail", "email"))
    return last is not None and _ASKS_TO_DICTATE.search(last[0]) is not None


def is_back_channel(text: str) -> bool:
    """Whether words only say that the user is listening ("mm-hm", "I see"), or are none at all."""
    if is_noise(text):
        return True
    words = split_words(text.replace("-", " "))
    if any(word in _COMMANDS for word in words):
        return False
    return len(words) <= 4 and all(word in _BACK_CHANNEL for word in words)


def is_noise(text: str) -> bool:
    """Whether a recogniser heard no words: nothing, or what it writes for music and noise."""
    return _HEARD_OF_NOISE.match(text) is not None


def _is_dictated(text: str, words: list[str]) -> bool:
    """Whether the words end in digits or letters that are said one by one, or in part of an address."""
    groups = _GROUPS.search(text)
    if groups and not _THOUSANDS.match(groups[1]):
        digits = re.sub(r"\D", "", groups[1])
        several = len(digits) < len(groups[1])
        if len(digits) >= 3 and (several or digits[0] == "0" or len(digits) >= 5):
            return True
    said = [word for word in words if word != "-"]
    if len(said) > 1 and said[-1] in _OPEN_ADDRESS or _LETTER_AS.search(text):
        return True
    number = _NUMBER_IS.search(" ".join(said))
    if number and all(_is_spelled(word) for word in number[1].split()):
        return True
    count = 0
    while count < len(said) and _is_spelled(said[-count - 1]):
        count += 1
    run = said[len(said) - count :]
    while run and run[0] in ("a", "i") and not all(len(word) == 1 for word in run):
        run = run[1:]
    return len(run) >= 3


def _is_spelled(word: str) -> bool:
    return word in _SPELLED or len(word) == 1 or (word.isdigit() and word.isascii())
