"""English text as it is read aloud: `english_spoken_form`."""

from __future__ import annotations

import re

from agentaudio.text.english_codes import with_codes
from agentaudio.text.english_names import with_names
from agentaudio.text.english_numbers import ANY_NUMBER, ascii_digits, say
from agentaudio.text.english_quantities import (
    with_durations,
    with_fractions,
    with_money,
    with_ordinals,
    with_powers,
    with_ranges,
    with_units,
)
from agentaudio.text.english_science import with_formulae, with_plain_subscripts
from agentaudio.text.english_times import with_times
from agentaudio.text.marked_names import after_mark

_SIGNS = {
    "=": "equals", "+": "plus", "*": "times", "×": "times", "·": " ", "÷": "divided by", "±": "plus or minus",
    "&": "and", "≈": "about", "≠": "is not equal to", "≤": "is less than or equal to",
    "≥": "is greater than or equal to",
    "<": "less than", ">": "more than", "@": "at", "→": "to", "⇒": "to", "°": "degrees", "π": "pi", "∞": "infinity",
    "§": "section", "©": "copyright", "™": "", "®": "", "•": "", "µ": "micro", "№": "number",
}  # fmt: skip
_SPACES = str.maketrans(
    {"\u00a0": " ", "\u2009": " ", "\u202f": " ", "\u2007": " ", "\u2011": "-", "\u00ad": "", "\u200b": ""}
)


def english_spoken_form(text: str) -> str:
    """English text without markup with numbers, dates, names of files and signs as words.

    Sentence punctuation stays, because synthesisers pause at it.
    """
    text = ascii_digits(with_plain_subscripts(text.translate(_SPACES)))
    text = re.sub(r"(?<![\w.])[~≈] ?(?=[\d$€£])", "about ", text)
    text = _with_marked_names(text)
    text = with_codes(text)
    text = with_names(text)
    text = with_formulae(text)
    text = with_durations(text)
    text = with_times(text)
    text = with_money(text)
    text = with_fractions(text)
    text = with_ranges(text)
    text = with_units(text)
    text = with_powers(text)
    text = with_ordinals(text)
    text = _with_signs(text)
    text = re.sub(ANY_NUMBER, lambda m: f" {say(m[0])} " if _glued(m) else say(m[0]), text)
    text = re.sub(r"[\"“”«»()\[\]{}|\\_~`#]", " ", text)
    text = re.sub(r"\s+([.,;:!?])", r"\1", re.sub(r"\s+", " ", text))
    return text.strip()


def _with_marked_names(text: str) -> str:
    """The text without marks that belong to names, so that no synthesiser pauses or ends a sentence at them."""
    text = re.sub(r"(?<=[A-Z])!(?=[a-z])", "i", text)  # P!nk
    text = re.sub(r"(?<=[A-Za-z])\$(?=[A-Za-z])", lambda m: "S" if m.string[m.end()].isupper() else "s", text)  # Ke$ha
    text = re.sub(r"(?<=[A-Za-z])!(?=['’]s\b)", "", text)
    return re.sub(r"(?<=[A-Za-z])[!?](?= +([\w'’]{1,30}))", _mark, text)


def _mark(match: re.Match[str]) -> str:
    """Nothing for a mark of a name, such as "Yahoo!"."""
    sentence = re.split(r"[.!?]\s", match.string[max(0, match.start() - 80) : match.start()])[-1]
    goes_on = after_mark(sentence, match[0])
    return "" if goes_on is not None and goes_on(match[1], True) else match[0]


def _with_signs(text: str) -> str:
    text = re.sub(r"\b([A-Z])\+\+", r"\1 plus plus", text)
    text = re.sub(r"\b([A-G])#(?!\w)", r"\1 sharp", text)
    text = re.sub(r"(?<!\w)#(?=[A-Za-z])", " hashtag ", text)
    text = re.sub(r"(?<=\d)\+(?!\s?\d)", " plus", text)
    text = re.sub(r"(?<=[\d)]) ?/ ?(?=[\d(])", " divided by ", text)
    text = re.sub(r"(?<=[A-Za-z])/(?=[A-Za-z])", " ", text)
    text = re.sub(r"\b([ap])\.m\.", r"\1 m", text)
    for sign, word in _SIGNS.items():
        text = text.replace(sign, f" {word} ")
    return text


def _glued(match: re.Match[str]) -> bool:
    before = match.string[match.start() - 1 : match.start()]
    after = match.string[match.end() : match.end() + 1]
    return before.isalpha() or after.isalpha()
