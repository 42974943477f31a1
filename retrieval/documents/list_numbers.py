"""Numbers of list items as letters and as Roman numerals."""

from __future__ import annotations

_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"),
          (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))  # fmt: skip


def letters(number: int) -> str:
    """1 is a, 26 z, 27 aa, 53 aaa, as Word counts them."""
    times, place = divmod(number - 1, 26)
    return chr(ord("a") + place) * (times + 1) if 0 < number <= 780 else str(number)


def roman(number: int) -> str:
    """4 is iv; in digits from 4000 on."""
    if not 0 < number < 4000:
        return str(number)
    said = ""
    for value, signs in _ROMAN:
        said += signs * (number // value)
        number %= value
    return said
