"""Chinese text as it is read aloud: numbers, dates, times, units and signs as characters."""

from __future__ import annotations

import re

_DIGITS = "零一二三四五六七八九"
_PLACES = ("", "十", "百", "千")
_GROUPS = ("", "万", "亿", "万亿")
_SIGNS = {
    "=": "等于", "+": "加", "×": "乘", "*": "乘", "÷": "除以", "±": "正负", "&": "和", "≈": "约等于", "<": "小于",
    ">": "大于", "@": "艾特", "°C": "摄氏度", "℃": "摄氏度", "km/h": "公里每小时", "km": "公里", "kg": "公斤",
    "cm": "厘米", "mm": "毫米", "m²": "平方米",
}  # fmt: skip
LONGEST_QUANTITY = 16
"""Digits of a quantity; a longer run is read digit by digit."""

_NUMBER = r"\d+(?:,\d{3})*(?:\.\d+)?"


def chinese_spoken_form(text: str) -> str:
    """The text with numbers and signs written as characters.

    "2019年" becomes "二零一九年", "25%" becomes "百分之二十五", "3:05" becomes "三点零五分"; other characters stay.
    """
    text = re.sub(r"(?<!\d)(\d{4})(?=年)", lambda m: _digit_by_digit(m[1]), text)
    text = re.sub(r"(?<!\d)(\d{1,2}):(\d\d)(?::\d\d)?(?!\d)", _time, text)
    text = re.sub(rf"({_NUMBER})\s?[%％]", lambda m: "百分之" + number_characters(m[1]), text)
    text = re.sub(rf"(?<![A-Za-z0-9.])[-−](?={_NUMBER})", "负", text)
    text = re.sub(rf"({_NUMBER})\s?[-–—~～]\s?(?={_NUMBER})", r"\1到", text)
    text = re.sub(rf"([$€£¥￥])\s?({_NUMBER})", _money, text)
    for sign in sorted(_SIGNS, key=len, reverse=True):
        edge = r"(?<=\d)\s?" if sign[0].isalpha() else r"\s?"
        text = re.sub(rf"{edge}{re.escape(sign)}(?![A-Za-z])\s?", _SIGNS[sign], text)
    text = re.sub(r"(?<=第)\d+", lambda m: number_characters(m[0]), text)
    # Two of something that is counted is 两.
    text = re.sub(r"(?<![\d.])2(?=[个位只本张条年天次座颗种小分])", "两", text)
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
    return "".join(_DIGITS[int(digit)] for digit in digits)


def _time(match: re.Match[str]) -> str:
    hour, minute = int(match[1]), int(match[2])
    if minute == 0:
        return f"{_hour(hour)}点"
    return f"{_hour(hour)}点{'零' if minute < 10 else ''}{_quantity(minute)}分"


def _hour(hour: int) -> str:
    return "两" if hour == 2 else _quantity(hour)


def _money(match: re.Match[str]) -> str:
    return number_characters(match[2]) + {"$": "美元", "€": "欧元", "£": "英镑"}.get(match[1], "元")
