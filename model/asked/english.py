"""Wishes for a voice or a search, in English."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from agentaudio.model.asked.queries import search_query
from agentaudio.model.asked.wish import Search, Where
from agentaudio.text.sentences import sentences
from agentaudio.text.words import split_words

_POLITE = (
    r"(?:please|okay|ok|hey|so|well|and|then|now|also|just|kindly|hello|hi|alright|right|yes|no|maybe|instead|"
    r"actually|sorry|um|uh|oh|but|from now on|from here on|starting now|for now|"
    r"(?:that is|that will be) enough|enough of that|"
    r"this time|for me|quickly|next|go ahead) "
)
_START = rf"(?:^|, )(?:{_POLITE})*+"
_ASKING = (
    rf"\b(?:(?:can|could|would|will|may) (?:you|we|i)|(?:want|need|would like|would love|prefer) (?:you )?to|"
    rf"would rather|(?:nice|good|great) if you (?:could|would)?|"
    r"wonder if you (?:could|can)|possible (?:for you )?to|mind|let us|"
    rf"please|hear you|i (?:want|need)) (?:{_POLITE})*+(?:try to |(?:go )?and |try and )?"
)
_AND = rf"(?P<joined>\b(?:and|then|so) (?:{_POLITE})*+)"
_REQUEST = rf"(?:{_START}|{_ASKING}|{_AND})"

_NOT = re.compile(
    r"\b(?:not|never|no need|no reason|stop|without|instead of|refuse|hate|nobody|nothing|no one)\b(?! (?:this|that))"
)
_STATED = re.compile(
    rf"^(?:{_POLITE})*+(?:i|he|she|it|they|we|you|my|his|her|their|our|the|this|that|these|those|there|a|an|what|who|why|"
    r"how|when|where|which|did|does|do|is|are|was|were|have|has|had|if|people|some|many|everyone)\b"
)
_ASKED = re.compile(_ASKING)

PERSON = (
    r"(?:\w*man|\w*woman|girl|boy|lady|guy|child|kid|baby|toddler|teenager|teen|adult|male|female|grandmother|"
    r"grandma|granny|grandfather|grandpa|grandad|mother|father|mom|mum|dad|uncle|aunt|sister|brother|person|someone|"
    r"somebody|speaker|narrator|storyteller|newsreader|announcer|presenter|nurse|teacher|professor|doctor|pirate|"
    r"robot|witch|wizard|king|queen|prince|princess|monster|alien|ghost|cowboy|soldier|butler|santa|elf|fairy|"
    r"giant|dwarf|vampire|pensioner|bloke|lad|lass|chap|dude|fellow|monk|priest|nun|clown|villain|hero|character|"
    r"sailor|captain|farmer|chef|waiter|detective|scientist|gangster|student|politician|president|judge|lawyer|pilot|"
    r"actor|actress|singer|rapper|dancer|monarch|emperor|knight|peasant|viking|ninja|samurai|zombie|demon|angel|"
    r"god|goddess|poet|preacher|general|sergeant|coach|trainer|baker|miner|hunter|thief|spy|nanny|maid|butcher|"
    r"toddler|youngster|elder|neighbou?r|grandson|granddaughter|son|daughter|cartoon|puppet|android|computer|"
    r"commentator|reporter|host|dj|auctioneer|salesperson|librarian|secretary|scot|texan|londoner|brit|"
    r"(?:native|local|american|australian|canadian|italian|russian|indian|german)(?= ,| please| instead|$))\b"
)
_VOICE = (
    r"(?:voice|accent)(?! (?:controls?|commands?|notes?|messages?|memos?|mails?|act\w+|parts?|recognition|assistants?|"
    r"lessons?|coach\w*|teachers?|over|calls?|record\w+|search|changer|box|typing|mode|training|of reason))"
    r"(?: with an? (?:[\w-]+ ){1,3}?accent)?"
)
_WORDS = r"(?:(?!voice |accent |about )[\w-]+ ){0,9}?"
_SPEAK = (
    r"(?:speak|talk|answer|reply|respond|read|say|tell|explain|continue|go on|sing|narrate|present|greet|do|finish)"
)
_TAKE = (
    r"(?:use|try|do|give me|give us|give yourself|"
    r"find me|find us|find|pick|choose|select|take|put on|get me|show me|let me hear|"
    r"hear|listen to|have|get|adopt|assume|play|like|prefer|"
    r"i (?:want|need|prefer)(?! you| to)|i would (?:like|love|prefer)(?! you| to))"
)
_ENDS = (
    r"(?= please| instead| now| from now| for | when | while | if | this | again| thanks| would you| could you| ,|$)"
)

_OWN = (
    r"(?:default|normal|usual|original|regular|standard|first|real|natural|old|own|initial|previous|starting) "
    r"(?:speaking )?(?:voice|self|accent)(?! (?:of|like))"
)
_DEFAULTS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"{_REQUEST}(?:(?:go|switch|change|turn|come|get|swap|move|return|revert)\b(?: \w+){{0,3}}? (?:back )?to|use|"
        rf"back to|restore|bring back|{_SPEAK}(?: \w+){{0,5}}? (?:in|with)|i (?:want|prefer)|take|give me|"
        rf"(?:want|have|hear|prefer)) (?:me )?(?:the |your |that )(?:\w+ )?{_OWN}",
        rf"{_REQUEST}(?:reset|restore) (?:the |your )?voice",
        rf"{_REQUEST}(?:{_SPEAK}|sound|be) (?:like )?(?:yourself|normally|normal) again",
        rf"{_REQUEST}(?:{_SPEAK}|sound) like yourself",
        rf"{_REQUEST}(?:go|change|switch|get) back to (?:how|the way) you (?:sounded|spoke|talked|were)\b.*",
        rf"{_REQUEST}(?:(?:go|change|switch|get) back|return|revert) to the voice (?:you|from|at|that you)\b.*",
        rf"^(?:{_POLITE})*+(?:the |your )?(?:default|normal|usual|original) voice(?: again| please)*$",
    )
)
_VOICES = tuple(
    re.compile(pattern)
    for pattern in (
        # answer in the voice of an old man; with a name, too
        rf"{_REQUEST}{_SPEAK}(?: \w+){{0,8}}? (?:in|with|using|into) (?:a |an |the )?voice "
        rf"(?:of|like|from|that sounds like) (?P<who>{_WORDS}\w+){_ENDS}",
        rf"{_START}(?:in|with|using) (?:a |an |the )?voice (?:of|like|that sounds like) (?P<who>{_WORDS}\w+)(?= ,|$)",
        # voice of a tired nurse please
        rf"{_START}(?:a |the )?voice (?:of|like) (?P<who>{_WORDS}{PERSON})(?: please)?(?= ,|$)",
        # speak in a deep , calm voice; in a deeper voice , like that of a man
        rf"{_REQUEST}{_SPEAK}(?: \w+){{0,8}}? (?:in|with|using) "
        rf"(?P<who>(?:(?!voice |accent |about )(?:[\w-]+|,) ){{0,9}}?{_VOICE}(?: ,)? (?:like|of) "
        rf"(?:that of )?{_WORDS}{PERSON})",
        rf"{_REQUEST}{_SPEAK}(?: \w+){{0,8}}? (?:in|with|using) "
        rf"(?P<who>(?:(?!voice |accent |about )(?:[\w-]+|,) ){{0,9}}?{_VOICE})(?! (?:of|like))",
        rf"{_START}(?:in|with|using) (?P<who>{_WORDS}{_VOICE})(?= ,| (?:please )?{_SPEAK}\b| what| how| who)",
        # change your voice to a girl; change voice , female , young
        rf"{_REQUEST}(?:change|switch|set|turn|make|move|swap) (?:the |your |to |over )?(?:other )?voices?"
        rf"(?: over)?(?: back)?(?: (?:in)?to(?: that of| be| sound like| one of)?| like| as| ,) "
        rf"(?P<who>(?:[\w-]+ )*?[\w-]+(?: , [\w-]+){{0,5}})(?= and | while | when | for the | from now| please|$)",
        # switch to an old man voice; switch to a lower male one
        rf"{_REQUEST}(?:change|switch|go|turn|swap|move) (?:over )?(?:back )?(?:in)?to "
        rf"(?P<who>{_WORDS}(?:{_VOICE}(?: (?:of|like|that is|that sounds) [\w ]+)?|"
        rf"{PERSON}(?: one| speaker| voice)?{_ENDS}))",
        # use a female voice; find me the voice of a lady; a voice that sounds like a grandmother
        rf"{_REQUEST}{_TAKE} (?:me |out )?(?:a |an |the |some )?voice (?:of|like|from|that sounds like|that is) "
        rf"(?P<who>{_WORDS}\w+)(?= and|{_ENDS[3:]}",
        rf"{_REQUEST}{_TAKE} (?:me )?(?:a different|another|a new) (?:voice|speaker)(?: ,)? "
        rf"(?P<who>an? {_WORDS}{PERSON})",
        rf"{_REQUEST}{_TAKE} (?:me )?(?:a different|another|a new) voice(?: ,)?(?: maybe| perhaps| like| such as| "
        rf"of| for example| something)+ (?P<who>[\w ]+)",
        rf"{_REQUEST}{_TAKE} (?:me )?(?P<who>{_WORDS}{_VOICE})(?! (?:of|like|that))",
        rf"\bdo you have (?:a |the |any )?voice (?:of|like|that sounds like|of) (?P<who>{_WORDS}\w+)(?= ,)"
        rf".{{0,20}}\b(?:use|take|speak|switch)\b",
        rf"{_REQUEST}make (?:it|your voice|the voice)(?: sound| be)*(?: more)?(?: like)? "
        rf"(?P<who>{_WORDS}(?:{_VOICE}|{PERSON}))",
        rf"{_START}(?:the |a )?(?:new |different |other )?voice (?:change(?: to)?|please ,|,) "
        rf"(?P<who>[\w-]+(?:(?: ,)? [\w-]+){{0,8}})$",
        rf"{_REQUEST}(?:talk|speak) (?:to|with) (?P<who>(?:a|an|another) {_WORDS}{PERSON}) "
        rf"(?:instead|now|from now on)",
        # the wish to hear a person; a narrator
        rf"{_REQUEST}(?:hear|listen to|let me hear|have|(?:i |i would )?prefer) "
        rf"(?P<who>(?:a|an|another) (?:(?!about |who )[\w-]+ ){{0,5}}?{PERSON}(?: from \w+)?)"
        rf"(?:(?: instead| please| now| from now on)+| (?:speak|talk|answer|read)\b| if you | ,|$)",
        rf"{_REQUEST}let (?P<who>an? {_WORDS}{PERSON}) (?:speak|talk|answer|read|tell|say|explain)\b",
        rf"{_REQUEST}(?:speak|talk|sound)(?: to me| to us)? as (?P<who>an? {_WORDS}{PERSON}) would\b",
        rf"{_REQUEST}{_SPEAK}(?: [\w-]+){{0,5}}? (?:as if|like) you (?:are|were) (?P<who>an? {_WORDS}{PERSON})\b",
        rf"{_REQUEST}(?:hear|have) (?:it|this|that) from (?P<who>an? {_WORDS}{PERSON})\b",
        rf"{_REQUEST}sound (?:a bit |a little )?(?P<who>(?:more )?"
        r"(?:\w+er|(?:fe)?male|feminine|masculine))(?= please|$)",
        rf"{_REQUEST}pretend (?:that )?you are (?P<who>an? {_WORDS}{PERSON})\b",
        rf"{_REQUEST}{_TAKE} (?:the |a )?voice (?:called|named|of) (?P<who>[\w-]+(?: [\w-]+)?)"
        r"(?= please| now| from now| ,|$)",
        rf"\b(?:have you got|do you have|is there) (?:a |an |any |another )"
        rf"(?P<who>{_WORDS}{_VOICE}(?: that is [\w ]+)?)"
        r"(?= i (?:can|could|may)| for me| please| ,|$)",
        rf"{_REQUEST}{_TAKE} (?P<who>(?:a|an|another|the) {_WORDS}(?:narrator|announcer|newsreader|speaker))\b",
        # sound like a pirate; become a boy
        rf"{_REQUEST}(?:{_SPEAK}|sound|be|sounding|speaking|talking)"
        rf"(?: (?:it|me|us|to me|to us|everything|this|that|more|again))* (?:like|as) "
        rf"(?P<who>(?:(?:a|an|the|my|another|one of|some) )?"
        rf"(?:(?!about |if |you |i |that |to )[\w-]+ ){{0,6}}?{PERSON})"
        rf"(?! (?:does|did|would|is|was|knows|can|to)\b)",
        rf"{_REQUEST}(?:answer|reply|respond)(?: [\w-]+){{1,4}}? as (?P<who>an? (?:[\w-]+ ){{0,4}}?{PERSON})"
        rf"(?! (?:does|did|would|is|was|knows|can|to)\b)",
        rf"{_REQUEST}{_TAKE} (?P<who>an? {_WORDS}(?:female|male|deeper|younger|older) one)\b",
        rf"{_REQUEST}(?:imitate|mimic|impersonate|become|pretend to be|turn into) "
        rf"(?P<who>(?:a|an|the|another|my) (?:(?!about |if |you )[\w-]+ ){{0,6}}?{PERSON}"
        rf"(?: who is (?:talking|speaking)(?: right)?(?: now)?)?)",
        # whisper voice please
        rf"{_START}(?P<who>(?:[\w-]+ ){{1,4}}{_VOICE}) please$",
    )
)  # fmt: skip
_HEARING = re.compile(r"\b(?:hear|listen|have|get|find|like|prefer|want|need|play|show|give)\b")
_FAMOUS = re.compile(
    rf"{_REQUEST}(?:{_SPEAK}|sound)(?: to me| to us| it| more)* like (?P<who>[\w-]+(?: [\w-]+){{0,2}}?){_ENDS}"
)
_FRAGMENT = re.compile(rf"(?:^|, )(?P<who>(?:a|an) (?:(?!about |who |that )[\w-]+ ){{0,5}}?{PERSON}\b.{{0,40}})$")
_COMPLAINT = re.compile(
    r"\b(?:not (?:this|that|the same)|another|different|do not (?:like|want) (?:this|that|your)) voice$"
)
_NO_PERSON = frozenset(
    "a an the your my his her their our its some any of this that more very slightly bit little one voice accent same "
    "in with loud louder low lower quiet quieter clear clearer slow slower fast faster normal whole good better nice "
    "own volume single firm".split()
)
_MYSELF = re.compile(
    r"\b(?:want|need|like|love|prefer) to (?:speak|talk|answer|sound|be|become|imitate|mimic|impersonate|pretend|turn|"
    r"read|say|tell|sing)\b"
)
_NOT_A_VOICE = frozenset("not never you have i his her their its he she they reason god conscience".split())

_DOCUMENTS = (
    r"(?:(?:my|the|our|your|these|those|all|all the|all my) (?:\w+ )?"
    r"(?:documents?|docs|files?|notes?|manuals?|papers|library|archives?|pdfs?|handbook|folders?|records|"
    r"knowledge base|database|reports?|contracts?))"
)
_WEB = r"(?:(?:the )?(?:web|internet|net|world wide web)|wikipedia|google|online|the news|bing|duckduckgo)"
_LOOK = r"(?:search|look|check|browse|go|dig|consult|scan|surf|read|comb|hunt|query|skim|see|have a look|take a look)"
_SEEK = r"(?:look up|look for|search for|search|find out|find me|find|get me|get|check|see|tell me|show me)"
_FOR = (
    r"(?: for| about| on| regarding| whether| if| to (?:find|see|check|learn|tell)(?: out)?(?: me)?|"
    r" and (?:\w+ ){0,2}?(?:tell me|find|find out|see|check|look up|look for|get|explain)"
    r"(?: me| out| for)?| what| ,)"
)
_WAYS_TO_SEARCH: tuple[tuple[Where | None, str], ...] = (
    ("web", rf"{_REQUEST}{_LOOK} (?:up )?(?:on |in |through |at )?{_WEB}{_FOR}? (?P<what>.+)"),
    ("web", rf"{_REQUEST}google (?:for )?(?!is|was|has|did|maps\b)(?P<what>.+)"),
    ("web", rf"{_REQUEST}{_SEEK} online{_FOR}? (?P<what>.+)"),
    ("web", rf"{_REQUEST}use {_WEB} to {_SEEK} (?P<what>.+)"),
    ("web", rf"{_REQUEST}(?:do|run|make|perform|start|try) (?:a |an )?(?:quick )?(?:web|internet|online|google) "
            rf"search{_FOR}? (?P<what>.+)"),
    ("web", rf"{_REQUEST}{_SEEK} (?P<what>.+?) (?:on|in|from|over|using|via|with) {_WEB}"
            rf"(?: please| for me| now|$)"),
    ("web", rf"{_REQUEST}{_SEEK} (?P<what>.+?) online(?: please| for me| now)*$"),
    ("web", rf"\bwhat (?:does )?{_WEB} (?:say|says|know|knows|think) about (?P<what>.+)"),
    ("web", r"^(?:\w+ ){0,4}?(?:what is|what are|any|is there any|are there any|tell me|give me|get me|find|"
            r"read me|show me|check|what) (?P<what>(?:the )?(?:latest|newest|current|recent|today|breaking)? ?"
            r"(?:news|headlines)\b(?! ?paper| do).*)"),
    ("documents", rf"{_REQUEST}{_LOOK} (?:up )?(?:in |through |into |at |inside )?{_DOCUMENTS}{_FOR} (?P<what>.+)"),
    ("documents", rf"\bwhat (?:do |does |is |are )?{_DOCUMENTS} (?:say|says|tell us|tell me|state|know|mention) "
                  rf"(?:about|on|regarding) (?P<what>.+)"),
    ("documents", rf"{_START}(?:according to|based on|going by) {_DOCUMENTS} (?:, )?(?P<what>.+)"),
    ("documents", rf"(?P<what>.+?) (?:, )?according to {_DOCUMENTS}$"),
    ("documents", rf"\b(?:any|some)thing (?:in|inside) {_DOCUMENTS} (?:about|on) (?P<what>.+)"),
    ("documents", rf"\b(?:do|does) {_DOCUMENTS} (?:mention|say anything about|contain anything about) "
                  rf"(?P<what>.+)"),
    ("documents", rf"{_REQUEST}{_SEEK} (?P<what>.+?) (?:up )?(?:in|from|among|inside|through) {_DOCUMENTS}"
                  rf"(?: please| for me|$)"),
    ("documents", rf"(?P<what>.+) , (?:{_POLITE})*+look (?:it|that|this) up in {_DOCUMENTS}"),
    ("documents", rf"{_REQUEST}read up on (?P<what>.+) in {_DOCUMENTS}"),
    (None, rf"{_REQUEST}(?:search for|look up|read up on)(?! (?:at|to|from|and|down|into)\b)"
           rf"(?: information (?:on|about))? (?P<what>.+)"),
    (None, rf"{_REQUEST}look (?P<what>(?:[\w-]+ ){{1,8}}?)up(?= please| for me|$)"),
    (None, rf"{_REQUEST}(?:find|look for|get|search for|search)(?: me| us)? (?:some |any |more |all |the )?"
           rf"(?:information|info|facts|articles?|passages?|details|sources|documents|references|everything|"
           rf"something|anything) (?:on|about|for|regarding) (?P<what>.+)"),
    (None, rf"{_START}(?:search|look up) , (?P<what>.+)"),
    (None, rf"{_REQUEST}(?:search|do a search|run a search) (?:for|about|on) (?P<what>.+)"),
)  # fmt: skip
_SEARCHES = tuple((where, re.compile(pattern)) for where, pattern in _WAYS_TO_SEARCH)
_NOT_SOUGHT = re.compile(
    r"^(?:your|my|our|his|her) (?:heart|soul|feelings|conscience|memory|mind|keys?|phone|wallet|glasses|bag|pockets?|"
    r"shoes|cat|dog)\b|^(?:it|that|this|them|up)?$|^(?:what )?(?:the )?time\b"
    r"|^(?:a better|happiness|love|meaning)\b"
)
_TRAIL = re.compile(
    rf"(?: ,)? (?:(?:and|then) )*(?:{_SPEAK}(?: it| me| us| the answer| the result| to me| about it)*|please|for me|"
    rf"thanks|if you can|thank you)$"
)


def voice_asked(text: str, names: Sequence[str] = ()) -> tuple[str | None, str]:
    """The voice that a request asks for, "default" for the own one, or None; and the request without that wish."""
    parts = _sentences(text)
    for number, said in enumerate(parts):
        found = _default(said) or _described(said) or _named(said, names) or _famous(said, text)
        if found is None and number and _COMPLAINT.search(parts[number - 1]):
            fragment = _FRAGMENT.search(said)
            found = (fragment["who"], fragment.span()) if fragment else None
        if found:
            query, (start, end) = found
            parts[number] = f"{said[:start]} {said[end:]}".strip(" ,")
            return " ".join(query.replace(" ,", ",").split()), ". ".join(parts)
    return None, text


def search_asked(text: str) -> Search | None:
    """The search that a request asks for, or None."""
    for said in _sentences(text):
        for where, pattern in _SEARCHES:
            for match in _requests(pattern, said):
                what = _sought(match["what"])
                if what is not None:
                    return Search(what, where)
    return None


def _sentences(text: str) -> list[str]:
    """Sentences in lower case, with contractions written out and `,` as the only sign, between spaces."""
    lines = text.replace("’", "'").splitlines()
    parts = [part for line in lines for whole in sentences(line) for part in re.split(r";+(?=\s|$)", whole)]
    # A short question before "use that one" belongs to it.
    found: list[str] = []
    for part in parts:
        pieces = [" ".join(split_words(piece)) for piece in re.split(r"[,:]|\s[-–—]+\s", part)]
        said = " , ".join(piece for piece in pieces if piece)
        if re.match(r"(?:please )?(?:use|take) that\b", said) and found:
            found[-1] += f" , {said}"
        elif said:
            found.append(said)
    return found


def _requests(pattern: re.Pattern[str], said: str) -> Iterator[re.Match[str]]:
    """The matches of a pattern that are requests: not denied, and not joined to a statement."""
    for match in pattern.finditer(said):
        before = said[: match.start(match.lastgroup or 0)]
        if _NOT.search(re.split(r" , | but | so ", before)[-1]):
            continue
        if match.groupdict().get("joined") and _STATED.search(before) and not _ASKED.search(before):
            continue
        yield match


def _default(said: str) -> tuple[str, tuple[int, int]] | None:
    for pattern in _DEFAULTS:
        match = pattern.search(said)
        if match and not _NOT.search(said[: match.start()].rpartition(",")[2]):
            return "default", match.span()
    return None


def _described(said: str) -> tuple[str, tuple[int, int]] | None:
    for pattern in _VOICES:
        for match in _requests(pattern, said):
            who = match["who"].strip()
            words = set(re.findall(r"[\w-]+", who))
            if _MYSELF.search(said[: match.start("who")]):
                continue
            if "my" in words and _HEARING.search(match[0]):
                continue
            if words == {"my", "voice"} or (words - _NO_PERSON and not words & _NOT_A_VOICE):
                return _plain(who), match.span()
    return None


def _named(said: str, names: Sequence[str]) -> tuple[str, tuple[int, int]] | None:
    for match in _requests(_names_pattern(tuple(names)), said) if names else ():
        return match["who"] or match["speaker"], match.span()
    return None


def _famous(said: str, text: str) -> tuple[str, tuple[int, int]] | None:
    """A name that is written with capitals, as Whisper does: "speak like Ada Lovelace"."""
    for match in _requests(_FAMOUS, said):
        if match["who"].title() in text:
            return match["who"], match.span()
    return None


@lru_cache(maxsize=16)
def _names_pattern(names: tuple[str, ...]) -> re.Pattern[str]:
    spoken = "|".join(re.escape(" ".join(split_words(name))) for name in names)
    return re.compile(
        rf"{_REQUEST}(?:use|take|be|become|imitate|mimic|try|switch (?:over )?to|change to|i want|hear|"
        rf"(?:{_SPEAK}|sound)(?: \w+){{0,3}}? (?:like|as)) (?P<who>{spoken}){_ENDS}"
        rf"|\b(?:let me hear|i want to hear|let|could|can|would|will|i (?:want|would like|would prefer)) "
        rf"(?P<speaker>{spoken}) (?:to )?(?:{_SPEAK}|do)\b"
    )


def _plain(who: str) -> str:
    who = re.sub(r"^(?:(?:a|an|the|your|another|to|be|like|something|that of|in|with) )+", "", who)
    return re.sub(r"(?: (?:please|instead|now|one|from now on))+$", "", who)


def _sought(what: str) -> str | None:
    what = what.replace(" ,", "").strip()
    before = None
    while before != what:
        before, what = what, _TRAIL.sub("", what)
    if _NOT_SOUGHT.search(what):
        return None
    return search_query(what) or None
