"""Timbre transfer of the embedded engine: speaker similarity to the reference voice, and intelligibility.

    python benchmarks/embedded_timbre.py [--limit 5] [--json figures.json]

For each voice of the demo library: the cosine similarity of speaker embeddings between its clip and
eSpeak speech with its timbre (`transferred`), the gain over unchanged eSpeak speech (`untouched`), and the
rank of the right voice among all. Ranks are also scaled to a gallery of 13 voices drawn at random. `natural` are the
voices of Kokoro, `classic` those of older synthesisers, robots and other characters.
The word error rate is that of Whisper base (`judge.py`).
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
from judge import Ear, words

from agentaudio.model.embedded.hearing.language_model import spoken_words
from agentaudio.model.embedded.speaking.espeak import Espeak
from agentaudio.model.timbre import WorldTimbre
from agentaudio.sound.audio import Audio
from agentaudio.sound.speaker_encoder import EmbeddedSpeakerEncoder
from agentaudio.text.spoken_form import spoken_form
from agentaudio.voice_library.library import demo_voices

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = ROOT / "agentaudio" / "demo" / "documents"
SENTENCES_PER_VOICE = 2
SENTENCES = 80


def spoken_sentences() -> list[str]:
    """Sentences of 7 to 12 words, sampled evenly from the demo documents."""
    texts = (path.read_text("utf-8") for path in sorted(DOCUMENTS.glob("*.md")))
    parts = [part for text in texts for part in re.split(r"(?<=[.!?])\s+|\n+", text)]
    fitting = [part for part in parts if part.endswith(".") and 7 <= len(spoken_words(part)) <= 12]
    step = max(1, len(fitting) // SENTENCES)
    return fitting[::step][:SENTENCES]


def measure(limit: int | None) -> dict[str, Any]:
    voices = list(demo_voices())
    encoder, synthesiser = EmbeddedSpeakerEncoder(), Espeak()
    ear = Ear()
    gallery = np.stack([encoder.encode(voice.clip) for voice in voices])
    sentences = spoken_sentences()
    rows: list[dict[str, Any]] = []

    def judge(speech: Audio, number: int, sentence: str) -> tuple[float, int, str]:
        cosines = gallery @ encoder.encode(speech)
        rank = 1 + int((cosines > cosines[number]).sum())
        return float(cosines[number]), rank, words(ear.hear(speech))

    for number, voice in enumerate(voices[:limit]):
        started = time.process_time()
        timbre = WorldTimbre(voice.clip)
        prepared_s = time.process_time() - started
        for turn in range(SENTENCES_PER_VOICE):
            sentence = sentences[(number * SENTENCES_PER_VOICE + turn) % len(sentences)]
            plain = synthesiser.speak(spoken_form(sentence))
            source = synthesiser.speak(spoken_form(sentence), pitch_hz=timbre.pitch_hz)
            started = time.process_time()
            transferred = timbre.apply(source)
            cpu_s = time.process_time() - started
            before, after = judge(plain, number, sentence), judge(transferred, number, sentence)
            rows.append(
                {
                    "voice": voice.id,
                    "engine": voice.card.source.engine if voice.card.source else "",
                    "said": words(sentence),
                    "untouched": dict(zip(("cosine", "rank", "heard"), before, strict=True)),
                    "transferred": dict(zip(("cosine", "rank", "heard"), after, strict=True)),
                    "rtf_cpu": cpu_s / transferred.duration,
                    "prepared_s": prepared_s,
                }
            )
    ear.close()
    synthesiser.close()
    return {
        "voices": len({row["voice"] for row in rows}),
        "gallery": len(voices),
        "all": summarise(rows, len(voices)),
        "natural": summarise([row for row in rows if row["engine"] == "kokoro"], len(voices)),
        "classic": summarise([row for row in rows if row["engine"] != "kokoro"], len(voices)),
    }


def summarise(rows: list[dict[str, Any]], gallery: int) -> dict[str, Any]:
    """Means over the rows."""
    if not rows:
        return {}

    def mean(value: Callable[[dict[str, Any]], float]) -> float:
        return float(np.mean([value(row) for row in rows]))

    result: dict[str, Any] = {}
    for way in ("untouched", "transferred"):
        rank = mean(lambda row, way=way: row[way]["rank"])  # type: ignore[misc]
        words = jiwer.wer([row["said"] for row in rows], [row[way]["heard"] or "-" for row in rows])
        result[way] = {
            "cosine": round(mean(lambda row, way=way: row[way]["cosine"]), 3),  # type: ignore[misc]
            "mean_rank": round(rank, 2),
            "mean_rank_of_13": round(1 + (rank - 1) * 12 / (gallery - 1), 2),
            "top1_percent": round(100 * mean(lambda row, way=way: row[way]["rank"] == 1)),  # type: ignore[misc]
            "wer_percent": round(100 * float(words), 1),
        }
    result["cosine_gain"] = round(result["transferred"]["cosine"] - result["untouched"]["cosine"], 3)
    result["rtf_cpu"] = round(mean(lambda row: row["rtf_cpu"]), 3)
    result["prepare_cpu_s"] = round(mean(lambda row: row["prepared_s"]), 2)
    return result


def print_table(results: dict[str, Any]) -> None:
    print("voices    way         cosine  gain   rank of 13  top-1  WER    RTF")
    for group in ("all", "natural", "classic"):
        figures = results[group]
        for way in ("untouched", "transferred") if figures else ():
            row = figures[way]
            gain, rtf = (figures["cosine_gain"], figures["rtf_cpu"]) if way == "transferred" else (0.0, 0.0)
            print(
                f"{group:9} {way:11} {row['cosine']:.3f} {gain:+.3f}  {row['mean_rank_of_13']:10.2f}"
                f"  {row['top1_percent']:5} {row['wer_percent']:5.1f}  {rtf:.3f}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--limit", type=int, help="use only the first LIMIT voices")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    results = measure(options.limit)
    print_table(results)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
