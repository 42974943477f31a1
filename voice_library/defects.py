"""`find_defects`: what makes a clip a bad reference for a voice, by name."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentaudio.sound.audio import Audio
from agentaudio.voice_library.excerpt import Excerpt

RATE_HZ = 16_000
Wave = NDArray[np.float64]

# The limits were set on every second demo voice, clean and spoiled by benchmarks/voice_defects.py, whose figures are
# those of the other voices.
CLIPPED_SHARE, CLIPPED_PILE = 0.002, 0.8
"""Share of samples within 3 % of the peak, and how many more there are than from 3 to 15 % below it."""
RANGE_DB_LESS_SNR_DB = 7.0
"""How much the range of levels of speech in noise exceeds the signal-to-noise ratio, below 15 dB."""
NOISY_BELOW_DB = 13.5
MUSIC = ((14.0, 0.15), (17.5, 0.2), (np.inf, 0.7))
"""Below each range of levels, in dB: the share of frames with a steady tone from which there is music."""
REVERBERANT = ((11.0, 0.9), (14.0, 0.6))
"""From each range of levels, in dB: seconds of decay from which a room is reverberant; noise and music decay slowly."""
CLEAR_FROM_DB = 20.0
"""Range of levels from which the gaps in words show that the background is quiet, without any pause."""
DECAY_SHARE = 0.73
"""Fast decays of speech in a room, in dB per second, against the room's own: the estimate is divided by it."""
STEADY_FRAMES, PROMINENT_DB = 10, 9.0
LONGEST_DELAY_S, FRAME_S = 0.1, 0.02
LEAST_CHANNEL_DB, ALIKE_ABOVE = -25.0, 0.5


def find_defects(excerpt: Excerpt, snr_db: float | None) -> dict[str, str]:
    """The defects of a clip, each with one line that describes it. Names are those of `voice.DEFECTS`.

    snr_db: signal-to-noise ratio between the stretches of speech; None when there is no pause
    """
    wave = excerpt.audio.resample(RATE_HZ).samples.astype(np.float64)
    wave -= wave.mean()
    found: dict[str, str] = {}
    share, pile = clipping(wave)
    if share >= CLIPPED_SHARE and pile >= CLIPPED_PILE:
        found["clipping"] = f"it is clipped ({share:.1%} of its samples lie at the peak)"
    range_db, tones, decay_s = level_range_db(wave), steady_tones(wave), reverberation_s(wave)
    if decay_s is not None and any(range_db >= least and decay_s >= from_s for least, from_s in REVERBERANT):
        found["reverberation"] = f"the room reverberates for about {decay_s:.1f} s"
    elif any(range_db < below and tones >= least for below, least in MUSIC):
        found["music"] = f"there is music or a steady tone in {tones:.0%} of it"
    elif range_db < NOISY_BELOW_DB:
        found["noise"] = f"the speech is only about {max(0.0, range_db - RANGE_DB_LESS_SNR_DB):.0f} dB above noise"
    elif snr_db is None and range_db < CLEAR_FROM_DB:
        found["no-pause"] = "there is no pause to measure its noise by"
    return found


def clipping(wave: Wave) -> tuple[float, float]:
    """Share of samples within 3 % of the peak, and their ratio to the samples 3 to 15 % below it.

    wave: (samples,) float64, 16 kHz, as in the functions below; speech alone has ever fewer samples of higher levels
    """
    level = np.abs(wave)
    peak = float(level.max()) if len(level) else 0.0
    if peak == 0.0:
        return 0.0, 0.0
    top = int((level > 0.97 * peak).sum())
    below = int(((level > 0.85 * peak) & (level <= 0.97 * peak)).sum())
    return top / len(level), top / max(1, below)


def level_range_db(wave: Wave) -> float:
    """Between loud frames and those in the smallest gaps of speech: the 95th less the 8th percentile of levels."""
    power = np.square(_frames(wave, 480, 240)).mean(axis=1)
    levels = 10 * np.log10(power + 1e-12)
    return float(np.subtract(*np.percentile(levels, (95, 8)))) if len(levels) else 0.0


def steady_tones(wave: Wave) -> float:
    """Share of frames with a spectral peak from 100 Hz to 6 kHz that has kept its pitch for 0.3 s.

    The pitch of speech moves, and its harmonics move with it, times their number; notes stay.
    """
    levels = 10 * np.log10(_power(wave, 1024, 512)[:, :384] + 1e-12)
    if len(levels) < STEADY_FRAMES:
        return 0.0
    around = np.pad(levels, ((0, 0), (12, 12)), mode="edge")
    local = np.median(np.lib.stride_tricks.sliding_window_view(around, 25, axis=1)[:, ::6], axis=2)
    local = np.repeat(local, 6, axis=1)[:, : levels.shape[1]]
    peak = (levels > np.roll(levels, 1, 1)) & (levels >= np.roll(levels, -1, 1))
    peak &= (levels > local + PROMINENT_DB) & (levels > levels.max() - 50)
    peak[:, :6] = False
    near = peak | np.roll(peak, 1, 1) | np.roll(peak, -1, 1)
    lasting = np.zeros(levels.shape[1], np.int64)
    steady = 0
    for at, row in enumerate(near):
        lasting = np.where(row, lasting + 1, 0)
        steady += bool((peak[at] & (lasting >= STEADY_FRAMES)).any())
    return steady / len(near)


def reverberation_s(wave: Wave) -> float | None:
    """Estimated seconds until reverberation has fallen by 60 dB; None with too few decays to tell.

    Sound in a room falls no faster than the room lets it, so that the fast decays of speech show the room.
    """
    spectrum = _power(wave, 512, 128)
    width = 12
    at = np.arange(width) - (width - 1) / 2
    decays: list[NDArray[np.float64]] = []
    edges = (8, 16, 24, 32, 48, 64, 96, 128, 190)
    for low, high in zip(edges, edges[1:], strict=False):
        levels = 10 * np.log10(spectrum[:, low:high].sum(axis=1) + 1e-12)
        if len(levels) < 2 * width:
            return None
        runs = np.lib.stride_tricks.sliding_window_view(levels, width)
        falling = (runs[:, 0] >= np.percentile(levels, 95) - 15) & (runs[:, 0] - runs[:, -1] >= 3)
        falling &= (np.diff(runs, axis=1) <= 1.5).all(axis=1)
        slopes = runs[falling] @ at / (at @ at) / 0.008
        decays.append(60 / np.maximum(1e-3, -slopes))
    every = np.concatenate(decays)
    return float(np.percentile(every, 25)) / DECAY_SHARE if len(every) > 8 else None


def differing_channels(one: Audio, other: Audio) -> bool:
    """Whether two channels of a recording hold different sound of like level, as the two sides of a call do.

    The loudness of one source rises and falls in both channels, whatever the places of the microphones.
    """
    rows = [_loudness(channel) for channel in (one, other)]
    length = min(map(len, rows))
    power = [float(np.square(row[:length]).mean()) for row in rows]
    if length < 50 or min(power) <= 0.0 or 10 * np.log10(min(power) / max(power)) < LEAST_CHANNEL_DB:
        return False
    most = round(LONGEST_DELAY_S / FRAME_S)
    first, second = (row[:length] for row in rows)
    alike = [
        np.corrcoef(first[max(0, delay) : length + min(0, delay)], second[max(0, -delay) : length - max(0, delay)])[
            0, 1
        ]
        for delay in range(-most, most + 1)
    ]
    return bool(np.nanmax(alike) < ALIKE_ABOVE)


def _loudness(audio: Audio) -> Wave:
    frames = _frames(audio.samples.astype(np.float64), round(FRAME_S * audio.sample_rate))
    return np.asarray(np.sqrt(np.square(frames - audio.samples.mean()).mean(axis=1)), np.float64)


def _frames(wave: NDArray[Any], size: int, step: int | None = None) -> NDArray[Any]:
    if len(wave) < size:
        return np.zeros((0, size), wave.dtype)
    return np.lib.stride_tricks.sliding_window_view(wave, size)[:: step or size]


def _power(wave: Wave, size: int, step: int) -> NDArray[np.float32]:
    """Power spectrum: (frames, size / 2 + 1)."""
    frames = _frames(wave.astype(np.float32), size, step) * _window(size)
    spectrum = np.fft.rfft(frames, axis=1)
    return np.square(spectrum.real) + np.square(spectrum.imag)


@functools.cache
def _window(size: int) -> NDArray[np.float32]:
    return np.hanning(size).astype(np.float32)
