"""Sounds that nobody should answer, made by formula from a seed: (n,) float32 at 16 kHz."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Floats = NDArray[np.float64]

RATE = 16_000
PEAK = 0.5


def band(sound: Floats, low_hz: float, high_hz: float) -> Floats:
    """Keep the frequencies between two limits, with soft edges."""
    spectrum = np.fft.rfft(sound)
    hz = np.fft.rfftfreq(len(sound), 1 / RATE)
    gain = 1 / np.sqrt(1 + (low_hz / np.maximum(hz, 1.0)) ** 4) / np.sqrt(1 + (hz / high_hz) ** 8)
    return np.fft.irfft(spectrum * gain, len(sound))


def resonant(sound: Floats, formants: tuple[tuple[float, float], ...]) -> Floats:
    """Through a vocal tract of (frequency, bandwidth) in Hz."""
    hz = np.fft.rfftfreq(len(sound), 1 / RATE)
    gain = sum(1 / (1 + 1j * (hz - place) / (width / 2)) for place, width in formants)
    return np.fft.irfft(np.fft.rfft(sound) * gain, len(sound))


def _time(seconds: float) -> Floats:
    return np.arange(round(seconds * RATE)) / RATE


def _peak(sound: Floats, peak: float = PEAK) -> Samples:
    return np.asarray(sound * (peak / max(1e-9, float(np.max(np.abs(sound))))), np.float32)


def _unit(sound: Floats) -> Samples:
    return np.asarray(sound / np.sqrt(np.mean(sound**2)), np.float32)


def _glottis(pitch_hz: Floats, rng: np.random.Generator) -> Floats:
    """A train of pulses whose pitch follows `pitch_hz`, with a little jitter."""
    phase = np.cumsum(pitch_hz * (1 + 0.01 * rng.standard_normal(len(pitch_hz)))) / RATE
    return np.diff(np.floor(phase), prepend=0.0) - 0.02


def cough(rng: np.random.Generator) -> Samples:
    """One to three bursts of noise that decay within 0.2 s, with a rough voice at their end."""
    parts: list[Floats] = []
    for _ in range(int(rng.integers(1, 4))):
        t = _time(rng.uniform(0.2, 0.35))
        burst = rng.standard_normal(len(t)) * np.minimum(1, t / 0.01) * np.exp(-t / rng.uniform(0.04, 0.07))
        rough = _glottis(np.full(len(t), rng.uniform(120, 220)), rng) * np.exp(-(((t - 0.14) / 0.05) ** 2))
        tract = ((rng.uniform(450, 700), 160.0), (rng.uniform(1100, 1600), 240.0), (2700.0, 350.0))
        parts += [resonant(burst + 2 * rough, tract), np.zeros(round(rng.uniform(0.08, 0.25) * RATE))]
    return _peak(np.concatenate(parts[:-1]))


def throat(rng: np.random.Generator) -> Samples:
    """Clearing of the throat: two pushes of low, irregular pulses with noise."""
    parts: list[Floats] = []
    for _ in range(2):
        t = _time(rng.uniform(0.25, 0.45))
        pitch = rng.uniform(55, 95) * (1 + 0.25 * np.repeat(rng.standard_normal(len(t) // 200 + 1), 200)[: len(t)])
        voice = _glottis(np.maximum(pitch, 30), rng)
        sound = resonant(voice + 0.03 * rng.standard_normal(len(t)), ((500.0, 120.0), (1200.0, 200.0), (2400.0, 300.0)))
        parts += [sound / np.max(np.abs(sound)) * np.sin(np.pi * t / t[-1]), np.zeros(round(0.1 * RATE))]
    return _peak(np.concatenate(parts[:-1]))


def hummed(rng: np.random.Generator) -> Samples:
    """A hummed "mm-hm": two nasal beats, the second one higher, with breath between them."""
    low = rng.uniform(100, 210)
    first, gap, second = (round(s * RATE) for s in (rng.uniform(0.15, 0.25), 0.06, rng.uniform(0.2, 0.32)))
    pitch = np.concatenate(
        [np.linspace(low, 0.93 * low, first), np.full(gap, low), np.linspace(1.1, 1.3, second) * low]
    )
    loud = np.concatenate(
        [np.sin(np.linspace(0.2, 2.7, first)), np.full(gap, 0.05), np.sin(np.linspace(0.3, np.pi, second))]
    )
    sound = resonant(_glottis(pitch, rng), ((270.0, 70.0), (1000.0, 200.0), (2200.0, 300.0)))
    return _peak(sound * loud + 0.004 * rng.standard_normal(len(sound)))


def laugh(rng: np.random.Generator) -> Samples:
    """Beats of a breathy voice whose pitch falls."""
    parts: list[Floats] = []
    pitch = rng.uniform(150, 290)
    for beat in range(int(rng.integers(3, 7))):
        t = _time(rng.uniform(0.1, 0.15))
        voice = resonant(_glottis(np.full(len(t), pitch * 0.94**beat), rng), ((750.0, 130.0), (1300.0, 180.0)))
        voice = voice / np.max(np.abs(voice)) + 0.1 * rng.standard_normal(len(t))
        parts += [voice * np.sin(np.pi * t / t[-1]), 0.03 * rng.standard_normal(round(0.07 * RATE))]
    return _peak(np.concatenate(parts))


def click(rng: np.random.Generator) -> Samples:
    """Keys of a keyboard, for two seconds."""
    sound = np.zeros(2 * RATE)
    at = 0.0
    while at < 1.85:
        t = _time(0.03)
        key = rng.standard_normal(len(t)) * np.exp(-t / 0.004) + np.sin(6.28 * rng.uniform(180, 350) * t) * np.exp(
            -t / 0.008
        )
        start = round(at * RATE)
        sound[start : start + len(t)] += rng.uniform(0.5, 1) * key
        at += float(rng.choice([rng.uniform(0.08, 0.2), rng.uniform(0.3, 0.5)], p=[0.8, 0.2]))
    return _peak(band(sound, 150, 6500))


def door(rng: np.random.Generator) -> Samples:
    """A door that falls shut."""
    t = _time(0.8)
    sound = sum(
        np.sin(6.28 * hz * t + rng.uniform(0, 6)) * np.exp(-t / s) for hz, s in ((60, 0.15), (110, 0.1), (240, 0.05))
    )
    return _peak(sound + 0.8 * band(rng.standard_normal(len(t)), 100, 4500) * np.exp(-t / 0.04), 0.7)


def ring(rng: np.random.Generator) -> Samples:
    """A telephone rings twice."""
    t = _time(0.6)
    warble = np.sin(6.28 * np.where((t * 14).astype(int) % 2, 1150.0, 1450.0) * t) * np.minimum(1, (0.6 - t) / 0.02)
    return _peak(np.concatenate([warble, np.zeros(round(0.4 * RATE)), warble]), 0.35)


SOUNDS: dict[str, Callable[[np.random.Generator], Samples]] = {
    "cough": cough, "throat": throat, "hummed": hummed, "laugh": laugh, "click": click, "door": door, "ring": ring,
}  # fmt: skip


def pink(rng: np.random.Generator, seconds: float) -> Samples:
    """Noise whose power falls by 3 dB an octave; mean power 1."""
    count = round(seconds * RATE)
    hz = np.maximum(np.fft.rfftfreq(count, 1 / RATE), 25)
    return _unit(np.fft.irfft(np.fft.rfft(rng.standard_normal(count)) / np.sqrt(hz), count))


def music(rng: np.random.Generator, seconds: float) -> Samples:
    """Chords, bass, a tune and a drum; mean power 1."""
    sound = np.zeros(round(seconds * RATE) + 4 * RATE)
    beat, root = 60 / rng.uniform(90, 130), rng.uniform(98, 160)

    def note(at: float, semitones: float, lasts: float, gain: float) -> None:
        t = _time(lasts)
        hz = root * 2 ** (semitones / 12)
        tone = (
            sum(np.sin(6.28 * hz * k * t) / k**1.5 for k in (1, 2, 3, 4, 5))
            * np.minimum(1, t / 0.01)
            * np.exp(-2 * t / lasts)
        )
        start = round(at * RATE)
        sound[start : start + len(t)] += gain * tone

    for place in range(int(seconds / beat)):
        at, chord = place * beat, ((0, 4, 7), (5, 9, 12), (9, 12, 16), (7, 11, 14))[place // 4 % 4]
        if place % 4 == 0:
            for tone in chord:
                note(at, tone + 12, min(3.5, 4 * beat), 0.3)
        note(at, chord[0], beat, 0.6)
        for half in (0.0, 0.5):
            if rng.random() < 0.7:
                note(at + half * beat, float(rng.choice(chord)) + 24, 0.6 * beat, 0.35)
        t = _time(0.1)
        start = round(at * RATE)
        sound[start : start + len(t)] += (0.8 if place % 2 else 0.4) * rng.standard_normal(len(t)) * np.exp(-t / 0.025)
    return _unit(sound[: round(seconds * RATE)])


def impulse_response(rng: np.random.Generator, decay_s: float, wet: float) -> Samples:
    """Of a room: the direct sound, and reflections that fall by 60 dB in `decay_s`.

    wet: amplitude of the reflections together, against that of the direct sound
    """
    t = _time(decay_s)
    tail = rng.standard_normal(len(t)) * np.exp(-6.9 * t / decay_s)
    tail[: round(0.002 * RATE)] = 0
    tail *= wet / np.sqrt(np.sum(tail**2))
    tail[0] = 1.0
    return np.asarray(tail, np.float32)


def convolved(sound: Samples, response: Samples) -> Samples:
    """(n + m - 1,) float32."""
    count = len(sound) + len(response) - 1
    size = 1 << (count - 1).bit_length()
    return np.asarray(np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(response, size), size)[:count], np.float32)
