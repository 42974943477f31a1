"""`direct`: a request without the words that only make it polite, careful or somebody else's."""

from __future__ import annotations

import re

from agentaudio.text.words import is_question, split_words

_AM = r"i(?:['’]m| am| was|['’]ve been| have been| just| only| also)*"
_YOU_COULD = (
    r"(?:(?:if|whether) )?(?:you|we) ?(?:['’]d|could|can|would|might|may)?(?: be able to| happen to| "
    r"perhaps| maybe| possibly| please| just| also)*"
)
_PERSON = r"(?:(?:my|our|his|her|the) (?!voice|answer|result)\w+|he|she|they|we|i|everybody|everyone|somebody|someone)"
_WONDERS = (
    r"(?: also| now| still| just| all)*(?: (?:is|are|was|were|keeps?))?(?: also)? (?:wants? to know|wanted to know|"
    r"would like to know|['’]d like to know|needs? to know|asking|asks|wonders?|wondering|wondered|curious)"
)
_LEADS = (
    (rf"{_AM} (?:wonder(?:ing)?|curious|thinking|hoping),? {_YOU_COULD} (?:know|tell|say) ?(?:me )?,?", ""),
    (rf"{_AM} (?:wonder(?:ing)?|curious|hoping),? {_YOU_COULD} ", ""),
    (rf"(?:{_AM} not (?:sure|certain)|i don['’]?t know|i do not know|no idea) (?:if |whether |that )?"
     r"(?:you|this|it)[^,]{0,40}?,? but,? ", ""),
    (r"you (?:may|might|probably|will probably)(?: well| not| won['’]t| do not| don['’]t)* know (?:this|that|"
     r"it),? but,? ", ""),
    (r"(?:this|it|that) (?:may|might|is|will|sounds?|could)(?: be| sound)?(?: an?)? ?(?:bit )?"
     r"(?:silly|stupid|odd|strange|weird|dumb|random|funny|daft)(?: question)?,? but,? ", ""),
    (r"(?:do|would|might|could) you (?:happen to|by any chance|perhaps|maybe|possibly|also) know(?: if| whether)? "
     r"?,?", ""),
    (r"(?:would|could) you (?:please )?be (?:so kind|so good|so nice|kind enough|good enough|able)(?: as)? to ", ""),
    (r"(?:would|will) it be (?:possible|okay|ok|all right|too much trouble) (?:for you )?(?:to|if you(?: "
     r"could)?) ", ""),
    (r"is it possible (?:for you )?to ", ""),
    (r"(?:could|can|would) you do me a favou?r(?: and|,| please)* ", ""),
    (r"(?:could|can|would) you (?:perhaps|maybe|possibly|just|kindly|quickly) ", "can you "),
    (r"(?:can|could|would|will) you (?:please |just )?tell me,? (?=(?:what|who|when|where|why|how|which)\b)", ""),
    (r"remind me(?: again)?,? (?=(?:what|who|when|where|why|how|which)\b)", ""),
    (r"you (?:can|may|could|might as well) (?:now |just |also |then |please )*(?=(?:turn|switch|put|set|play|stop|"
     r"start|book|"
     r"cancel|make|tell|give|change|leave|move|speak|talk)\b)", ""),
    (r"(?:(?:can|could|would|will) you (?:please )?)?(?:(?:i(?:['’]d| would| should) (?:like|love) to|let me|(?:can|"
     r"could|may) (?:i|we)) hear|i(?:['’]m| am) (?:curious|interested|keen) (?:to hear|in hearing)) (?:more |something "
     r"|a bit |a little |all )?about ",
     "tell me about "),
    (r"would you mind (?:just )?telling ", "tell "),
    (r"would you mind (?:just )?(?P<verb>giv|read|show|play|turn|switch|sett|book|speak|repeat|say|check|look|"
     r"convert|us|chang)ing ",
     "{verb} "),
    (rf"{_PERSON}{_WONDERS} (?:if|whether) ", "tell me whether "),
    (rf"(?!i ){_PERSON}{_WONDERS} (?=what|who|when|where|why|how|which)", ""),
    (r"(?:i|we)(?:['’]d| would|['’]m| am| was| were| just| really| only| do| also)* (?:(?:want|like|love|need|have) "
     r"to (?:know|"
     r"find out|ask)|wonder(?:ing)?|curious|asking) (?=what|who|when|where|why|how|which)", ""),
    (r"(?:i|we)(?:['’]d| would|['’]m| am| was| were| just| really| only| do| also)* (?:(?:want|like|love|need|have) "
     r"to (?:know|"
     r"find out|ask)|wonder(?:ing)?|curious|asking) (?:if|whether) ", "tell me whether "),
    (r"i (?:do not|don['’]?t|didn['’]?t|did not|hate|dislike) (?:really )?(?:like )?(?:that|this|your|the) "
     r"(?:voice|one|accent|sound)[,.;]? "
     r"(?:so |please |and )*(?=(?:give|use|try|take|can|could|find|show|let|switch|change|speak|talk)\b)", ""),
    (r"(?:i(?:['’]d| would) (?:like|love) to|i want to|can i|could i|may i|let me) (?:hear|listen to) (?=some |"
     r"something by |music )", "play "),
    (r"(?:(?:can|could|will|would) you (?:please |just )?)?(?:put|throw|chuck|stick|bung|pop|whack|slap|bang) on "
     r"(?=(?:some|something by|a bit of|a little) (?!(?:\w+ )?(?:lights?|lamps?|heating)\b))", "play "),
    (r"(?:let us hear|let['’]?s hear) (?=some |something by |a bit of |a little )", "play "),
    (r"(?:i (?:need|want|have|would like|['’]d like)|can you do|could you do|there are) (?:two|three|a couple of|a "
     r"few|several) "
     r"things?(?: from you| please)?\s*[,:;.-]+ ?", ""),
    (r"(?:let me think|let me see|let['’]?s see|you know what|listen|look|quick question|one question|tell you "
     r"what|right then),? ", ""),
)  # fmt: skip
_OPENING = (
    r"(?P<open>(?:(?:and|but|or|so|okay|ok|hi|hello|hey|well|um|hm+|now|then|please|thanks|great|right|"
    r"excuse me)[\s,]+)*)"
)
_LEADING = tuple((re.compile(rf"^\W*{_OPENING}{lead}", re.IGNORECASE), to) for lead, to in _LEADS)
_INDIRECT = re.compile(
    r"^(?P<word>[Ww]ho|[Ww]here|[Ww]hat) (?P<what>(?:the |a |an )?(?:[A-Z][\w'’-]*)(?: [\w'’-]+){0,4}?) "
    r"(?P<verb>is|was|are|were)(?P<stop>[.?!]*)$"
)
"""A question as it stands in another one: "who Marie Curie was"."""
_VERBS = {"giv": "give", "sett": "set", "us": "use", "chang": "change"}
_TAGS = re.compile(
    r"(?:,\s*|\s+)(?:(?:would|will|could|can|won['’]t) (?:you|ya)(?: please| now)?|if you would|right|okay|ok|eh|innit|"
    r"yeah|i guess|i suppose|i think|or so|or something(?: like that)?|at least|for a change|ta|pls|plz|please and "
    r"thank you|mate|love|dear|darling|will do|there['’]s a (?:love|dear|good \w+)|or what|or no|or not|real quick|"
    r"quickly|when you can|as soon as possible|asap)(?:\s*[.?!,]+|\s*$)(?=\s*$)",
    re.IGNORECASE,
)
"""What a request ends with that changes nothing in it: "turn it off, would you"."""
_ASIDES = re.compile(
    r",?\s*\b(?:if you (?:don['’]?t mind|do not mind|can|could|would|will|please|like|wouldn['’]t mind|would not mind|"
    r"have (?:a|the) (?:moment|second|minute|time)|know (?:it|that)|happen to know)|if (?:it|that)(?:['’]s| is) (?:not "
    r"too much (?:trouble|to ask)|no trouble|possible|okay|ok|all right|alright)|if possible|if at all possible|by any "
    r"chance|when you have (?:a|the) (?:moment|second|minute|time)|(?:while|since|as|now that) (?:you(?:['’]re| are)|"
    r"we(?:['’]re| are)|i(?:['’]m| am)) (?:at it|here|on (?:it|about it)|up|there)|before i forget|for that "
    r"matter)(?=\s*[,.;!?]|\s*$),?",
    re.IGNORECASE,
)


_ERRAND = re.compile(
    r"\b(?P<call>(?:remind|tell|ping|buzz|nudge|call|warn|alert|wake) (?:me|us)|(?:give|set) (?:me|us) a (?:shout|"
    r"nudge|reminder|call|buzz)) (?:to|about|that|for|when|because) (?:(?!\bin\b)[\w'’-]+ ){1,8}?(?P<when>in (?:about |"
    r"around |exactly )?(?:an?|half "
    r"an|\d+|[a-z]+(?:[- ][a-z]+)?) (?:minutes?|hours?)\b)",
    re.IGNORECASE,
)
"""A call after some time, with what it is for: "remind me to take the bread out in 35 minutes"."""


def direct(request: str) -> str:
    """The request itself: "I was wondering if you could tell me what time it is, if you don't mind" gives "what time
    it is"; "my son asks if it has bones" gives "tell me whether it has bones". A request that holds nothing else is
    left as it is."""
    bare = _ERRAND.sub(r"\g<call> \g<when>", _ASIDES.sub(" ", request))
    for _ in range(2):
        shorter = _TAGS.sub("", bare)
        if shorter != bare and len(split_words(shorter)) >= 2:
            bare = f"{shorter}?" if bare.rstrip().endswith("?") and is_question(shorter) else shorter
    for _ in range(3):
        before = bare
        for pattern, to in _LEADING:
            if match := pattern.match(bare):
                verb = match.groupdict().get("verb") or ""
                bare = f"{match['open']}{to.format(verb=_VERBS.get(verb, verb))}{bare[match.end() :].lstrip(' ,')}"
        if bare == before:
            break
    bare = _INDIRECT.sub(r"\g<word> \g<verb> \g<what>\g<stop>", " ".join(bare.split()).strip(" ,"))
    return bare if re.search(r"\w", bare) else request
