"""G.711: 16-bit sound as 8-bit mu-law or A-law samples, as telephony sends it.

Source: ITU-T recommendation G.711 (11/88), tables 1a and 2a.
"""

from __future__ import annotations

import functools
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Law = Literal["mu", "a"]

RATE_HZ = 8_000
SILENCE: dict[Law, int] = {"mu": 0xFF, "a": 0xD5}
"""The code of a zero sample. 00 would be near full scale in mu-law."""


def encode(pcm: bytes, law: Law) -> bytes:
    """Codes of little-endian 16-bit samples, one byte each."""
    samples = np.frombuffer(pcm, "<i2")
    return _codes(law)[samples.astype(np.int32) + 32_768].tobytes()


def decode(codes: bytes, law: Law) -> bytes:
    """Little-endian 16-bit samples of codes."""
    return _values(law)[np.frombuffer(codes, np.uint8)].astype("<i2").tobytes()


@functools.cache
def _values(law: Law) -> NDArray[np.int32]:
    """The 16-bit value of each of the 256 codes."""
    code = np.arange(256, dtype=np.int32)
    if law == "mu":
        code = ~code & 0xFF
        magnitude = ((((code & 0x0F) << 3) + 0x84) << ((code & 0x70) >> 4)) - 0x84
        return np.where(code & 0x80, -magnitude, magnitude)
    code = code ^ 0x55
    segment, step = (code & 0x70) >> 4, (code & 0x0F) << 4
    magnitude = np.where(segment == 0, step + 8, (step + 0x108) << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude)


@functools.cache
def _codes(law: Law) -> NDArray[np.uint8]:
    """For each of the 65,536 samples, the code with the nearest value; of two, the one nearer to zero."""
    values = _values(law)
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    samples = np.arange(-32_768, 32_768)
    above = np.clip(np.searchsorted(ordered, samples), 1, 255)
    down, up = samples - ordered[above - 1], ordered[above] - samples
    nearer_zero = np.where(samples >= 0, down <= up, down < up)
    found = order[np.where(nearer_zero, above - 1, above)]
    found[32_768] = SILENCE[law]  # another code is as near
    return found.astype(np.uint8)
