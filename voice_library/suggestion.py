"""`suggest_card`: describe a voice by rule, from pitch, pace and brightness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from agentaudio.voice_library.excerpt import Excerpt

RATE_HZ = 16_000
FRAME = 1024  # 64 ms: three periods of 50 Hz
LONGEST_S = 8.0
LOWEST_HZ, HIGHEST_HZ = 50, 500
VOICED_ABOVE = 0.6
WHISPERED_BELOW = 0.15  # share of voiced frames

# Medians of men lie around 120 Hz and of women around 210 Hz; between 140 and 175 Hz no gender is given.
# Source: Traunmüller and Eriksson 1995, "The frequency range of the voice fundamental in the speech of
# male and female adults". The other thresholds are quartiles of the demo voices.
MALE_BELOW_HZ, FEMALE_ABOVE_HZ = 140.0, 175.0
PITCH_WORDS = ((95.0, "very low"), (130.0, "low"), (190.0, "medium-pitched"), (250.0, "high"), (np.inf, "very high"))
PACE_WORDS = ((3.9, "slow"), (6.0, ""), (np.inf, "fast"))
BRIGHTNESS_WORDS = ((390.0, "dark"), (700.0, ""), (np.inf, "bright"))


@dataclass(frozen=True)
class Sound:
    """pitch_hz: median, None for a whisper; pace: syllables per second of speech; brightness_hz: spectral centroid."""

    pitch_hz: float | None
    pace: float
    brightness_hz: float


def suggest_card(excerpt: Excerpt) -> dict[str, Any]:
    """Fields of a card: description, tags, and gender where the pitch suggests one."""
    sound = measure_sound(excerpt)
    tags = [_word(BRIGHTNESS_WORDS, sound.brightness_hz)]
    if sound.pitch_hz is None:  # a whisper has no voiced syllables to count
        tags = ["whispering", *tags]
    else:
        tags = [_word(PITCH_WORDS, sound.pitch_hz), _word(PACE_WORDS, sound.pace), *tags]
    tags = [word for word in tags if word]
    gender = _gender(sound.pitch_hz)
    who = {"male": ", probably a man's", "female": ", probably a woman's", None: ""}[gender]
    fields = {"description": f"A {', '.join(tags)} voice{who}.", "tags": tuple(tags)}
    return fields if gender is None else fields | {"gender": gender}


def measure_sound(excerpt: Excerpt) -> Sound:
    """Pitch, pace and brightness of the first LONGEST_S of an excerpt."""
    samples = excerpt.audio.slice(0, LONGEST_S).resample(RATE_HZ).samples
    if len(samples) < FRAME:
        samples = np.pad(samples, (0, FRAME - len(samples)))
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::FRAME] * _WINDOW
    power = np.square(np.abs(np.fft.rfft(frames, 2 * FRAME)))
    loud = power.sum(axis=1)
    power = power[loud > 0.02 * loud.max()]
    bins_hz = np.fft.rfftfreq(2 * FRAME, 1 / RATE_HZ)
    brightness_hz = float((power * bins_hz).sum() / max(power.sum(), 1e-12))
    speech_s = sum(min(end, LONGEST_S) - start for start, end in excerpt.speech if start < LONGEST_S)
    return Sound(_pitch_hz(power), _syllables(samples) / max(speech_s, 0.5), brightness_hz)


def _pitch_hz(power: NDArray[np.float64]) -> float | None:
    """Median over voiced frames of the first strong peak of the autocorrelation, corrected for the window.

    power: (frames, FRAME + 1) power spectra; returns None when too few frames are voiced

    Source: Boersma 1993, "Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise
    ratio of a sampled sound".
    """
    longest = RATE_HZ // LOWEST_HZ
    lags = np.fft.irfft(power)[:, : longest + 1]
    periodic = (lags / np.maximum(lags[:, :1], 1e-12) / _WINDOW_LAGS[: longest + 1])[:, RATE_HZ // HIGHEST_HZ :]
    strongest = periodic.max(axis=1)
    voiced = strongest > VOICED_ABOVE
    if not len(voiced) or voiced.mean() < WHISPERED_BELOW:
        return None
    # Multiples of the period correlate as strongly, so take the first lag that is nearly as strong as the best.
    first = (periodic > 0.85 * strongest[:, None]).argmax(axis=1) + RATE_HZ // HIGHEST_HZ
    return float(np.median(RATE_HZ / first[voiced]))


def _syllables(samples: NDArray[np.float32]) -> int:
    """Number of peaks of the smoothed level, each at least 2 dB above the dips on both sides."""
    step = RATE_HZ // 100
    blocks = samples[: len(samples) // step * step].reshape(-1, step)
    # The difference removes rumble; the mean over 80 ms removes what is shorter than a vowel.
    power = np.square(np.diff(blocks, axis=1), dtype=np.float64).mean(axis=1)
    level_db = 10 * np.log10(np.convolve(power, np.hanning(10)[1:-1], mode="same") + 1e-9)
    floor = level_db.max() - 25
    peaks, high, low, rising = 0, -np.inf, np.inf, True
    for level in level_db.tolist():
        if rising:
            high = max(high, level)
            if level < high - 2:
                peaks += high > floor
                rising, low = False, level
        else:
            low = min(low, level)
            if level > low + 2:
                rising, high = True, level
    return peaks


def _gender(pitch_hz: float | None) -> Literal["male", "female"] | None:
    if pitch_hz is None or MALE_BELOW_HZ <= pitch_hz <= FEMALE_ABOVE_HZ:
        return None
    return "male" if pitch_hz < MALE_BELOW_HZ else "female"


def _word(words: tuple[tuple[float, str], ...], value: float) -> str:
    return next(word for border, word in words if value < border)


_WINDOW = np.hanning(FRAME).astype(np.float32)
_WINDOW_LAGS = np.fft.irfft(np.square(np.abs(np.fft.rfft(_WINDOW, 2 * FRAME))))
_WINDOW_LAGS = _WINDOW_LAGS / _WINDOW_LAGS[0]
