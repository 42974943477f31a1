"""Synthesise the recordings of the spoken-request benchmark and of the demo.

    apt-get install flite espeak-ng
    pip install py-nanotts soundfile soxr numpy
    python scripts/record_requests.py [dev] [test] [demo]

Reads benchmarks/requests/{dev,test}.jsonl, assigns the voices in rotation, and writes each request as an
Ogg Opus file, with its voice as "recorded_by" in the JSON. The development set and the test set have
different voices, by different programs or from different speakers, so that nothing is tuned on the voices of
the test set. The demo questions are FLAC files beside their questions.json. Every run gives the same sound
(not the same Opus bytes), because the speaking rate is derived from the file name.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
REQUESTS = ROOT / "benchmarks" / "requests"
QUESTIONS = ROOT / "agentaudio" / "demo" / "questions"

SAMPLE_RATE_HZ = 16_000
EDGE_S = 0.3  # silence before and after, which voice activity detection needs
AUDIBLE = 0.01  # share of the peak; quieter samples at the ends are silence
SPEECH_RMS = 0.08  # -22 dBFS, the level of a headset microphone
LOUDEST_PEAK = 0.9
PACES = (0.94, 0.97, 1.0, 1.03, 1.06)

Samples = NDArray[np.float32]
Synthesizer = Callable[[str, float], Samples]  # (text, pace); pace 1 is the engine's default speed, 2 twice as fast


def espeak(voice: str) -> Synthesizer:
    def speak(text: str, pace: float) -> Samples:
        return _wav_from("espeak-ng", "-v", voice, "-s", str(round(160 * pace)), text, output_option="-w")

    return speak


def flite(voice: str) -> Synthesizer:
    def speak(text: str, pace: float) -> Samples:
        stretch = f"duration_stretch={1 / pace:.3f}"
        return _wav_from("flite", "-voice", voice, "--setf", stretch, "-t", text, output_option="-o")

    return speak


def pico(voice: str) -> Synthesizer:
    def speak(text: str, pace: float) -> Samples:
        from py_nanotts import NanoTTS

        pcm = NanoTTS().speak(text, voice=voice, speed=pace)
        return np.asarray(np.frombuffer(pcm, dtype="<i2") / 2**15, np.float32)

    return speak


VOICES: dict[str, Synthesizer] = {
    "espeak-en-us": espeak("en-us"),
    "espeak-f2": espeak("en-us+f2"),
    "pico-en-gb": pico("en-GB"),
    "flite-slt": flite("slt"),
    "flite-rms": flite("rms"),
    "pico-en-us": pico("en-US"),
}
VOICES_BY_SET = {
    "dev": ("espeak-en-us", "espeak-f2", "pico-en-gb"),
    "test": ("flite-slt", "flite-rms", "pico-en-us"),
}

DEMO_QUESTIONS: list[dict[str, Any]] = [
    {
        "file": "great-wall.flac",
        "text": "give me a brief introduction to the great wall of china",
        "expects": {
            "tool": "search_documents",
            "document": "great-wall",
            "facts": ["towers", "dynasties", "dynasty"],
        },
        "recorded_by": "flite-rms",
    },
    {
        "file": "scottish-man.flac",
        "text": "please answer in the voice of a scottish man",
        "expects": {"tool": "audio_search", "voice": "angus"},
        "recorded_by": "flite-rms",
    },
    {
        "file": "national-museum.flac",
        "text": "when is the national museum open today",
        "expects": {"tool": "opening_hours", "arguments": {"museum": "national museum"}},
        "recorded_by": "flite-rms",
    },
    {
        "file": "time-in-tokyo.flac",
        "text": "what is the time in tokyo right now",
        "expects": {"tool": "get_date_time", "arguments": {"timezone": "Asia/Tokyo"}},
        "recorded_by": "flite-slt",
    },
    {
        "file": "seventeen-times-twenty-three.flac",
        "text": "what is seventeen times twenty three",
        "expects": {"tool": "calculate", "arguments": {"expression": "17*23"}, "facts": ["391"]},
        "recorded_by": "flite-slt",
    },
    {
        "file": "distance-of-the-moon.flac",
        "text": "how far away from the earth is the moon",
        "expects": {"tool": "search_documents", "document": "moon", "facts": ["384,000"]},
        "recorded_by": "flite-slt",
    },
    {
        "file": "calm-old-man.flac",
        "text": "please answer in the voice of a calm old man",
        "expects": {"tool": "audio_search", "voice": "albert"},
        "recorded_by": "flite-rms",
    },
    {
        "file": "call-my-mother.flac",
        "text": "call my mother and tell her i am late",
        "expects": {"tool": None},
        "recorded_by": "flite-rms",
    },
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", metavar="SET", help="dev, test or demo; default: all three")
    names = parser.parse_args().sets or ["dev", "test", "demo"]
    if unknown := set(names) - {"dev", "test", "demo"}:
        parser.error(f"unknown set: {', '.join(sorted(unknown))}; choose from dev, test, demo")
    for name in names:
        seconds = record_demo() if name == "demo" else record_set(name)
        print(f"{name}: {seconds / 60:.1f} minutes of speech")


def record_set(name: str) -> float:
    """Record every request of set `name`, and store its voice in the JSON. Returns seconds of sound."""
    path = REQUESTS / f"{name}.jsonl"
    requests = [json.loads(line) for line in path.read_text().splitlines()]
    voices = VOICES_BY_SET[name]
    folder = REQUESTS / "audio"
    folder.mkdir(exist_ok=True)
    for stale in folder.glob(f"{name}-*.opus"):
        stale.unlink()
    seconds = 0.0
    for position, request in enumerate(requests):
        request["recorded_by"] = voices[position % len(voices)]
        seconds += _record(request["text"], request["recorded_by"], folder / f"{request['id']}.opus")
    path.write_text("".join(json.dumps(request) + "\n" for request in requests))
    return seconds


def record_demo() -> float:
    """Record the demo questions. Returns seconds of sound."""
    seconds = sum(_record(q["text"], q["recorded_by"], QUESTIONS / q["file"]) for q in DEMO_QUESTIONS)
    (QUESTIONS / "questions.json").write_text(json.dumps(DEMO_QUESTIONS, indent=2) + "\n")
    return seconds


def _record(text: str, voice: str, path: Path) -> float:
    pace = PACES[zlib.crc32(path.stem.encode()) % len(PACES)]
    samples = _framed(VOICES[voice](text, pace))
    if path.suffix == ".opus":
        soundfile.write(path, samples, SAMPLE_RATE_HZ, format="OGG", subtype="OPUS")
    else:
        soundfile.write(path, samples, SAMPLE_RATE_HZ, subtype="PCM_16")
    return len(samples) / SAMPLE_RATE_HZ


def _framed(samples: Samples) -> Samples:
    """Trim to the speech, set its level to SPEECH_RMS, and add EDGE_S of silence on both sides."""
    audible = np.flatnonzero(np.abs(samples) > AUDIBLE * np.abs(samples).max())
    speech = samples[audible[0] : audible[-1] + 1]
    level = min(SPEECH_RMS / np.sqrt(np.mean(speech**2)), LOUDEST_PEAK / np.abs(speech).max())
    edge = np.zeros(round(EDGE_S * SAMPLE_RATE_HZ), dtype=np.float32)
    return np.concatenate([edge, speech * np.float32(level), edge])


def _wav_from(*command: str, output_option: str) -> Samples:
    """Run a synthesiser that writes a WAV file; returns its samples at SAMPLE_RATE_HZ."""
    program, *arguments = command
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "speech.wav"
        subprocess.run([program, output_option, str(wav), *arguments], check=True)
        samples, rate = soundfile.read(wav, dtype="float32")
    return np.asarray(soxr.resample(samples, rate, SAMPLE_RATE_HZ), np.float32)


if __name__ == "__main__":
    main()
