"""`declined`: the answer to a request in a language that the router does not understand."""

from __future__ import annotations

import functools
import re
from typing import Any

from agentaudio.text.languages import HAN
from agentaudio.text.words import STOP_WORDS, split_words

CHINESE = "对不起，我只听得懂英语。请用英语再说一遍。"
LEAST_ENGLISH = 0.3
"""Share of English function words from which a text counts as English, whatever language was detected."""
SURE, LIKELY = 0.95, 0.6
"""Probabilities of another language. At SURE, none of 535 English requests of the benchmarks is taken for one."""

_NAMES = {
    "ar": "Arabic", "bn": "Bengali", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek", "es": "Spanish",
    "fa": "Persian", "fi": "Finnish", "fr": "French", "he": "Hebrew", "hi": "Hindi", "hu": "Hungarian",
    "id": "Indonesian", "it": "Italian", "ja": "Japanese", "ko": "Korean", "nl": "Dutch", "no": "Norwegian",
    "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sv": "Swedish", "th": "Thai",
    "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu", "vi": "Vietnamese",
}  # fmt: skip
_SCRIPTS = (
    ("ja", r"[\u3040-\u30ff]"), ("ko", r"[\uac00-\ud7af]"), ("ru", r"[\u0400-\u04ff]"),
    ("el", r"[\u0370-\u03ff]"), ("ar", r"[\u0600-\u06ff]"), ("he", r"[\u0590-\u05ff]"),
    ("hi", r"[\u0900-\u097f]"), ("th", r"[\u0e00-\u0e7f]"),
)  # fmt: skip


def declined(text: str, language: str | None, *, least: float = LIKELY) -> str | None:
    """What to say to words of another language: in Chinese to Chinese, else in English with the language's name.

    language: BCP-47 code that the recogniser detected; None when unknown. It is wrong now and then on an accent,
        so a text with enough English words counts as English.
    least: how probable the language must be, by its letters, from 0 to 1: SURE before a request is understood in
        English, LIKELY after that failed
    Returns None for English, and for a text that is too short to tell.
    """
    found = other_language(text, language, least=least)
    if found in ("zh", "yue"):
        return CHINESE
    name = _NAMES.get(found, "another language") if found is not None else None
    return None if name is None else f"I think that was {name}. I understand English only, so please ask me in English."


def other_language(text: str, language: str | None, *, least: float = LIKELY) -> str | None:
    """The code of the language of a text, such as "de"; None for English and for a text that is too short to tell.

    language, least: as for `declined`
    """
    code = (language or "").replace("_", "-").partition("-")[0].lower()
    if re.search(f"[{HAN}]", text) and not re.search(r"[\u3040-\u30ff]", text) and code in ("", "zh", "yue", "en"):
        return code if code == "yue" else "zh"
    written = next((found for found, script in _SCRIPTS if re.search(script, text)), None)
    if written is not None:
        return code if code in _NAMES else written
    return _by_letters(text, code, least)


def load_identifier() -> None:
    """Load what tells languages apart, which takes half a second. Blocks."""
    _identifier()


def _by_letters(text: str, code: str, least: float) -> str | None:
    """The language of a text in Latin letters; None for English and where it is not clear."""
    words = split_words(text)
    if len(words) < 2 or sum(word in STOP_WORDS for word in words) >= LEAST_ENGLISH * len(words):
        return None
    identifier = _identifier()
    if identifier is None:
        return code if code not in ("", "en", "zh") and least <= LIKELY else None
    found, probability = identifier.classify(text)
    if found == "en":
        return None
    if probability >= least or (found == code and probability >= LIKELY):
        return str(found)
    return code if code not in ("", "en", "zh") and least <= LIKELY else None


@functools.cache
def _identifier() -> Any:
    """The language identifier of py3langid, for the languages that have a name here; None where it is not installed."""
    try:
        from py3langid.langid import MODEL_DIR, MODEL_FILE, LanguageIdentifier
    except ImportError:
        return None
    made = LanguageIdentifier.from_modelpath(MODEL_DIR / MODEL_FILE, norm_probs=True)
    made.set_languages(["en", "zh", *_NAMES])
    return made
