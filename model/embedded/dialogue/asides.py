"""What kind of aside a request is: dropping the matter, courtesy, a remark, or a question about the voices."""

from __future__ import annotations

import re

from agentaudio.text.sentences import sentences
from agentaudio.text.words import split_words

_CANCEL = re.compile(
    r"(?:(?:please|oh|okay|ok|no|actually|well|sorry|wait|hmm|ah|just|all right|alright|thanks|thank you|"
    r"you know what|let us|oops) )*"
    r"(?:never ?mind|(?:just )?forget (?:it|that|about (?:it|that)|i asked)|stop(?: (?:it|that|talking|there))?|"
    r"cancel(?: (?:it|that|this))?|(?:leave|drop|skip) (?:it|that)(?: at that)?|do not bother|let it (?:be|go)|"
    r"that is (?:enough|all|it)|that will do|(?:that is )?enough|no thanks|no thank you|not (?:now|any ?more|needed)|"
    r"(?:i )?(?:have )?changed my mind|be quiet|shut up|quiet|i (?:do not|no longer) (?:need|want) (?:it|that|this)|"
    r"it (?:is not|does not) (?:important|matter)|another time|maybe later)"
    r"(?: (?:please|thanks|thank you|then|now|for now|for today|any ?more|about it))*"
)
_COURTESY = re.compile(
    r"(?:(?:oh|okay|ok|well|and|so|no|yes|wow|great|good|all right|fine) )*"
    r"(?:(?:thanks|thank you) for(?: \w+){1,5}|"
    r"hello|hi|hey|good (?:morning|afternoon|evening|night|day)|thanks|thank you|bye|goodbye|see you|"
    r"i (?:have to|must|need to|should) go|i am going to bed|"
    r"are you (?:still )?(?:there|listening)|can you hear me|anybody there)"
    r"(?: (?:there|again|very much|so much|a lot|for that|for your help|later|soon|tomorrow|everyone|you|now))*"
)
_REMARK = re.compile(
    r"(?:(?:well|oh|yes|no|wow|and|but|you know|so|hmm) )*i (?:(?:really|just|also|do|quite|always|never|once|still) )*"
    r"(?:like|love|hate|enjoy|adore|dislike|miss|remember|slept|ate|grew|lived|live|was|went|visited|have been|"
    r"had)\b(?! to\b)"
)
_IMPRESSION = re.compile(
    r"(?:(?:well|oh|wow|hmm|hm|ah|really|okay|ha|huh|gosh|no|yes|and|sorry|oops) )*(?:"
    r"(?:that|this) (?:(?:voice|one) )?(?:is|was|sounds|looks|feels) "
    r"(?:(?:really|so|very|quite|pretty|rather|a bit|a little|too|just|not) )*"
    r"(?!enough|all|it\b)[a-z]+(?: (?:one|then))?|"
    r"(?<=wow )that (?:is|was)(?: \w+){1,5}|"
    r"wow|really|how [a-z]+|what an? (?:[a-z]+ )?[a-z]+|i see|(?:how |very )?interesting|(?:that is )?good to know|"
    r"i (?:did not|never) (?:know|knew) that|no way|fair enough|not (?:bad|good)|amazing|incredible|unbelievable|"
    r"i do not (?:really )?(?:like|want) (?:it|that|this|that one|this one|that voice|this voice|the voice))"
)
_QUESTION = re.compile(r"^how (?:old|tall|big|long|high|deep|wide|heavy|far|fast|thick|large|many|much|come|so)$")
_PART = re.compile(r"(?<=;)\s+")
_WISH = re.compile(
    r"\b(?:voice|accent|want|need|please|can you|could you|would you|what|when|where|how|who|which|instead|rather|more|"
    r"better|sound|speak|talk|you to|wondering|asking|play|tell)\b"
)
_VOICES = re.compile(
    r"\b(?:what|which|how many|list|name|show|tell me)\b.*\bvoices?\b.*"
    r"\b(?:do you|have|are there|can you|could you|available|there are|know|all|the|your)\b|"
    r"\b(?:list|show|name|which|what|what other)\b(?: \w+)? voices\b|"
    r"\bwho (?:else )?can you (?:sound|speak|talk) (?:like|as)\b|"
    r"^(?:can|could|do|are) you (?:able to )?(?:also )?(?:change|switch|use|have|do|offer|speak (?:in|with)|"
    r"talk (?:in|with)) "
    r"(?:your |the |any |an?)?(?:other |different |another |more |several )?voices?(?: too)?$|"
    r"^(?:can|could) you sound (?:different|like someone else)(?:ly)?$"
)


MOST_WORDS = 40
"""Words of an aside at most: a longer request is about something else."""


def short_words(request: str) -> str:
    """The words of `split_words`, joined by spaces; empty for a request longer than MOST_WORDS."""
    words = split_words(request)
    return " ".join(words) if len(words) <= MOST_WORDS else ""


def cancels(request: str) -> bool:
    """Whether the request drops the matter: "never mind", "forget it", "no thanks"."""
    return _CANCEL.fullmatch(short_words(request)) is not None


def is_courtesy(request: str) -> bool:
    """Whether the request is a greeting, thanks or a goodbye and nothing else."""
    return _COURTESY.fullmatch(short_words(request)) is not None


def is_remark(request: str) -> bool:
    """Whether the request tells what the user likes or did, or reacts to an answer, and wishes nothing."""
    said = short_words(request)
    if _IMPRESSION.fullmatch(said) and not _QUESTION.match(said):
        return True
    return _REMARK.match(said) is not None and _WISH.search(said) is None


def without_reaction(request: str) -> str:
    """The request without leading sentences that only react to the answer before: "That is odd. A man, please"."""
    parts = [part for whole in sentences(request) for part in _PART.split(whole)]
    while len(parts) > 1 and _IMPRESSION.fullmatch(short_words(parts[0])):
        parts.pop(0)
    return " ".join(parts)


def asks_for_voices(request: str) -> bool:
    """Whether the request asks which voices there are."""
    return _VOICES.search(short_words(request)) is not None
