"""`same_call`: a call that is wanted once more as it was: "same again", "another one of those", "play that again"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentaudio.conversation import ToolCall, ToolSpec
from agentaudio.model.embedded.answering.answer import VOICE_TOOL
from agentaudio.model.embedded.dialogue.turns import PastTurn
from agentaudio.model.embedded.routing.parameters import parameters
from agentaudio.model.embedded.routing.possible import does

_TURNS_BACK = 2
_OPENING = (
    r"(?:(?:and|but|okay|ok|oh|right|now|then|please|so|well|yes|can you|could you|can i have|could i have|i want|i "
    r"need|we need|i would like|give me|let us have|let us do|make it|do|set|start|just) )*"
)
_ENDING = r"(?: (?:please|then|now|again|too|as well|thanks|for me|for us))*"
_FOR = r"(?P<whom> for (?:the|my|our|a|an|his|her|their) [a-z]+(?: [a-z]+){0,2}?)?"
_ONCE_MORE = r"(?:again|once more|once again|one more time|a second time|another time)"
_AGAIN = re.compile(
    rf"{_OPENING}(?:(?:the )?(?:exact )?same(?: thing| one| timer| song)? {_ONCE_MORE}|(?:the )?(?:exact )?same(?= "
    rf"for\b)|"
    rf"(?:do|play|put|run|set|start|make|have) (?:that|it|this|the same|the same one|the same thing|that one|that "
    rf"song|that "
    rf"timer)(?: on| off)? {_ONCE_MORE}|"
    r"(?:another|one more)(?: one)? (?:of (?:those|them|these|the same)|like (?:that|it|the last|the last one)|just "
    r"like "
    rf"(?:that|it))){_FOR}{_ENDING}{_FOR.replace('whom', 'whom2')}{_ENDING}"
)

_REDOES = re.compile(
    rf"{_OPENING}(?P<verb>play|put|set|start|book|convert)(?: on)? (?:some more of |more of )?"
    rf"(?:him|her|them|it|that|that one|this one)(?: on)? (?:again|once more|once again|one more time){_ENDING}"
)


def same_call(said: str, past: Sequence[PastTurn], tools: Sequence[ToolSpec]) -> ToolCall | None:
    """The newest call of a tool that does something, where the request wants it once more; None for another request.

    "The same for the rice" wants it, too, unless the tool takes a text, which the rice may be.

    said: in the words of `split_words`, joined by spaces; past: the turns before, in order
    """
    if (redone := _REDOES.fullmatch(said)) is not None:
        names = {tool.name for tool in tools if tool.name.startswith(redone["verb"])}
        by_verb = next((call for turn in reversed(past) for call in reversed(turn.calls) if call.name in names), None)
        if by_verb is not None:
            return by_verb
    match = _AGAIN.fullmatch(said)
    turn = next((turn for turn in reversed(past[-_TURNS_BACK:]) if turn.calls), None)
    if match is None or turn is None or len(turn.calls) != 1:
        return None
    call = turn.calls[0]
    tool = next((tool for tool in tools if tool.name == call.name), None)
    if tool is None or tool.name == VOICE_TOOL or not does(tool):
        return None
    named = match["whom"] or match["whom2"]
    takes_text = any(p.kind == "string" and not p.choices and p.meaning == "text" for p in parameters(tool))
    return None if named and takes_text else call
