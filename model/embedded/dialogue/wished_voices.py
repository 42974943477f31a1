"""`wished_voice`: the voice that a request wishes for in so many words: "let a grandmother answer"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentaudio.model.asked.english import PERSON, voice_asked
from agentaudio.model.embedded.answering.answer import VOICE_TOOL
from agentaudio.model.embedded.dialogue.turns import PastTurn
from agentaudio.model.embedded.dialogue.voices import ACCENTS, AGED, CHARACTERS, PEOPLE, QUALITIES
from agentaudio.text.sentences import sentences
from agentaudio.text.stems import stem
from agentaudio.text.words import content_words, is_question, split_words

_LIKE = re.compile(
    r"(?:(?:and|but|okay|ok|now|then|so|please|maybe|perhaps|no|rather|or|more) )*(?:like|as) (?P<who>(?:an?|the|my|"
    r"some) [\w' -]+?)(?: (?:then|now|please|instead|again|this time|too))*"
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
    r"\b(?:in|with) a whisper(?:ing voice)?\b|^(?:please )?whisper\b|\b(?:start|keep) whispering\b|"
    r"^(?:(?:no|oh|nah|and|but|okay|ok|now|then|so|well|rather|i want|i said|i meant) )*(?:a|some) "
    r"whisper(?:ing|y|ed)? voice(?: please| instead| now| this time)*$"
)
_QUALITY = (
    r"(?:(?:very |more |a bit |a little )?(?:deep|deeper|low|lower|high|higher|calm|calmer|soft|softer|gentle|gentler|"
    r"soothing|relaxed|hoarse|raspy|husky|warm|warmer|young|younger|old|older|male|female|cheerful|energetic|serious|"
    r"friendly|whispering|british|american|scottish|irish|french|german|italian|indian|australian))"
)
_SOMETHING = re.compile(
    r"(?:(?:and|but|okay|ok|now|then|so|please|maybe|perhaps) )*(?:something|someone|somebody|a voice)(?: that is| "
    r"who is| "
    rf"that sounds)? (?P<who>{_QUALITY}(?:(?: and| but)? {_QUALITY})*)(?: (?:would be|is|sounds|for|please|now|"
    rf"instead|then|this"
    r" time)\b.*)?"
)
_STOP = re.compile(
    r"(?:(?:and|okay|ok|now|please|you can|you may|no|but) )*(?:stop|no more|enough|quit|do not)(?: of)?(?: that| this|"
    r" the)? (?P<what>\w+)(?: voice| accent)?(?: any ?more| now| please)*"
)


_ABOUT_VOICES = frozenset("voice accent voices version speaker".split())
_SAYS = frozenset(
    "sound sounding speak speaking talk talking be do use switch hear try let answer read play become imitate".split()
)
_OPEN = frozenset(
    "and or but okay ok now then so please maybe perhaps no rather well right oh i we us me would-like would prefer "
    "fancy could can may have has want need get give show take over to with in as from like-a let us how what about is "
    "it that there make the a an some your best again too instead someone somebody something anyone another different "
    "more bit little much very really your you for this time go change yourself ahead kind sort of pick choose put on "
    "find lovely nice proper good example just also still will thanks thank love mind not-so one ones instead today "
    "here next quite".split()
)
_OWN = re.compile(
    r"(?:(?:no|and|ok|okay|now|please|rather|i want|i would like|i prefer|give me|use|back to|go back to|with|in) )*"
    r"your (?:old|own|usual|normal|first|original|default|real) (?:voice|self)"
    r"(?: (?:again|back|please|now|then|thanks))*"
)
_LIKENS = re.compile(
    r"(?:(?:ha|haha|oh|wow|hey|well|now|gosh|and|but|that is \w+|so) )*(?:you (?:really |do |almost |actually "
    r")*sound(?:ed)? (?:just |exactly |a bit |a lot |so much |rather |almost )*like|(?:that|this|it|that voice|this "
    r"voice|she|he) (?:really )?sound(?:s|ed)? (?:just |exactly |a bit |a lot |so much |almost )*like|you remind me of|"
    r"(?:that|it|this) reminds me of)\b"
)
"""A remark about the voice that speaks."""
_PERSONAL = frozenset("someone somebody something anyone anybody person one".split())


def likens(request: str) -> bool:
    """Whether a request only remarks whom a voice is like: "you sound just like my grandpa"."""
    return "?" not in request and _LIKENS.match(" ".join(split_words(request))) is not None


def _phrase(said: str, names: Sequence[str], spoken_of: bool) -> str | None:
    """The voice of a request that is nothing but a description of one: "could I have someone German?"."""
    if re.search(r"\byou have\b|^what a\b|\bnot\b", said):
        return None
    said = re.sub(r"\bwould (like|love)\b", "would-like", said)
    said = re.sub(r"\b(sound|talk|speak|be|answer|read)(?: more| a bit)? like\b", r"\1 like-a", said)
    words = said.split()
    known = {word for name in names for word in split_words(name)}
    people = [word for word in words if word in PEOPLE | CHARACTERS | {"news"} and word != "person"]
    accents = [word for word in words if word in ACCENTS]
    named = [word for word in words if word in known]
    traits = [word for word in words if word in QUALITIES | AGED | {"posh", "croaky", "husky", "refined", "jolly"}]
    if any(
        word not in _OPEN | _SAYS | _ABOUT_VOICES | _PERSONAL and word not in (*people, *accents, *named, *traits)
        for word in words
    ):
        return None
    says, about = _SAYS.intersection(words), _ABOUT_VOICES.intersection(words)
    if named and len(named) == 1 and not people:
        led = re.search(
            r"\b(?:to|as|with|about|use|try|hear|let|want|prefer|would-like|now|and|or|give me|have)\b", said
        )
        return named[0] if led or spoken_of else None
    if people or traits and about:
        opens = re.match(
            r"(?:(?:and|or|but|okay|ok|now|then|so|no|oh|well|maybe|perhaps|right) )*(?:an?|the|another)\b", said
        )
        if not (
            says
            or about
            or opens
            or spoken_of
            or re.search(r"\b(?:would-like|want|prefer|fancy|rather|have|about|give me)\b", said)
        ):
            return None
        found = [word for word in words if word in (*people, *accents, *traits) or word in ("voice", "accent")]
        return _described(found)
    if accents and (about or "sound" in words or _PERSONAL.intersection(words)) and not {"speak", "talk"} & set(words):
        return _described([*traits, *accents, "accent" if about else "person"])
    return None


def _described(words: Sequence[str]) -> str:
    return f"{'an' if words[0][0] in 'aeiou' else 'a'} {' '.join(words)}"


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
    spoken_of = bool(held) or any("voices, such as" in turn.answer for turn in past)
    if likens(request):
        return None
    if _OWN.fullmatch(said):
        return "default"
    query, rest = voice_asked(request, names)
    if query is not None and re.search(r"\bsame\b", query) and spoken_of:
        return None  # `changed_voice` knows which
    if query is not None:
        return query if not content_words(rest) or _REACTS.match(rest) else None
    if spoken_of and (like := _LIKE.fullmatch(said)) is not None:
        return like["who"]
    if (quality := _SOMETHING.fullmatch(said)) is not None:
        return f"a {quality['who']} voice"
    if (being := _BE.fullmatch(said) or _PERSON_ONLY.fullmatch(said)) is not None:
        return being["who"]
    if (described := _phrase(said, names, spoken_of)) is not None and not held:
        return described
    return "a whisper" if _WHISPER.search(said) and not is_question(said.removeprefix("can you ")) else None
