"""`measure_quality`: the recording quality of a clip."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agentaudio.voice_library.excerpt import Excerpt
from agentaudio.voice_library.voice import Quality

FULL_SCALE = 0.999
FRAME_S = 0.032
BORDER_S = 0.05
LEAST_BACKGROUND_S = 0.1
LOWEST_SNR_DB, HIGHEST_SNR_DB = -20.0, 90.0  # 16-bit samples resolve no more
INAUDIBLE_BELOW_PEAK_DB = 55.0


def measure_quality(excerpt: Excerpt) -> Quality:
    """Speech seconds, signal-to-noise ratio, clipping and bandwidth of an excerpt.

    Noise power is measured between the stretches of speech, signal power within them minus the
    noise; both leave out BORDER_S around each border. The bandwidth is the highest frequency at which
    the mean spectrum of the speech lies within INAUDIBLE_BELOW_PEAK_DB of its peak.
    """
    samples, rate = excerpt.audio.samples, excerpt.audio.sample_rate
    spoken = _within(excerpt.speech, len(samples), rate, -BORDER_S)
    background = ~_within(excerpt.speech, len(samples), rate, BORDER_S)
    signal, noise = samples[spoken], samples[background]
    return Quality(
        speech_s=round(excerpt.speech_s, 2),
        snr_db=_snr_db(signal, noise) if len(noise) >= LEAST_BACKGROUND_S * rate else None,
        clipped=round(float(np.mean(np.abs(samples) >= FULL_SCALE)), 6) if len(samples) else 0.0,
        bandwidth_hz=_bandwidth_hz(signal, rate),
    )


def _within(stretches: tuple[tuple[float, float], ...], length: int, rate: int, wider_s: float) -> NDArray[np.bool_]:
    mask = np.zeros(length, np.bool_)
    for start, end in stretches:
        mask[max(0, round((start - wider_s) * rate)) : max(0, round((end + wider_s) * rate))] = True
    return mask


def _snr_db(signal: NDArray[np.float32], noise: NDArray[np.float32]) -> float:
    heard, left = (float(np.square(part, dtype=np.float64).mean()) if len(part) else 0.0 for part in (signal, noise))
    ratio = max(heard - left, 1e-12) / max(left, 1e-12)
    return round(float(np.clip(10 * np.log10(ratio), LOWEST_SNR_DB, HIGHEST_SNR_DB)), 1)


def _bandwidth_hz(signal: NDArray[np.float32], rate: int) -> int:
    size = round(FRAME_S * rate)
    frames = signal[: len(signal) // size * size].reshape(-1, size)
    if not len(frames):
        return 0
    power = np.square(np.abs(np.fft.rfft(frames * np.hanning(size).astype(np.float32), axis=1))).mean(axis=0)
    smooth = np.convolve(power, np.full(5, 0.2), mode="same")
    audible = np.flatnonzero(smooth > smooth.max() * 10 ** (-INAUDIBLE_BELOW_PEAK_DB / 10))
    return round(float(audible[-1]) * rate / size) if len(audible) and smooth.max() > 0 else 0
