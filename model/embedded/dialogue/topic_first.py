"""`with_topic_in_place`: a question whose topic comes first, as one sentence: "the Nile, how long is it?"."""

from __future__ import annotations

import re

from agentaudio.text.words import COMMAND_VERBS, QUESTION_WORDS, split_words

_JOINS = r"(?:(?:and|but|so|or|okay|ok|now|then|right|oh|well|hm+|ah)\b[\s,]*)*"
_TOPIC = re.compile(
    rf"^(?P<open>\W*{_JOINS})(?P<led>(?:(?:what|how) about|as for|about|regarding|speaking of|talking of)\s+)?"
    r"(?P<topic>(?P<article>(?:the|that|this|those|these|a|an)\s+)?[\w'’-]+(?:\s+(?!and\b)[\w'’-]+){0,4}?)"
    r"(?:\s+(?:then|though|again|now))?\s*[,:;–—]\s*(?:(?:then|though|now|well|so|um|uh|like)\b[\s,]*)*"
    r"(?P<asked>(?:what|who|when|where|why|which|how|is|are|was|were|do|does|did|can|could|has|have)\b.*)$",
    re.IGNORECASE | re.DOTALL,
)
_POINTER = re.compile(
    r"\b(?:(?:that|this) one|it|they|them|he|him|she|(?P<owner>its|their|his|her)|"
    r"(?:that|this)(?=(?:['’]s)?\W*$|\s+(?:got|have|has|open|close|built|made|called|like|from|in|at|on|for|last|take|"
    r"work|weigh|eat|live|look|sound|come|go|begin|start|end|mean)\b))\b(?!['’]s raining)",
    re.IGNORECASE,
)
"""What stands for the topic in the question."""
_IS_THAT = re.compile(r"^((?:what|who|when|where|why|which|how)(?: \w+)?)['’]s (?=(?:that|this|it)\b)", re.IGNORECASE)
_CLAUSE_WORDS = (
    QUESTION_WORDS
    | COMMAND_VERBS
    | frozenset(
        "i we you he she they it me us is are was were am has have had do does did can could will would please thanks "
        "thank hello hi hey sorry excuse not no yes there here one ones same other another question thing".split()
    )
)
"""Words that a topic does not hold, since it is not a sentence."""
_INTERJECTIONS = frozenset("right good great nice lovely brilliant perfect fine cool wow gosh dear love mate".split())
_NOT_THE_TOPIC = re.compile(
    r"\b(?:what time is it|what day is it|what date is it|"
    r"(?:is|will|was|does) it (?:(?:going to|be|get|getting) )?(?:rain|snow|storm|freez|cold|warm|hot|sunny|windy)\w*)",
    re.IGNORECASE,
)


def with_topic_in_place(request: str) -> str:
    """The question with its topic in the place of the pronoun that stands for it; any other request as it is.

    "And what about the Nile, how long's that?" gives "and how long is the Nile?". A topic has an article, follows
    "what about" or "and", or is a name of several words; one name alone may be whom the speaker talks to.
    """
    match = _TOPIC.match(request)
    words = split_words(match["topic"]) if match is not None else []
    if match is None or _CLAUSE_WORDS.intersection(words) or _INTERJECTIONS.issuperset(words):
        return request
    topic = match["topic"]
    is_name = all(word[0].isupper() for word in topic.split()) and " " in topic
    joined = bool(split_words(match["open"])[:1]) and split_words(match["open"])[-1] in ("and", "but", "or")
    if not (match["article"] or match["led"] or joined or is_name):
        return request
    asked = _IS_THAT.sub(r"\1 is ", match["asked"])
    passed = [one.span() for one in _NOT_THE_TOPIC.finditer(asked)]
    pointer = next((one for one in _POINTER.finditer(asked) if not any(a <= one.start() < b for a, b in passed)), None)
    if pointer is None:
        return request
    owner = "'s" if pointer["owner"] else ""
    if match["article"]:
        topic = f"{topic[0].lower()}{topic[1:]}"
    return f"{match['open']}{asked[: pointer.start()]}{topic}{owner}{asked[pointer.end() :]}"
