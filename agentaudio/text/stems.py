"""Three stemmers for English, from the most careful to the most greedy.

One stemmer for all three uses was measured and was worse: `stem` lowers the recall of document search on its
development questions, because it confuses names, and makes a voice search miss "a higher female voice".
"""

from __future__ import annotations

import re

_VARIED_ENDING = re.compile(r"([a-z]{3,}?)(?:ing|ed|er|est|ly|s)")


def singular(word: str) -> str:
    """A lower-case word without a plural or possessive ending: "cities" is "city". The least risk to names."""
    word = word.removesuffix("'s")
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def stem(word: str) -> str:
    """A lower-case word without the endings of plurals and verbs: "opening", "opens" and "opened" are one.

    Comparatives keep their endings ("tallest"). Meant for matching what a person says with what a developer
    wrote; the result need not be a word.
    """
    for ending, kept in (("ies", "y"), ("sses", "ss"), ("ing", ""), ("ied", "y"), ("ed", ""), ("es", ""), ("s", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            if ending == "es" and not word.endswith(("ches", "shes", "xes", "oes", "zes")):
                continue
            word = word[: -len(ending)] + kept
            break
    if len(word) > 4 and word[-1] == word[-2] and word[-1] not in "lsz":
        word = word[:-1]
    return word.removesuffix("e") if len(word) > 4 else word


def root(word: str) -> str:
    """A lower-case word without any ending that adjectives and verbs take: softer, whispered, slowly."""
    match = _VARIED_ENDING.fullmatch(word)
    return match[1] if match else word
