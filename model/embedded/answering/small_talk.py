"""Replies when no tool is called."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentaudio.conversation import ToolSpec

_REPLIES: tuple[tuple[str, str], ...] = (
    (r"\b(?:thank|thanks)\b", "You are welcome."),
    (r"\bgood night\b", "Good night."),
    (r"\b(?:bye|goodbye|see you|talk (?:to you )?(?:later|soon)|have a nice)\b", "Goodbye."),
    (r"\bhow (?:are you|is it going|do you do)\b", "I am well, thank you. What can I do for you?"),
    (r"\b(?:joke|funny|make me laugh)\b", "I do not know any jokes. I can look things up and use my tools."),
    (
        r"\b(?:are you (?:a |an )?(?:real|human|person|robot|machine|computer|alive)|who are you|what are you)\b",
        "I am a computer program that listens, uses tools and answers.",
    ),
    (r"\b(?:your name|are you called|name do you)\b", "I do not have a name. You can call me embedded."),
    (r"\b(?:nice|pleased|glad) to (?:meet|see)\b", "Nice to meet you, too."),
    (r"\bgood (morning|afternoon|evening)\b", "Good {0}. What can I do for you?"),
    (r"\b(?:sorry|excuse me|apolog)\b", "No problem."),
    (
        r"\b(?:love|like) (?:the sound of )?(?:your|you)\b|"
        r"\byou are (?:very |so |really )?(?:kind|great|nice|smart|good|funny)\b",
        "That is kind of you.",
    ),
    (r"\b(?:helpful|well done|good job|great|wonderful|lovely|delicious)\b", "I am glad to hear that."),
    (r"\b(?:tired|sad|sick|ill|bored|terrible|lonely|bad|late|forgot|hungry)\b", "I am sorry to hear that."),
    (r"\b(?:never mind|forget it|that is all|nothing else|no thanks|another time)\b", "All right."),
    (r"\b(?:do not|did not|don't|didn't) understand\b|\bsay that again\b|\brepeat\b|\bwhat did you say\b",
     "I will try again: please ask once more in other words."),
    (r"\bcan you hear me\b|\bare you (?:there|listening)\b", "Yes, I can hear you."),
    (r"^(?:hello|hi|hey|hello there|hi there)\b", "Hello. What can I do for you?"),
    (r"^(?:yes|no|okay|ok|all right|i see)\b", "All right."),
)  # fmt: skip
CANNOT = "I cannot do that."
_ASKS = re.compile(
    r"^(?:(?:please|can you|could you|would you|will you|i want you to|i need you to|let us|now|and|then|so|hey) )*"
    r"(?:do|does|did|is|are|was|were|can|could|what|which|who|whom|whose|when|where|why|how|tell|give|show|make|order|buy|"
    r"call|send|write|play|sing|draw|open|close|start|stop|turn|set|book|find|read|dance|cook|bring|get|take|drive|"
    r"translate|remind|schedule|cancel|pay|clean|wash|fix|help|teach|count|guess|pick|choose|go|come|look|put)\b|\?$"
)
_ASKS_ABILITY = re.compile(
    r"\bwhat (?:else )?can (?:you|i)\b|\bhow can you help\b|^help\b|\bwhat are you (?:able|good)\b|"
    r"\bwhat (?:else )?do you (?:do|know)(?: (?:a lot |much |all )?about)?\W*$|"
    r"\bwhat (?:are|is) your (?:abilities|tools|skills|functions|features|job|purpose)\b|"
    r"\b(?:what|which) (?:tools|skills|functions|abilities) (?:do|can) you\b"
)


def small_talk(text: str, tools: Sequence[ToolSpec] = ()) -> str:
    """A short reply to a greeting, thanks, a goodbye or a remark.

    tools: described when the user asks what the agent can do
    """
    said = text.lower()
    if _ASKS_ABILITY.search(said):
        return abilities(tools) or "Ask me a question, and I will see which of my tools can answer it."
    for pattern, reply in _REPLIES:
        match = re.search(pattern, said)
        if match:
            return reply.format(*match.groups()) if match.groups() else reply
    return CANNOT if _ASKS.search(said) else "I see. Is there anything I can do for you?"


def not_understood(text: str, tools: Sequence[ToolSpec]) -> str:
    """A reply to a request that was not understood or that no tool can do: what was heard, and what the tools do."""
    heard = " ".join(text.split())
    if not heard:
        opening = "I did not hear any words."
    elif len(heard.split()) > 20:
        opening = "I did not understand that, so I cannot help with it."
    else:
        opening = f'I heard "{heard.rstrip(".!?")}", but I cannot help with that.'
    return " ".join(part for part in (opening, abilities(tools)) if part)


def abilities(tools: Sequence[ToolSpec], most: int = 4) -> str:
    """One sentence about what the tools do; empty without tools."""
    found = [ability for tool in tools if (ability := _ability(tool))]
    if not found:
        return ""
    shown = found[:most]
    more = ", and more" if len(found) > most else ""
    if len(shown) == 1:
        return f"I can {shown[0]}."
    if more:
        return f"I can {', '.join(shown)}{more}."
    return f"I can {', '.join(shown[:-1])} and {shown[-1]}."


def _ability(tool: ToolSpec) -> str:
    """The first clause of a description, worded to follow "I can"."""
    clause = re.split(r"[.:;,(]", tool.description.strip(), maxsplit=1)[0].strip()
    if not clause:
        return tool.name.replace("_", " ")
    clause = re.sub(r"\byou speak\b", "I speak", clause)
    return clause[0].lower() + clause[1:] if not clause[:2].isupper() else clause
