"""Check the clips of the demo voices: words as Whisper hears them, level, clipping, and silence at the ends.

    python scripts/check_demo_voices.py [--json docs/figures/demo_voices.json]

Whisper base hears each clip in the language of its card, and what it hears is compared with the transcript: by words,
or by characters in Chinese and Japanese, whose words Whisper spells in several ways, or by eSpeak's sounds in Hindi,
which Whisper base writes in the Urdu script. Ends with status 1 if a
natural English voice has more than WORST_PERCENT of errors, or if a clip of any voice is too soft, clipped, or
begins or ends with more than LONGEST_SILENCE_S of silence. It needs the weights whisper-base.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
from demo_kokoro import symbols

from agentaudio.model.whisper.recogniser import WhisperRecogniser
from agentaudio.sound.audio import Audio
from agentaudio.sound.loudness import loudness
from agentaudio.text.spoken_form import spoken_form
from agentaudio.voice_library.library import demo_voices
from agentaudio.voice_library.voice import Voice
from agentaudio.weights.store import folder

WORST_PERCENT = 10.0
SOFTEST_LUFS = -30.0
LONGEST_SILENCE_S = 0.15
SILENT_BELOW = 0.01
"""Share of the peak, under which a sample at the ends counts as silence."""
BY_CHARACTER = ("zh", "ja")
URDU = re.compile("[\u0600-\u06ff]")
NOT_A_SOUND = re.compile("[ˈˌː ]")
MARGIN_S = 0.3


def plain(text: str, language: str) -> str:
    """A text as it is compared: without punctuation and case, English numbers as words."""
    text = spoken_form(text) if language == "en" else text
    kept = (c if unicodedata.category(c)[0] in "LMN" or c == "'" else " " for c in text.lower().replace("’", "'"))
    return " ".join("".join(kept).split())


def errors_percent(said: str, heard: str, language: str) -> float:
    if language == "hi":
        said, heard = symbols(said, "hi"), symbols(heard, "ur" if URDU.search(heard) else "hi")
        return round(100 * float(jiwer.cer(NOT_A_SOUND.sub("", said), NOT_A_SOUND.sub("", heard) or "-")), 1)
    said, heard = plain(said, language), plain(heard, language) or "-"
    rate = (
        jiwer.cer(said.replace(" ", ""), heard.replace(" ", "")) if language in BY_CHARACTER else jiwer.wer(said, heard)
    )
    return round(100 * float(rate), 1)


def ends_s(clip: Audio) -> tuple[float, float]:
    """Seconds of silence before and after the sound."""
    loud = np.flatnonzero(np.abs(clip.samples) > SILENT_BELOW * clip.peak)
    return float(loud[0]) / clip.sample_rate, float(len(clip.samples) - 1 - loud[-1]) / clip.sample_rate


async def check(ear: WhisperRecogniser, voice: Voice) -> dict[str, Any]:
    clip, language = voice.clip, voice.card.language.split("-")[0]
    margin = Audio.silence(MARGIN_S, clip.sample_rate)
    heard = ""
    if language in ear.languages:
        heard = (await ear.recognise(Audio.concat([margin, clip, margin]), language=language)).text
    before, after = ends_s(clip)
    return {
        "id": voice.id, "engine": voice.card.source.engine if voice.card.source else "",
        "language": voice.card.language,
        "errors_percent": errors_percent(voice.transcript, heard, language), "heard": heard,
        "lufs": round(float(loudness(clip.samples, clip.sample_rate)), 1), "peak": round(clip.peak, 3),
        "clipped": float(np.mean(np.abs(clip.samples) >= 0.999)),
        "before_s": round(before, 3), "after_s": round(after, 3),
        "snr_db": voice.card.quality.snr_db if voice.card.quality else None,
    }  # fmt: skip


def faults(row: dict[str, Any]) -> list[str]:
    """What is wrong with a clip; empty when nothing is."""
    found = []
    if row["engine"] == "kokoro" and row["language"].startswith("en") and row["errors_percent"] > WORST_PERCENT:
        found.append(f"{row['errors_percent']} % of its words are misheard: {row['heard']!r}")
    if row["lufs"] < SOFTEST_LUFS:
        found.append(f"{row['lufs']} LUFS is too soft")
    if row["clipped"]:
        found.append("it is clipped")
    if max(row["before_s"], row["after_s"]) > LONGEST_SILENCE_S:
        found.append(f"{row['before_s']} s and {row['after_s']} s of silence at its ends")
    return found


async def run() -> list[dict[str, Any]]:
    ear = WhisperRecogniser(folder("whisper-base"), threads=1, beam=5)
    rows = [await check(ear, voice) for voice in demo_voices()]
    await ear.aclose()
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to this file")
    options = parser.parse_args()
    rows, wrong = asyncio.run(run()), 0
    for row in rows:
        print(f"{row['id']:9} {row['language']:7} {row['errors_percent']:5} % {row['lufs']:6} LUFS  {row['heard']}")
        for fault in faults(row):
            wrong += 1
            print(f"          {fault}")
    summary = {}
    for engine, languages in (
        ("kokoro", ("en",)),
        ("kokoro", ("es", "fr", "it")),
        ("kokoro", BY_CHARACTER),
        ("kokoro", ("hi",)),
    ):
        of = [r for r in rows if r["engine"] == engine and r["language"].split("-")[0] in languages]
        summary[f"{engine} {', '.join(languages)}"] = {
            "voices": len(of), "mean_errors_percent": round(float(np.mean([r["errors_percent"] for r in of])), 1)
        }  # fmt: skip
    print(json.dumps(summary))
    if options.json:
        options.json.write_text(json.dumps({"summary": summary, "voices": rows}, indent=1, ensure_ascii=False) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
