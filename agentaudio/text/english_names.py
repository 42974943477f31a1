"""Addresses, file names, abbreviations, versions and Roman numerals in English text as words."""

from __future__ import annotations

import re

from agentaudio.text.english_numbers import after, before, digit_by_digit, say
from agentaudio.text.english_units import (
    AFTER_NAMES,
    ANYWHERE,
    BEFORE_NAMES,
    BEFORE_NUMBERS,
    NUMBERED,
    RULERS,
    TITLES,
    UNITS,
    WHOLE_WORDS,
)
from agentaudio.text.numbers import number_words, ordinal_words

_DOMAINS = (
    "com|org|net|edu|gov|mil|int|io|ai|app|dev|info|biz|xyz|tech|shop|online|site|cloud|blog|news|tv|fm|gg|co|me|us|uk|de|"
    "fr|es|it|nl|be|ch|at|se|no|dk|fi|pl|pt|cz|ie|eu|ca|au|nz|cn|jp|kr|in|br|mx|ru|ua|za|sg|hk|tw|ly|museum|example|test|local"
)
_FILES = (
    "pdf|txt|md|csv|tsv|json|jsonl|ya?ml|toml|ini|cfg|xml|html?|css|jsx?|tsx?|py|ipynb|rb|rs|go|java|kt|c|cc|cpp|h|hpp|cs|"
    "sh|bat|ps1|sql|db|log|zip|gz|tar|rar|7z|exe|dll|so|deb|rpm|dmg|iso|bin|png|jpe?g|gif|svg|webp|bmp|tiff?|mp3|mp4|wav|"
    "flac|ogg|opus|m4a|avi|mkv|mov|webm|docx?|xlsx?|pptx?|odt|rtf|epub|env|lock|onnx|php|swift|lua|vue|R"
)
_EMAIL = re.compile(r"(?<![\w.+@-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_HOST = re.compile(
    rf"(?<![\w.@/-])(?:[A-Za-z0-9][\w-]{{0,62}}\.){{1,8}}(?:{_DOMAINS})(?![\w@-]|\.\w)(?::\d{{1,5}})?(?:/[\w./~%+-]*[\w/])?"
)
_PATH = re.compile(
    rf"(?<![\w/.)])(?:(?:~|\.\.?)?(?:/[\w.-]*\w){{2,40}}/?|/[\w.-]*\w/?|(?:[\w-][\w.-]*/){{1,40}}[\w-]+(?:\.[\w-]+)*\.(?:{_FILES})"
    r"|[A-Z]:(?:\\[\w.-]+)+)(?![\w/])"
)
_FILE = re.compile(rf"(?<![\w./@-])\.?[\w-]{{1,80}}(?:\.[\w-]{{1,40}}){{0,4}}\.(?:{_FILES})(?![\w-]|\.\w)")
_ADDRESS = re.compile(r"(?<![\d.])(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?::(\d{1,5}))?(?![\d.]*\d)")
_VERSION = re.compile(
    r"(?<![\w.])(?!\d\d?\.\d\d?\.(?:19|20)\d\d(?!\d))(?:([vV])(?:ersion )?)?(\d{1,6}(?:\.\d{1,6}){2,5})(?![\w]|\.\d)"
)
_V_NUMBER = re.compile(r"(\b[Vv]ersion )?(?<![\w.])[vV](\d{1,4}(?:\.\d{1,4})?)(?![\w]|\.\d)")
_BOOKS = (
    "Genesis|Exodus|Leviticus|Numbers|Deuteronomy|Joshua|Judges|Ruth|Samuel|Kings|Chronicles|Ezra|Nehemiah|Esther|Job|"
    "Psalms?|Proverbs|Ecclesiastes|Song of Songs|Isaiah|Jeremiah|Lamentations|Ezekiel|Daniel|Hosea|Joel|Amos|Obadiah|"
    "Jonah|Micah|Nahum|Habakkuk|Zephaniah|Haggai|Zechariah|Malachi|Matthew|Mark|Luke|John|Acts|Romans|Corinthians|"
    "Galatians|Ephesians|Philippians|Colossians|Thessalonians|Timothy|Titus|Philemon|Hebrews|James|Peter|Jude|"
    "Revelation|Quran|Qur'an|Koran|Surah?"
)
_VERSE = re.compile(rf"\b({_BOOKS}) (\d{{1,3}}):(\d{{1,3}})(?!:?\d| ?[ap]\.?m)")
_ROMAN = re.compile(r"(?<![\w'’-])((?:[A-Z][\w'’.]{0,40}|[a-z]{1,40})) ([IVXLC]{1,8})(?![\w'’-]|\.[A-Za-z])")
_VALID_ROMAN = re.compile(r"(?=[IVXLC])(?:C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")
_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}
_NOT_ROMAN = frozenset(
    {"I", "C", "CC", "CI", "CL", "CV", "XL", "XX", "L", "LI", "X", "V", "D", "M", "IV", "IC", "LC", "XC"}
)
"""Numerals that are letters or abbreviations, except after a word of NUMBERED or a ruler's name."""


def with_names(text: str) -> str:
    """The text with addresses, files, versions, Roman numerals and abbreviations as words."""
    text = _EMAIL.sub(lambda m: _spelt(m[0], path=False), text)
    text = _HOST.sub(lambda m: _spelt(m[0], path=True), text)
    text = _PATH.sub(lambda m: _spelt(m[0], path=True), text)
    text = _FILE.sub(lambda m: _spelt(m[0], path=True), text)
    text = _ADDRESS.sub(_network_address, text)
    text = _VERSION.sub(lambda m: ("version " if m[1] else "") + " point ".join(map(_number, m[2].split("."))), text)
    text = _V_NUMBER.sub(lambda m: f"{m[1] or 'version '}{say(m[2])}", text)
    text = re.sub(r"(?<![\w.])\.(?=[A-Z]{2,8}\b)", "dot ", text)  # .NET
    text = re.sub(r"(?<=\d)\.(?=[xX]\b)", " point ", text)  # 18.x
    text = re.sub(
        r"(?<!\w)([b-df-hj-np-tv-xz]{2,4})(?=\d)(?!h?\d+[a-z]{2})", lambda m: " ".join(m[1].upper()) + " ", text
    )
    text = _VERSE.sub(lambda m: f"{m[1]} {say(m[2])} {say(m[3])}", text)
    text = re.sub(r"\b(Boeing|Airbus) ((?:[A-Z]?)\d{3})-(?=\d)", r"\1 \2 ", text)
    text = re.sub(r"(?<=[^\W\d_])_+(?=[^\W_])|(?<=\d)_+(?=[^\W\d_])", " ", text)
    text = _ROMAN.sub(_roman, text)
    text = re.sub(r"\b([XVI]{1,6})(?:th|st|nd|rd)?(?= [Cc]entur(?:y|ies)\b)", _century, text)
    return _abbreviations(text)


def _spelt(address: str, *, path: bool) -> str:
    """An address or a file name with its signs as words."""
    if address.startswith("."):
        address = " dot " + address[1:] if address[1:2].isalnum() else address
    words = (
        re.sub(r"\.(?=\w)", " dot ", address).replace("@", " at ").replace("/", " slash ").replace("\\", " backslash ")
    )
    words = words.replace(":", " colon ").replace("~", " tilde ").replace("+", " plus ").replace("%", " percent ")
    words = words.replace("_", " " if path else " underscore ").replace("-", " " if path else " dash ")
    return " ".join(words.split())


def _network_address(match: re.Match[str]) -> str:
    parts = match.groups()[:4]
    if any(int(part) > 255 for part in parts):
        return " point ".join(map(_number, parts))
    port = f" port {_number(match[5])}" if match[5] else ""
    return " dot ".join(map(digit_by_digit, parts)) + port


def _number(digits: str) -> str:
    return say(digits)


def _roman(match: re.Match[str]) -> str:
    word, numeral = match.groups()
    if not _VALID_ROMAN.fullmatch(numeral):
        return match[0]
    value = _value(numeral)
    earlier = before(match).split()[-2:]
    if word in RULERS or (word[0].isupper() and TITLES.intersection(earlier) and len(numeral) > 1):
        if numeral == "I" and re.match(r" (?:am|was|have|had|will|would|think|know|[a-z]+ed)\b", after(match)):
            return match[0]
        return f"{word} the {ordinal_words(value)}"
    if word.lower() in NUMBERED and not (numeral == "I" and word.islower()):
        return f"{word} {number_words(value)}"
    if word[0].isupper() and len(numeral) > 1 and numeral not in _NOT_ROMAN:
        return f"{word} {number_words(value)}"
    return match[0]


def _value(numeral: str) -> int:
    values = [_ROMAN_VALUES[letter] for letter in numeral]
    return sum(-one if one < following else one for one, following in zip(values, [*values[1:], 0], strict=True))


def _century(match: re.Match[str]) -> str:
    return ordinal_words(_value(match[1])) if _VALID_ROMAN.fullmatch(match[1]) else match[0]


_TITLE = re.compile(rf"(?<![\w.])({'|'.join(BEFORE_NAMES)})\.(?= ?[A-Z])")
_INITIALS = re.compile(r"(?<![\w.])(?:(?:[A-Z]\.){2,8}|Ph\.D\.|[BM]\.Sc\.|[BM]\.Ed\.|M\.Phil\.|LL\.[BM]\.)(?![\w])")
_LAST = re.compile(rf"(?<=[\w,] )({'|'.join(AFTER_NAMES)})\.")
_COUNTED = re.compile(rf"(?<![\w.])({'|'.join(sorted(BEFORE_NUMBERS, key=len, reverse=True))})\. ?(?=\(?[\d#IVXLC])")
_SHORT = re.compile("|".join(rf"(?<![\w.]){re.escape(short)}" for short in sorted(ANYWHERE, key=len, reverse=True)))
_WHOLE = re.compile(
    "|".join(rf"(?<![\w./]){re.escape(short)}(?![\w/])" for short in sorted(WHOLE_WORDS, key=len, reverse=True))
)


def _abbreviations(text: str) -> str:
    text = re.sub(r"(?:\bNo\. ?|(?<!\w)#)(?=\d)", "number ", text)
    text = re.sub(r"\b(pp?|c|ca|ch|vol|fig|ext)\. ?(?=\d)", lambda m: f"{BEFORE_NUMBERS[m[1]]} ", text)
    text = _COUNTED.sub(lambda m: f"{BEFORE_NUMBERS[m[1]]} ", text)
    text = _TITLE.sub(_title, text)
    text = _INITIALS.sub(_initials, text)
    text = _LAST.sub(lambda m: AFTER_NAMES[m[1]] + _stop(m), text)
    text = re.sub(r"(?<![\w.])(Mr|Mrs|Ms|Dr|Prof)\.?(?= (?:and|or|&) )", lambda m: BEFORE_NAMES[m[1]], text)
    text = re.sub(r"(?<![\w.])(Mr|Mrs|Ms|Dr)(?= [A-Z][a-z])", lambda m: BEFORE_NAMES[m[1]], text)
    text = _SHORT.sub(_short, text)
    return _WHOLE.sub(lambda m: WHOLE_WORDS[m[0]], text)


def _title(match: re.Match[str]) -> str:
    """A title before a name; after a name "St." and "Dr." are streets."""
    if match[1] in AFTER_NAMES and re.search(r"[A-Z]\w* \Z", before(match)):
        earlier = before(match).split()
        if re.search(r"\d", " ".join(earlier[-3:])) or earlier[-1] in ("Main", "High", "Wall", "Baker", "Downing"):
            return AFTER_NAMES[match[1]] + _stop(match)
    return BEFORE_NAMES[match[1]]


def _initials(match: re.Match[str]) -> str:
    """Letters with full stops, such as "U.S." and "Ph.D.", one by one."""
    parts = match[0].split(".")[:-1]
    said = " ".join(" ".join(part.upper()) if part in ("Ph", "LL") else part for part in parts)
    return said + _stop(match)


def _short(match: re.Match[str]) -> str:
    if match[0].removesuffix(".") in UNITS and re.search(r"\d[ -]?\Z", before(match)):
        return match[0]
    return ANYWHERE[match[0]] + _stop(match)


def _stop(match: re.Match[str]) -> str:
    """The full stop of an abbreviation that ends the sentence."""
    later = after(match)
    return "." if not later.strip() or re.match(r"[\"')\]]*\s+[A-Z](?:[a-z]|\s)", later) else ""
