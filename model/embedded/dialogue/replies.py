"""Replies to requests about the conversation itself, by their act."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentaudio.conversation import ToolSpec
from agentaudio.model.embedded.answering.answer import VOICE_TOOL
from agentaudio.model.embedded.answering.small_talk import NOTHING_SPECIAL, abilities, small_talk
from agentaudio.model.embedded.dialogue.turns import PastTurn
from agentaudio.text.sentences import sentences

_FIXED_MANNER = "I cannot change how fast or how loud I speak."
_ONCE_MORE = f"{_FIXED_MANNER} Here it is once more. "
_MOST_NAMES = 6
DROPPED = "All right."
_REPLIES = {
    "language": "I understand and speak English only.",
    "identity": "I am a computer program that listens, uses tools and answers. I do not have a name.",
    "howareyou": "I am well, thank you. What can I do for you?",
    "greeting": "Hello. What can I do for you?",
    "presence": "Hello. Yes, I can hear you.",
    "thanks": "You are welcome.",
    "praise": "I am glad to hear that.",
    "bye": "Goodbye.",
    "cancel": DROPPED,
    "wait": DROPPED,
    "okay": DROPPED,
    "forbid": DROPPED,
    "remark": NOTHING_SPECIAL,
}
ACTS = (*_REPLIES, "repeat", "manner", "shorter", "voices", "whose", "ability", "why")
"""The acts that `reply_to` answers."""


def reply_to(act: str, request: str, tools: Sequence[ToolSpec], past: Sequence[PastTurn]) -> str | None:
    """The reply to a request of this act; None where it cannot be one, as in "why?" after no refusal.

    past: the turns before, in order
    """
    last = next((turn.answer for turn in reversed(past) if turn.answer), "").removeprefix(_ONCE_MORE).strip()
    match act:
        case "repeat":
            return last or "I have not said anything yet."
        case "manner":
            return f"{_ONCE_MORE}{last}" if last else _FIXED_MANNER
        case "shorter":
            first, *others = sentences(last) or [last]
            return (first if others else f"That is as short as I can say it. {last}") if last else None
        case "voices":
            return _voices(tools)
        case "whose":
            return _present_voice(past) if any(tool.name == VOICE_TOOL for tool in tools) else None
        case "ability":
            return abilities(tools) or "Ask me a question, and I will see which of my tools can answer it."
        case "why":
            refused = past and "cannot" in past[-1].answer
            return " ".join(filter(None, ("I have no tool for that.", abilities(tools)))) if refused else None
        case _:
            # "good morning" and "thank you, bye" have a reply of their own.
            special = small_talk(request, tools) if act in ("greeting", "bye", "thanks", "identity", "praise") else ""
            return special if special.startswith(("Good", "You are", "Nice", "I do not have")) else _REPLIES.get(act)


def voice_names(tools: Sequence[ToolSpec]) -> list[str]:
    """The names of the voices that the voice tool can change to."""
    tool = next((tool for tool in tools if tool.name == VOICE_TOOL), None)
    phrases = [phrase for phrase in tool.phrases if isinstance(phrase, str)] if tool is not None else []
    return [match[1] for text in phrases if (match := re.fullmatch(r"answer in the voice of (.+)", text))]


def _voices(tools: Sequence[ToolSpec]) -> str | None:
    if all(tool.name != VOICE_TOOL for tool in tools):
        return None
    names = voice_names(tools)
    if not names:
        return "I have only my own voice."
    shown = names[:: max(1, len(names) // _MOST_NAMES)][:_MOST_NAMES]
    more = len(names) - len(shown)
    listed = ", ".join(shown[:-1]) + f" and {shown[-1]}" if len(shown) > 1 else shown[0]
    others = f", and {more} more" if more else ""
    return f"I can speak in {len(names)} voices, such as {listed}{others}. Ask for one by name, or describe it."


def _present_voice(past: Sequence[PastTurn]) -> str:
    outputs = [output.text for turn in past for output in turn.outputs if output.name == VOICE_TOOL]
    now = next((text for text in reversed(outputs) if text.startswith("The voice is now")), None)
    return sentences(now)[0].partition(": ")[0].rstrip(":.") + "." if now else "This is my own voice."
