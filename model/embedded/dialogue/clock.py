"""Clock times as they are said: "half past seven" an hour later is "half past eight"."""

from __future__ import annotations

import re

from agentaudio.text.numbers import number_words, parse_number

_NAMED = {"noon": 12 * 60, "midnight": 0}
_PAST = {"half": 30, "quarter": 15, "a quarter": 15}
_WHOLE_DAY = 24 * 60
_HALF_DAY = 12 * 60


def moved(time: str, minutes: int) -> str | None:
    """The clock time so many minutes later, in the same way of saying it; None for words that do not state a time.

    The hours are those of a clock face, unless the time has digits above 12.
    """
    said = time.lower().strip()
    match = re.fullmatch(r"(?P<clock>.+?)(?P<ending>(?: o'clock| a m| p m| ?am| ?pm| in the \w+| at night)*)", said)
    at = minutes_of(match["clock"]) if match else None
    if match is None or at is None:
        return None
    digits = bool(re.search(r"\d", match["clock"]))
    day = _WHOLE_DAY if at >= 13 * 60 else _HALF_DAY
    later = (at + minutes) % day
    hour, minute = divmod(later, 60)
    hour = hour or (12 if day == _HALF_DAY else 0)
    ending = match["ending"].replace(" o'clock", "") if minute else match["ending"]
    if digits:
        return f"{hour}:{minute:02d}{ending}" if minute or ":" in match["clock"] else f"{hour}{ending}"
    return _words(hour, minute) + ending


def with_minutes(part: str, time: str) -> str | None:
    """The hour of `time` with other minutes: "half past" and "three" give "half past three"."""
    match = re.fullmatch(r"(?P<part>half|a quarter|quarter|five|ten|twenty|twenty five) (?P<side>past|to)", part)
    at = minutes_of(re.sub(r"(?: o'clock| a m| p m| ?am| ?pm)+$", "", time.lower().strip()))
    if match is None or at is None:
        return None
    hour = (at // 60) % 12 or 12
    return f"{match['part']} {match['side']} {number_words(hour)}"


def minutes_of(said: str) -> int | None:
    """Minutes since midnight."""
    if said in _NAMED:
        return _NAMED[said]
    if digits := re.fullmatch(r"(\d{1,2})(?:[: ](\d\d))?", said):
        return int(digits[1]) * 60 + int(digits[2] or 0)
    if spoken := re.fullmatch(r"(?P<part>.+) (?P<side>past|to) (?P<hour>\w+)", said):
        part = _PAST.get(spoken["part"]) or parse_number(spoken["part"])
        hour = parse_number(spoken["hour"])
        if part is None or hour is None:
            return None
        return int(hour * 60 + (part if spoken["side"] == "past" else -part))
    hour_word, _, rest = said.partition(" ")
    hour = parse_number(hour_word)
    minute = 0 if not rest else parse_number(rest.removeprefix("oh "))
    if hour is None or minute is None or not 0 <= hour <= 24 or not 0 <= minute < 60:
        return None
    return int(hour * 60 + minute)


def _words(hour: int, minute: int) -> str:
    following = number_words(hour % 12 + 1)
    match minute:
        case 0:
            return number_words(hour)
        case 15:
            return f"quarter past {number_words(hour)}"
        case 30:
            return f"half past {number_words(hour)}"
        case 45:
            return f"quarter to {following}"
        case _:
            return f"{number_words(hour)} {'oh ' if minute < 10 else ''}{number_words(minute)}"
