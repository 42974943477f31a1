"""Whether bad reference clips are flagged by name, and clean ones are not.

    python benchmarks/voice_defects.py [--json FILE]

Demo voices are spoiled in each way of SPOILED. The limits in voice_library/defects.py were set on every second voice;
the figures are those of the others: the share of clips with the defect that they should have, or with none.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from report import publish

from agentaudio.errors import VoiceError
from agentaudio.sound.audio import Audio
from agentaudio.sound.vad import VoiceActivity
from agentaudio.voice_library.defects import RATE_HZ, find_defects
from agentaudio.voice_library.excerpt import find_excerpt
from agentaudio.voice_library.library import demo_voices
from agentaudio.voice_library.quality import measure_quality

Wave = NDArray[np.float64]
Random = np.random.Generator


def mixed(speech: Wave, other: Wave, snr_db: float) -> Wave:
    return np.asarray(speech + other * np.sqrt(np.mean(speech**2) / np.mean(other**2)) / 10 ** (snr_db / 20))


def music(length: int, random: Random) -> Wave:
    """Plucked notes or chords of a random scale, one every 0.25 to 0.7 s."""
    made = np.zeros(length)
    size = int(random.uniform(0.25, 0.7) * RATE_HZ)
    chord = (0, 4, 7)[: random.choice([1, 3])]
    lowest, fades = random.uniform(110, 330), random.uniform(0.5, 3)
    for start in range(0, length, size):
        at = np.arange(min(size, length - start)) / RATE_HZ
        note = random.choice([0, 2, 4, 5, 7, 9, 12])
        for step in chord:
            hz = lowest * 2 ** ((note + step) / 12)
            made[start : start + size] += sum(np.sin(2 * np.pi * hz * k * at) / k for k in range(1, 5)) * np.exp(
                -at * fades
            )
    return made


def pink(length: int, random: Random) -> Wave:
    spectrum = np.fft.rfft(random.standard_normal(length))
    return np.fft.irfft(spectrum / np.sqrt(np.arange(len(spectrum)) + 1), length)


def in_a_room(speech: Wave, decay_s: float, direct_db: float, random: Random) -> Wave:
    """direct_db: level of the direct sound over the reverberation"""
    size = round(decay_s * 1.2 * RATE_HZ)
    tail = np.exp(-6.9 * np.arange(size) / RATE_HZ / decay_s) * random.standard_normal(size)
    tail /= np.sqrt(np.sum(tail**2)) * 10 ** (direct_db / 20)
    tail[0] = 1.0
    return np.convolve(speech, tail)[: len(speech) + size // 2]


SPOILED: dict[str, tuple[str, Callable[[Wave, Random], Wave]]] = {
    "clean": ("", lambda speech, _: speech),
    "clipped by 6 dB": ("clipping", lambda speech, _: np.clip(speech * 2 / np.abs(speech).max(), -1, 1)),
    "clipped by 12 dB": ("clipping", lambda speech, _: np.clip(speech * 4 / np.abs(speech).max(), -1, 1)),
    "music at 10 dB": ("music", lambda speech, random: mixed(speech, music(len(speech), random), 10)),
    "music at 5 dB": ("music", lambda speech, random: mixed(speech, music(len(speech), random), 5)),
    "music at 0 dB": ("music", lambda speech, random: mixed(speech, music(len(speech), random), 0)),
    "noise at 20 dB": ("", lambda speech, random: mixed(speech, pink(len(speech), random), 20)),
    "noise at 5 dB": ("noise", lambda speech, random: mixed(speech, pink(len(speech), random), 5)),
    "noise at 0 dB": ("noise", lambda speech, random: mixed(speech, pink(len(speech), random), 0)),
    "white noise at 0 dB": (
        "noise", lambda speech, random: mixed(speech, random.standard_normal(len(speech)), 0),
    ),
    "room of 0.2 s": ("", lambda speech, random: in_a_room(speech, 0.2, 8, random)),
    "room of 0.8 s": ("reverberation", lambda speech, random: in_a_room(speech, 0.8, 0, random)),
    "room of 1.2 s": ("reverberation", lambda speech, random: in_a_room(speech, 1.2, -3, random)),
}  # fmt: skip


def names_of(speech: Wave, activity: VoiceActivity) -> set[str]:
    audio = Audio((speech / np.abs(speech).max() * 0.7).astype(np.float32), RATE_HZ)
    try:
        excerpt = find_excerpt(audio, activity)
    except VoiceError:
        return {"refused"}
    return set(find_defects(excerpt, measure_quality(excerpt).snr_db))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", help="write the figures to this file")
    options = parser.parse_args()
    activity = VoiceActivity()
    clips = [voice.clip.resample(RATE_HZ).samples.astype(np.float64) for voice in demo_voices()][1::2]
    figures: dict[str, object] = {"voices": len(clips)}
    for number, (title, (name, spoil)) in enumerate(SPOILED.items()):
        found = [names_of(spoil(clip, np.random.default_rng((number, at))), activity) for at, clip in enumerate(clips)]
        named = {"clipping", "music", "noise", "reverberation", "refused"}
        right = [bool(names & {name, "refused"}) if name else not names & named for names in found]
        figures[title] = {
            "right": round(float(np.mean(right)), 4),
            **{other: sum(other in names for names in found) for other in sorted(named | {"no-pause"})},
        }
        print(title, figures[title], flush=True)
    publish("defects of clips", figures, options.json)


if __name__ == "__main__":
    main()
