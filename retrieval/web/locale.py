"""`locale_of`: the language and country in which a query is asked, by its script."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Locale:
    """language: ISO 639-1, such as "zh"
    country: ISO 3166-1 in capitals, such as "CN"
    brave: Brave's name of the language, where it has one of its own
    """

    language: str
    country: str
    brave: str = ""

    @property
    def tag(self) -> str:
        """As in BCP 47: "zh-CN"."""
        return f"{self.language}-{self.country}"

    @property
    def region(self) -> str:
        """As ddgs has it: "cn-zh"."""
        return f"{self.country}-{self.language}".lower()


# The first script with a letter in the query decides; those that share letters with others come first.
_SCRIPTS = tuple(
    (re.compile(f"[{letters}]"), locale)
    for letters, locale in (
        ("\u3040-\u30ff", Locale("ja", "JP", "jp")),
        ("\uac00-\ud7af\u1100-\u11ff", Locale("ko", "KR")),
        ("們個這國灣臺說對時會來學為開關門問話買賣錢車電樣點麼誰幾歲漢語體東書長張陳劉華萬與從給讓過還後裡嗎樂愛專業發現區歷號",
         Locale("zh", "TW", "zh-hant")),
        ("\u3400-\u9fff", Locale("zh", "CN", "zh-hans")),
        ("іїєґІЇЄҐ", Locale("uk", "UA")),
        ("\u0400-\u04ff", Locale("ru", "RU")),
        ("پچژگ", Locale("fa", "IR")),
        ("\u0600-\u06ff", Locale("ar", "SA")),
        ("\u0590-\u05ff", Locale("he", "IL")),
        ("\u0370-\u03ff", Locale("el", "GR")),
        ("\u0e00-\u0e7f", Locale("th", "TH")),
        ("\u0900-\u097f", Locale("hi", "IN")),
        ("\u0980-\u09ff", Locale("bn", "BD")),
        ("\u0b80-\u0bff", Locale("ta", "IN")),
        ("\u0c00-\u0c7f", Locale("te", "IN")),
        ("ơưạảấầẩẫậắằẳẵặẹẻẽềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ", Locale("vi", "VN")),
    )
)  # fmt: skip


def locale_of(query: str) -> Locale | None:
    """The locale of a query; None in the Latin script, which many languages share."""
    return next((locale for letters, locale in _SCRIPTS if letters.search(query)), None)
