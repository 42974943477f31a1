"""Samples to sound files in memory."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import AudioError
from agentaudio.sound.formats import WRITABLE, check_writable
from agentaudio.sound.resample import resample

_OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)


def encode(samples: NDArray[np.float32], sample_rate: int, suffix: str) -> bytes:
    """A mono sound file.

    samples: (n,) float32; clipped to [-1, 1]
    suffix: one of `formats.WRITABLE`, such as ".wav". Opus at a rate that it does not know becomes 48 kHz.

    Raises AudioError for another suffix, or for a rate that the format does not support.
    """
    import soundfile

    check_writable(suffix)
    container, subtype = WRITABLE[suffix]
    if subtype == "OPUS" and sample_rate not in _OPUS_RATES:
        samples, sample_rate = resample(samples, sample_rate, 48_000), 48_000
    buffer = io.BytesIO()
    try:
        with soundfile.SoundFile(buffer, "w", sample_rate, 1, format=container, subtype=subtype) as out:
            # libvorbis crashes on one long write, so every format is written in blocks of a second.
            for start in range(0, len(samples), sample_rate):
                out.write(np.clip(samples[start : start + sample_rate], -1.0, 1.0))
    except soundfile.LibsndfileError as error:
        raise AudioError(f"cannot write {suffix} at {sample_rate} Hz: {error.error_string}") from None
    return buffer.getvalue()


def encode_exactly(samples: NDArray[np.float32], sample_rate: int) -> bytes:
    """A mono WAV file of 32-bit floats, which holds every sample as it is.

    samples: (n,) float32
    """
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, samples, sample_rate, format="WAV", subtype="FLOAT")
    return buffer.getvalue()
