"""Synthesise the demo voices: clips, cards and speaker embeddings in voice_library/demo/.

    apt-get install flite festival espeak-ng festvox-kdlpc16k festvox-czech-ph festvox-czech-dita \\
        festvox-czech-krb festvox-czech-machac festvox-ca-ona-hts festvox-suopuhe-mv festvox-suopuhe-lj \\
        festvox-ru festival-hi festvox-hi-nsk
    pip install py-nanotts && pip install -e '.[embedded,chinese]'
    agentaudio models fetch kokoro && agentaudio models fetch misaki
    python scripts/make_demo_voices.py
    python scripts/check_demo_voices.py

Most are stock styles of Kokoro-82M (demo_natural_voices.py); their weights are those of weights/models.toml, by sha256,
and the style tables those of model/kokoro/assets. They come first in the library: of two voices that fit a request
equally well, the search takes the first. The others are made by classic synthesisers (demo_recipes.py).

Each recorded person appears once, even if several packages contain recordings of that person. Left out:
the speakers of the recorded questions (flite slt and rms, Pico in English, plain eSpeak English and its
variants f3 and m3), and voices that may not be redistributed (MBROLA, festvox rab).
"""

from __future__ import annotations

import re
import shutil
import sqlite3
import sys
from collections import defaultdict
from contextlib import closing
from pathlib import Path

import numpy as np
from demo_measured import measure
from demo_natural_voices import NATURAL_VOICES, Natural
from demo_recipes import ENGINE_VOICES, Recipe
from demo_synthesisers import NotInstalled, speak, tidy

from agentaudio.retrieval.voices.indexes import VoiceIndexes
from agentaudio.sound.audio import Audio
from agentaudio.sound.speaker_encoder import EmbeddedSpeakerEncoder
from agentaudio.sound.vad import VoiceActivity
from agentaudio.text.sentence_embedder import SentenceEmbedder
from agentaudio.voice_library.excerpt import Excerpt
from agentaudio.voice_library.library import VoiceLibrary
from agentaudio.voice_library.quality import measure_quality

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "voice_library" / "demo"

SHORTEST_S, LONGEST_S = 4.0, 7.0
LEAST_OF_A_LANGUAGE = 4
"""Voices from which a usual pace is taken; the cards of rarer languages say nothing of it."""


def clips_of() -> dict[str, Audio]:
    """The clip of each voice by id. Raises NotInstalled naming everything that is missing or too short or long."""
    clips: dict[str, Audio] = {}
    wrong: list[str] = []
    for voice in (*NATURAL_VOICES, *ENGINE_VOICES):
        said = voice.reading or voice.text if isinstance(voice, Natural) else voice.transcript
        try:
            clip = clips[voice.id] = tidy(speak(voice.source, said))
        except NotInstalled as error:
            wrong.append(f"{voice.id}: {error}")
            continue
        if not SHORTEST_S <= clip.duration <= LONGEST_S:
            wrong.append(f"{voice.id}: {clip.duration:.1f} s; change its text to last 4 to 7 s")
    if wrong:
        raise NotInstalled("\n".join(wrong))
    return clips


def recipes(clips: dict[str, Audio]) -> list[Recipe]:
    """The recipes of all voices, those of natural ones with the words that were measured."""
    letters_per_s = {voice.id: len(voice.text) / clips[voice.id].duration for voice in NATURAL_VOICES}
    usual: dict[str, list[float]] = defaultdict(list)
    for voice in NATURAL_VOICES:
        if "speed" not in voice.settings:
            usual[voice.language[:2]].append(letters_per_s[voice.id])
    found: list[Recipe] = []
    for voice in NATURAL_VOICES:
        rates = usual[voice.language[:2]]
        pace = letters_per_s[voice.id] / float(np.median(rates)) if len(rates) >= LEAST_OF_A_LANGUAGE else 1.0
        sound = measure(clips[voice.id])
        found.append(voice.recipe(sound, pace))
        print(
            f"{voice.id:9} {sound.pitch_hz:4.0f} Hz, melody {sound.melody:.1f}, centroid {sound.centroid_hz:4.0f} Hz, "
            f"voiced {sound.voiced:.2f}, pace {pace:.2f}: {found[-1].description}"
        )
    return [*found, *ENGINE_VOICES]


def seal() -> None:
    """Leave the database as a single file that can be opened in a read-only folder: no journal, no lock file."""
    with closing(sqlite3.connect(DEMO / "library.sqlite3")) as db:
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("VACUUM")
    (DEMO / "library.lock").unlink()


def main() -> int:
    encoder = EmbeddedSpeakerEncoder()
    try:
        clips = clips_of()
    except NotInstalled as error:
        print(error, file=sys.stderr)
        return 1
    made = recipes(clips)

    for old in [*DEMO.glob("library.*"), *(DEMO / "clips").rglob("*.flac")]:
        old.unlink()
    library, activity = VoiceLibrary.create(DEMO, encoder=encoder), VoiceActivity()
    for recipe in made:
        assert re.fullmatch(r"[a-z]+", recipe.id)
        library.add(
            clips[recipe.id],
            id=recipe.id, name=recipe.name, description=recipe.description, transcript=recipe.transcript,
            language=recipe.language, tags=recipe.tags, gender=recipe.gender, age=recipe.age,
            style=recipe.style, accent=recipe.accent, source=recipe.source,
            licence=recipe.permission.licence, consent=recipe.permission.consent(),
            quality=measure_quality(Excerpt(clips[recipe.id], tuple(activity.speech(clips[recipe.id])))),
        )  # fmt: skip
    shutil.rmtree(DEMO / "index", ignore_errors=True)
    VoiceIndexes(library, SentenceEmbedder(), None).save_texts()  # to embed the cards takes half a second
    library.close()
    seal()
    size = sum(file.stat().st_size for file in DEMO.rglob("*") if file.is_file())
    print(f"{len(library)} voices, {size / 1e6:.1f} MB in {DEMO.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
