"""The sentence by which a person lends a voice, in several languages, and whether a transcript says it."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from agentaudio.text.languages import HAN, has_cjk

MOST_WRONG = 0.25
"""Share of the sentence's words, or Chinese characters, that a recogniser may get wrong."""

_UNIT = re.compile(rf"[{HAN}]|[^\W_{HAN}]+")


@dataclass(frozen=True, slots=True)
class _Sentence:
    """text: what is read aloud; needed: words without which it means something else; negations: words that turn it"""

    text: str
    needed: frozenset[str]
    negations: frozenset[str]


def _sentence(text: str, needed: str, negations: str) -> _Sentence:
    return _Sentence(text, frozenset(needed.split()), frozenset(negations.split()))


_SENTENCES = {
    "en": _sentence(
        "This is my own voice. I agree that a computer may speak in it.",
        "my voice agree",
        "not no never dont don't disagree nobody isn't isnt cannot can't won't wont didn't unless refuse",
    ),
    "zh": _sentence("这是我自己的声音，我同意让计算机用它来说话。", "我 同 意", "不 没 别 未 勿 拒 禁"),
    "de": _sentence(
        "Das ist meine eigene Stimme. Ich stimme zu, dass ein Computer in ihr sprechen darf.",
        "meine stimme zu",
        "nicht kein keine nie niemals niemand nein",
    ),
    "fr": _sentence(
        "C'est ma propre voix. J'accepte qu'un ordinateur parle avec elle.",
        "ma voix accepte",
        "ne pas n jamais non refuse aucun",
    ),
    "es": _sentence(
        "Esta es mi propia voz. Acepto que un ordenador hable con ella.",
        "mi voz acepto",
        "no nunca jamás ningún rechazo",
    ),
}

SENTENCES = {language: sentence.text for language, sentence in _SENTENCES.items()}
"""What a person reads aloud, by language."""


def language_of(tag: str) -> str | None:
    """The language of SENTENCES that a BCP-47 tag belongs to; None when there is no sentence in it."""
    primary = tag.strip().lower().replace("_", "-").partition("-")[0]
    return primary if primary in _SENTENCES else None


def problem_with(transcript: str, language: str) -> str | None:
    """Why a transcript does not say the sentence; None when it does.

    language: of SENTENCES

    A few words may be recognised wrongly, but not those that carry the meaning, and nothing may negate it.
    """
    sentence = _SENTENCES[language]
    heard, written = _units(transcript), _units(sentence.text)
    if not heard:
        return "no words were heard in it"
    if turned := sentence.negations & set(heard):
        return f"it says {sorted(turned)[0]!r}"
    if missing := sentence.needed - set(heard):
        return f"{sorted(missing)[0]!r} was not heard in it"
    if _distance(heard, written) > MOST_WRONG * len(written):
        return "other words were heard in it"
    return None


def _units(text: str) -> list[str]:
    """Words in lower case, and Chinese characters."""
    plain = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    if not has_cjk(plain):
        plain = plain.replace("'", " ") if _is_french(plain) else plain.replace("'", "")
    return _UNIT.findall(plain)


def _is_french(text: str) -> bool:
    return bool(re.search(r"\b(?:c|j|qu|n|d|l)'", text))


def _distance(heard: list[str], written: list[str]) -> int:
    """Insertions, deletions and replacements between two sequences."""
    row = list(range(len(written) + 1))
    for place, unit in enumerate(heard, 1):
        left, row[0] = row[0], place
        for at, other in enumerate(written, 1):
            left, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, left + (unit != other))
    return row[-1]
