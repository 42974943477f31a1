"""Whether a person is recognised over telephone, room, codec and noise, and strangers are refused.

    python benchmarks/voice_channels.py [--fit] [--json FILE]

Each demo voice is searched with its own clip over CHANNELS. `first` is the share of voices that come first of all;
`offered` that of voices which a search without `min_score` offers. A stranger is the same sound with the own voice left
out, and is refused when no voice is offered. The figures are those of every second voice; `--fit` prints the weights of
`EmbeddedSpeakerEncoder.same_speaker_probability` fitted on the others. A person's new sentences are harder than the
same sentence over a channel: with halves of the clips, which are shorter too, 87 % came first.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from report import publish

from agentaudio.retrieval.voices.search import DOUBTFUL_ABOVE
from agentaudio.sound.audio import Audio
from agentaudio.sound.speaker_encoder import EmbeddedSpeakerEncoder
from agentaudio.voice_library.library import demo_voices

RATE_HZ = 16_000
TELEPHONE_HZ = 8_000

Samples = NDArray[np.float64]


def band(samples: Samples, low_hz: float, high_hz: float) -> Samples:
    """The samples through a band-pass of fourth order."""
    hz = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    gain = 1 / np.sqrt(1 + (low_hz / np.maximum(hz, 1)) ** 8) / np.sqrt(1 + (hz / high_hz) ** 8)
    return np.fft.irfft(np.fft.rfft(samples) * gain, len(samples))


def noisy(samples: Samples, snr_db: float, rng: np.random.Generator) -> Samples:
    power = np.mean(np.square(samples)) / 10 ** (snr_db / 10)
    return samples + rng.normal(0, np.sqrt(power), len(samples))


def room(samples: Samples, decay_s: float, level: float, rng: np.random.Generator) -> Samples:
    """The samples with exponentially decaying reverberation; decay_s: until -60 dB."""
    at = np.arange(round(decay_s * RATE_HZ))
    tail = rng.normal(size=len(at)) * np.exp(-6.9 * at / len(at)) * level
    return np.convolve(samples, np.concatenate([[1.0], np.zeros(80), tail]))[: len(samples)]


def telephone(samples: Samples, subtype: str) -> Audio:
    narrow = audio(band(samples, 300, 3400) * 0.9).resample(TELEPHONE_HZ)
    file = io.BytesIO()
    soundfile.write(file, narrow.samples, TELEPHONE_HZ, subtype=subtype, format="WAV")
    return Audio.load(file.getvalue())


def audio(samples: Samples) -> Audio:
    return Audio(np.clip(samples, -1, 1).astype(np.float32), RATE_HZ)


Channel = Callable[[Samples, np.random.Generator], Audio]
CHANNELS: dict[str, Channel] = {
    "telephone, mu-law": lambda x, _: telephone(x, "ULAW"),
    "telephone, GSM": lambda x, _: telephone(x, "GSM610"),
    "telephone, noise 20 dB": lambda x, rng: telephone(noisy(x, 20, rng), "ULAW"),
    "laptop in a small room": lambda x, rng: audio(room(band(x, 200, 7000), 0.2, 0.05, rng)),
    "living room": lambda x, rng: audio(room(x, 0.5, 0.03, rng)),
    "opus, 8 kHz": lambda x, _: Audio.load(audio(x).resample(TELEPHONE_HZ).to_bytes("opus")),
    "noise 15 dB": lambda x, rng: audio(noisy(x, 15, rng) * 0.8),
    "offset 0.1": lambda x, _: audio(x * 0.5 + 0.1),
}


def cosines() -> NDArray[np.float64]:
    """(voices, channels, voices): of each clip over each channel with all clips."""
    encoder, rng = EmbeddedSpeakerEncoder(), np.random.default_rng(0)
    clips = [voice.clip.resample(RATE_HZ) for voice in demo_voices()]
    enrolled = np.stack([encoder.encode(clip) for clip in clips])
    rows = []
    for clip in clips:
        samples = clip.samples.astype(np.float64)
        rows.append([enrolled @ encoder.encode(channel(samples, rng)) for channel in CHANNELS.values()])
    return np.array(rows, np.float64)


def trials(table: NDArray[np.float64], first: int) -> NDArray[np.float64]:
    """(trials, 5) of every second voice: channel, person (1) or stranger (0), best cosine, its lead, right first."""
    found = []
    for own in range(first, len(table), 2):
        for number in range(len(CHANNELS)):
            row = table[own, number]
            for person in (True, False):
                among = row if person else np.delete(row, own)
                second, best = np.sort(among)[-2:]
                found.append((number, person, best, best - second, person and row.argmax() == own))
    return np.array(found, np.float64)


def fitted(known: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of cosine, lead and bias: logistic regression by Newton's method with a small ridge penalty."""
    rows, right = np.column_stack([known[:, 2], known[:, 3], np.ones(len(known))]), known[:, 4]
    weights, ridge = np.zeros(3), 1e-3 * np.eye(3)
    for _ in range(60):
        chance = 1 / (1 + np.exp(-np.clip(rows @ weights, -30, 30)))
        curve = (rows * (chance * (1 - chance))[:, None]).T @ rows + ridge
        weights = weights - np.linalg.solve(curve, rows.T @ (chance - right) + ridge @ weights)
    return weights


def figures(known: NDArray[np.float64]) -> dict[str, Any]:
    """Shares over all channels and of each channel."""
    encoder = EmbeddedSpeakerEncoder()
    offered = np.array(
        [
            best >= encoder.same_speaker_above or encoder.same_speaker_probability(best, best - lead) >= DOUBTFUL_ABOVE
            for _, _, best, lead, _ in known
        ]
    )
    sure = known[:, 2] >= encoder.same_speaker_above

    def shares(chosen: NDArray[np.bool_]) -> dict[str, float]:
        person, stranger = chosen & (known[:, 1] == 1), chosen & (known[:, 1] == 0)
        right = known[:, 4] == 1
        return {
            "first": share(right[person]),
            "offered": share((right & offered)[person]),
            "offered_by_the_cosine_alone": share((right & sure)[person]),
            "strangers_refused": share(~offered[stranger]),
        }

    every = np.ones(len(known), bool)
    return {
        "people": int((known[:, 1] == 1).sum()),
        **shares(every),
        **{name: shares(known[:, 0] == number) for number, name in enumerate(CHANNELS)},
    }


def share(values: NDArray[np.bool_]) -> float:
    return round(float(values.mean()), 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--fit", action="store_true", help="print the weights fitted on the other half of the voices")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    table = cosines()
    if options.fit:
        print(fitted(trials(table, 0)).round(2))
    publish("voices over channels", figures(trials(table, 1)), options.json)


if __name__ == "__main__":
    main()
