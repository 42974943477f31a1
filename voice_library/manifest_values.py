"""`normalised`: values of a manifest as a card has them, from the ways in which corpora write them."""

from __future__ import annotations

import re
from typing import Any

_GENDERS = {
    "female": "female f woman w girl weiblich female_feminine", "male": "male m man boy männlich male_masculine",
    "neutral": "neutral n nonbinary non-binary other",
}  # fmt: skip
_AGES = {
    "child": "child kid children", "young": "young teens teenager twenties youth", "old": "old elderly senior sixties "
    "seventies eighties nineties", "adult": "adult thirties fourties forties fifties middle-aged",
}  # fmt: skip
_LANGUAGES = {
    "ar": "arabic", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german deutsch", "el": "greek",
    "en": "english", "es": "spanish español", "fa": "persian farsi", "fi": "finnish", "fr": "french français",
    "he": "hebrew", "hi": "hindi", "hu": "hungarian", "id": "indonesian", "it": "italian italiano", "ja": "japanese",
    "ko": "korean", "nl": "dutch", "no": "norwegian", "pl": "polish", "pt": "portuguese", "ro": "romanian",
    "ru": "russian", "sv": "swedish", "sw": "swahili", "th": "thai", "tr": "turkish", "uk": "ukrainian", "ur": "urdu",
    "vi": "vietnamese", "zh": "chinese mandarin 中文", "yue": "cantonese",
}  # fmt: skip
_NAMES = {
    field: {name: value for value, names in table.items() for name in names.split()}
    for field, table in (("gender", _GENDERS), ("age", _AGES), ("language", _LANGUAGES))
}
_TAG = re.compile(r"([a-zA-Z]{2,3})(?:[-_]([a-zA-Z]{4}))?(?:[-_]([a-zA-Z]{2}|\d{3}))?")


def normalised(field: str, value: Any) -> Any:
    """The value of a field of a card. Unknown values stay as they are, for the card to accept or refuse.

    "Male" and "M" are `male`, "twenties" and "24" are `young`, "English" is `en`, "en_us" is `en-US`.
    """
    if field not in _NAMES or not isinstance(value, str | int):
        return value
    text = str(value).strip()
    known = _NAMES[field].get(text.casefold())
    if known is not None:
        return known
    if field == "age" and text.isdigit() and len(text) <= 3:
        years = int(text)
        return "child" if years < 13 else "young" if years < 30 else "adult" if years < 60 else "old"
    tag = _TAG.fullmatch(text) if field == "language" else None
    if tag is None:
        return text
    language, script, region = tag.groups()
    return "-".join(part for part in (language.lower(), script and script.title(), region and region.upper()) if part)
