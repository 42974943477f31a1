"""`changed_calls`: a request as a change of what earlier turns called: "and in London?", "five minutes more"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from agentaudio.conversation import ToolCall, ToolSpec
from agentaudio.model.embedded.answering.answer import CLOCK_TOOL, VOICE_TOOL
from agentaudio.model.embedded.dialogue import forms
from agentaudio.model.embedded.dialogue.parts import is_statement, is_topic
from agentaudio.model.embedded.dialogue.reading import CARRIED, CERTAIN, Reading
from agentaudio.model.embedded.dialogue.relative_changes import relatively_changed
from agentaudio.model.embedded.dialogue.reports import is_report
from agentaudio.model.embedded.dialogue.slot_changes import changed_call
from agentaudio.model.embedded.dialogue.sums import SUM_TOOL, is_step, next_sum
from agentaudio.model.embedded.dialogue.topics import SEARCHES, with_other_topic
from agentaudio.model.embedded.dialogue.turns import PastTurn, clock_question
from agentaudio.model.embedded.dialogue.voice_readings import route_to, voice_readings
from agentaudio.model.embedded.dialogue.voices import changed_voice
from agentaudio.model.embedded.routing.possible import holds_name, names_another, takes_a_name
from agentaudio.model.embedded.routing.slots import fill
from agentaudio.text.words import is_question, split_words

TURNS_BACK = 4
"""Earlier turns whose calls may be changed, and that are read again for what the agent asked."""
_OLDER = 0.8
"""Weight of a change for each turn that its call is older."""
_RECENT = 0.85
"""Least weight of a change that is told by the old value."""
_TYPED, _WHOLE = 0.4, 0.1
"""Probability of a change, whatever the words around it, when a value is of a kind that a call before had, and when
the request holds nothing but the value."""
_MODIFYING = 0.6


def changed_calls(
    request: str, past: Sequence[PastTurn], chances: Mapping[str, float], tools: Sequence[ToolSpec]
) -> Iterator[Reading]:
    """The request as a change of each kind of call that the newest turns made.

    past: the turns before, in order
    chances: of each act, as `Acts` gives them
    """
    by_name = {tool.name: tool for tool in tools}
    seen: set[str] = set()
    weight = 1.0
    for turn in [turn for turn in reversed(past) if turn.calls][:TURNS_BACK]:
        for call in reversed(turn.calls):
            if call.name in by_name and call.name not in seen:
                yield from _changed(request, turn, call, by_name[call.name], chances, weight, tools)
            seen.add(call.name)
        weight *= _OLDER
    if VOICE_TOOL in by_name and VOICE_TOOL not in seen and any("voices, such as" in turn.answer for turn in past):
        asked = next(turn.request for turn in reversed(past) if "voices, such as" in turn.answer)
        held = changed_voice(asked, "") if re.search(r"\bsame\b", request) else None
        yield from voice_readings(request, held.query if held else "", chances, 1.0, tools, just_now=True)


def _changed(
    request: str, turn: PastTurn, call: ToolCall, tool: ToolSpec, chances: Mapping[str, float],
    weight: float, tools: Sequence[ToolSpec],
) -> Iterator[Reading]:  # fmt: skip
    said = " ".join(split_words(request))
    if tool.name == VOICE_TOOL:
        query = str(call.arguments.get("query") or "")
        yield from voice_readings(request, query, chances, weight, tools, just_now=weight == 1.0)
    elif tool.name == SUM_TOOL:
        if (weight == 1.0 or forms.EARLIER_RESULT.search(said)) and (whole := next_sum(said, turn)) is not None:
            slots = fill(whole, tool)
            if not slots.missing:
                chance = chances["sum"] + 0.5 * chances["edit"] + 0.5 * chances["about"]
                score = CERTAIN if is_step(said) else 0.2 + 0.8 * chance
                yield Reading("sum", whole, score, (route_to(tool, slots.arguments),))
    elif tool.name in SEARCHES:
        if (whole := with_other_topic(said, turn)) is not None:
            score = weight * (chances["edit"] + 0.5 * chances["about"]) * 0.9
            if weight == 1.0 and is_topic(request) and is_question(turn.request):
                score = max(score, CARRIED)  # "a guitar?" after "how many strings has a violin?"
            yield Reading("edit", whole, score, (route_to(tool, fill(whole, tool).arguments),))
    elif (moved := relatively_changed(said, call.arguments, tool)) is not None:
        # Older calls are changed in so many words, too: "add three minutes to the timer".
        yield Reading("edit", request, max(weight, _RECENT) * CERTAIN, (route_to(tool, moved),))
    elif takes_a_name(tool) and not holds_name(request) and (is_statement(request) or is_report(request)):
        return  # "the customers love him"
    elif takes_a_name(tool) and re.match(
        r"(?:and |but |so )*(?:who|when|where|why|how (?!about)|what (?!about))", said
    ):
        return  # "who made the first one?"
    elif names_another(said, tool, tools):
        return  # "the laundry light back on" after music names a light, not an artist
    elif (change := changed_call(request, call.arguments, tool)) is not None:
        chance = chances["edit"] + 0.5 * (chances["sum"] + chances["voice"]) + 0.3 * chances["about"]
        if change.typed:
            chance += _TYPED * (1 - chance)
        elif change.fit == 1.0:
            chance += _WHOLE * (1 - chance)
        if forms.MODIFIES.match(said) or (change.fit == 1.0 and forms.MEANT.match(said)):
            chance += _MODIFYING * (1 - chance)
        text = clock_question(turn) if tool.name == CLOCK_TOOL else request
        yield Reading(
            "edit",
            text,
            weight * chance * (1 + change.fit if change.typed else 2 * change.fit) / 2,
            (route_to(tool, change.arguments),),
        )
