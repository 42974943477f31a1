"""`switched_together`: several calls before, each with another choice: "both off again", "turn them all on"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from agentaudio.conversation import ToolSpec
from agentaudio.model.embedded.dialogue.turns import PastTurn
from agentaudio.model.embedded.routing.parameters import parameters

_TURNS_BACK = 5
_VERB = r"(?:turn|switch|put|set|make|flick|leave)"
_TOGETHER = re.compile(
    r"(?:(?:and|but|okay|ok|oh|no|now|then|please|so|well|right|actually|can you|could you|you can|would you) )*(?:"
    rf"(?:{_VERB} )?(?P<which>both|all|everything|the lot)(?: of (?:them|those|the lights))?(?: the lights| lights)?|"
    rf"{_VERB} (?:them|those) (?P<which2>both|all)|{_VERB} (?P<which3>them|those))(?: back)?"
    r"(?: (?P<state>[a-z]+))(?: (?:again|now|please|then|too|for me))*"
)


def switched_together(
    said: str, past: Sequence[PastTurn], tools: Sequence[ToolSpec]
) -> tuple[ToolSpec, list[dict[str, Any]]] | None:
    """The tool and the arguments of each call of a request that switches several things at once; None for another one.

    "Them" are those of the last turn that made several such calls, "both" the last two things, and "all" those of the
    last turns.

    said: in the words of `split_words`, joined by spaces; past: the turns before, in order
    """
    match = _TOGETHER.fullmatch(said)
    if match is None:
        return None
    for tool in tools:
        switch = next((p for p in parameters(tool) if match["state"] in p.choices), None)
        things = next((p for p in parameters(tool) if p.kind == "string" and not p.choices and p.required), None)
        if switch is None or things is None:
            continue
        rows = [[call for call in turn.calls if call.name == tool.name] for turn in past[-_TURNS_BACK:]]
        which = match["which"] or match["which2"] or match["which3"]
        if which in ("them", "those"):
            rows = [row for row in rows if row][-1:]
        named = [call.arguments[things.name] for row in rows for call in row if call.arguments.get(things.name)]
        named = list(dict.fromkeys(named))[-2 if which == "both" else 0 :]
        if len(named) > 1:
            return tool, [{things.name: thing, switch.name: match["state"]} for thing in named]
    return None
