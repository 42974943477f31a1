"""What Kokoro needs to speak a short phrase well: more words behind it, and a higher speed."""

from __future__ import annotations

TAIL = "ænd sˈO ˈɔn."
"""In Kokoro's symbols. It is spoken behind a very short phrase and cut off: alone, half of the answers of one word get
additional syllables, and are drawn out."""

SOUNDS_ALONE = 12
"""Speech sounds of the shortest phrase that is spoken alone."""

USUAL_SYMBOLS = 36
"""Symbols of a phrase from which the speaking rate is left as it is."""
EVENED = 0.3
"""The rate of ten voices grows with about this power of the number of symbols, up to 50 of them."""


def followed(phonemes: str) -> str:
    """English symbols as they are given to the network: with TAIL behind a very short phrase."""
    if sum(symbol.isalpha() and symbol not in "ˈˌː" for symbol in phonemes) >= SOUNDS_ALONE:
        return phonemes
    return f"{phonemes}{'' if phonemes[-1:] in tuple('.!?…,;:—') else '.'} {TAIL}"


def pace(symbols: int) -> float:
    """The speed that brings an English phrase near to the speaking rate of longer ones. 1 is the style's own"""
    return float(max(1.0, (USUAL_SYMBOLS / max(1, symbols)) ** EVENED))
