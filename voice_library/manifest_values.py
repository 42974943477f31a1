"""`normalised`: values of a manifest as a card has them, from the ways in which corpora write them."""

from __future__ import annotations

import re
from typing import Any

_GENDERS = {
    "female": "female f woman w girl feminine female_feminine weiblich femme mujer femenino 女 女性 女声",
    "male": "male m man boy masculine male_masculine männlich homme hombre masculino 男 男性 男声",
    "neutral": "neutral n nonbinary non-binary other",
}
_AGES = {
    "child": "child kid children",
    "young": "young teens teenager twenties youth",
    "adult": "adult thirties fourties forties fifties middle-aged",
    "old": "old elderly senior sixties seventies eighties nineties",
}
_BASES = {name: name for name in ("speaker", "licence", "synthetic")} | {"licence": "licence license"}
# The codes of ISO 639-1, each with those of ISO 639-2 and 639-3 and its names.
_LANGUAGES = {
    "af": "afr afrikaans", "am": "amh amharic", "ar": "ara arb arabic العربية", "as": "asm assamese",
    "az": "aze azerbaijani", "be": "bel belarusian", "bg": "bul bulgarian", "bn": "ben bengali bangla",
    "bo": "bod tib tibetan", "br": "bre breton", "bs": "bos bosnian", "ca": "cat catalan català",
    "cs": "ces cze czech čeština", "cy": "cym wel welsh cymraeg", "da": "dan danish dansk",
    "de": "deu ger german deutsch", "el": "ell gre greek ελληνικά", "en": "eng english", "eo": "epo esperanto",
    "es": "spa spanish castilian español", "et": "est ekk estonian eesti", "eu": "eus baq basque euskara",
    "fa": "fas per pes persian farsi فارسی", "fi": "fin finnish suomi", "fil": "filipino tagalog tl tgl",
    "fo": "fao faroese", "fr": "fra fre french français", "ga": "gle irish gaeilge", "gl": "glg galician galego",
    "gu": "guj gujarati", "ha": "hau hausa", "haw": "hawaiian", "he": "heb iw hebrew עברית", "hi": "hin hindi हिन्दी",
    "hr": "hrv croatian hrvatski", "ht": "hat haitian", "hu": "hun hungarian magyar", "hy": "hye arm armenian",
    "id": "ind indonesian", "ig": "ibo igbo", "is": "isl ice icelandic", "it": "ita italian italiano",
    "ja": "jpn japanese 日本語", "jv": "jav javanese", "ka": "kat geo georgian", "kk": "kaz kazakh",
    "km": "khm khmer", "kn": "kan kannada", "ko": "kor korean 한국어", "ku": "kur kurdish", "ky": "kir kyrgyz",
    "la": "lat latin", "lb": "ltz luxembourgish", "lg": "lug ganda luganda", "ln": "lin lingala", "lo": "lao",
    "lt": "lit lithuanian", "lv": "lav lvs latvian", "mg": "mlg malagasy", "mi": "mri mao maori",
    "mk": "mkd mac macedonian", "ml": "mal malayalam", "mn": "mon mongolian", "mr": "mar marathi",
    "ms": "msa may zsm malay", "mt": "mlt maltese", "my": "mya bur burmese", "ne": "nep npi nepali",
    "nl": "nld dut dutch flemish nederlands", "nn": "nno nynorsk", "no": "nor norwegian norsk", "nb": "nob bokmål",
    "oc": "oci occitan", "or": "ori ory odia oriya", "pa": "pan punjabi panjabi", "pl": "pol polish polski",
    "ps": "pus pashto", "pt": "por portuguese português", "ro": "ron rum romanian română", "ru": "rus russian русский",
    "rw": "kin kinyarwanda", "sa": "san sanskrit", "sd": "snd sindhi", "si": "sin sinhala", "sk": "slk slo slovak",
    "sl": "slv slovenian slovene", "sn": "sna shona", "so": "som somali", "sq": "sqi alb albanian",
    "sr": "srp serbian", "st": "sot sotho", "su": "sun sundanese", "sv": "swe swedish svenska", "sw": "swa swh swahili",
    "ta": "tam tamil", "te": "tel telugu", "tg": "tgk tajik", "th": "tha thai", "tk": "tuk turkmen",
    "tn": "tsn tswana", "tr": "tur turkish türkçe", "tt": "tat tatar", "ug": "uig uyghur uighur",
    "uk": "ukr ukrainian українська", "ur": "urd urdu", "uz": "uzb uzbek", "vi": "vie vietnamese",
    "wo": "wol wolof", "xh": "xho xhosa", "yi": "yid yiddish", "yo": "yor yoruba", "yue": "cantonese 粤语",
    "zh": "zho chi cmn chinese mandarin putonghua 中文 普通话 汉语", "zu": "zul zulu",
}  # fmt: skip
_NAMES = {
    field: {name: value for value, names in table.items() for name in names.split()}
    for field, table in (
        ("gender", _GENDERS),
        ("age", _AGES),
        ("language", _LANGUAGES),
        ("consent_basis", _BASES),
    )  # fmt: skip
}
_TAG = re.compile(r"([a-zA-Z]{2,3})(?:[-_]([a-zA-Z]{4}))?(?:[-_]([a-zA-Z]{2}|\d{3}))?")


def normalised(field: str, value: Any) -> Any:
    """The value of a column. Unknown values stay as they are, for the card to accept or refuse.

    "Male" and "M" are `male`, "twenties" and "24" are `young`, "English" and "eng" are `en`, "en_us" is `en-US`.
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
    language = _NAMES["language"].get(language.lower(), language.lower())
    return "-".join(part for part in (language, script and script.title(), region and region.upper()) if part)
