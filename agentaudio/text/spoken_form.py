"""Text as it is read aloud, for synthesisers and for the language models of recognisers."""

from __future__ import annotations

from agentaudio.text.chinese_spoken_form import chinese_spoken_form
from agentaudio.text.english_spoken_form import english_spoken_form
from agentaudio.text.languages import has_cjk
from agentaudio.text.markup import without_markup


def spoken_form(text: str, language: str | None = "en") -> str:
    """The text as it is read aloud, without Markdown, tags and emoji.

    language: in English and Chinese ("en", "zh") numbers, dates, units, addresses and signs become words, in others
        they stay as they are; None is a language that is not known

    "21,000 km" becomes "twenty one thousand kilometers", "in 1889" becomes "in eighteen eighty nine", and
    "17 * 23 = 391" becomes "seventeen times twenty three equals three hundred ninety one". Sentence punctuation
    stays, because synthesisers pause at it.
    """
    return spoken_words(_joined(without_markup(text)), language)


def spoken_words(text: str, language: str | None) -> str:
    """`spoken_form` of a text that has no markup."""
    match (language or "").lower().replace("_", "-").partition("-")[0]:
        case "en":
            return english_spoken_form(text)
        case "zh":
            return chinese_spoken_form(text)
    return " ".join(text.split())


def _joined(text: str) -> str:
    """One line of text; a block without a mark at its end gets a full stop."""
    blocks = [" ".join(block.split()) for block in text.split("\n\n")]
    blocks = [block for block in blocks if block]
    ended = [f"{block}{_stop(block)}" for block in blocks[:-1]]
    return " ".join([*ended, *blocks[-1:]])


def _stop(block: str) -> str:
    if not block[-1].isalnum():
        return ""
    return "。" if has_cjk(block[-1]) else "."
