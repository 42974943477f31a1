"""`with_topic`: a question with the previous topic in the place of "it", "they" or "there"."""

from __future__ import annotations

import re

from agentaudio.model.embedded.answering.answer import VOICE_TOOL
from agentaudio.model.embedded.dialogue.turns import PastTurn
from agentaudio.model.embedded.routing.clauses import clauses
from agentaudio.model.embedded.routing.intents import PERFORMERS
from agentaudio.model.embedded.routing.time_zones import find_zones
from agentaudio.text.sentences import sentences
from agentaudio.text.stems import stem
from agentaudio.text.words import COMMAND_VERBS, STOP_WORDS, content_words, split_words

QUESTION = re.compile(
    r"\b(?:what|how|when|where|who|whose|why|which|is|are|was|were|do|does|did|can|tell|explain|describe)\b"
)
_ASKING = re.compile(
    r"\b(?:what|how|when|where|who|whose|why|which|tell|explain|describe)\b|"
    r"^(?:(?:and|but|or|so|then|now|okay|well|please|hmm|oh) )*(?:is|are|was|were|do|does|did|can|could|has|have)\b"
)
_DONE_BY = re.compile(
    r"(?:(?:and|so|okay|now) )*who (?P<deed>invented|built|made|designed|discovered|wrote|painted|founded|created|"
    r"named|developed|constructed) (?P<what>(?:the |a |an )?[\w' -]+)"
)
_IN_WHICH_YEAR = re.compile(
    r"^((?:(?:and|but|so|okay|do you know|around) )*)(?:in |from |since )?(?:which|what) year(?: was that)?$|"
    r"^((?:and |but |so )*)when was (?:that|this)$"
)
_SUPERLATIVE = re.compile(r"\b(?:\w{2,}est|most|first|last|only)\b")
_WHY_SO = re.compile(r"^(?:(?:and|but|so|oh|hm+) )*(?:why (?:is|was) (?:that|this|it so)|why so|how come|why that)$")
_SHORT = re.compile(
    r"(?:(?:and|but|or|so|then|okay) )*(?:(?P<word>(?:since|until|till|from|by) when|when|where|why|who|how|by "
    r"whom|where exactly|when exactly)|"
    r"how (?P<measure>old|tall|big|long|high|deep|wide|heavy|far|fast|thick|large)|how many (?P<things>(?!are|is|"
    r"do|does|did|were|was|of|have|has|can|there|people)\w+(?: (?!are|is|do|does|did|were|was|left|there)\w+)?))"
)
_THING = r"(?: (?:place|building|animal|thing|city|country|person|one))"
_PRONOUN = re.compile(
    r"\b(?:it|its|they|them|their|he|him|his|she|her|this one|that one|(?<!is )(?<!are )there(?! (?:is|are|any|a)\b)|"
    rf"(?:this|that)(?={_THING}\b|$| (?:built|made|invented|called|is|was)\b)){_THING}?\b"
)
_PERSONS = ("he", "him", "his", "she", "her", "they", "them", "their")
_PERSON_BEFORE = re.compile(
    r"\b(?:(?:my|our) \w+|(?:call|ask|tell|text|email|message|ring|phone|visit|meet|remind|invite|write to) (?:the|a|"
    r"an) \w+)"
)
"""What such a pronoun stands for within the request: "call my mother and tell her"."""
_NO_TOPIC = re.compile(
    r"\b(?:what (?:time|day|date|year)(?: of the (?:week|month|year))? is it|how is it going|say it|make it|do it|stop "
    r"it|(?:is|will|was|does) it (?:(?:going to|be|get|getting|any|much|still|really|also|just|as|that|very|so|too|"
    r"quite|actually|even) )*(?:rain|snow|storm|freez|cold|warm|hot|sunny|windy|late|early|dark|time|monday|the "
    r"weekend)\w*)\b"
)
_MORE = re.compile(
    r"(?:(?:and|please|okay|can you|could you) )*(?:(?:tell|give) me (?:some |a bit |a little )?more|more|go on|"
    r"continue|what else(?: do you know| is there)?|(?:some )?more (?:details|information))(?: (?:details|information|"
    r"facts))?(?: about (?:it|that|this|them))?(?: please)?"
)
_HEADS = (
    r"(?:tell|teach) (?:me|us)(?: \w+){0,2} about|"
    r"(?:introduction|overview|summary|information|facts) (?:to|of|about|on)|about|describe|explain|"
    r"(?:is|are|was|were|does|do|did|has|have|can)(?: there)?(?: in| on)?|"
    r"built|invented|designed|discovered|wrote|painted|of|visit"
)
_TAILS = (
    r"built|made|invented|founded|discovered|written|painted|located|open|close|live|eat|weigh|cost|work|begin|start|"
    r"end|away|far|old|tall|big|long|high|deep|wide|from the .+|made of|used for|important|famous|called|come from|"
    r"born|die|have|grow|mean|look like|sound like|do"
)
FRAME = re.compile(rf"^(?P<head>.*?\b(?:{_HEADS}) )(?P<topic>(?:the |a |an )?[^?]+?)(?P<tail>(?: (?:{_TAILS}))*)$")
_COUNTED = re.compile(
    r"\bhow many (?P<things>.+?) (?:do|does|did|has|have|are there (?:on|in|around)) (?P<owner>.+?)(?: have| got)?$"
)
_OWNS = re.compile(
    r"\b(?:does|do|did) (?P<owner>(?:the |a |an )?[\w' -]+?) (?:have|got) (?:any |some |a |an |many )?(?P<things>\w+)$"
)
_HOW_MANY = re.compile(r"\bhow many (?P<things>\w+(?: \w+){0,2}?)(?= (?:are|is|were|do|does|did|have)\b)")
_BARE_COUNT = re.compile(r"((?:(?:and|but|so|okay) )*how many)(?= (?:are|is|were|have|has|do|does|did|of them)\b)")
_NAMED = re.compile(r"\b(?:what are they|(?:they|them) called|their names|where are they|name them)\b")
_PLACE = re.compile(r"\bin (?P<place>(?:the )?[^?]+?)(?= (?:today|tomorrow|tonight|now|right now|please)\b|$)")
SEARCHES = ("search_documents", "web_search")
_DESCRIBED = re.compile(r"^(?:what|which|who)\b.*\b(?:\w{2,}est|most|first|last|only)\b")


_OPENING = re.compile(
    r"^(?:(?:and|but|or|so|then|now|okay|ok|well|no|nope|sorry|wait|actually|oops|i meant?|i said|what about|how about|"
    r"what if|the same (?:for|about)|same (?:for|about)|compared (?:to|with)|versus|and (?:to|with)|for|of|about|on|"
    r"in|try|is it the same (?:for|in)|"
    r"i was asking about|i wanted|do|tell me)\b ?)+"
)
_TRAILING = re.compile(r"(?: (?:instead|then|too|again|also|as well|please|rather|now|not .+))+$")
_PRAISED = re.compile(
    r"(?:(?:very|so|really|such|pretty|quite|most|a|an|the|that|some) )*(?:cool|nice|great|lovely|amazing|brilliant|"
    r"interesting|fascinating|neat|awesome|good|funny|wild|crazy|clever|impressive|wonderful|fantastic|incredible|mad|"
    r"useful)(?: (?:stuff|one|thing|things|fact|facts|answer|job|work|trivia|bit|to know|story))*"
)
"""What only judges the answer before: "cool stuff"."""
_COMPARED = re.compile(r"^(?:\w{2,}er|more \w+|better|worse|the \w{2,}er of) ")
_BARE_SUPERLATIVE = re.compile(
    r"(?:(?:and|but|so|okay) )*(?:which|what|who)(?: one| of them| of those)? (?:is|are|was|were|has|have) (?:the "
    r")?(?:(?:second |third )?\w{2,}est|(?:most|least|best|first|last|only|newest) ?\w*)(?: one| maker| player| part| "
    r"kind| thing| place| record| of them| of those| of all)?"
)
_KIND_ASKED = re.compile(
    r"\b(?:which|what) (?P<kind>(?!is|are|was|were|do|does|did|has|have|time|day|year|can)[a-z]+) (?:is|are|was|"
    r"were|has|have)\b"
)
_POINTED = re.compile(
    r"\b(?:this|that|the same) (?!is|was|are|were|one|time|day|way|much|many|place|building|animal|thing|city|country|"
    r"person|built|made|invented|called|does|did|be|in|to|of|about|for|with)[a-z]{3,}(?=$| (?:in|have|has|live|is|was|"
    r"called|begin|end|open)\b)"
)
"""A thing that is pointed at, as in "how long is that river"."""
_CLEAR_WORDS, _LONGEST_QUOTED = 4, 6
"""Words of a phrase that is taken for a topic as it is; a longer one may hold half a sentence."""
_CAPITALS = re.compile(r"\b[A-Z][a-z]+(?: (?:von |van |de )?[A-Z][a-z]+)*")
_NO_PERSONS = frozenset(
    "January February March April May June July August September October November December Monday Tuesday Wednesday "
    "Thursday Friday Saturday Sunday Earth Africa Asia Europe Italy Germany France England Spain China America".split()
)
_ONE_OF = re.compile(r"\b(?P<which>(?:the|an?|another) (?:[\w-]+ ){1,3}?)(?P<one>ones?)\b")
_OWNED = re.compile(r"(?:its|their|his|her) (?P<what>[\w-]+(?: [\w-]+)?)")
_LONGEST_TOPIC = 5


def with_place(request: str) -> str:
    """A compound request with the place of an earlier part in the place of "there": "the time in Rome and the weather
    there"; and a statement of a place before a question: "my sister is in Cardiff, how is it there"."""
    parts = clauses(request)
    if len(parts) < 2:
        return request
    whole = parts[:1]
    for part in parts[1:]:
        whole.append(with_topic(part, PastTurn(whole[-1])) or part)
    return request if whole == parts else " and ".join(whole)


def with_other_topic(said: str, before: PastTurn) -> str | None:
    """The previous question with the topic that `said` names: "and the Amazon?"; None for another request."""
    what = _TRAILING.sub("", _OPENING.sub("", said)).strip()
    if (owned := _OWNED.fullmatch(what)) is not None and (topic := _topic(before)):
        what = f"the {owned['what']} of {topic}"
        frame = FRAME.match(_question(before))
        return f"{frame['head']}{what}{frame['tail']}" if frame else f"{_question(before)} {what}"
    words = what.split()
    if not words or len(words) > _LONGEST_TOPIC or not content_words(what) or _PRONOUN.search(what):
        return None
    if _ASKING.search(what) or words[0] in COMMAND_VERBS or _PRAISED.fullmatch(what):
        return None
    previous = _question(before)
    if (counted := _COUNTED.search(previous)) is not None:
        return f"{previous[: counted.start('owner')]}{what}{previous[counted.end('owner') :]}"
    led = re.match(r"(?:(?:and|or|but|so|okay|what about|how about) )*(?P<preposition>in|on|at|to|for) ", said)
    if led and (place := re.search(rf"\b{led['preposition']} (?:the )?[\w'-]+(?: [\w'-]+)?$", previous)):
        return f"{previous[: place.start()]}{led['preposition']} {what}"
    frame = FRAME.match(previous)
    if frame and frame["topic"].split()[0] not in ("it", "the time", "time"):
        return f"{frame['head']}{_with_owner(what, frame['topic'])}{frame['tail']}"
    if place := re.search(r"\b(in|of|to|for|at|on) (?:the )?[\w' -]+$", previous):
        return f"{previous[: place.start()]}{place[1]} {what}"
    return what if len(previous.split()) <= _LONGEST_TOPIC else f"{previous} {what}"


def _with_owner(what: str, topic: str) -> str:
    """ "a year on mars" for "a year", in the place of "a day on mars"."""
    owner = re.match(r"^an? [\w-]+ (?P<owner>(?:in|on|of|at) .+)$", topic)
    return f"{what} {owner['owner']}" if owner and re.fullmatch(r"an? [\w-]+", what) else what


def _question(before: PastTurn) -> str:
    """What was asked: the query of a search that holds more than the request, else the request."""
    said = " ".join(split_words(before.request))
    for call in before.calls:
        if call.name in SEARCHES:
            query = " ".join(split_words(str(call.arguments.get("query") or "")))
            if not set(content_words(query)) <= set(content_words(said)):
                return query
    return said


def with_added_topic(said: str, before: PastTurn) -> str | None:
    """The question with the topic of the search before at its end, where it has no pronoun for it."""
    topic = _topic(before) if any(call.name in SEARCHES for call in before.calls) else None
    if topic is None or set(content_words(topic)) <= set(content_words(said)):
        return None
    rest = [word for word in content_words(_question(before)) if word not in said and word not in topic]
    # "in which year?" asks for more of the question before than its topic.
    context = " ".join([*rest, topic]) if len(content_words(said)) < 2 else topic
    return f"{said} {context}"


def with_topic(said: str, before: PastTurn) -> str | None:
    """The request with the previous topic in the place of its pronoun; None for one without a pronoun or topic.

    said: in the words of `split_words`, joined by spaces
    """
    if _MORE.fullmatch(said):
        topic = _topic(before) if before.calls else None
        return f"tell me about {topic}" if topic else None
    if (short := _short_question(said, before)) is not None:
        return short
    if not _ASKING.search(said):
        return None
    kind = _KIND_ASKED.search(_question(before))
    if kind and (bare := _BARE_SUPERLATIVE.fullmatch(said)) and re.match(r"(?:which|what) one\b|which is\b", said):
        return re.sub(r"^(?:which|what)(?: one)?", f"which {kind['kind']}", bare[0])
    if _BARE_SUPERLATIVE.fullmatch(said) and (topic := _counted(before) or _topic(before)):
        return f"{said} of {topic}"
    if (one := _ONE_OF.search(said)) is not None and any(call.name in SEARCHES for call in before.calls):
        noun = (split_words(_answering_title(before) or "") or [""])[-1]
        if noun:
            return f"{said[: one.start('one')]}{noun}{said[one.end() :]}"
    if (pointed := _POINTED.search(said)) is not None and (title := _answering_title(before)):
        return f"{said[: pointed.start()]}{title}{said[pointed.end() :]}"
    passed = [match.span() for match in _NO_TOPIC.finditer(said)]
    found = next(
        (one for one in _PRONOUN.finditer(said) if not any(a <= one.start() < b for a, b in passed)), None
    )  # fmt: skip
    if found is None or (found.group() in _PERSONS and _PERSON_BEFORE.search(said[: found.start()])):
        return None
    pronoun = found.group().split()[0]
    person = next((str(call.arguments[n]) for call in before.calls for n in call.arguments if n in PERFORMERS), None)
    if pronoun in _PERSONS and person is not None:
        return f"{said[: found.start()]}{person}{said[found.end() :]}"
    if pronoun in _PERSONS and before.calls and all(call.name not in SEARCHES for call in before.calls):
        return None  # a city or a museum is not "they"
    thing = re.search(r"\bit\b", said[found.end() :])
    if pronoun in ("they", "them") and thing is not None:  # "why did they build it": it is the topic
        start = found.end() + thing.start()
        topic = _topic(before)
        return f"{said[:start]}{topic}{said[start + 2 :]}" if topic else None
    topic = _place(before) if pronoun == "there" else None
    if pronoun in ("he", "him", "his", "she", "her"):
        topic = _person(before)
        if topic and thing is not None and (what := _topic(before)):  # "when did he do it"
            start = found.end() + thing.start()
            said = f"{said[:start]}{what}{said[start + 2 :]}"
    if topic is None and (value := _value_said(before)) is not None and value.split()[-1] in said.split():
        return None  # "the city museum, when does that one open" names another one
    topic = topic or (_counted(before) if _NAMED.search(said) else None) or _topic(before)
    if topic is None:
        return None
    owner = pronoun in ("its", "their", "his", "her") and found.end() < len(said)
    behind = re.search(r"\b(?:in|at|on|to|from|around|near|over) $", said[: found.start()])
    where = f"in {topic}" if pronoun == "there" and not behind else topic
    return f"{said[: found.start()]}{where}{' s' if owner else ''}{said[found.end() :]}"


def is_short_question(said: str) -> bool:
    """Whether a question leaves out what it is about: "by whom?"."""
    return _SHORT.fullmatch(_WHY_SO.sub("why", _IN_WHICH_YEAR.sub("when", said))) is not None


def _topic(before: PastTurn) -> str | None:
    """What the previous request was about: its noun phrase, else the title of the passage that answered it.

    The answer to "what is the largest planet" is the topic of what follows.
    """
    if before.calls and all(call.name == VOICE_TOOL for call in before.calls):
        return None  # the voice that was asked for is not what one talks about
    previous = _question(before)
    titles = [passage.title for output in before.outputs for passage in output.passages if passage.title]
    if _DESCRIBED.match(previous):
        answered = set(content_words(before.answer))
        for title in titles:
            words = content_words(title)
            if words and answered.issuperset(words) and not set(content_words(previous)).issuperset(words):
                return title.lower()
    answered_by = _answering_title(before)
    if counted := _COUNTED.search(previous):
        return _whole_topic(counted["owner"], answered_by, before)
    if (frame := FRAME.match(previous)) and not _PRONOUN.fullmatch(frame["topic"]):
        return _whole_topic(_COMPARED.sub("", frame["topic"].strip()), answered_by, before)
    return titles[0] if titles else _value_said(before)


def _value_said(before: PastTurn) -> str | None:
    """The longest value of a call in the words of the request: "the railway museum"."""
    said = f" {' '.join(split_words(before.request))} "
    values = [str(value) for call in before.calls if call.name not in SEARCHES for value in call.arguments.values()]
    held = [value for value in values if len(value) > 3 and f" {' '.join(split_words(value))} " in said]
    value = max(held, key=len, default=None)
    return f"the {value}" if value and f" the {value} " in said else value


def _whole_topic(phrase: str, title: str | None, before: PastTurn) -> str:
    """The phrase that a question was about, or the title of what answered it where that is the topic of the phrase.

    "it" after "how long is a baby" is the blue whale that this was asked of, and after "what is Titan" it is Titan.
    """
    if title is None:
        return phrase
    words, of_title = {stem(word) for word in content_words(phrase)}, {stem(word) for word in content_words(title)}
    held = f" {' '.join(split_words(' '.join(p.text for o in before.outputs for p in o.passages)))} "
    if words & of_title:
        bare = re.sub(r"^(?:the|a|an) ", "", f"{phrase} ")
        named = _SUPERLATIVE.search(phrase) is not None and bare in held
        short = len(split_words(phrase)) <= (_LONGEST_QUOTED if named else _CLEAR_WORDS)
        clear = short and not phrase.split()[0].endswith("ed")
        quoted = len(words) < 2 or bare in held
        return phrase if clear and (quoted or words <= of_title) else title
    texts = [passage.text for output in before.outputs for passage in output.passages]
    is_name = len(words) <= 2 and any(re.search(rf"(?<!^)(?<![.!?] "
                                                rf")\b{re.escape(phrase_word.title())}\b", text) for text in texts
                  for phrase_word in content_words(phrase)[-1:])  # fmt: skip
    bare = re.sub(r"^(?:the|a|an) ", "", phrase)
    is_said = len(words) > 1 and any(f" {bare} " in f" {' '.join(split_words(text))} " for text in texts)
    return phrase if is_name or is_said else title


def _person(before: PastTurn) -> str | None:
    """The name of the person that the last answer names first, of two words if there is one.

    A word that the passages also write without a capital, such as "Every", is no name.
    """
    texts = " ".join(passage.text for output in before.outputs for passage in output.passages)
    common = set(re.findall(r"\b[a-z]+\b", texts)) | {
        "every",
        "most",
        "many",
        "some",
        "each",
        "workers",
        "work",
        "hunters",
    }
    title = {stem(word) for word in content_words(_answering_title(before) or "")}
    names = [name for name in _CAPITALS.findall(before.answer) if not title & {stem(w) for w in content_words(name)}]
    names = [
        name for name in names
        if name.split()[0].lower() not in STOP_WORDS and name not in _NO_PERSONS and name.lower() not in common
    ]  # fmt: skip
    return next((name for name in names if " " in name), names[0] if names else None)


def _answering_title(before: PastTurn) -> str | None:
    """The title of the passage that the answer was taken from."""
    passages = [passage for output in before.outputs for passage in output.passages]
    quoted = sentences(before.answer)
    held = [passage.title for passage in passages if passage.title and any(said in passage.text for said in quoted)]
    return held[0].lower() if held else None


def _counted(before: PastTurn) -> str | None:
    """ "the moons of mars" after "how many moons does mars have"."""
    match = _COUNTED.search(_question(before)) or _OWNS.search(_question(before))
    return f"the {match['things']} of {match['owner']}" if match and "people" not in match["things"] else None


def _short_question(said: str, before: PastTurn) -> str | None:
    """ "and when?", "in what year?", "how tall?" and "how many strings?" after a search, as whole questions."""
    said = _WHY_SO.sub("why", _IN_WHICH_YEAR.sub("when", said))
    counted = _HOW_MANY.search(_question(before))
    if counted and any(call.name in SEARCHES for call in before.calls) and _BARE_COUNT.match(said):
        topic = _topic(before)
        things = counted["things"]
        whole = _BARE_COUNT.sub(lambda bare: f"{bare[1]} {things}", said, count=1)
        return f"{whole} of {topic}" if topic else whole
    match = _SHORT.fullmatch(said)
    if match is None or not any(call.name in SEARCHES for call in before.calls):
        return None
    previous = _question(before)
    if match["word"]:
        deed = _DONE_BY.fullmatch(previous)
        if deed is not None and match["word"] in ("when", "where", "why", "how"):
            return f"{match['word']} was {deed['what']} {deed['deed']}"
        asked = re.match(r"(?:and )?(?:how \w+|what|who|when|where|why|which \w+) (?=\w)", previous)
        if asked:
            return f"{match['word']} {previous[asked.end() :]}"
        topic = _topic(before)
        return f"{match['word']} is {topic}" if topic and match["word"] in ("where", "who", "how") else None
    if match["things"] and (counted := _COUNTED.search(previous)):
        return previous[: counted.start("things")] + match["things"] + previous[counted.end("things") :]
    if (topic := _topic(before)) is None:
        return None
    return f"how {match['measure']} is {topic}" if match["measure"] else f"how many {match['things']} does {topic} have"


def _place(before: PastTurn) -> str | None:
    words = split_words(before.request)
    match = _PLACE.search(" ".join(words))
    if match is not None:
        return match["place"]
    zones = find_zones(words)
    return " ".join(words[zones[0][0] : zones[0][1]]) if zones else None
