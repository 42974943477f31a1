"""Replies when no tool is called."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentaudio.conversation import ToolSpec
from agentaudio.text.words import split_words

_REPLIES: tuple[tuple[str, str], ...] = (
    (r"\b(?:thank|thanks)\b", "You are welcome."),
    (r"\bgood night\b", "Good night."),
    (r"\b(?:bye|goodbye|see you|talk (?:to you )?(?:later|soon)|have a nice|(?:have to|must|need to) go)\b",
     "Goodbye."),
    (r"\b(?:how (?:are (?:you(?! (?:called|made|built))|things)|is it going|do you do|have you been)|"
     r"how (?:is|was) your day|what is up)\b",
     "I am well, thank you. What can I do for you?"),
    (r"\b(?:joke|funny|make me laugh)\b", "I do not know any jokes. I can look things up and use my tools."),
    (
        r"\b(?:are you (?:a |an )?(?:real|human|person|robot|machine|computer|alive)|who are you|what are you|"
        r"who (?:am i|is it i am) (?:talking|speaking|chatting) (?:to|with)|who is (?:this|there)|"
        r"who (?:made|built|created|wrote|invented) you|how old are you|"
        r"where (?:do you (?:live|come from)|are you(?: from)?))\b",
        "I am a computer program that listens, uses tools and answers.",
    ),
    (r"\b(?:your name|are you called|name do you|you have a name)\b",
     "I do not have a name. You can call me embedded."),
    (r"\b(?:nice|pleased|glad) to (?:meet|see)\b", "Nice to meet you, too."),
    (r"\bgood (morning|afternoon|evening)\b", "Good {0}. What can I do for you?"),
    (r"\b(?:sorry|excuse me|apolog)\b", "No problem."),
    (
        r"\b(?:love|like) (?:the sound of )?(?:your|you)\b|"
        r"\byou are (?:very |so |really )?(?:kind|great|nice|smart|good|funny)\b",
        "That is kind of you.",
    ),
    (r"\b(?:helpful|well done|good job|great|wonderful|lovely|delicious)\b", "I am glad to hear that."),
    (r"\bthat (?:is|was) (?:wrong|not (?:right|correct|true|what i)|incorrect|a mistake)\b",
     "I am sorry. Please ask once more in other words."),
    (r"\b(?:tired|sad|sick|ill|bored|terrible|lonely|bad|late|forgot|hungry)\b", "I am sorry to hear that."),
    (r"\b(?:never mind|forget it|that is all|nothing else|no thanks|another time)\b", "All right."),
    (r"\b(?:do not|did not|don't|didn't) understand\b|\bsay that again\b|\brepeat\b|\bwhat did you say\b",
     "I will try again: please ask once more in other words."),
    (r"\bcan you hear me\b|\bare you (?:there|listening)\b", "Yes, I can hear you."),
    (r"^(?:hello|hi|hey|hello there|hi there)\b", "Hello. What can I do for you?"),
    (r"^(?:yes|no|okay|ok|all right|i see)\b", "All right."),
)  # fmt: skip
CANNOT = "I cannot do that."
NOTHING_SPECIAL = "I see."
_ASKS = re.compile(
    r"^(?:(?:please|can you|could you|would you|will you|i want you to|i need you to|let us|now|and|then|so|hey) )*"
    r"(?:do|does|did|is|are|was|were|can|could|what|which|who|whom|whose|when|where|why|how|tell|give|show|make|order|"
    r"buy|"
    r"call|send|write|play|sing|draw|open|close|start|stop|turn|set|book|find|read|dance|cook|bring|get|take|drive|"
    r"translate|remind|schedule|cancel|pay|clean|wash|fix|help|teach|count|guess|pick|choose|go|come|look|put)\b|\?$"
)
_ABILITY_SAID = re.compile(r"\bwhat can (?:you|i)\b|\bhow can you help\b|^help\b|\bwhat are you able\b")
_ASKS_ABILITY = re.compile(
    r"(?:(?:and|so|okay|well|please|hello|hi|can you tell me|tell me) )*(?:"
    r"what (?:else )?can (?:you (?:do|help (?:me )?with|offer)|"
    r"i (?:ask|say|do(?: with you)?))(?: (?:you|for me|about|here))*|"
    r"(?:how|what) (?:else )?can you help(?: me)?(?: with)?|help(?: me)?|what are you (?:able to do|good (?:at|for))|"
    r"what (?:else )?(?:do you (?:do|know)(?: how to do)?|are you able to do)(?: (?:a lot |much |all )?about)?|"
    r"what (?:else )?you (?:know|can do)|what else|"
    r"is there (?:anything|something) (?:else )?you can (?:do|help(?: me)? with)|"
    r"what (?:sort|kind)s? of (?:things|questions|stuff) "
    r"(?:can (?:you (?:do|answer)|i ask(?: you)?)|do you know(?: about)?)|"
    r"what (?:are|is) your (?:abilities|tools|skills|functions|features|job|purpose)|"
    r"(?:what|which) (?:tools|skills|functions|abilities|documents|topics|subjects|files)"
    r" (?:do you (?:have|know|offer)|have you got|are there|can you (?:use|search|read))(?: documents about| about)?"
    r")(?: please)?"
)


def asks_ability(text: str) -> bool:
    """Whether the user asks what the agent can do."""
    return _ASKS_ABILITY.fullmatch(" ".join(split_words(text))) is not None


def small_talk(text: str, tools: Sequence[ToolSpec] = ()) -> str:
    """A short reply to a greeting, thanks, a goodbye or a remark.

    tools: described when the user asks what the agent can do
    """
    said = " ".join(split_words(text))
    if asks_ability(text) or _ABILITY_SAID.search(said):
        return abilities(tools) or "Ask me a question, and I will see which of my tools can answer it."
    for pattern, reply in _REPLIES:
        match = re.search(pattern, said)
        if match:
            return reply.format(*match.groups()) if match.groups() else reply
    return CANNOT if _ASKS.search(text.lower()) else NOTHING_SPECIAL


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
    found = [deed for tool in tools if (deed := ability(tool))]
    if not found:
        return ""
    shown = found[:most]
    more = ", and more" if len(found) > most else ""
    if len(shown) == 1:
        return f"I can {shown[0]}."
    if more:
        return f"I can {', '.join(shown)}{more}."
    return f"I can {', '.join(shown[:-1])} and {shown[-1]}."


def ability(tool: ToolSpec) -> str:
    """The first clause of a description, worded to follow "I can"."""
    clause = re.split(r"[.:;,(]", tool.description.strip(), maxsplit=1)[0].strip()
    if not clause:
        return tool.name.replace("_", " ")
    clause = re.sub(r"\byou speak\b", "I speak", clause)
    return clause[0].lower() + clause[1:] if not clause[:2].isupper() else clause
