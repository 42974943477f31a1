"""`undone`: a call that takes back one before: "undo that", "back to the previous voice"."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentaudio.conversation import ToolCall, ToolSpec
from agentaudio.model.embedded.answering.answer import VOICE_TOOL
from agentaudio.model.embedded.dialogue.turns import PastTurn
from agentaudio.model.embedded.routing.parameters import parameters
from agentaudio.model.embedded.routing.possible import does
from agentaudio.text.stems import stem
from agentaudio.text.words import split_words

_OPENING = (
    r"(?:(?:and|but|okay|ok|oh|no|sorry|hm+|actually|well|then|now|please|so|can you|could you|let us|wait|"
    r"i do not like (?:that|it|this|this one|that one|this voice)|that is not good|not good|just|i want you to) )*"
)
_ENDING = r"(?: (?:please|then|again|now|instead|after all|thanks|better))*"
_UNDO = re.compile(
    rf"{_OPENING}(?:undo(?: (?:that|it|this|the last (?:one|thing|step)))?|take (?:that|it) back|reverse (?:that|"
    rf"it)|revert(?: (?:that|it))?|"
    rf"(?:change|put|turn|switch|set|move) (?:it|that|them|everything) back(?: (?:on|off|to (?:how|what|the way) "
    rf"it was(?: before)?|as it was))?|"
    rf"(?:change|put|turn|switch) back|back(?: on| off)?|as it was(?: before)?|"
    rf"(?:put|bring|give)(?: me)? back (?:the )?(?:one|voice|other one|old one)(?: (?:i|you|we) had(?: before)?)?|"
    rf"(?:put|leave|make) it (?:as|like|how) it was(?: before)?){_ENDING}"
)
_REVERSE = re.compile(
    rf"{_OPENING}(?:(?:what|how) about |(?:now|and) )?(?:(?:the )?(?:other|opposite) way (?:round|around)|the (?:other|"
    rf"opposite) direction|"
    rf"the reverse|vice versa|in reverse|backwards){_ENDING}"
)
_BEFORE = r"(?:previous|last|earlier|former|other|old)"
_PREVIOUS_VOICE = re.compile(
    rf"{_OPENING}(?:(?:go|change|switch|get|come|turn|move|return)(?: it| your voice)?(?: back)? to|back to|use|"
    rf"take|give me|i want|"
    rf"i would like|can i have|could i have|i (?:liked|preferred|prefer|like|loved)|with)?(?: back)? ?"
    rf"(?:(?:the|that|your) {_BEFORE} (?:voice|one|speaker|person|man|woman)|(?:the )?(?:one|voice) (?:before|"
    rf"from before|you had before|"
    rf"you used before)(?: that)?|(?:the|that|your) (?:voice|one) (?:i had|we had|you had) before|"
    r"(?:(?<=back to )|(?<=return to ))(?:him|her|them|that one|that voice))"
    rf"(?: (?:was|sounded) (?:much |far |a lot )?(?:better|nicer|good|fine))?(?: (?:better|more|back))?{_ENDING}"
)
_NAMED_VOICE = re.compile(
    rf"{_OPENING}(?:i (?:liked|preferred|prefer|loved|like)|(?:go |change |switch )?back to|again|(?:give me|"
    rf"bring back)) "
    rf"(?:the|that) (?P<who>[\w' -]+?)(?: (?:one|voice|again|more|better|from before|before))*{_ENDING}"
)


_CANCELS = re.compile(
    rf"{_OPENING}(?:cancel|stop|delete|remove|clear|scrap|kill|end|abort|drop|forget|call off|get rid of|turn off|"
    rf"switch off) (?:the|my|our|that|this) (?:\w+ ){{0,3}}?(?P<what>\w+?)(?: again| for me| at once)*{_ENDING}"
)


_CANCELS_IT = re.compile(rf"{_OPENING}(?:cancel|delete|scrap|abort) (?:that|it|this)(?: one)?{_ENDING}")
_TAKES_BACK = re.compile(r"(?:\w+ )?(?:cancel|stop|delete|remove|clear|end|abort|undo)s?(?![a-z])", re.IGNORECASE)
"""The name of a tool, or the first word of its description, where it takes back what another one does."""
_SAME = (("table", "booking", "reservation", "book"), ("timer", "alarm", "countdown"))
"""Names of one thing, of which the name of a tool has any."""


@dataclass(frozen=True, slots=True)
class Undone:
    """tool: whose call it is; arguments: of the call that takes back the one before; None where it cannot be."""

    tool: str
    arguments: Mapping[str, Any] | None


def undone(said: str, past: Sequence[PastTurn], tools: Sequence[ToolSpec]) -> Undone | None:
    """What a request to take something back asks for; None for another request.

    said: in the words of `split_words`, joined by spaces
    """
    by_name = {tool.name: tool for tool in tools}
    calls = [call for turn in past for call in turn.calls if call.name in by_name]
    if not calls:
        return None
    voices = [_query(call) for turn in past for call in turn.calls if call.name == VOICE_TOOL and _worked(turn, call)]
    if voices and _PREVIOUS_VOICE.fullmatch(said):
        return _voice(voices[-2] if len(voices) > 1 else "default")
    if voices and (named := _NAMED_VOICE.fullmatch(said)):
        wanted = [stem(word) for word in split_words(named["who"])]
        held = [query for query in reversed(voices[:-1]) if any(_alike(one, query) for one in wanted)]
        if held:
            return _voice(held[0])
    cancels = any(_TAKES_BACK.match(f"{tool.name} {tool.description}") for tool in tools)
    just_now = past[-1].calls[-1] if past[-1].calls and past[-1].calls[-1].name in by_name else None
    if not cancels and _CANCELS_IT.fullmatch(said) and just_now is not None and does(by_name[just_now.name]):
        if just_now.name != VOICE_TOOL:
            return Undone(just_now.name, _opposite(just_now, by_name[just_now.name]))
    if not cancels and (cancelled := _CANCELS.fullmatch(said)) is not None:
        made = [call for call in reversed(calls) if _makes(cancelled["what"], by_name[call.name])]
        if made and _opposite(made[0], by_name[made[0].name]) is None:
            return Undone(made[0].name, None)
    if not (_UNDO.fullmatch(said) or _REVERSE.fullmatch(said)):
        return None
    last = next((call for call in reversed(calls) if does(by_name[call.name]) or call.name == VOICE_TOOL), calls[-1])
    if _REVERSE.fullmatch(said):
        last = calls[-1]
    if _REVERSE.fullmatch(said) and (turned := _turned(last, by_name[last.name])) is not None:
        return Undone(last.name, turned)
    if last.name == VOICE_TOOL:
        return _voice(voices[-2] if len(voices) > 1 else "default")
    opposite = _opposite(last, by_name[last.name])
    if opposite is not None:
        return Undone(last.name, opposite)
    earlier = next((call for call in reversed(calls[:-1]) if call.name == last.name), None)
    return Undone(last.name, earlier.arguments if earlier is not None and len(past) > 1 else None)


def _makes(what: str, tool: ToolSpec) -> bool:
    """Whether a tool makes what a word names: a timer for `set_timer`, a booking for `book_table`."""
    named = {stem(word) for word in split_words(tool.name.replace("_", " "))}
    same = next((names for names in _SAME if what in names), (what,))
    return tool.name != VOICE_TOOL and any(stem(name) in named for name in same)


def _alike(wanted: str, query: str) -> bool:
    """Whether a description holds the word, or one that begins alike: "italian" and "italy"."""
    words = [stem(word) for word in split_words(query)]
    return wanted in words or (len(wanted) > 4 and any(word[:4] == wanted[:4] for word in words))


def _voice(query: str) -> Undone:
    return Undone(VOICE_TOOL, {"query": query})


def _query(call: ToolCall) -> str:
    return str(call.arguments.get("query") or "")


def _worked(turn: PastTurn, call: ToolCall) -> bool:
    return not any(output.name == call.name and output.is_error for output in turn.outputs)


def _turned(call: ToolCall, tool: ToolSpec) -> dict[str, Any] | None:
    """The arguments with two parameters of the same choices exchanged, such as two units; None without such a pair."""
    pairs = [p for p in parameters(tool) if p.choices and p.name in call.arguments]
    if len(pairs) != 2 or pairs[0].choices != pairs[1].choices:
        return None
    first, second = (p.name for p in pairs)
    return {**call.arguments, first: call.arguments[second], second: call.arguments[first]}


def _opposite(call: ToolCall, tool: ToolSpec) -> dict[str, Any] | None:
    """The arguments with the other one of two choices, such as off for on; None for a tool without such a switch."""
    for parameter in parameters(tool):
        held = call.arguments.get(parameter.name)
        if len(parameter.choices) == 2 and held in parameter.choices:
            other = next(choice for choice in parameter.choices if choice != held)
            return {**call.arguments, parameter.name: other}
        if parameter.kind == "boolean" and isinstance(held, bool):
            return {**call.arguments, parameter.name: not held}
    return None
