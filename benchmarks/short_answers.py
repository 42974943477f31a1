"""Answers of one to three words, and the pace of phrases: what is heard of them, in stock and retrieved voices.

    python benchmarks/short_answers.py [--voices 8] [--json FILE]

Kokoro speaks each of ANSWERS alone, and PASSAGE as one answer, in stock styles and demo voices. Reported:

- answers that Whisper base hears word for word; sounds alike ("write" for "right") count as heard wrong
- answers longer than 0.6 s and 0.5 s a word
- for PASSAGE, the word error rate, and in each voice the speaking rate of the fastest phrase, divided by that of the
  slowest: speech sounds per second in which the sound is less than 40 dB below its loudest 10 ms

It needs the weights kokoro, misaki and whisper-base.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
from collections.abc import AsyncGenerator
from typing import Any

import numpy as np
from judge import Ear, words
from report import machine, publish

from agentaudio.model.clip_voice import ClipVoice
from agentaudio.model.kokoro.phrases import SafePhrases
from agentaudio.model.kokoro.pronunciation import Pronunciation
from agentaudio.model.kokoro.synthesiser import KokoroSynthesiser, load
from agentaudio.model.kokoro.voice import KokoroVoice, stock_voice
from agentaudio.sound.audio import Audio
from agentaudio.sound.levels import frame_powers
from agentaudio.voice_library.library import demo_voices
from agentaudio.weights.store import folder

VOICES = ("agnes", "bm_george", "nigel", "af_heart", "angus", "am_adam", "albert", "gina", "bf_emma", "claire")
"""Names of stock styles hold an underscore; the others are demo voices."""

ANSWERS = (
    "Sure.", "Yes.", "No.", "Done.", "Okay.", "Thanks.", "Hello.", "Paris.", "Tomorrow.", "Seven.", "Of course.",
    "Not yet.", "Good morning.", "I see.", "Goodbye.", "Maybe.", "Twelve.", "Monday.", "Never mind.", "Correct.",
    "One moment.", "Here you are.", "It is open.", "Thank you.",
)  # fmt: skip

PASSAGE = (
    "The voice is now Angus. It is half past seven in Tokyo. The museum is open today, but the garden is closed. "
    "It opens again in the spring. You can buy a ticket at the door, or in the little shop next to the station. "
    "Take the blue line to the old town. The walls protected the country from raiders who came on horses from the "
    "northern plains, and many of them are still standing."
)


def state_of(kokoro: KokoroSynthesiser, name: str) -> KokoroVoice:
    if "_" in name:
        return stock_voice(name)
    found = next(voice for voice in demo_voices() if voice.id == name)
    return asyncio.run(kokoro.prepare(ClipVoice(found.clip, found.transcript, name)))


async def given(text: str) -> AsyncGenerator[str, None]:
    yield text


async def said(kokoro: KokoroSynthesiser, text: str, state: KokoroVoice) -> list[Audio]:
    return [sound async for sound in kokoro.speak(given(text), state, language="en") if len(sound)]


def audible_s(sound: Audio) -> float:
    powers = frame_powers(sound.samples, sound.sample_rate // 100)
    return float(np.count_nonzero(powers > powers.max() * 1e-4)) / 100


def measure(kokoro: KokoroSynthesiser, name: str, ear: Ear, pronounce: Pronunciation) -> dict[str, Any]:
    state = state_of(kokoro, name)
    wrong, long = [], 0
    for answer in ANSWERS:
        sound = Audio.concat(asyncio.run(said(kokoro, answer, state)))
        heard = ear.hear(sound)
        if words(heard) != words(answer):
            wrong.append(f"{answer} {heard}")
        long += sound.duration > 0.6 + 0.5 * len(answer.split())
    cutter = SafePhrases("en")
    phrases = [*cutter.push(PASSAGE), *cutter.finish()]
    sounds = asyncio.run(said(kokoro, PASSAGE, state))
    rates = []
    for phrase, sound in zip(phrases, sounds, strict=True):
        symbols = "".join(one.phonemes for one in pronounce(phrase, language="en"))
        rates.append(sum(s.isalpha() and s not in "ˈˌː" for s in symbols) / audible_s(sound))
    return {
        "voice": name,
        "wrong": wrong,
        "too_long": long,
        "passage_wer": round(ear.wer(PASSAGE, Audio.concat(sounds)), 1),
        "rates": [round(rate, 1) for rate in rates],
        "spread": round(max(rates) / min(rates), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--voices", type=int, default=8)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    kokoro, ear, pronounce = load(None, threads=2), Ear(), Pronunciation(folder("misaki"))
    rows = []
    for name in VOICES[: options.voices]:
        rows.append(measure(kokoro, name, ear, pronounce))
        print(rows[-1], flush=True)
    ear.close()
    publish(
        "short answers",
        {
            "voices": len(rows),
            "answers": len(rows) * len(ANSWERS),
            "heard_wrong": sum(len(row["wrong"]) for row in rows),
            "too_long": sum(row["too_long"] for row in rows),
            "passage_wer": round(statistics.mean(row["passage_wer"] for row in rows), 2),
            "spread_mean": round(statistics.mean(row["spread"] for row in rows), 2),
            "spread_max": max(row["spread"] for row in rows),
            **machine(),
            "rows": rows,
        },
        options.json,
    )


if __name__ == "__main__":
    main()
