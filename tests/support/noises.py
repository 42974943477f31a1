"""Sounds without speech, made by formula: what a microphone picks up when nobody speaks to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentaudio.sound.audio import Audio
from agentaudio.sound.levels import from_dbfs, peak

RATE_HZ = 16_000

Wave = NDArray[Any]
Random = np.random.Generator


@cache
def noises(seed: int, duration_s: float = 3.0) -> Mapping[str, Audio]:
    """One sound of each kind; another seed gives other pitches, times and levels. Peaks lie at -40 to -3 dBFS."""
    made = {}
    for number, (name, make) in enumerate(KINDS.items()):
        random = np.random.default_rng((seed, number))
        wave = make(random, round(duration_s * RATE_HZ))
        loudest = peak(wave)
        level = from_dbfs(QUIET.get(name, random.uniform(-40, -3)))
        made[name] = Audio((wave * (level / loudest if loudest else 0.0)).astype(np.float32), RATE_HZ)
    return made


def _time(length: int) -> Wave:
    return np.arange(length) / RATE_HZ


def _white(random: Random, length: int) -> Wave:
    return random.standard_normal(length)


def _coloured(slope: float, low: float = 30, high: float = 8000) -> Callable[[Random, int], Wave]:
    """Noise whose amplitude falls with frequency to the power of `slope`, between two frequencies in Hz."""

    def make(random: Random, length: int) -> Wave:
        return _shaped(random, length, lambda f: (f > low) * (f < high) * np.maximum(f, 1) ** -slope)

    return make


def _shaped(random: Random, length: int, gain: Callable[[Wave], Wave]) -> Wave:
    spectrum = np.fft.rfft(random.standard_normal(length))
    return np.fft.irfft(spectrum * gain(np.fft.rfftfreq(length, 1 / RATE_HZ)), length)


def _sum(waves: Iterable[Wave]) -> Wave:
    return np.asarray(np.sum(list(waves), axis=0))


def _hum(hertz: float) -> Callable[[Random, int], Wave]:
    def make(random: Random, length: int) -> Wave:
        time = _time(length)
        return _sum(np.sin(2 * np.pi * hertz * k * time + k) / k**1.2 for k in range(1, 9))

    return make


def _bursts(per_s: float, decay_s: float, low: float, high: float, *, least: int = 1) -> Callable[[Random, int], Wave]:
    """Decaying bursts of band-limited noise at random times."""

    def make(random: Random, length: int) -> Wave:
        wave = np.zeros(length)
        count = max(least, random.poisson(per_s * length / RATE_HZ))
        for start in random.uniform(0.02, 0.9, count) * length:
            size = min(length - int(start), int(8 * decay_s * RATE_HZ))
            band = _shaped(random, size, lambda f: ((f > low) & (f < high)).astype(float))
            burst = band / (peak(band) or 1) * np.exp(-_time(size) / decay_s)
            wave[int(start) : int(start) + size] += random.uniform(0.4, 1.0) * burst
        return wave

    return make


def _breath(random: Random, length: int) -> Wave:
    air = _shaped(
        random, length, lambda f: np.exp(-(((f - 1200) / 900) ** 2)) + 0.4 * np.exp(-(((f - 4000) / 1500) ** 2))
    )
    period = random.uniform(1.2, 2.0)
    return np.asarray(air * np.maximum(0, np.sin(2 * np.pi * _time(length) / period)) ** 1.5)


def _cough(random: Random, length: int) -> Wave:
    wave = np.zeros(length)
    for start in np.array([0.2, 0.55]) * RATE_HZ + random.uniform(0, 0.3) * RATE_HZ:
        size = int(0.28 * RATE_HZ)
        air = _shaped(
            random, size, lambda f: np.exp(-(((f - 900) / 700) ** 2)) + 0.5 * np.exp(-(((f - 2600) / 900) ** 2))
        )
        time = _time(size)
        wave[int(start) : int(start) + size] += air / peak(air) * np.minimum(time / 0.01, 1) * np.exp(-time / 0.08)
    return wave


def _music(random: Random, length: int) -> Wave:
    """Chords and a melody of decaying harmonics."""
    time, wave = _time(length), np.zeros(length)
    beat = random.uniform(0.25, 0.5)
    scale = np.array([0, 2, 4, 5, 7, 9, 11, 12])
    root = random.uniform(110, 220)
    for number in range(int(length / RATE_HZ / beat)):
        notes = [random.choice(scale) + 12] + ([0, 4, 7] if number % 2 == 0 else [])
        after = time - number * beat
        for note in notes:
            hertz = root * 2 ** (note / 12)
            for k in range(1, 7):
                wave += (
                    (after >= 0) * np.exp(-np.maximum(after, 0) / 0.4) / k**1.5 * np.sin(2 * np.pi * hertz * k * after)
                )
    return wave


def _drums(random: Random, length: int) -> Wave:
    time, wave = _time(length), np.zeros(length)
    for number in range(int(length / RATE_HZ / 0.25)):
        after = np.maximum(time - number * 0.25, 0)
        on = time >= number * 0.25
        if number % 2 == 0:
            wave += on * np.exp(-after / 0.08) * np.sin(2 * np.pi * (50 + 60 * np.exp(-after / 0.03)) * after)
        else:
            wave += 0.6 * on * np.exp(-after / 0.04) * _white(random, length) / 3
    return wave


def _siren(random: Random, length: int) -> Wave:
    hertz = 700 + 300 * np.sin(2 * np.pi * random.uniform(0.3, 1.5) * _time(length))
    return np.sin(2 * np.pi * np.cumsum(hertz) / RATE_HZ)


def _ring(random: Random, length: int) -> Wave:
    time = _time(length)
    tone = np.sin(2 * np.pi * 440 * time) + np.sin(2 * np.pi * 480 * time)
    return np.asarray(tone * (1 + np.sin(2 * np.pi * 20 * time)) * ((time % 1.5) < 0.8))


def _dial_tones(random: Random, length: int) -> Wave:
    time, wave = _time(length), np.zeros(length)
    for number in range(int(length / RATE_HZ / 0.2)):
        low, high = random.choice([697, 770, 852, 941]), random.choice([1209, 1336, 1477])
        on = (time > number * 0.2) & (time < number * 0.2 + 0.1)
        wave += on * (np.sin(2 * np.pi * low * time) + np.sin(2 * np.pi * high * time))
    return wave


def _whistle(random: Random, length: int) -> Wave:
    time = _time(length)
    hertz = 1400 + 500 * np.sin(2 * np.pi * 0.7 * time + random.uniform(0, 6)) + 20 * np.sin(2 * np.pi * 6 * time)
    envelope = np.clip(np.sin(2 * np.pi * 0.9 * time) * 3, 0, 1)
    return np.asarray(envelope * (np.sin(2 * np.pi * np.cumsum(hertz) / RATE_HZ) + 0.02 * _white(random, length)))


def _bark(random: Random, length: int) -> Wave:
    time, wave = _time(length), np.zeros(length)
    for start in np.arange(0.2, length / RATE_HZ - 0.3, random.uniform(0.5, 0.9)):
        after = np.clip(time - start, 0, None)
        hertz = random.uniform(350, 600) * (1 + 0.6 * np.exp(-after / 0.03))
        phase = 2 * np.pi * np.cumsum(hertz) / RATE_HZ
        voice = _sum(np.sin(k * phase) / k for k in range(1, 9)) + 0.4 * _white(random, length)
        wave += voice * (time >= start) * (1 - np.exp(-after / 0.01)) * np.exp(-after / 0.06)
    return wave


def _engine(random: Random, length: int) -> Wave:
    hertz = random.uniform(25, 60) * (1 + 0.05 * np.sin(2 * np.pi * 0.4 * _time(length)))
    phase = 2 * np.pi * np.cumsum(hertz) / RATE_HZ
    return _sum(np.sin(k * phase + k * k) / k for k in range(1, 30)) + 0.3 * _coloured(1.0)(random, length)


def _telephone_buzz(random: Random, length: int) -> Wave:
    """The 217 Hz frames of a GSM telephone beside a microphone, in groups."""
    time = _time(length)
    return ((time * 217 % 1) < 0.12) * ((time % 0.6) < 0.25) * 1.0


KINDS: dict[str, Callable[[Random, int], Wave]] = {
    "zeros": lambda random, length: np.zeros(length),
    "last bit": lambda random, length: np.round(random.uniform(-1, 1, length)),
    "white noise": _white,
    "faint noise": _white,
    "pink noise": _coloured(0.5),
    "fan": _coloured(1.0),
    "quiet fan": _coloured(1.0),
    "wind": lambda random, length: _coloured(1.5)(random, length) * (1.2 + np.sin(2 * np.pi * 0.4 * _time(length))),
    "hiss": _coloured(0.0, low=3000),
    "hum 50 Hz": _hum(50),
    "hum 60 Hz": _hum(60),
    "mains buzz": _hum(100),
    "click": _bursts(0.0, 0.002, 500, 7000),
    "clicks": _bursts(2.0, 0.003, 500, 7000, least=3),
    "keys": _bursts(8.0, 0.008, 800, 6000, least=8),
    "typing": _bursts(5.0, 0.02, 300, 4000, least=6),
    "door": _bursts(0.3, 0.12, 40, 400),
    "footsteps": _bursts(2.0, 0.05, 60, 500, least=3),
    "clapping": _bursts(3.0, 0.03, 600, 3500, least=4),
    "crackle": _bursts(40.0, 0.001, 300, 8000, least=40),
    "rain": _bursts(150.0, 0.004, 1000, 8000, least=100),
    "rustle": lambda random, length: (
        _coloured(0.0, low=1500)(random, length) * np.abs(_coloured(0.0, low=1, high=12)(random, length))
    ),
    "bump": _bursts(0.5, 0.2, 20, 120),
    "breath": _breath,
    "cough": _cough,
    "music": _music,
    "drums": _drums,
    "siren": _siren,
    "ring": _ring,
    "dial tones": _dial_tones,
    "tone": lambda random, length: np.sin(2 * np.pi * random.uniform(200, 2000) * _time(length)),
    "whistle": _whistle,
    "bark": _bark,
    "engine": _engine,
    "telephone buzz": _telephone_buzz,
}
QUIET = {"last bit": -90.3, "faint noise": -60.0, "quiet fan": -50.0}
"""Peaks in dBFS of kinds that are quiet by nature."""
