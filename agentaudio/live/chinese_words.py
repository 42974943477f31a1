"""What Chinese words heard so far say about the user's turn. See agentaudio.live.words."""

from __future__ import annotations

import re
from typing import Literal

_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_MARKS = re.compile(r"[\W_]+")
_TRAILS_OFF = re.compile(r"(?:\.\.\.|[,…—、，：；:;])$")
_ENDED = re.compile(r"[.!。！]['\"”’)]*$")

_WHOLE = re.compile(
    r"(?:吗|呢|吧|呀|了|谢谢你?|怎么样|什么|多少钱?|几点|哪里|哪儿|谁)$"
    r"|(?:^|[好是对行会真挺没])(?:可以|好|是|对|行|会|有|没事|真|挺\w+|没关系|知道|当然)?的$|(?:可以|没事|当然|知道|不是|真|会|对|错)的$"
    r"|是[我你他她它]们?的$"
)
"""Final particles and question words, and 的 that ends a statement."""

_OPEN = re.compile(
    r"(?:的|和|跟|与|或|或者|还是|在|把|给|从|到|向|比|被|让|请|帮我|因为|所以|但是|可是|不过|然后|还有|而且|如果|要是|虽然|那个|这个|就是"
    r"|想|想要|需要|[想要]去|觉得|认为|希望|比如|关于|除了|能不能|可不可以|是不是|有没有|为什么不|嗯|呃|我要|你能|我能|你可以|名字是|号码是|地址是|问题是)$"
    r"|.{2}[一两几](?:个|张|杯|本|件|位|间|辆|条|份|瓶|只|双|台|部|首|家|些)$"
)
"""Words after which something follows, and a number with its measure word whose noun is missing."""

_CONDITION = re.compile(r"^(?:如果|要是|虽然|即使|除非)(?!.*(?:就|那|但|也|请|吗|呢|吧))")
_DIGITS = re.compile(r"[零〇幺一二三四五六七八九\d]{3,}$")


def is_chinese(text: str) -> bool:
    """Whether any Chinese character is in the text."""
    return _CHINESE.search(text) is not None


def chinese_completeness(text: str) -> Literal["complete", "unclear", "open"]:
    """Whether the words are a whole utterance. text: without blanks around it"""
    line = _MARKS.sub("", text)
    if _TRAILS_OFF.search(text) or (text.endswith(("?", "？")) is False and _CONDITION.match(line)):
        return "open"
    if _WHOLE.search(line):
        return "complete"
    if _OPEN.search(line):
        return "open"
    return "complete" if text.endswith(("?", "？")) or _ENDED.search(text) else "unclear"


def is_dictated_in_chinese(text: str) -> bool:
    """Whether the text ends in at least three digits that are said one by one."""
    return _DIGITS.search(_MARKS.sub("", text)) is not None
