"""Chinese text as the kits for recognition normalise it: numbers as words, and no punctuation.

The rules are those of `cn_tn`, the script of the SpeechIO leaderboard that Kimi-Audio-Evalkit, lmms-eval and evalscope
carry, with its options off. They are kept with their oddities, because published figures were made with them: 2000 is
read digit by digit unless a measure word follows, and 200 is 两百.
"""

from __future__ import annotations

import re
import string
import unicodedata

DIGITS = "零一二三四五六七八九"
MEASURES = (
    "匹张座回场尾条个首网顶棵只支辆担颗墙群客打手山队单双对出口头脚板枝件贴针线管名位身堂课本页家户层丝毫厘分钱两斤寸"
    "尺丈里程升斗石盘碗碟桶笼盆盒杯锅罐瓶壶箱袋年月日季刻时周天秒旬岁世夜春夏秋冬代辈粒堆根道面片块元角毛亿万千百"
)
"""Words after which a long number is an amount."""

_NUMBER = re.compile(
    r"(?P<year>(?<!\d)(?:[089]\d|(?:19|20)\d\d)(?=年))"
    r"|(?P<digits>(?<!\d)(?:\+?86 ?)?1(?:[38]\d|5[0-35-9]|7[678]|9[89])\d{8}(?!\d)"
    r"|(?<!\d)(?:0(?:10|2[1-3]|[3-9]\d\d)-?)?[1-9]\d{6,7}(?!\d|[元块角毛分亿万千百]))"
    r"|(?P<above>\d+)/(?P<below>\d+)"
    r"|(?P<percent>\d+(?:\.\d+)?)[%％]"
    rf"|(?P<amount>\d+(?:\.\d+)?)(?=[多余几]?(?:[{MEASURES}]|[千毫微]克|[千分厘毫微]米))"
    r"|(?P<long>\d{4,32})"
    r"|(?P<number>\d+(?:\.\d+)?)"
)
_PEER = re.compile(r"([A-Za-z])二(?=[A-Za-z])")


def read_numbers(text: str) -> str:
    """The text with its numbers as Chinese words."""
    return _PEER.sub(r"\g<1>2", _NUMBER.sub(_read, text))


def without_punctuation(text: str) -> str:
    """The text with a blank for each punctuation mark."""
    marks = (" " if c in string.punctuation or unicodedata.category(c)[0] == "P" else c for c in text)
    return "".join(marks)


def _read(found: re.Match[str]) -> str:
    kind = found.lastgroup
    if kind == "below":
        return f"{_cardinal(found['below'])}分之{_cardinal(found['above'])}"
    if kind == "percent":
        return f"百分之{_cardinal(found['percent'])}"
    if kind in ("year", "digits", "long"):
        return "".join(DIGITS[int(c)] for c in found[0] if c.isdigit())
    return _cardinal(found[0])


def _cardinal(number: str) -> str:
    whole, _, decimals = number.partition(".")
    return _integer(whole) + ("点" + "".join(DIGITS[int(c)] for c in decimals) if decimals else "")


def _integer(digits: str) -> str:
    stripped = digits.lstrip("0")
    zero = "零" if len(stripped) < len(digits) else ""
    if not stripped:
        return "零"
    read = ""
    for power, unit in ((8, "亿"), (4, "万"), (0, "")):
        high, stripped = (stripped[:-power], stripped[-power:]) if power else (stripped, "")
        value = int(high or 0)
        if value >= 10_000:
            read += _integer(high) + unit
        elif value:
            gap = bool(read) and value < 1_000
            read += ("零" if gap else "") + _thousands(value) + unit
        if not stripped.strip("0"):
            break
    if read.startswith("一十"):
        read = read[1:]
    # 二 is 两 before a unit above ten, unless something stands before it in its group.
    return zero + re.sub(r"(?<![零十])二(?=[百千万亿])", "两", read)


def _thousands(value: int) -> str:
    read, gap = "", False
    for power, unit in ((1_000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = value // power % 10
        if digit:
            read += ("零" if gap and read else "") + DIGITS[digit] + unit
            gap = False
        else:
            gap = True
    return read
