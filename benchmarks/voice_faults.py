"""Durability of a voice library: ingest is killed at random instants while other processes read.

    python benchmarks/voice_faults.py [--kills 25] [--recordings 600] [--readers 2] [--json FILE]

One process ingests recordings and prints how many rows are done, which acknowledges that those voices are
on the disk. It is killed (SIGKILL) at a random instant and started again, which resumes the ingest.
Meanwhile readers list all voices and read clips and embeddings; one keeps the library open, another opens
it again for each pass. After every kill, each acknowledged voice must be there with its clip and its
embedding. At the end `check --repair` must leave no problems. Exits with 1 when any of this fails.
"""

from __future__ import annotations

import argparse
import random
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from report import publish

from agentaudio.sound.audio import Audio
from agentaudio.sound.speaker_encoder import EmbeddedSpeakerEncoder
from agentaudio.voice_library.check import check
from agentaudio.voice_library.ingest import ingest
from agentaudio.voice_library.library import VoiceLibrary, demo_voices

LATEST_KILL_S = 3.0


def make_recordings(folder: Path, count: int) -> None:
    """Write `count` recordings of 3 s: clips of the demo voices with a little noise, so that no two are equal."""
    generator = np.random.default_rng(0)
    clips = [voice.clip for voice in demo_voices() if voice.card.quality and voice.card.quality.speech_s > 3.5]
    for number in range(count):
        clip = clips[number % len(clips)]
        noise = generator.normal(0, 0.001, len(clip)).astype(np.float32)
        Audio(np.clip(clip.samples + noise, -1, 1), clip.sample_rate).slice(0, 3.0).save(folder / f"{number:05d}.wav")


def take_in(library: str, recordings: str) -> None:
    """Subprocess: ingest, and print the number of rows done so far."""
    print("started", flush=True)
    opened = VoiceLibrary(library, encoder=EmbeddedSpeakerEncoder())
    ingest(opened, recordings, on_progress=lambda done, total: print(done, flush=True))


def read(folder: str, kind: str) -> None:
    """Subprocess: read the library until stdin gets a line, then print the number of passes."""
    library, seen, passes = VoiceLibrary(folder), 0, 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        if kind == "anew":
            library.close()
            library = VoiceLibrary(folder)
        voices = list(library)
        rows = sum(len(rows) for rows, _ in library.embeddings())
        assert len(voices) >= seen and rows >= len(voices), (seen, len(voices), rows)
        seen, passes = len(voices), passes + 1
        for voice in random.sample(voices, min(5, len(voices))):
            assert voice.clip.duration > 1  # reading the clip checks its hash
    print(passes)


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, __file__, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def kill_once(library: VoiceLibrary, recordings: Path, files: list[str]) -> dict[str, int]:
    """Kill one ingest at a random instant, and count what is missing or broken afterwards."""
    writer = start("take-in", str(library.folder), str(recordings))
    assert writer.stdout is not None and writer.stdout.readline() == "started\n"
    time.sleep(random.uniform(0.0, LATEST_KILL_S))
    finished = writer.poll() is not None
    writer.kill()
    acknowledgements = [int(line) for line in writer.communicate()[0].split()]
    acknowledged = set(files[: max(acknowledgements, default=0)])
    voices = {voice.id: voice for voice in library}
    embedded = {voice.id for voice in library.at(library.select(embedded=True))}
    problems = check(library)
    return {
        "acknowledged": len(acknowledged),
        "lost": len(acknowledged - set(voices)),
        "half": len(set(voices) - embedded) + sum(problem.what.startswith("voice ") for problem in problems),
        "orphans": sum("belongs to no voice" in problem.what for problem in problems),
        "finished": int(finished),
    }


def measure(kills: int, count: int, readers: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        recordings = Path(scratch) / "recordings"
        make_recordings(recordings, count)
        files = sorted(file.stem for file in recordings.iterdir())
        library = VoiceLibrary.create(Path(scratch) / "library", encoder=EmbeddedSpeakerEncoder())
        watching = [start("read", str(library.folder), ("open", "anew")[n % 2]) for n in range(readers)]
        rounds = [kill_once(library, recordings, files) for _ in range(kills)]
        passes = [int(reader.communicate("stop\n")[0] or -1) for reader in watching]
        check(library, repair=True)
        figures = {
            "kills": kills,
            "kills that came after the end": sum(one["finished"] for one in rounds),
            "voices acknowledged": max(one["acknowledged"] for one in rounds),
            "acknowledged voices lost": sum(one["lost"] for one in rounds),
            "half voices": sum(one["half"] for one in rounds),
            "orphan files before check --repair": rounds[-1]["orphans"],
            "problems after check --repair": len(check(library)),
            "readers": readers,
            "readers that failed": sum(reader.returncode != 0 for reader in watching),
            "passes over the library by readers": sum(passes),
        }
        library.close()
    return figures


def main() -> None:
    if sys.argv[1:2] == ["take-in"]:
        return take_in(*sys.argv[2:])
    if sys.argv[1:2] == ["read"]:
        return read(*sys.argv[2:])
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--recordings", type=int, default=600)
    parser.add_argument("--readers", type=int, default=2)
    parser.add_argument("--json", metavar="FILE", help="also write the figures to this file")
    options = parser.parse_args()
    figures = measure(options.kills, options.recordings, options.readers)
    publish("Ingest killed at random instants, with readers", figures, options.json)
    must_be_none = ("acknowledged voices lost", "half voices", "problems after check --repair", "readers that failed")
    if any(figures[name] for name in must_be_none):
        sys.exit(1)


if __name__ == "__main__":
    main()
