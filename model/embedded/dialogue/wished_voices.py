"""`wished_voice`: the voice that a request wishes for in so many words: "let a grandmother answer"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentaudio.model.asked.english import PERSON, voice_asked
from agentaudio.model.embedded.answering.answer import VOICE_TOOL
from agentaudio.model.embedded.dialogue.turns import PastTurn
from agentaudio.text.sentences import sentences
from agentaudio.text.stems import stem
from agentaudio.text.words import content_words, is_question, split_words

_LIKE = re.compile(
    r"(?:(?:and|but|okay|ok|now|then|so|please|maybe|perhaps|no|rather|or|more) )*(?:like|as) (?P<who>(?:an?|the|"
    r"my|some) [\w' -]+?)"
    r"(?: (?:then|now|please|instead|again|this time|too))*"
)
_BE = re.compile(
    r"(?:(?:and|but|okay|ok|now|then|so|please|can you|could you|i want you to) )*(?:be|become|play|act(?: as| "
    r"like)?|pretend to be|you are) "
    rf"(?P<who>(?:an?|my) (?:[\w'-]+ ){{0,4}}?{PERSON})(?: (?:then|now|please|instead|again|this time|too|for me))*"
)
_PERSON_ONLY = re.compile(
    r"(?:(?:and|but|okay|ok|now|then|so|please|no|maybe|perhaps|rather) )*"
    r"(?:give me|show me|do|how about|what about|let us have|try|use|take|let me have|let me hear|i want|i would like|"
    r"i prefer|i would prefer|switch to|"
    r"change to|make it) "
    rf"(?P<who>(?:an?|another|the) (?:[\w'-]+ ){{0,4}}?{PERSON})(?: (?:then|now|please|instead|this time|too|for me))*"
)
_REACTS = re.compile(
    r"^(?:that|this|it|i|you|too|not|very|how|what a|oh|no|nice|good|great|enough)\b(?!.*\b(?:what|how|tell|who|"
    r"when)\b)"
)
_WHISPER = re.compile(
    r"\b(?:do|try|use|hear) (?:a |some )?whisper(?:ing|s)?\b|"
    r"\b(?:in|with) a whisper(?:ing voice)?\b|^(?:please )?whisper\b|\b(?:start|keep) whispering\b"
)
_QUALITY = (
    r"(?:(?:very |more |a bit |a little )?(?:deep|deeper|low|lower|high|higher|calm|calmer|soft|softer|gentle|gentler|"
    r"soothing|"
    r"relaxed|hoarse|raspy|husky|warm|warmer|young|younger|old|older|male|female|cheerful|energetic|serious|friendly|"
    r"whispering|british|american|scottish|irish|french|german|italian|indian|australian))"
)
_SOMETHING = re.compile(
    r"(?:(?:and|but|okay|ok|now|then|so|please|maybe|perhaps) )*(?:something|someone|somebody|a voice)(?: that is| "
    r"who is| "
    rf"that sounds)? (?P<who>{_QUALITY}(?:(?: and| but)? {_QUALITY})*)(?: (?:would be|is|sounds|for|please|now|"
    rf"instead|then|this"
    r" time)\b.*)?"
)
_STOP = re.compile(
    r"(?:(?:and|okay|ok|now|please|you can|you may|no|but) )*(?:stop|no more|enough|quit|do not)(?: of)?(?: that| "
    r"this| the)? (?P<what>\w+)"
    r"(?: voice| accent)?(?: any ?more| now| please)*"
)


def wished_voice(request: str, past: Sequence[PastTurn], names: Sequence[str]) -> str | None:
    """The description of the voice, "default" for the agent's own; None where no voice is wished for, or not only that.

    names: of the voices that there are
    """
    request = ([part for part in sentences(request) if split_words(part)] or [request])[-1]
    said = " ".join(split_words(request))
    calls = [call for turn in past for call in turn.calls if call.name == VOICE_TOOL]
    held = str(calls[-1].arguments.get("query") or "") if calls else ""
    if (stopped := _STOP.fullmatch(said)) and stem(stopped["what"]) in {stem(word) for word in held.split()}:
        return "default"
    query, rest = voice_asked(request, names)
    if query is not None:
        return query if not content_words(rest) or _REACTS.match(rest) else None
    spoken_of = bool(held) or any("voices, such as" in turn.answer for turn in past)
    if spoken_of and (like := _LIKE.fullmatch(said)) is not None:
        return like["who"]
    if (quality := _SOMETHING.fullmatch(said)) is not None:
        return f"a {quality['who']} voice"
    if (being := _BE.fullmatch(said) or _PERSON_ONLY.fullmatch(said)) is not None:
        return being["who"]
    return "a whisper" if _WHISPER.search(said) and not is_question(said.removeprefix("can you ")) else None
