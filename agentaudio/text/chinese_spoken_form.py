"""Chinese text as it is read aloud: numbers, dates, times, units and signs as characters."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

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
    "km²": "平方公里", "m²": "平方米", "㎡": "平方米", "cm²": "平方厘米", "m³": "立方米",
    "µg/m³": "微克每立方米", "μg/m³": "微克每立方米", "mg/m³": "毫克每立方米",
    "kg/m³": "千克每立方米", "g/cm³": "克每立方厘米", "mg/L": "毫克每升", "mmol/L": "毫摩尔每升", "mmHg": "毫米汞柱",
    "µm": "微米", "μm": "微米", "µg": "微克", "μg": "微克", "km": "公里", "cm": "厘米",
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
    r"((?:电话|電話|手机|手機|号码|號碼|拨打?|撥打?|致电|致電|热线|熱線|传真|邮编|密码|验证码|房间号|QQ|微信|ISBN(?:-1[03])?|ISSN|"
    r"书号|書號|条形码|订单号|訂單號|单号|卡号|卡號|账号|帐号|帳號|编号|編號|学号|工号|证号|序列号|身份证|流水号|尾号|短信|"
    r"(?<=打))(?:号码|号|是|为|：|:|\s){0,3})([A-Z]{0,4}\d(?:[- ]?[\dX]){2,33})(?![\dA-Za-z])"
)
_SERVICE = re.compile(
    r"(?<![\d.,])(1(?:10|19|20|22)(?=(?:报警|急救|火警|电话|热线|指挥|[接出]警|救护))|(?:95|96|12|10|11)\d{3}(?=(?:订票|客服|热线|投诉|电话|"
    r"咨询|短信|平台|转|服务)))"
)
_SCORE = re.compile(
    r"((?:比分|以|总分|大比分)(?:是|为|：|:|的|\s){0,2})(\d{1,3})\s?[-–—]\s?(\d{1,3})(?![\d-])"
    r"|(?<![\d.-])(\d{1,3})\s?[-–—]\s?(\d{1,3})(?=(?:获胜|战胜|击败|险胜|领先|落后|取胜|逆转|大胜|战平|打平|负于|不敌|完胜|横扫|淘汰|告负))"
)
_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_LETTER_SCALES = {"K": 1_000, "k": 1_000, "M": 1_000_000, "m": 1_000_000, "B": 10**9, "b": 10**9, "bn": 10**9}
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
        text = re.sub(r"[₀-₉]+", lambda m: m[0].translate(_SUBSCRIPTS), text)
        text = re.sub(r"\d", lambda m: str(unicodedata.decimal(m[0])), text.translate(_WIDE))
    text = re.sub(r"\d{31,}", lambda m: _digit_by_digit(m[0]), text)
    text = _HOST.sub(_address, text)
    text = _with_formulae(text)
    text = _with_codes(text)
    text = re.sub(r"(?<!\d)(20\d\d|19\d\d)(?=Q[1-4](?!\d))", lambda m: _digit_by_digit(m[1]), text)
    text = _SERVICE.sub(lambda m: _digit_by_digit(m[1]), text)
    text = _SCORE.sub(_score, text)
    text = _PHONE.sub(lambda m: _digit_by_digit(m[0]), text)
    text = _CALLED.sub(lambda m: m[1] + _spelt(m[2]), text)
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
    text = re.sub(r"(?<![\d:])(\d{1,7}):(\d{1,12})(?![\d:])", r"\1比\2", text)
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
    text = re.sub(rf"({money})\s?({_NUMBER})\s?(bn|[KkMmBb])(?![A-Za-z])", _lettered_amount, text)
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
        text = re.sub(rf"\s?{re.escape(sign)}(?![A-Za-z])\s?|(?<=[{HAN}\d)）]){re.escape(sign)}", word, text)
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


def _spelt(code: str) -> str:
    """The digits and letters of a code, one by one."""
    return "".join(_DIGITS[int(sign)] if sign in "0123456789" else sign.upper() for sign in code if sign.isalnum())


def _with_codes(text: str) -> str:
    """The text with hashes, unique ids, colours and tactics such as 4-4-2 digit by digit."""
    text = re.sub(
        r"(?<![\w.#-])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![\w-])", lambda m: _spelt(m[0]), text, flags=re.A
    )
    text = re.sub(
        r"(?<![A-Za-z0-9_./-])#?(?:[0-9a-f]{6,64}|[0-9A-F]{6,64})(?![A-Za-z0-9_-])",
        lambda m: _spelt(m[0]) if len(re.findall(r"\d[a-fA-F]|[a-fA-F]\d", m[0])) > 1 or m[0][0] == "#" else m[0],
        text,
    )
    return re.sub(
        r"(?<![\d.-])\d(?:-\d){2,4}(?=\s?(?:阵型|陣型|战术|阵容|站位))", lambda m: _digit_by_digit(m[0]), text
    )


def _score(match: re.Match[str]) -> str:
    before, first, second = (match[1], match[2], match[3]) if match[2] else ("", match[4], match[5])
    return f"{before}{number_characters(first)}比{number_characters(second)}"


def _lettered_amount(match: re.Match[str]) -> str:
    """ "$3.5M" in the scales of Chinese: 三百五十万美元."""
    sign, number, scale = match.groups()
    value = Decimal(number.replace(",", "")) * _LETTER_SCALES[scale]
    return f"{_scaled(value)}{_CURRENCIES[sign]}"


def _scaled(value: Decimal) -> str:
    for size, name in ((10**8, "亿"), (10**4, "万")):
        if value >= size:
            return f"{number_characters(f'{(value / size).normalize():f}')}{name}"
    return number_characters(f"{value.normalize():f}")


def _with_formulae(text: str) -> str:
    """The text with angles, powers, factorials and differences as characters."""
    text = re.sub(
        r"(?<![\d.])(\d{1,3})\s?[°º]\s?(\d{1,2}(?:\.\d+)?)\s?[′'’](?:\s?(\d{1,2}(?:\.\d+)?)\s?[″\"”])?", _angle, text
    )
    text = re.sub(r"(?<![\d.])(\d{1,3})\s?[′’]\s?(\d{1,2}(?:\.\d+)?)\s?[″”]", r"\1分\2秒", text)
    text = re.sub(r"(?<=[A-Za-z\d)）])([⁻⁰¹²³⁴-⁹]+)(?![A-Za-z])(?<![A-Za-z/\d]m[²³])", _power, text)
    text = re.sub(r"(?<=[A-Za-z\d)）])\^\(?(-?(?:\d+|[a-z]))\)?", _power, text)
    text = re.sub(
        r"(?<![\w.])(\d+(?:\.\d+)?)[eE]([+-]?)(\d{1,3})(?![A-Za-z\d])",
        lambda m: f"{m[1]}乘十的{'负' if m[2] == '-' else ''}{number_characters(m[3])}次方",
        text,
    )
    text = re.sub(r"(\d|[A-Za-z])!(?=\s?[=＝+*/×÷)-])", r"\1的阶乘", text)
    text = re.sub(r"(?<![\w|])\|(-?[\w.]{1,12})\|(?![\w|])", r"\1的绝对值", text)
    text = re.sub(
        rf"({_NUMBER}|[A-Za-z])\s?[-−–]\s?(?=(?:{_NUMBER}|[A-Za-z])(?:\s?[-+−×÷*/]\s?(?:{_NUMBER}|[A-Za-z])){{0,5}}\s?[=＝])",
        r"\1减",
        text,
    )
    return re.sub(r"(血压|血壓)((?:是|为|：|:|\s){0,2})(\d{2,3})/(\d{2,3})(?!\d)", r"\1\2\3比\4", text)


def _angle(match: re.Match[str]) -> str:
    seconds = f"{number_characters(match[3].lstrip('0') or '0')}秒" if match[3] else ""
    return f"{number_characters(match[1])}度{number_characters(match[2].lstrip('0') or '0')}分{seconds}"


def _power(match: re.Match[str]) -> str:
    power = match[1].translate(_SUPERSCRIPTS)
    before = match.string[match.start() - 1]
    if power in ("2", "3") and "^" not in match[0] and before.isalpha():
        return "平方" if power == "2" else "立方"
    said = power if power.isalpha() else number_characters(power.lstrip("-"))
    return f"的{'负' if power.startswith('-') else ''}{said}次方"


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
