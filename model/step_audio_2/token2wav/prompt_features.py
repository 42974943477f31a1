"""The two spectrograms of a timbre prompt: one for the speech tokenizer, one for the flow-matching decoder."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import AudioError
from agentaudio.model.step_audio_2.network.features import DYNAMIC_RANGE, HOP, N_MELS, SAMPLE_RATE, WINDOW
from agentaudio.sound.mel import FLOOR, mel_filters

Float = NDArray[np.float32]
Double = NDArray[np.float64]

DECODER_RATE = 24_000
DECODER_BANDS = 80
DECODER_HOP = 480
DECODER_WINDOW = 1920
DECODER_FLOOR = 1e-5
BLOCK_FRAMES = 1000
"""Frames per FFT batch; it bounds the memory for a long recording."""


def tokenizer_mel(samples: Float) -> Float:
    """Log-mel spectrogram for the speech tokenizer: the audio encoder's, without zero padding.

    samples: (n,) float, 16 kHz mono in [-1, 1]
    returns: (128, n // 160) float32; both ends are padded by reflection

    Source: Whisper's log_mel_spectrogram with 128 bands, computed in float64.
    """
    count = len(samples) // HOP
    if not count:
        return np.zeros((N_MELS, 0), np.float32)
    energy = _mel_energy(_mirrored(samples, WINDOW // 2), WINDOW, HOP, mel_filters(N_MELS, WINDOW, SAMPLE_RATE), count)
    decades = np.log10(np.maximum(energy, FLOOR)).T
    scaled: Float = ((np.maximum(decades, decades.max() - DYNAMIC_RANGE) + 4.0) / 4.0).astype(np.float32)
    return scaled


def decoder_mel(samples: Float) -> Float:
    """Log-mel spectrogram that the flow-matching decoder continues and the vocoder takes.

    samples: (n,) float, 24 kHz mono in [-1, 1]
    returns: (n // 480, 80) float32: natural logarithms, 50 frames per second

    Source: HiFi-GAN's mel_spectrogram with n_fft 1920, hop 480, 0 to 8000 Hz; Slaney mels of magnitudes.
    """
    count = len(samples) // DECODER_HOP
    if not count:
        return np.zeros((0, DECODER_BANDS), np.float32)
    padded = _mirrored(samples, (DECODER_WINDOW - DECODER_HOP) // 2)
    blurred = _mel_energy(
        padded,
        DECODER_WINDOW,
        DECODER_HOP,
        mel_filters(DECODER_BANDS, DECODER_WINDOW, DECODER_RATE),
        count,
        magnitude=True,
    )
    logarithms: Float = np.log(np.maximum(blurred, DECODER_FLOOR)).astype(np.float32)
    return logarithms


def fitted(mel: Float, frames: int) -> Float:
    """Cut a spectrogram to a number of frames, or repeat its last frame.

    mel: (t, bands), t >= 1; returns (frames, bands)
    """
    if not len(mel):
        raise AudioError("the sound is too short for a single frame; give a longer one")
    return np.pad(mel, ((0, max(0, frames - len(mel))), (0, 0)), mode="edge")[:frames]


def _mirrored(samples: Float, reach: int) -> Float:
    # Reflection needs more samples than `reach`, so pad with silence first.
    samples = np.pad(samples, (0, max(0, reach + 1 - len(samples))))
    return np.pad(samples, reach, mode="reflect")


def _mel_energy(padded: Float, window: int, hop: int, filters: Float, count: int, *, magnitude: bool = False) -> Double:
    """(count, bands) float64: mel bands of the power spectrum, or with `magnitude` of its square root."""
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop][:count]
    parts = []
    for start in range(0, count, BLOCK_FRAMES):
        spectrum = np.fft.rfft(frames[start : start + BLOCK_FRAMES] * _hann(window), axis=1)
        power = spectrum.real**2 + spectrum.imag**2
        parts.append((np.sqrt(power + 1e-9) if magnitude else power) @ filters.T.astype(np.float64))
    return np.concatenate(parts)


@cache
def _hann(window: int) -> Double:
    periodic: Double = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    return periodic
