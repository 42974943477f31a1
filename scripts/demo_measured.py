"""`measured_words`: what a card says of pitch, pace, melody and colour, from the sound of the clip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyworld

from agentaudio.sound.audio import Audio

FLOOR_HZ, CEILING_HZ = 50.0, 500.0
FRAME_MS = 10.0

PITCH_WORDS = {
    "female": ((165.0, "low"), (205.0, ""), (250.0, "high"), (np.inf, "very high")),
    "male": ((84.0, "deep"), (112.0, "low"), (140.0, ""), (np.inf, "high")),
}
"""Upper bounds of the median pitch in Hz. Medians of women lie around 210 Hz and of men around 120 Hz.
Source: Traunmüller and Eriksson 1995, "The frequency range of the voice fundamental in the speech of male and female
adults"."""
EVEN_BELOW, LIVELY_ABOVE = 2.6, 4.0
"""Semitones of standard deviation of the pitch, without the outer tenth: about the outer fifths of these voices."""
WARM_BELOW_HZ, BRIGHT_ABOVE_HZ, SOFT_BELOW_HZ = 440.0, 750.0, 480.0
"""Spectral centroid. An even voice with a low centroid is called soft, and a deep one dark."""
HUSKY_BELOW = 0.6
"""Share of voiced frames."""
SLOW_BELOW, FAST_ABOVE = 0.8, 1.4
"""Letters per second, as a share of the median of the voices of the same language."""


@dataclass(frozen=True, slots=True)
class Measures:
    """What is measured of a clip.

    pitch_hz: median; melody: standard deviation of the pitch in semitones, without the outer tenth
    centroid_hz: of the spectrum; voiced: share of frames, 0 to 1
    """

    pitch_hz: float
    melody: float
    centroid_hz: float
    voiced: float


def measure(clip: Audio) -> Measures:
    """Measure a clip that holds voiced speech."""
    samples = clip.samples.astype(np.float64)
    f0, times = pyworld.harvest(samples, clip.sample_rate, FLOOR_HZ, CEILING_HZ, FRAME_MS)
    f0 = pyworld.stonemask(samples, f0, times, clip.sample_rate)
    semitones = np.sort(12 * np.log2(f0[f0 > 0]))
    outer = len(semitones) // 20
    power = np.abs(np.fft.rfft(samples)) ** 2
    hz = np.fft.rfftfreq(len(samples), 1 / clip.sample_rate)
    return Measures(
        float(2 ** (np.median(semitones) / 12)),
        float(semitones[outer : len(semitones) - outer].std()),
        float((power * hz).sum() / power.sum()),
        float((f0 > 0).mean()),
    )


def measured_words(sound: Measures, gender: Literal["female", "male"], pace: float) -> tuple[str, ...]:
    """The words that the measures of a clip allow, for a woman or a man.

    pace: letters per second over the median of the voices of the same language
    """
    pitch = next(word for border, word in PITCH_WORDS[gender] if sound.pitch_hz < border)
    even, centroid = sound.melody < EVEN_BELOW, sound.centroid_hz
    if centroid < SOFT_BELOW_HZ and pitch == "deep":
        colour = "dark"
    elif centroid < SOFT_BELOW_HZ and even:
        colour = "soft"
    else:
        colour = "warm" if centroid < WARM_BELOW_HZ else "bright" if centroid > BRIGHT_ABOVE_HZ else ""
    melody = "even" if even else "lively" if sound.melody > LIVELY_ABOVE else ""
    breath = "husky" if sound.voiced < HUSKY_BELOW else ""
    tempo = "slow" if pace < SLOW_BELOW else "fast" if pace > FAST_ABOVE else ""
    return tuple(word for word in (pitch, colour, melody, breath, tempo) if word)
