"""`next_sum`: arithmetic that goes on from the last result: "plus 5", "double that", "and half of it"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentaudio.conversation import ToolCall, ToolOutput
from agentaudio.model.embedded.dialogue.turns import PastTurn
from agentaudio.model.embedded.routing.arithmetic import PART, expression, part_of_one
from agentaudio.model.embedded.routing.word_problems import carried_on
from agentaudio.text.numbers import FoundNumber, find_numbers, parse_number
from agentaudio.text.words import split_words

SUM_TOOL = "calculate"

_OPENING = (
    r"(?:(?:and|then|now|okay|please|so|but|also|what is|what about|what if|if|i|we|you|can you|could you|let us|with|"
    r"for|no|oh|hang on|hold on|one moment|sorry|wait|wait a (?:minute|moment|second)|actually|rather|i should have "
    r"said|make that|i said|i meant|i mean|not that|for (?:a|the|one|a whole|the whole) (?:year|month|week|day)) )*"
)
_CORRECTING = re.compile(
    r"^(?:(?:and|but|oh|okay|well|hang on|hold on|one moment|please) )*"
    r"(?:no|sorry|wait|actually|rather|i should have said|make that|i said|i meant|i mean|not that)\b"
)
_RESULT = (
    r"(?:(?:that|it|this)(?: (?:result|number|sum|amount))?|the (?:last |previous |first )?(?:result|answer|sum|total|"
    r"number|amount|whole thing|lot|whole)(?: (?:from )?before| you (?:just )?(?:said|gave me))?|all of (?:it|that))"
)
_OPERATOR = re.compile(
    rf"^{_OPENING}"
    r"(?P<operator>plus|minus|less|times|divided (?:by|for)|multiplied (?:by|for)|over|add(?: on)?|subtract|deduct|"
    r"multiply (?:{_RESULT} )?by|divide (?:{_RESULT} )?by|(?:take|knock)(?: away| off)?|"
    r"squared|cubed|percent of|to the power of|another|split|share)\b ?"
    r"(?:it |that )?(?P<rest>.*)$"
)
_DEEDS = {
    "add": "plus", "add on": "plus", "subtract": "minus", "deduct": "minus", "less": "minus", "take": "minus",
    "take away": "minus", "take off": "minus", "knock": "minus", "knock off": "minus", "multiply by": "times",
    "multiplied by": "times", "multiplied for": "times", "divided for": "divided by", "divide by": "divided by",
    "over": "divided by", "another": "plus", "split": "divided by", "share": "divided by",
}  # fmt: skip
_COUNTED_ON = re.compile(
    r"(?:(?:and|then|now|okay|so|but|what|if|i|we|you|about|is|how much) )*(?:"
    r"(?P<more>[\w. ]+?) (?:more|on top|extra)|(?P<less>[\w. ]+?) (?:less|fewer|off)|"
    r"(?:earned|got|get|won|found|add|added|received|saved) (?:another |an extra )?(?P<gained>[\w. ]+?)(?: more)?|"
    r"(?:spent|spend|lost|lose|paid|pay|gave away|ate|used|use|take off|sold) (?:another |an extra "
    r")?(?P<spent>[\w. ]+?)(?: more)?"
    r")(?: (?:please|then|too|as well|of them))*"
)
_PARTS = {"half": 0.5, "a half": 0.5, "a third": 1 / 3, "a quarter": 0.25, "twice": 2, "double": 2}
_FURTHER = re.compile(
    r"^(?:(?:it|that|this) )?(?:(?:between|among|into|by) )?(?:equally )?"
    r"(?:another|a further|an extra|an additional|a second|extra|just)? ?"
)
_ENDS = re.compile(
    r"(?: (?:(?:to|from|by|off) (?:it|that|this|the result)|off|away|more|on top(?: of (?:it|that))?|again|please|too|"
    r"as well|then|ways|equally|people|parts))+$"
)
_VERBS = (
    (r"^(?:and |then |now |take )*(?:the )?(?:square )?root$", "the square root of {}"),
    (rf"\b(?:take|knock|subtract|deduct) {_RESULT} (?:off|from|away from|off of) ([\d.,]+)\b", r"\1 minus {}"),
    (rf"\btriple {_RESULT}\b", "3 times {}"),
    (rf"\bhalve {_RESULT}\b|\bhalf (?:of )?{_RESULT}\b", "{} divided by 2"),
    (rf"(?<!the )\bsquare {_RESULT}\b", "{} squared"),
    (rf"(?<!the )\bcube {_RESULT}\b", "{} cubed"),
    (rf"\b{_RESULT}\b", "{}"),
)
_POINTS = re.compile(
    rf"\b(?:{_RESULT}|more|another|extra|on top|each|less|left|instead|rather|again)\b(?! (?:is|are|makes?)\b)"
)
"""Words of a sum that refer to one before, or to its numbers."""
_SUM_WORDS = frozenset(
    "the a an of and by plus minus times over squared cubed square cube root percent half halves third thirds quarter "
    "quarters fifth fifths tenth tenths twice double triple divided multiplied multiply divide add up with to power "
    "from product sum difference between number how much what is are makes make equals give me tell now then please "
    "thanks too + - * / ^ % ( )".split()
)
"""Words of a request that holds nothing but a sum."""
_AROUND = frozenset(
    "of between among by for with at only just there are were we is it people persons ways if percent % from in into "
    "and the a them if now they that would be what about how then please instead rather meant mean said no not sorry "
    "i".split()
)
_ADD_UP = re.compile(
    rf"{_OPENING}(?:add|sum|put) (?:(?:up|together) )?(?:those|these|them|both(?: of (?:them|those))?|all of "
    rf"(?:them|those)|"
    r"(?:the|these|those|all|the last)(?: last)? (?P<number>two|three|four)(?: (?:results|numbers|sums|of them|"
    r"answers))?|the (?:results|answers))(?: up| together| for me| please)*"
)
_PART_OF_IT = re.compile(rf"\b{PART} of {_RESULT}\b")
_RECKONING = re.compile(
    r"\b(?:plus|minus|times|divided|by|add|subtract|take|less|more|off|of|percent|squared|cubed|split|share\w*|between|"
    r"half|double|twice|another|extra|what|how|with|each)\b"
)
_LAST_STEP = re.compile(r"^(?P<head>.*[\d.)])\s*(?:\*\*|[-+*/])\s*[\d.]+$")


def added_up(said: str, past: Sequence[PastTurn]) -> str | None:
    """The sum of the last results: "add those two together"; None for another request."""
    match = _ADD_UP.fullmatch(said)
    outputs = [output.text for turn in past for output in turn.outputs if output.name == SUM_TOOL]
    results = [
        numbers[-1].replace(",", "") for text in outputs if (numbers := re.findall(r"-?\d[\d,]*(?:\.\d+)?", text))
    ]
    if match is None or len(results) < 2:
        return None
    number = parse_number(match["number"] or "two")
    return f"what is {' plus '.join(results[-int(number) :])}" if number in (2, 3, 4) else None


def is_step(said: str) -> bool:
    """Whether a request is nothing but an operator and a number: "and then times nine"."""
    match = _OPERATOR.match(said)
    return match is not None and parse_number(_ENDS.sub("", match["rest"]).strip()) is not None


def figured_of(before: PastTurn) -> PastTurn | None:
    """A turn whose result is the last number of an answer that no sum gave; None for an answer without a number."""
    numbers = re.findall(r"\d[\d,]*(?:\.\d+)?", before.answer)
    if not numbers:
        return None
    last = numbers[-1].replace(",", "")
    call, output = ToolCall("", SUM_TOOL, {"expression": last}), ToolOutput("", SUM_TOOL, f"{last} = {last}")
    return PastTurn(before.request, [call], [output], before.answer)


def next_sum(said: str, before: PastTurn) -> str | None:
    """The whole sum of a request that leaves out the result before; None for another request.

    A correction ("no, times nine") replaces the last step of the sum before instead of going on from its result. A sum
    that lacks nothing ("and the square root of 625") does not go on from another one.

    said: in the words of `split_words`, joined by spaces
    """
    if _is_whole(said):
        return None
    result = next((output.text for output in reversed(before.outputs) if output.name == SUM_TOOL), None)
    if result is None or not (numbers := re.findall(r"-?\d[\d,]*(?:\.\d+)?", result)):
        return None
    last = numbers[-1].replace(",", "")
    if _concludes(said, last):
        return None
    step = _LAST_STEP.match(result.partition("=")[0].strip()) if _CORRECTING.match(said) else None
    sum_before = next(str(call.arguments.get("expression", "")) for call in before.calls if call.name == SUM_TOOL)
    if (counted := _COUNTED_ON.fullmatch(said)) is not None:
        number = parse_number(counted["more"] or counted["less"] or counted["gained"] or counted["spent"])
        if number is not None:
            return f"what is {last} {'plus' if counted['more'] or counted['gained'] else 'minus'} {number}"
    read = (
        _by_another(said, sum_before, last),
        _shared_by_others(said, sum_before, last),
        _another_part(said, sum_before),
        _with_added_number(said, last) if re.search(r"percent|%", said) else None,
        _from_operator(said, step["head"] if step else last),
        _from_pronoun(said, last),
        _with_other_number(said, sum_before, before.request),
        _with_added_number(said, last),
    )
    return next((whole for whole in read if whole and expression(split_words(whole)) is not None), None)


def _concludes(said: str, last: str) -> bool:
    """Whether the request only names the result once more: "twelve screws per board, then"."""
    numbers = find_numbers(said.split())
    return len(numbers) == 1 and str(numbers[0].value) == last and not _RECKONING.search(said)


def _is_whole(said: str) -> bool:
    """Whether the request is a sum that names all its numbers, and begins with one."""
    bare = re.sub(rf"^{_OPENING}", "", said)
    if _POINTS.search(bare) or _OPERATOR.match(said) or _CORRECTING.match(said):
        return False
    whole = expression(bare.split())
    if whole is None or re.fullmatch(r"-?[\d.]+(?:/100)?", whole):
        return False
    numbers = find_numbers(bare.split())
    rest = [word for place, word in enumerate(bare.split()) if not any(n.start <= place < n.end for n in numbers)]
    return _SUM_WORDS.issuperset(rest)


_OTHERS = re.compile(
    r"(?:(?:and|but|what|okay|so|now|then|how about|what about) )*(?:if )?(?:there (?:are|were|is|will be)|we (?:are|"
    r"were)|it is|it were|for|with|by|between|among)(?: only| just)? (?P<number>[\w ]+?)(?: of (?:us|them|you)| people|"
    r" persons| friends| ways| instead| then)+"
)


_BY = re.compile(r"(?:and )?(?:then|now) by (?P<number>[\w. ]+?)(?: please)?")


def _by_another(said: str, before: str, last: str) -> str | None:
    """The same step once more, by another number: "then by five" after a division."""
    match, sign = _BY.fullmatch(said), re.search(r"[*/](?=[^*/]*$)", before)
    number = parse_number(match["number"]) if match is not None else None
    return f"what is {last}{sign[0]}{number}" if sign is not None and number is not None else None


def _another_part(said: str, before: str) -> str | None:
    """Another fraction of the same number: "and two thirds?" after a third of it."""
    part = re.fullmatch(rf"{_OPENING}(?:of it |of that )?{PART}(?: of it)?(?: then| please)*", said)
    whole = re.fullmatch(r"\d+/\d+\*(?P<number>[\d.]+)", before.replace(" ", ""))
    return f"what is {part_of_one(part)}*{whole['number']}" if part is not None and whole is not None else None


def _shared_by_others(said: str, before: str, last: str) -> str | None:
    """The division before among other people: "and if there are eight of us?"; else one of the result between them."""
    match, divided = _OTHERS.fullmatch(said), re.fullmatch(r"(.+)/\s*[\d.]+", before)
    number = parse_number(match["number"]) if match is not None else None
    if number is None:
        return None
    if divided is None:
        return f"what is {last}/{number}" if re.search(r"\b(?:between|among) ", said) else None
    return f"what is {divided[1]}/{number}"


def _with_added_number(said: str, last: str) -> str | None:
    """The sum before with a number that a story adds: "and the parking is 15, so with that on top"."""
    whole = carried_on(said, last)
    return f"what is {whole}" if whole is not None else None


def _with_other_number(said: str, before: str, asked: str) -> str | None:
    """The sum before with another number: "and of 144", "and twenty percent", "between six"."""
    words = re.sub(rf"^{_OPENING}", "", said).split()
    numbers = find_numbers(words)
    rest = [word for number in numbers for word in words[: number.start] + words[number.end :]]
    if len(numbers) != 1 or any(word not in _AROUND and word not in split_words(asked) for word in rest):
        return None
    value = str(numbers[0].value)
    if "percent" in rest or "%" in rest:
        whole, count = re.subn(r"[\d.]+(?=/100\b)", value, before, count=1)
    elif (old := _counted_alike(words, numbers[0], split_words(asked))) is not None:
        whole, count = re.subn(rf"(?<![\d.]){re.escape(old)}(?![\d.])", value, before, count=1)
    else:
        whole, count = re.subn(r"[\d.]+(?=\D*$)", value, before, count=1)
    return f"what is {whole.replace('sqrt(', 'the square root of ').replace(')', '')}" if count else None


def _counted_alike(words: list[str], number: FoundNumber, asked: list[str]) -> str | None:
    """The number before that the same words follow: "45 a week" for "50 a week"."""
    following = [word for word in words[number.end : number.end + 2] if word not in ("instead", "then", "please")]
    if not following:
        return None
    return next(
        (str(old.value) for old in find_numbers(asked) if asked[old.end : old.end + len(following)] == following), None
    )


def _from_operator(said: str, last: str) -> str | None:
    match = _OPERATOR.match(said)
    if match is None:
        return None
    operator = re.sub(rf" {_RESULT}\b", "", match["operator"])
    operator = _DEEDS.get(operator, operator)
    whole_rest = match["rest"].strip()
    rest = whole_rest if re.search(r"\b(?:half|third|quarter|twice|double)\b", whole_rest) else ""
    rest = rest or _FURTHER.sub("", _ENDS.sub("", match["rest"])).strip()
    if operator == "percent of" or (not rest and operator not in ("squared", "cubed")):
        return None
    if rest in ("itself", "it self") and operator in ("times", "plus"):
        return f"what is {last} {operator} {last}"
    if part := re.fullmatch(rf"(?:another )?(half|a half|a third|a quarter|twice|double) (?:of )?{_RESULT}", rest):
        return f"what is {last} {operator} {float(last) * _PARTS[part[1]]:.10g}"
    if operator in ("plus", "minus") and (part := re.fullmatch(PART, rest)) is not None:
        count, whole = part_of_one(part).split("/")
        return f"what is {last} {operator} {float(last) * int(count) / int(whole):.10g}"
    if operator in ("plus", "minus") and (share := re.fullmatch(r"(.+?) ?(?:percent|%)", rest)):
        # "plus 20 percent" adds a share of the result.
        percent = parse_number(share[1])
        if percent is not None:
            return f"what is {last} times {1 + (percent if operator == 'plus' else -percent) / 100:g}"
    whole = f"what is {last} {operator} {rest}".strip()
    figurative = match["operator"].split()[0] in ("take", "knock", "less")
    return None if figurative and parse_number(rest) is None else whole


def _from_pronoun(said: str, last: str) -> str | None:
    if (part := _PART_OF_IT.search(said)) is not None:
        count, whole = part_of_one(part).split("/")
        return f"what is {last}{'' if count == '1' else f' times {count}'} divided by {whole}"
    for pattern, written in _VERBS:
        whole, found = re.subn(pattern, written.format(last), said, count=1)
        if found:
            words = re.sub(rf"^{_OPENING}", "", whole)
            return f"what is {words}" if expression(words.split()) else None
    return None
