"""Helpers for tests of voice libraries: a small encoder, and processes that use a library."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
from numpy.typing import NDArray

from agentaudio.sound.audio import Audio


class Bands:
    """A speaker encoder that distinguishes tones: the power of the sound in `dim` bands up to 1 kHz."""

    same_speaker_above = 0.95

    def __init__(self, dim: int = 32) -> None:
        self.name = f"bands-{dim}"
        self.dim = dim

    def encode(self, audio: Audio) -> NDArray[np.float32]:
        spectrum = np.abs(np.fft.rfft(audio.resample(16_000).samples, 32_000))[: 64 * 32]
        powers = np.array([band.sum() for band in np.array_split(spectrum, self.dim)])
        return np.asarray(powers / np.linalg.norm(powers), np.float32)


def in_another_process(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Run Python code in another process; `sys.argv[1:]` holds the arguments."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
