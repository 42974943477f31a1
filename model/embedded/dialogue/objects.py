"""`with_object`: a command with the thing of the command before in the place of "it" or "the kitchen one"."""

from __future__ import annotations

import re

from agentaudio.model.embedded.dialogue.turns import PastTurn
from agentaudio.text.words import command_place, split_words

_HANDLED = re.compile(
    r"^(?P<verb>\w+)(?: (?:on|off|up|down))? (?:the|a|an|my|our|all the) (?P<thing>\w+)(?: (?:on|off|up|down))?"
    r"(?: (?P<where>(?:in|on|at|by) (?:the |my |our )?\w+(?: \w+)??)(?: (?:on|off|up|down|please))?)?$"
)
_NEGATED = re.compile(r"^(?:(?:please|no|oh|and|but|then|now|okay|well|so|wait) )*(?:do not|never) ")
_OPENING = re.compile(
    r"^(?:(?:and|but|then|now|okay|so|no|wait|actually|please|also|just|can you|could you|would you) )+"
)
_ALIKE = frozenset("turn switch put flip set make".split())
_WHERE = re.compile(r"\b(?:in|at|by) (?:the|my|our)\b")


def with_object(said: str, before: PastTurn) -> str | None:
    """The command with the thing that the command before handled; None for another request.

    said: in the words of `split_words`, joined by spaces
    """
    previous = _NEGATED.sub("", " ".join(split_words(before.request)))
    handled = _HANDLED.match(_OPENING.sub("", previous))
    words = _OPENING.sub("", said).split()
    if handled is None or command_place(words) is None or not words:
        return None
    if words[0] != handled["verb"] and not {words[0], handled["verb"]} <= _ALIKE:
        return None
    text, thing = " ".join(words), handled["thing"]
    if one := re.search(r"\b(?P<which>(?:the|my|our) (?:other )?\w+) one\b", text):
        return f"{text[: one.start()]}{one['which']} {thing}{text[one.end() :]}"
    if (it := re.search(r"\b(?:it|them|that one|this one)\b", text)) is None:
        return None
    where = "" if _WHERE.search(text) or not handled["where"] else f" {handled['where']}"
    return f"{text[: it.start()]}the {thing}{text[it.end() :]}{where}"
