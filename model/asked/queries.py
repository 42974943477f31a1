"""Search queries: a request without the words that only ask."""

from __future__ import annotations

import re

from agentaudio.text.words import QUESTION_WORDS, split_words

_POLITE = (
    r"(?:please|okay|ok|hey|hello|hi|well|so|and|then|now|also|can you|could you|would you|will you|"
    r"can i|could i|may i|i want you to|i would like you to|i want to|i would like to|i like to|i need to|"
    r"i am curious|i wonder|do you know|let us|let me|help me|would you mind|kindly|you|to|just)"
)
_LEADS = (
    r"tell (?:me|us) (?:something |more |a bit |a little |everything |all )?(?:about|of)",
    r"(?:anything|something|everything|a bit|a little|a lot|much|more|some (?:stuff|things|facts)) about",
    r"(?:give|get|read) (?:me|us) (?:a |an |some )?(?:short |brief |quick |little )?"
    r"(?:intro|introduction|overview|summary|information|facts|details|description) (?:to|of|about|on|for)",
    r"(?:what|anything) (?:do|can) you (?:know|tell me|say) about",
    r"what (?:is|are) (?:there )?(?:to know )?about",
    r"what about",
    r"how about",
    r"(?:know|learn|hear|find out|read) (?:something |more |a bit |a little )?about",
    r"(?:explain|describe|introduce)(?: to me| to us| me)?(?: about)?",
    r"(?:search|look|check|browse|surf) (?:in |on |through |up )?(?:the |my |your |our )?"
    r"(?:web|internet|net|online|documents|library|files|notes)(?: for| about| to find)?",
    r"(?:google|search for|look up|look for|find out|search|find|look)(?: me)?",
    r"(?:tell|show|give) (?:me|us)",
    r"(?:know|learn|find out|say|explain)",
    r"in (?:the |my |your )?documents",
)
_TRAILS = (
    r"(?:please|for me|thanks|thank you|if you can|right now|now)",
    r"(?:on|in|from) the (?:internet|web|net)",
    r"(?:online|in (?:the|my|your) documents)",
    r"(?:then|these days|nowadays|in total|exactly|roughly|again|actually|anyway|though|by the way|altogether|though)",
)
_FILLERS = re.compile(r"\b(?:actually|exactly|basically|roughly|honestly|literally) (?=\w)")
_AUXILIARY = frozenset("is are was were do does did can could will would has have had should be been there".split())

_DEFAULT_VOICE = re.compile(
    r"\b(?:default|(?:your|the) (?:own|normal|usual|original|regular|real|old|first|standard|natural)|normal|"
    r"original|usual|own) (?:voice|self|one|sound|way of speaking)\b|^default$|\bback to (?:normal|default|yourself)\b|"
    r"\b(?:sound|speak|talk) (?:like yourself|normally|normal again|as before|as usual)\b|"
    r"\b(?:reset|restore) (?:the |your )?voice\b|\bdefault\b"
)
_VOICE_LEADS = (
    r"\b(?:in|with|using|use|take|has|have|find|into) (?:the |a |an )?voice (?:of|like|from|that sounds like) (.+)",
    r"\bvoice (?:of|like|to|to that of|that sounds like|into) (.+)",
    r"\b(?:sound|sounding|speak|talk|talking|speaking|be|act|answer|reply|voice) (?:more )?(?:like|as) (.+)",
    r"\b(?:imitate|impersonate|mimic|become|pretend to be|hear from|play the part of) (.+)",
    r"\b(?:prefer|like|love|rather|better)(?: it)? if (.+?) (?:talked|spoke|answered|read|said|told|did|was)\b.*",
    r"\b(?:switch|change|go|turn|move) (?:over )?(?:your voice )?(?:in)?to (.+)",
    r"\b(?:hear|prefer|want|like|use|using|choose|pick|select|find|get|take|try|give me|need|show|fancy|do|make|let) "
    r"(?:me )?(.+)",
    r"\b(?:in|with) (.+)",
)
_VOICE_TRAIL = re.compile(
    r" (?:please|from now on|now|for me|today|instead|from here on|this time|again|when you (?:answer|speak|talk)|"
    r"and (?:then )?(?:tell|answer|explain|say|speak|talk).*|to (?:me|us)|speak(?:ing)?|talk(?:ing)?|thanks|thank you)$"
)


def search_query(text: str) -> str:
    """The request without politeness and introduction, or all of it when nothing else is left.

    "please tell me about the great wall" gives "the great wall"; "how far away is the moon" stays a question, which
    search engines and sentence embedders understand.
    """
    said = _FILLERS.sub("", " ".join(split_words(text)))
    rest = said
    for _ in range(6):
        before = rest
        rest = re.sub(rf"^{_POLITE}\b ?(?=\S)", "", rest)
        for lead in _LEADS:
            rest = re.sub(rf"^{lead}(?= |$) ?", "", rest)
        for trail in _TRAILS:
            rest = re.sub(rf" {trail}$", "", rest)
        if rest == before:
            break
    rest = rest.strip()
    return rest if any(word not in _AUXILIARY and word not in QUESTION_WORDS for word in rest.split()) else said


def voice_query(text: str) -> str:
    """The requested voice: "please answer in the voice of a calm old man" gives "a calm old man", and "go back
    to your own voice" gives "default"."""
    said = " ".join(split_words(text))
    if _DEFAULT_VOICE.search(said):
        return "default"
    for lead in _VOICE_LEADS:
        match = re.search(lead, said)
        if match and match[1].strip():
            said = match[1]
            break
    for _ in range(3):
        said = _VOICE_TRAIL.sub("", said)
    return re.sub(r"^(?:(?:hear|have|use|to|with|in|of|like|more like|be|me) )+", "", said).strip()
