"""Numbers, signs and dates in Chinese text become the characters that are read."""

from __future__ import annotations

import pytest

from agentaudio.text.chinese_spoken_form import chinese_spoken_form, number_characters


@pytest.mark.parametrize(
    ("digits", "read"),
    [
        ("0", "零"), ("2", "二"), ("10", "十"), ("12", "十二"), ("20", "二十"), ("105", "一百零五"),
        ("110", "一百一十"),
        ("1050", "一千零五十"), ("2000", "两千"), ("10020", "一万零二十"), ("21,000", "两万一千"),
        ("100000000", "一亿"), ("100010000", "一亿零一万"), ("3.14", "三点一四"), ("007", "零零七"),
        ("12345678901234567", "一二三四五六七八九零一二三四五六七"),
    ],
)  # fmt: skip
def test_numbers_are_written_as_they_are_read(digits: str, read: str) -> None:
    assert number_characters(digits) == read


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2019年", "二零一九年"),
        ("有25%的人", "有百分之二十五的人"),
        ("3:05见", "三点零五分见"),
        ("2:00见", "两点见"),
        ("温度是-5℃", "温度是零下五摄氏度"),
        ("长21,196公里", "长两万一千一百九十六公里"),
        ("5km远", "五公里远"),
        ("3-5个", "三到五个"),
        ("第12名", "第十二名"),
        ("2个苹果", "两个苹果"),
        ("$20", "二十美元"),
        ("1+1=2", "一加一等于二"),
        ("你好，世界。", "你好，世界。"),
    ],
)
def test_signs_and_units_are_read_out(written: str, read: str) -> None:
    assert chinese_spoken_form(written) == read
