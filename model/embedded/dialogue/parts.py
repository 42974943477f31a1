"""The parts of a request of several sentences: what is asked, and what is only told beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentaudio.model.embedded.dialogue.forms import AH
from agentaudio.model.embedded.dialogue.politeness import direct
from agentaudio.model.embedded.dialogue.reports import DISBELIEF
from agentaudio.model.embedded.dialogue.thanks import is_thanks
from agentaudio.model.embedded.routing.time_zones import find_zones
from agentaudio.text.numbers import find_numbers
from agentaudio.text.sentences import sentences
from agentaudio.text.stems import stem
from agentaudio.text.words import COMMAND_VERBS, QUESTION_WORDS, STOP_WORDS, content_words, split_words

_PAUSED = (
    r"(?:haha|wow|whoa|well|so|okay|ok|right|alright|all right|fine|good|great|nice|lovely|cool|brilliant|perfect|"
    r"excellent|super|thanks|thank you|cheers|morning|good morning|good evening|evening|hello|hi|hey|hey there|hello "
    r"there|now|then|seriously|really|you know what|you know|let me see|let me think|tell you what|tell me|say|listen|"
    r"look|quick one|quick question|one more thing|another thing|one thing|bad news|good news|no offence|funny|lucky "
    r"\w+|wait|hang on|hold on|actually|honestly|dear|my dear|darling|mate|buddy|yo|please|yes|yeah|yep|at last|"
    r"finally|nah|meh|hooray|yay|i see|got it|no worries|no problem|too bad|never mind that|in that case|on another "
    r"note)"
)
"""Words that only lead over to what is said, where a pause follows them."""
_ALWAYS = (
    rf"(?:oh dear|oh no|oh|{AH}|aw+|um+|uh+|er+|hm+|huh|gosh|argh|ugh|oops|phew|yikes|anyway|anyhow|by the way|"
    r"before i forget|while i am at it|while you are at it|speaking of which|come to think of it)"
)
_MARKED = re.compile(rf"^\W*(?:{_ALWAYS}\b[\s,.!…–—-]+|{_PAUSED}\s*[,.!…–—-]+\s*)+(?=\w)", re.IGNORECASE)
_KEPT_ALONE = frozenset("now then right please".split())
_BREAK = re.compile(r"(?<=;)\s+|\s+[–—]\s+|(?<=\w)\s*(?:\.\.\.|…)\s+")
_COMMA = re.compile(r",\s+(?:(?:so|and|but|then|now|well|please|um|uh|like)\b,?\s+)*")
_WISHES_TO_KNOW = (
    r"(?:i|we)(?:['’]d| would|['’]m| am| was| were|['’]re| are| just| really| only| do| also)*\s+"
    r"(?:(?:want|like|love|need|have|got) to (?:know|find out|hear|ask)|wonder(?:ing)?\b|curious\b|asking\b)"
)
_RECKONS_ON = (
    r"(?:(?:times|plus|minus|double|halve|add|subtract|divided?|multipl(?:y|ied)|split|share)\b|"
    r"(?:take|knock) (?:off|away|it|that)\b|half (?:of )?(?:that|it)\b)"
)
_ASKS = re.compile(
    rf"^(?:(?:and|but|so|then|now|please|that['’]s|that is|make that|it['’]s|it is)\s+)*(?={_RECKONS_ON})|"
    rf"^(?:(?:and|but|so|then|now|please|well|really)\s+)*{_WISHES_TO_KNOW}|"
    r"^(?:(?:and|but|so|then|now|please)\s+)*(?:(?:what|who|when|where|why|which|how)(?:['’](?:s|re|d|ll))?\b|"
    r"(?:is|are|was|were|do|does|did|can|could|will|would|has|have|should|may)\s+(?:it|that|this|there|they|he|she|you|"
    r"we|i|the|my)\b|(?:play|put|set|turn|switch|book|tell|give|make|find|look|search|convert|add|use|start|show|wake|"
    r"reserve|change|say|speak|repeat|read|go back|talk|sound|answer|undo|cancel|stop|"
    r"(?:leave|keep|take) (?:it|that|the))\b)",
    re.IGNORECASE,
)
_AND_ASKS = re.compile(rf"[,;]?\s+(?:and|but|so)\s+(?=(?:really |just )?{_WISHES_TO_KNOW})", re.IGNORECASE)
"""Where a wish to know something follows a statement."""
_WISHES_FIRST = re.compile(rf"\W*(?:(?:so|and|but|well|oh)\W+)*{_WISHES_TO_KNOW}", re.IGNORECASE)
_SO_RECKONS = re.compile(rf"(?:(?:so|that['’]s|that is|it['’]s|it is|then|and)\s+)*{_RECKONS_ON}", re.IGNORECASE)
_COUNTS = re.compile(r"\W*(?:(?:and|but|so|well|oh)\W+)*there(?:['’]s| is| are| were| will be)\b", re.IGNORECASE)
_RELATIVE = re.compile(
    r"^(?:and |but )?(?:(?:who|which)\b|(?:when|where|why|how|what|whose)(?: many| much)? (?!(?:is|are|was|were|am|do|"
    r"does|did|can|could|will|would|should|has|have|else|about|time|day|year)\b)\w)",
    re.IGNORECASE,
)
"""A clause that says more of what stands before it, or tells when it was: "which is a shame", "when we came down"."""
_SUBJECT = (
    r"(?:(?:my|our|his|her|their|the|this|that|these|those|a|an|some|one|two|most|everybody|everyone|somebody|someone|"
    r"nobody)(?: (?!and\b)[\w'’]+){0,5}?|it|i|we|he|she|they|there|you|that|this)"
)
_FINITE = (
    r"(?:is|are|was|were|am|has|have|had|does|did|do|can|could|will|would|must|should|went|said|says|got|gets|get|came|"
    r"comes|knows|knew|needs|need|wants|took|takes|told|saw|loves|love|likes|like|hates|thinks|think|thought|lives|"
    r"live|moved|made|makes|left|fell|broke|rang|rings|bought|lost|found|forgot|cried|started|keeps|kept|crossed|read|"
    r"visited|called|cooked|ate|slept|goes|sounds|seems|looks|feels|suits|fits|helps|tastes|smells|weighs|matters|"
    r"talks|shows|sleeps|waits|hurts|barks|cries|naps|runs|hate|adores?|enjoys?|just|never|always|already|finally|\w{3,}ed)"
)
_PLURAL = r"(?:i|we|they)(?: (?:both|all|always|also|just|often|usually|will|shall))?"
_GOES = (
    r"(?:go|walk|drive|stay|sit|sleep|work|sing|cook|watch|study|travel|arrive|meet|run|swim|dance|feel|miss|forget|"
    r"remember|hope|guess|suppose|bet|agree|understand|see|enjoy|adore|bring|carry|pay|buy|sell|spend|leave|drink|eat|"
    r"grow|teach|learn|write|draw|laugh|cry|start|finish|close|open|make do|manage)"
)
_STATES = re.compile(
    rf"^(?:(?:and|but|so|then|because|since|as|oh|no|well|actually|sorry) )*(?:{_PLURAL} {_GOES}|"
    rf"{_SUBJECT}(?: (?:still|also|only|really))? {_FINITE}|"
    r"(?!then\b|now\b|just\b|what\b|something\b|anything\b)[a-z]+ (?:is|was|has|had|went|said|says|knows|loves|likes|"
    r"lives))\b"
)
_RAW_STATES = re.compile(
    r"^\W*(?:(?:and|but|so|because|oh|no|well)\W+)*(?:(?:the|my|our|his|her|their|a)\s+)?\w+['’](?:s|re|m)\s+"
    r"(?!(?:voice|accent|museum|house|place|turn|room|name)\b)\w+", re.IGNORECASE
)  # fmt: skip
_WISHES = re.compile(
    r"^(?:(?:and|but|so|oh|no|well|actually|sorry) )*(?:i|we|you)(?: would| will| just| really| rather| actually| "
    r"also)* (?:want|need|would|prefer|mean|meant|said|wanted|asked|was asking|was thinking|was wondering|am wondering|"
    r"wonder|was after|take(?! (?:the|a|an|my|our) (?!(?:\w+ )?(?:one|voice|first|second|last|other|same)\b))|have to|"
    r"can have|should|could|am after|will be|are(?! (?!going to be\b|having\b|expecting\b)\w+ing\b)(?! (?:all |just |"
    r"both )?(?:off|done|finished|tired|late|ready|home|cold|hot|hungry|starving|out|back|indoors)\b))\b|\bmean(?:t|"
    r"s)?\b|^(?:it|that|this) (?:(?:is|was)(?! (?:far |way |much |a bit )?(?:too|so|very)\b)|should be|has to be|will "
    r"be|takes|makes)\b|^there (?:are|is|will be|were)\b"
)
_NAMES = re.compile(r"\b[A-Z][\w'’]+(?:\s+(?:of|the|de|la|von|van)(?=\s+[A-Z])|\s+[A-Z][\w'’]+)*")
_NOT_NAMES = frozenset(
    "i we he she they it my our the a an is are so and but oh well monday tuesday wednesday thursday friday saturday "
    "sunday january february march april may june july august september october november december".split()
)
_LIGHT = STOP_WORDS | frozenset(
    "i years year ago last summer winter week once always never ever today yesterday tomorrow lot lots mad keen fond "
    "reading read thinking think watching watched documentary book film gorgeous beautiful lovely great nice big "
    "little boy girl son daughter kids love loved loves like liked likes saw seen see visited visit crossed went going "
    "been really quite especially day time thing things back home people one ones everything something".split()
)
_NAME_BEFORE = re.compile(r"\W*(?:(?:[Aa]nd|[Ss]o|[Bb]ut|[Oo]r)\s+)?[A-Z][\w'’-]+(?:\s+[A-Z][\w'’-]+){0,2}\W*")
_POINTS = re.compile(r"\b(?:that one|this one|it|its|they|them|their|he|she|his|her)\b", re.IGNORECASE)
"""A name before a comma, and what stands for it behind: "And Saturn, how long does that one take?"."""
_STOPS = re.compile(r"^\W*(?:no\W+)?(?:stop|enough|never mind|forget|leave|skip|not)(?: \w+){0,2}\W*$", re.IGNORECASE)
LONGEST_TOPIC = 4


def unmarked(text: str) -> str:
    """The text without words at its beginning that only lead over to it: "anyway, by the way, is it cold"."""
    rest = text if is_thanks(text) else _MARKED.sub("", text)
    return rest if split_words(rest) and " ".join(split_words(rest)) not in _KEPT_ALONE else text


def request_parts(request: str) -> list[str]:
    """The sentences of a request, and what stands before a comma where a question or a command follows it."""
    parts: list[str] = []
    for whole in sentences(request):
        for sentence in _BREAK.split(whole):
            parts += _at_comma(unmarked(sentence))
    return [direct(part) for part in parts if split_words(part)]


def _at_comma(sentence: str) -> list[str]:
    """ "The piano, who came up with that?" in two, "for four, at seven" in one."""
    wish = _AND_ASKS.search(sentence)
    if wish is not None and not _ASKS.match(sentence[: wish.start()]) and not _WISHES_FIRST.match(sentence):
        return [*_at_comma(sentence[: wish.start()]), sentence[wish.end() :]]
    for match in _COMMA.finditer(sentence):
        before, rest = sentence[: match.start()], sentence[match.end() :]
        if is_statement(before) and _RELATIVE.match(rest) and not rest.rstrip().endswith("?"):
            continue
        if DISBELIEF.fullmatch(rest):
            continue  # "the museum was closed, can you believe it"
        named = _NAME_BEFORE.fullmatch(before) is not None and _POINTS.search(rest) is not None
        if _ASKS.match(rest) and (is_statement(before) or is_topic(before) or _STOPS.match(before) or named):
            return [before, *_at_comma(rest)]
        if _COUNTS.match(before) and _SO_RECKONS.match(rest):
            return [before, *_at_comma(rest)]
        if is_statement(rest) and not is_statement(before):
            return [before, rest]
    return [sentence]


def is_statement(text: str) -> bool:
    """Whether the text tells something, as "the phone is ringing", rather than asks for it."""
    said = " ".join(split_words(text))
    if _ASKS.match(text) or _WISHES.search(said) or said.split()[:1] in ([word] for word in QUESTION_WORDS):
        return False
    return bool(_STATES.match(said)) or bool(_RAW_STATES.match(text))


def only_told(text: str) -> bool:
    """Whether the text is a statement without a question in it."""
    words = split_words(text)
    return is_statement(text) and "?" not in text and not QUESTION_WORDS.intersection(words) and not find_numbers(words)


def is_topic(text: str) -> bool:
    """Whether the text only names a thing: "the bridge"."""
    words = split_words(re.sub(r"^\W*(?:so|yes|right|okay|about|as for|back to|now|and)\b[\s,]*", "", text, flags=re.I))
    if not words or len(words) > LONGEST_TOPIC or find_numbers(words) or words[0] in COMMAND_VERBS or "not" in words:
        return False
    return words[0] in ("the", "that", "this", "my", "a", "an") and bool(content_words(text)) and not is_statement(text)


def title_said(told: str, titles: Sequence[str]) -> str | None:
    """The longest of the titles that the text names."""
    words = split_words(told)
    held = f" {' '.join(words)} "
    known = [title for title in titles if title and f" {title} " in held]
    known = known or [
        title
        for title in titles
        if " " not in title and any(stem(title) in (stem(word), stem(stem(word))) for word in words)
    ]
    return str(max(known, key=len)) if known else None


def topic_said(told: str, titles: Sequence[str] = ()) -> str | None:
    """The thing that a statement is about: a title, a name, or its last words that carry a topic.

    titles: what documents are about, in lower case
    """
    if (title := title_said(told, titles)) is not None:
        return title
    words = split_words(told)
    names = [name for name in _NAMES.findall(told) if split_words(name)[0] not in _NOT_NAMES]
    names = [name for name in names if not told.startswith(name) or " " in name or len(names) == 1]
    if names:
        return str(max(names, key=len)).lower()
    runs: list[list[str]] = [[]]
    behind: list[str] = []  # what stands before each run
    for place, word in enumerate(words):
        if word in _LIGHT or word.endswith("ing"):
            runs.append([])
            continue
        if not runs[-1]:
            behind.append(words[place - 1] if place else "")
        runs[-1].append(word)
    runs = [run for run in runs if run]
    led = [run for run, before in zip(runs, behind, strict=True) if before in ("about", "on", "of", "for", "with")]
    return " ".join((led or runs)[-1][-LONGEST_TOPIC:]) if runs else None


def place_said(told: str) -> str | None:
    """The last place on a map that the text names, in its words."""
    words = split_words(told)
    zones = find_zones(words)
    if zones:
        start, end, _ = zones[-1]
        return " ".join(words[start:end])
    match = re.search(r"\b(?:in|to|from|at|near|for)\s+((?:[A-Z][\w'’]+\s?)+)", told)
    place = str(match[1]).strip().lower() if match else ""
    return place if place and place not in _NOT_NAMES else None
