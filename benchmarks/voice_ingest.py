"""Speed of ingesting recordings into a voice library, relative to the speaker encoder alone.

    python benchmarks/voice_ingest.py [--recordings 120] [--workers 2] [--encoder embedded] [--json FILE]

The recordings are made from the demo voices: 4 to 20 s of one voice, with pauses and a little noise.
`ingest` takes all of them into an empty library: read, detect speech, choose an excerpt, measure its
quality, embed, flag, and write. `bare` only runs the encoder, on sound already in memory: the whole
recordings, and the stored excerpts. The passes alternate, on the same number of threads; ratios are of
medians within one run.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from report import publish

from agentaudio.sound.audio import Audio
from agentaudio.voice_library.encoders import load_encoder
from agentaudio.voice_library.ingest import ingest
from agentaudio.voice_library.library import VoiceLibrary, demo_voices

ROUNDS = 3


def make_recordings(folder: Path, count: int) -> list[Audio]:
    """Write `count` different recordings to `folder`; returns them as read back."""
    random = np.random.default_rng(0)
    clips = [voice.clip for voice in demo_voices() if "whisper" not in voice.card.tags]
    for number in range(count):
        clip = clips[number % len(clips)]
        parts: list[Audio] = []
        for _ in range(random.integers(1, 5)):
            parts += [clip, Audio.silence(float(random.uniform(0.2, 1.0)), clip.sample_rate)]
        sound = Audio.concat(parts[:-1])
        noise = random.normal(0, 0.001, len(sound)).astype(np.float32)
        Audio(np.clip(sound.samples + noise, -1, 1), sound.sample_rate).save(folder / f"{number:05d}.wav")
    return [Audio.load(file) for file in sorted(folder.iterdir())]


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def measure(count: int, workers: int, encoder_name: str) -> dict[str, Any]:
    encoder = load_encoder(encoder_name)
    times: dict[str, list[float]] = {"ingest": [], "bare, recordings": [], "bare, excerpts": []}
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(workers) as pool:
        recordings = make_recordings(Path(scratch), count)
        encoder.encode(recordings[0])
        for _ in range(ROUNDS):
            with tempfile.TemporaryDirectory() as folder:
                library = VoiceLibrary.create(folder, encoder=encoder)
                times["ingest"].append(seconds(lambda: ingest(library, scratch, workers=workers)))  # noqa: B023
                assert len(library) == count, "a recording was refused"
                excerpts = [voice.clip for voice in library]
                library.close()
            times["bare, recordings"].append(seconds(lambda: list(pool.map(encoder.encode, recordings))))
            times["bare, excerpts"].append(seconds(lambda: list(pool.map(encoder.encode, excerpts))))  # noqa: B023
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    return {
        "encoder": encoder.name,
        "workers": workers,
        "recordings": count,
        "seconds_of_sound": round(sum(audio.duration for audio in recordings), 1),
        **{f"{name}, per second": round(count / median, 2) for name, median in medians.items()},
        "ratio_to_recordings": round(medians["bare, recordings"] / medians["ingest"], 3),
        "ratio_to_excerpts": round(medians["bare, excerpts"] / medians["ingest"], 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--recordings", type=int, default=120)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--encoder", default="embedded")
    parser.add_argument("--json", metavar="FILE", help="also write the figures to this file")
    options = parser.parse_args()
    figures = measure(options.recordings, options.workers, options.encoder)
    publish(f"Ingest next to {figures['encoder']} alone, {figures['workers']} threads", figures, options.json)


if __name__ == "__main__":
    main()
