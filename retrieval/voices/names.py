"""`names_said`: the names that a request for a voice says."""

from __future__ import annotations

import re

from agentaudio.text.terms import folded

LONGEST_NAME = 4
"""Words of the longest name that is looked for inside a request."""

# What may be said around a name that is the whole request.
_BEFORE = re.compile(
    r"^(?:please|kindly|now|ok|okay|use|try|take|play|find|get|choose|pick|select|prefer|want|need|like|"
    r"i|we|me|us|you|it|can|could|would|i'd|we'd|i'll|let's|let|hear|have|give|make|be|become|want|go|turn|"
    r"switch|change|set|back|speak|talk|read|answer|sound|sounds|say|reply|who|someone|"
    r"to|with|as|in|into|for|of|the|voice|style|say it|that|from|again)(?= |$)"
)
_AFTER = re.compile(
    r"(?:^| )(?:please|voice|now|again|instead|then|thanks|thank you|speaking|talking|reading|for me|next|once more|"
    r"from now on|if you can|if possible)$"
)
_BEFORE_CHINESE = re.compile(
    r"^(?:请|麻烦|帮我|给我|我要|我想要|我想听|我想|想要|想听|想|要|用|使用|以|换成|换到|换|切换成|切换到|切换|改成|改用|变成|"
    r"找|选|选择|模仿|像|学|听|叫|名叫|名为|名字是|让|由|一下|我|你)"
)
_AFTER_CHINESE = re.compile(
    r"(?:的声音|的嗓音|的音色|的语气|的口吻|声音|一样|来说话|来说|说话|来回答|回答|来读|来念|来|说|讲|读|念|吧|吗|呢|一下|好吗|的)$"
)
# What comes before a name inside a longer request.
_CALLED = re.compile(
    r"(?:\b(?:called|named|name is|name's|by the name of|goes by)|名叫|名为|名字叫|名字是|叫做|叫) *"
    r"[\"'“‘«「]?([^,.;:!?。，；：！？\"”»」]+)"
)
_VOICE_OF = re.compile(r"\b(?:voice of|like) ([^,.;:!?。，；：！？]+)")
_FOLLOWS_NAME = frozenset(
    "please who that which with from and or but in instead again now speaking is has for if when to does would the "
    "only just voice then".split()
)
_EDGES = " \t\"'“”‘’«»「」()[]-–—.,;:!?。，；：！？…"
_MOST_CHARS = 300


def name_term(name: str) -> str:
    """The search term of a voice's name or id."""
    return f"={'-'.join(folded(name).split())}"


def names_said(query: str) -> list[str]:
    """Search terms of the names that a request may say, the longest first.

    A name counts when it is the whole request, with or without words such as "please use the voice of", or after
    "called", "named", "the voice of" and "like", where no content word follows it. Elsewhere a word
    is not a name: "a rich, warm voice" does not ask for Rich.
    """
    text = " ".join(folded(query[:_MOST_CHARS]).replace("’", "'").split())
    found = [*_alone(text)]
    for match in _CALLED.finditer(text):
        found += _beginnings(match[1])
    for match in _VOICE_OF.finditer(text):
        found += _beginnings(match[1])
    return [name_term(name) for name in sorted(dict.fromkeys(found), key=len, reverse=True)]


def words_in(text: str) -> list[str]:
    """Search terms of all runs of up to LONGEST_NAME words of a text, the longest first."""
    said = re.findall(r"[\w'-]+", folded(text[:_MOST_CHARS]))
    lengths = range(LONGEST_NAME, 0, -1)
    return [name_term(" ".join(said[at : at + n])) for n in lengths for at in range(len(said) - n + 1)]


def _alone(text: str) -> list[str]:
    """What is left of a request when the words around a name are taken off, one by one."""
    found = [text.strip(_EDGES)]
    for before, after in ((_BEFORE, _AFTER), (_BEFORE_CHINESE, _AFTER_CHINESE)):
        # At the end first: what is left at the start of "Will you speak" is not a name.
        while (match := after.search(found[-1])) and match.start():
            found.append(found[-1][: match.start()].strip(_EDGES).removesuffix("'s"))
        while (match := before.search(found[-1])) and match.end() < len(found[-1]):
            found.append(found[-1][match.end() :].strip(_EDGES))
    return [name.removesuffix("'s") for name in found if name]


def _beginnings(text: str) -> list[str]:
    """The runs of words at the start of a text that may be a name: what follows is no content word."""
    words = text.strip(_EDGES).split()
    found = []
    for count in range(1, min(LONGEST_NAME, len(words)) + 1):
        if count == len(words) or words[count] in _FOLLOWS_NAME:
            found.append(" ".join(words[:count]).strip(_EDGES).removesuffix("'s"))
    for name in list(found):
        while (match := _AFTER_CHINESE.search(name)) and match.start():
            name = name[: match.start()]
            found.append(name)
    return [name for name in found if name]
