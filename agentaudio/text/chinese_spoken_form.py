"""Chinese text as it is read aloud: numbers, dates, times, units and signs as characters."""

from __future__ import annotations

import re
import unicodedata

from agentaudio.text.languages import HAN

_DIGITS = "零一二三四五六七八九"
_PLACES = ("", "十", "百", "千")
_GROUPS = ("", "万", "亿", "万亿")
_WIDE = str.maketrans("０１２３４５６７８９％：．", "0123456789%:.")
_SIGNS = {
    "=": "等于", "＝": "等于", "+": "加", "＋": "加", "×": "乘", "*": "乘", "÷": "除以", "±": "正负", "&": "和",
    "≈": "约等于", "≠": "不等于", "≤": "小于等于", "≥": "大于等于", "<": "小于", ">": "大于", "√": "根号", "π": "派",
}  # fmt: skip
_UNITS = {
    "℃": "摄氏度", "°C": "摄氏度", "°F": "华氏度", "℉": "华氏度", "°": "度", "km/h": "公里每小时", "m/s": "米每秒",
    "km²": "平方公里", "m²": "平方米", "㎡": "平方米", "cm²": "平方厘米", "m³": "立方米", "km": "公里", "cm": "厘米",
    "mm": "毫米", "nm": "纳米", "m": "米", "kg": "公斤", "mg": "毫克", "g": "克", "ml": "毫升", "mL": "毫升", "L": "升",
    "l": "升", "kHz": "千赫兹", "MHz": "兆赫兹", "GHz": "吉赫兹", "Hz": "赫兹", "kWh": "千瓦时", "kW": "千瓦",
    "MW": "兆瓦",
    "W": "瓦", "V": "伏", "mAh": "毫安时", "dB": "分贝", "GB": "GB", "MB": "MB", "TB": "TB", "KB": "KB", "kcal": "千卡",
    "min": "分钟", "ms": "毫秒", "s": "秒", "h": "小时",
}  # fmt: skip
_CURRENCIES = {
    "US$": "美元", "HK$": "港元", "NT$": "新台币", "$": "美元", "＄": "美元", "€": "欧元", "£": "英镑", "¥": "元",
    "￥": "元", "₩": "韩元", "₹": "卢比", "₽": "卢布",
}  # fmt: skip
_CODES = {"USD": "美元", "EUR": "欧元", "GBP": "英镑", "CNY": "元", "RMB": "元", "JPY": "日元", "HKD": "港元"}
LONGEST_QUANTITY = 16
"""Digits of a quantity; a longer run is read digit by digit."""

_NUMBER = r"(?:\d{1,3}(?:,\d{3}){1,6}|\d+)(?:\.\d+)?"
_SCALE = r"(?:万亿|千万|百万|十亿|亿|万|千|百)"
_TO = r"\s?[-–—~～]\s?"
_COUNTED = (
    "个個位只隻本张張条條年天次座颗顆种種小分名件块塊辆輛台场場杯瓶家间間"
    "人月周斤份枚套双雙层層岁歲元角毛米里斗升秒点點万萬千亿億"
)
_CALLED = re.compile(
    r"((?:电话|電話|手机|手機|号码|號碼|拨打?|撥打?|致电|致電|热线|熱線|传真|邮编|密码|验证码|房间号|QQ|微信)"
    r"(?:号|是|为|：|:|\s){0,3})(\d{3,15})"
)
_PHONE = re.compile(
    r"(?<![\d.,])(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}(?!\d)|(?<![\d.,-])0\d{2,3}-\d{7,8}(?!\d)"
    r"|(?<![\d.,-])[48]00-\d{3}-?\d{4}(?!\d)"
)
_HOST = re.compile(
    r"(?<![\w.-])[A-Za-z0-9][\w.+-]{0,63}(?:@[\w-]{1,63})?(?:\.[A-Za-z][\w-]*)+(?:/[\w./-]*\w)?", re.ASCII
)


def chinese_spoken_form(text: str) -> str:
    """The text with numbers and signs written as characters.

    "2019年" becomes "二零一九年", "25%" becomes "百分之二十五", "3:05" becomes "三点零五分"; other characters stay.
    """
    if not text.isascii():
        text = re.sub(r"\d", lambda m: str(unicodedata.decimal(m[0])), text.translate(_WIDE))
    text = re.sub(r"\d{31,}", lambda m: _digit_by_digit(m[0]), text)
    text = _HOST.sub(_address, text)
    text = _PHONE.sub(lambda m: _digit_by_digit(m[0]), text)
    text = _CALLED.sub(lambda m: m[1] + _digit_by_digit(m[2]), text)
    text = re.sub(r"(?<!\d)(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?![\d-])", _date, text)
    text = re.sub(rf"(?<!\d)(\d{{4}}){_TO}(?=\d{{4}}年)", lambda m: _digit_by_digit(m[1]) + "到", text)
    text = re.sub(r"(?<!\d)([12]\d{3})(?=\s?年)", lambda m: _digit_by_digit(m[1]), text)
    text = re.sub(
        r"(?<!\d)(\d{2})(?=年(?!代|级|龄|前|后|后|的|来|间|里|内|以|之|多))(?=年\d{1,2}月)",
        lambda m: _digit_by_digit(m[1]),
        text,
    )
    text = re.sub(rf"(?<![\d:])(\d{{1,2}}):(\d\d)(?::(\d\d))?{_TO}(?=\d{{1,2}}:\d\d)", lambda m: _time(m) + "到", text)
    text = re.sub(r"(?<![\d:])([01]?\d|2[0-4]):([0-5]\d)(?::([0-5]\d))?(?![\d:])", _time, text)
    text = re.sub(r"(?<![\d:])(\d{1,3}):(\d{1,3})(?![\d:])", r"\1比\2", text)
    text = re.sub(r"(?<![\d.])(\d+(?:\.\d+){2,})(?![\d.])", lambda m: "点".join(map(_part, m[1].split("."))), text)
    text = re.sub(
        r"(?<![\d/.])(\d{1,4})/(\d{1,4})(?![\d/.])",
        lambda m: f"{number_characters(m[2])}分之{number_characters(m[1])}",
        text,
    )
    text = re.sub(
        rf"({_NUMBER})\s?(%)?{_TO}({_NUMBER})\s?%",
        lambda m: f"{_percent(m[1])}到{_percent(m[3]) if m[2] else _percent(m[3])}",
        text,
    )
    text = re.sub(rf"(?<![A-Za-z\d.])[-−]({_NUMBER})\s?%", lambda m: "负" + _percent(m[1]), text)
    text = re.sub(rf"({_NUMBER})\s?%", lambda m: _percent(m[1]), text)
    text = re.sub(rf"({_NUMBER})\s?‰", lambda m: "千分之" + number_characters(m[1]), text)
    text = re.sub(rf"(?<![A-Za-z0-9.])[-−](?={_NUMBER}\s?(?:℃|°C|℉|°F|度))", "零下", text)
    text = re.sub(rf"(?<![A-Za-z0-9.])[-−](?={_NUMBER})", "负", text)
    money = "|".join(sorted(map(re.escape, _CURRENCIES), key=len, reverse=True))
    text = re.sub(rf"({_NUMBER}){_TO}(?=(?:{money})?{_NUMBER})", r"\1到", text)
    text = re.sub(rf"(?:{money})\s?{_NUMBER}到\s?(?:{money})?{_NUMBER}\s?{_SCALE}?", _money_range, text)
    text = re.sub(rf"({money})\s?({_NUMBER})\s?({_SCALE})?", lambda m: _amount(m[2], m[3], _CURRENCIES[m[1]]), text)
    text = re.sub(
        rf"({_NUMBER})\s?({_SCALE})?\s?({'|'.join(_CODES)})(?![A-Za-z])",
        lambda m: _amount(m[1], m[2], _CODES[m[3]]),
        text,
    )
    units = "|".join(sorted(map(re.escape, _UNITS), key=len, reverse=True))
    text = re.sub(rf"({_NUMBER})\s?({units})(?![A-Za-z²³])", lambda m: _measure(m[1]) + _UNITS[m[2]], text)
    text = re.sub(r"(?<=\d)\s?[xX]\s?(?=\d)", "乘", text)
    text = re.sub(rf"(?<=[{HAN}])#(?=\d)|(?<!\w)#(?=\d)", "第", text)
    for sign, word in _SIGNS.items():
        text = re.sub(rf"\s?{re.escape(sign)}(?![A-Za-z])\s?", word, text)
    text = re.sub(r"(?<=第)\d+", lambda m: number_characters(m[0]), text)
    text = re.sub(r"(?<=[A-Za-z]-)0\d+|(?<=[A-Za-z])0\d+", lambda m: _digit_by_digit(m[0]), text)
    # Two of something that is counted is 两.
    text = re.sub(rf"(?<![\d.,月])2(?=[{_COUNTED}])(?!月)(?!年级|分之|月|点[零一二三四五六七八九\d]|十)", "两", text)
    text = re.sub(r"(?<!\d)([1-9]0)(?=年代)", lambda m: number_characters(m[1]), text)
    return re.sub(_NUMBER, lambda m: number_characters(m[0]), text)


def number_characters(number: str) -> str:
    """A number in digits, with or without commas and a point, as characters: "21,000" becomes "两万一千"."""
    whole, _, digits = number.replace(",", "").partition(".")
    said = (
        _digit_by_digit(whole) if len(whole) > LONGEST_QUANTITY or whole[:1] == "0" != whole else _quantity(int(whole))
    )
    return said + ("点" + _digit_by_digit(digits) if digits else "")


def _quantity(value: int) -> str:
    if value == 0:
        return _DIGITS[0]
    groups: list[str] = []
    gap = False
    for number in range(len(_GROUPS) - 1, -1, -1):
        group = value // 10_000**number % 10_000
        if not group:
            gap = bool(groups)
            continue
        zero = groups and (gap or group < 1000)
        words = _four(group)
        if group == 2 and number:
            words = "两"
        groups.append(("零" if zero else "") + words + _GROUPS[number])
        gap = False
    said = "".join(groups)
    return said[1:] if said.startswith("一十") else said


def _four(value: int) -> str:
    said, gap = "", False
    for place in range(3, -1, -1):
        digit = value // 10**place % 10
        if digit == 0:
            gap = bool(said)
            continue
        name = "两" if digit == 2 and place == 3 else _DIGITS[digit]
        said += ("零" if gap else "") + name + _PLACES[place]
        gap = False
    return said


def _digit_by_digit(digits: str) -> str:
    return "".join(_DIGITS[int(digit)] for digit in digits if digit in "0123456789")


def _part(digits: str) -> str:
    return number_characters(digits) if len(digits) < 3 else _digit_by_digit(digits)


def _percent(number: str) -> str:
    return "百分之" + number_characters(number)


def _measure(number: str) -> str:
    return "两" if number == "2" else number_characters(number)


def _address(match: re.Match[str]) -> str:
    """An e-mail address, host or file name with its signs as characters; its digits are read one by one."""
    words = (
        match[0].replace(".", "点").replace("@", "艾特").replace("/", "斜杠").replace("_", "下划线").replace("-", "杠")
    )
    return re.sub(r"\d+", lambda digits: _digit_by_digit(digits[0]), words)


def _date(match: re.Match[str]) -> str:
    year, month, day = match.groups()
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
        return match[0]
    return f"{_digit_by_digit(year)}年{_quantity(int(month))}月{_quantity(int(day))}日"


def _time(match: re.Match[str]) -> str:
    hour, minute, second = int(match[1]), int(match[2]), int(match[3] or 0)
    said = f"{'两' if hour == 2 else _quantity(hour)}点"
    if minute or second:
        said += f"{'零' if minute < 10 else ''}{_quantity(minute) if minute else ''}分"
    if second:
        said += f"{'零' if second < 10 else ''}{_quantity(second)}秒"
    return said


def _amount(number: str, scale: str | None, currency: str) -> str:
    return f"{_measure(number) if not scale else number_characters(number)}{scale or ''}{currency}"


def _money_range(match: re.Match[str]) -> str:
    signs = re.match(r"[^\d]+", match[0])
    currency = _CURRENCIES[signs[0].strip()] if signs else ""
    first, second = re.findall(_NUMBER, match[0])
    scale = re.search(f"{_SCALE}$", match[0])
    return f"{number_characters(first)}到{number_characters(second)}{scale[0] if scale else ''}{currency}"
