"""G.711, the sound of telephones: 8 bits a sample, 8 kHz, mu-law in America and Japan, A-law elsewhere.

Source: ITU-T G.711. The tables equal those of libsndfile, which the tests compare.
"""

from __future__ import annotations

from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Law = Literal["mu", "a"]
Samples = NDArray[np.float32]

SAMPLE_RATE_HZ = 8_000
SILENCE: dict[Law, int] = {"mu": 0xFF, "a": 0xD5}
"""The byte of a sample of value 0."""

_MU_BIAS, _MU_CLIP = 0x84, 32_635


def encode_g711(samples: Samples, law: Law) -> bytes:
    """Compress sound. samples: (n,) float32 in [-1, 1], at 8 kHz; values outside are clipped. Returns n bytes."""
    steps = np.rint(np.clip(samples, -1.0, 1.0) * 32_767.0).astype(np.int32)
    codes: NDArray[np.uint8] = _encoded(law)[steps + 32_768]
    return codes.tobytes()


def decode_g711(content: bytes, law: Law) -> Samples:
    """Expand sound: (n,) float32 in [-1, 1], at 8 kHz, for n bytes."""
    return _decoded(law)[np.frombuffer(content, np.uint8)]


@cache
def _encoded(law: Law) -> NDArray[np.uint8]:
    """The byte of each 16-bit value, from -32768 on."""
    values = np.arange(-32_768, 32_768, dtype=np.int32)
    if law == "mu":
        sizes = np.minimum(np.abs(values), _MU_CLIP) + _MU_BIAS
        exponents = np.frexp(sizes.astype(np.float64))[1] - 8
        codes = (exponents << 4) | ((sizes >> (exponents + 3)) & 0x0F)
        codes = ~(codes | np.where(values < 0, 0x80, 0)) & 0xFF
        return np.asarray(codes, np.uint8)
    sizes = np.where(values < 0, ~values, values) >> 3
    exponents = np.maximum(np.frexp(np.maximum(sizes, 1).astype(np.float64))[1] - 5, 1)
    codes = np.where(sizes < 64, sizes >> 1, (exponents << 4) | ((sizes >> exponents) & 0x0F))
    return np.asarray((codes | np.where(values < 0, 0, 0x80)) ^ 0x55, np.uint8)


@cache
def _decoded(law: Law) -> Samples:
    codes = np.arange(256, dtype=np.int32)
    if law == "mu":
        codes = ~codes & 0xFF
        sizes = ((((codes & 0x0F) << 3) + _MU_BIAS) << ((codes >> 4) & 7)) - _MU_BIAS
        values = np.where(codes & 0x80, -sizes, sizes)
    else:
        codes ^= 0x55
        exponents = (codes >> 4) & 7
        first = ((codes & 0x0F) << 4) + 8
        sizes = np.where(exponents == 0, first, (first + 0x100) << np.maximum(exponents - 1, 0))
        values = np.where(codes & 0x80, sizes, -sizes)
    return (values / 32_768.0).astype(np.float32)
