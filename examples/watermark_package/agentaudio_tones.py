"""A watermark in an installable package. The entry point in pyproject.toml gives it its name.

It shows the form of a watermark, not the art: a keen ear hears its tones, and a low-pass filter removes them.
"""

import zlib

import numpy as np

from agentaudio import Audio
from agentaudio.errors import OptionError

RATE, WINDOW = 16_000, 4_096  # of the detector
FIRST_HZ, STEP_HZ = 3_500.0, 46.875  # each tone lies on a bin of the window
LEVEL = 0.0015
LEAST = 1.5  # how far the louder tones of all pairs are above the others, as a ratio of energies


class Tones:
    """Each bit is one of two soft tones between 3.5 and 7.3 kHz; eight more bits check the others."""

    name = "tones-1"  # stated in signed files; change it whenever the marks change
    payload_bytes = 4

    def __init__(self, argument: str) -> None:
        if argument:
            raise OptionError(f"the watermark tones takes no argument, and was given {argument!r}")

    def embed(self, sound: Audio, payload: bytes) -> Audio:
        """The sound with the tones of a payload; unchanged where the rate is too low for them."""
        if sound.sample_rate < RATE:
            return sound
        time = np.arange(len(sound)) / sound.sample_rate
        marked = np.array(sound.samples)
        for hertz in _tones(_bits(payload)):
            marked += np.float32(LEVEL) * np.sin(2 * np.pi * hertz * time).astype(np.float32)
        return Audio(marked, sound.sample_rate)

    def detect(self, sound: Audio) -> bytes | None:
        """The payload whose tones are louder than those of the opposite bits, if its check bits fit."""
        samples = sound.resample(RATE).samples
        if len(samples) < WINDOW:
            return None
        frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[:: WINDOW // 2] * np.hanning(WINDOW)
        power = np.median(np.abs(np.fft.rfft(frames)) ** 2, axis=0)
        count = 8 * (self.payload_bytes + 1)
        bins = np.rint(np.array([_tones([bit] * count) for bit in (0, 1)]) * WINDOW / RATE).astype(int)
        zeros, ones = power[bins]
        if np.maximum(zeros, ones).sum() < LEAST * np.minimum(zeros, ones).sum():
            return None
        found = np.packbits(ones > zeros).tobytes()
        payload = found[:-1]
        return payload if _bits(payload) == np.unpackbits(np.frombuffer(found, np.uint8)).tolist() else None


def _bits(payload: bytes) -> list[int]:
    checked = payload + zlib.crc32(payload).to_bytes(4, "big")[:1]
    return np.unpackbits(np.frombuffer(checked, np.uint8)).tolist()


def _tones(bits: list[int]) -> list[float]:
    return [FIRST_HZ + STEP_HZ * (2 * place + bit) for place, bit in enumerate(bits)]
