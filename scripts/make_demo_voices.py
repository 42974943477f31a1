"""Synthesise the demo voices: clips, cards and speaker embeddings in voice_library/demo/.

    apt-get install flite festival espeak-ng festvox-kdlpc16k festvox-czech-ph festvox-czech-dita \\
        festvox-czech-krb festvox-czech-machac festvox-ca-ona-hts festvox-itapc16k festvox-italp16k \\
        festvox-suopuhe-mv festvox-suopuhe-lj festvox-ru festival-hi festvox-hi-nsk
    pip install py-nanotts && pip install -e '.[embedded]'
    python scripts/make_demo_voices.py

Each recorded person appears once, even if several packages contain recordings of that person. Left out:
the speakers of the recorded questions (flite slt and rms, Pico in English, plain eSpeak English and its
variants f3 and m3), and voices that may not be redistributed (MBROLA, festvox rab).

The eSpeak NG voices were chosen from 97 variants at three pitches each. These were ordered so that each is
as far as possible, by speaker embedding, from all before it; among the first were chosen those that fit
common requests ("a robot", "a little girl"). benchmarks/voice_gallery.py measures how distinct the voices
are, with the same encoder.
"""

from __future__ import annotations

import re
import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from demo_permissions import PICO, RULES, Permission, cmu, gnu
from demo_synthesisers import NotInstalled, speak, tidy

from agentaudio.sound.audio import Audio
from agentaudio.sound.speaker_encoder import EmbeddedSpeakerEncoder
from agentaudio.sound.vad import VoiceActivity
from agentaudio.voice_library.excerpt import Excerpt
from agentaudio.voice_library.library import VoiceLibrary
from agentaudio.voice_library.quality import measure_quality
from agentaudio.voice_library.voice import Source

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "voice_library" / "demo"

SHORTEST_S, LONGEST_S = 4.0, 7.0


@dataclass(frozen=True)
class Recipe:
    """A voice to synthesise: the text of its clip, and the fields of its card."""

    id: str
    name: str
    source: Source
    permission: Permission
    language: str
    transcript: str
    description: str
    tags: tuple[str, ...]
    gender: Literal["female", "male", "neutral"]
    age: Literal["child", "young", "adult", "old"] | None
    style: str
    accent: str


BRAILCOM = "Brailcom, o.p.s."
IFM = "IFM Development Team (ISTC-SPFD CNR, ITC-irst)"
HELSINKI = "University of Helsinki, Department of General Linguistics"

VOICES = (
    # English, from recorded people
    Recipe(
        "marcus", "Marcus", Source(engine="flite", voice="kal16"),
        cmu("Alan W Black and Kevin Lenzo; Carnegie Mellon University", "flite"), "en-US",
        "Turn left at the old bakery, and you will see the library across the square.",
        "An American man with a low, matter-of-fact voice. Diphone synthesis, audibly a computer.",
        ("american", "man", "low", "matter-of-fact"), "male", "adult", "matter-of-fact", "American",
    ),
    Recipe(
        "angus", "Angus", Source(engine="flite", voice="awb"),
        cmu("Language Technologies Institute, Carnegie Mellon University", "flite"), "en-GB",
        "The ferry leaves at noon, so we have time for a bowl of soup before we go.",
        "A Scottish man with a clear, friendly voice. Statistical synthesis, slightly buzzy.",
        ("scottish", "british", "man", "friendly", "clear"), "male", "adult", "friendly", "Scottish",
    ),
    Recipe(
        "walter", "Walter", Source(engine="festival", voice="ked_diphone"),
        cmu("Centre for Speech Technology Research, University of Edinburgh", "festvox-kdlpc16k"), "en-US",
        "My grandfather kept bees behind the barn, and he knew every flower in the valley.",
        "An American man with a thin, crisp voice, like an old radio set. Diphone synthesis.",
        ("american", "man", "thin", "crisp", "radio"), "male", "adult", "crisp", "American",
    ),
    # Other languages, from recorded people
    Recipe(
        "oscar", "Oscar", Source(engine="festival", voice="czech_ph"),
        gnu("GPL-2.0-or-later", BRAILCOM, "festvox-czech-ph"), "cs-CZ",
        "Dnes ráno jsem šel po mostě přes řeku a díval jsem se na staré město.",
        "A Czech man, sober and plain. Speaks Czech. Diphone synthesis.",
        ("czech", "man", "plain"), "male", "adult", "sober", "Czech",
    ),
    Recipe(
        "diana", "Diana", Source(engine="festival", voice="czech_dita"),
        gnu("GPL-3.0-or-later", BRAILCOM, "festvox-czech-dita"), "cs-CZ",
        "Na zahradě rostou červené růže a pod stromem spí naše malá kočka.",
        "A Czech woman with a clear, composed voice. Speaks Czech. Diphone synthesis.",
        ("czech", "woman", "clear", "composed"), "female", "adult", "composed", "Czech",
    ),
    Recipe(
        "toby", "Toby", Source(engine="festival", voice="czech_krb"),
        gnu("GPL-3.0-or-later", BRAILCOM, "festvox-czech-krb"), "cs-CZ",
        "Zítra pojedeme vlakem k babičce na vesnici a budeme si celý den hrát u potoka.",
        "A Czech boy with a high, young voice. Speaks Czech. Diphone synthesis.",
        ("czech", "boy", "child", "high"), "male", "child", "childlike", "Czech",
    ),
    Recipe(
        "victor", "Victor", Source(engine="festival", voice="czech_machac"),
        gnu("GPL-3.0-or-later", BRAILCOM, "festvox-czech-machac"), "cs-CZ",
        "Večer přijde host a společně si přečteme dopis z daleké země.",
        "A Czech man with a deep, level voice, like a calm lecturer. Speaks Czech. Diphone synthesis.",
        ("czech", "man", "deep", "level", "lecturer", "calm"), "male", "adult", "lecturing", "Czech",
    ),
    Recipe(
        "carmen", "Carmen", Source(engine="festival", voice="upc_ca_ona_hts"),
        gnu("LGPL-2.1-or-later", "Universitat Politècnica de Catalunya, Antonio Bonafonte",
             "festvox-ca-ona-hts"), "ca",
        "Aquest matí he anat al mercat a comprar peix, pa i unes taronges molt bones.",
        "A Catalan woman with a warm, fluent voice. Speaks Catalan. Statistical synthesis.",
        ("catalan", "woman", "warm", "fluent"), "female", "adult", "warm", "Catalan",
    ),
    Recipe(
        "leo", "Leo", Source(engine="festival", voice="pc_diphone"),
        gnu("GPL-2.0-or-later", IFM, "festvox-itapc16k"), "it-IT",
        "Domani mattina prendo il treno per Venezia e torno a casa la sera.",
        "An Italian man with a firm voice. Speaks Italian. Diphone synthesis.",
        ("italian", "man", "firm"), "male", "adult", "firm", "Italian",
    ),
    Recipe(
        "gina", "Gina", Source(engine="festival", voice="lp_diphone"),
        gnu("GPL-2.0-or-later", IFM, "festvox-italp16k"), "it-IT",
        "La nonna prepara il pane ogni domenica e tutta la casa profuma di forno.",
        "An Italian woman with an even, composed voice. Speaks Italian. Diphone synthesis.",
        ("italian", "woman", "even", "composed"), "female", "adult", "even", "Italian",
    ),
    Recipe(
        "eric", "Eric", Source(engine="festival", voice="hy_fi_mv_diphone"),
        gnu("LGPL-2.0-or-later", HELSINKI, "festvox-suopuhe-mv"), "fi-FI",
        "Talvella järvi jäätyy ja lapset luistelevat siellä koko päivän, kunnes tulee ilta.",
        "A Finnish man with a low voice. Speaks Finnish. Diphone synthesis.",
        ("finnish", "man", "low", "deep"), "male", "adult", "low", "Finnish",
    ),
    Recipe(
        "helen", "Helen", Source(engine="festival", voice="suo_fi_lj_diphone"),
        gnu("LGPL-2.0-or-later", "Universities of Helsinki and Joensuu", "festvox-suopuhe-lj"), "fi-FI",
        "Kesällä me keräämme metsästä mustikoita ja keitämme niistä makeaa hilloa.",
        "A Finnish woman with a rather low, plain voice. Speaks Finnish. Diphone synthesis.",
        ("finnish", "woman", "low", "plain"), "female", "adult", "plain", "Finnish",
    ),
    Recipe(
        "boris", "Boris", Source(engine="festival", voice="msu_ru_nsh_clunits"),
        cmu("Nickolay V. Shmyrev", "festvox-ru"), "ru-RU",
        "Вечером мы сидели у окна, пили чай и говорили о старых друзьях.",
        "A Russian man with a natural, everyday voice. Speaks Russian. Unit-selection synthesis.",
        ("russian", "man", "natural", "everyday"), "male", "adult", "everyday", "Russian",
    ),
    Recipe(
        "ravi", "Ravi", Source(engine="festival", voice="hindi_NSK_diphone"),
        gnu("GPL-2.0-or-later", "C-DAC Mumbai; DONLab, IIT Madras", "festvox-hi-nsk"), "hi-IN",
        "आज सुबह हम नदी के किनारे गए और वहाँ पेड़ के नीचे बहुत देर तक बैठे रहे।",
        "An Indian man with a flat, even voice. Speaks Hindi. Diphone synthesis, a little choppy.",
        ("indian", "hindi", "man", "flat", "even"), "male", "adult", "flat", "Indian",
    ),
    Recipe(
        "greta", "Greta", Source(engine="pico", voice="de-DE"), PICO, "de-DE",
        "Am Wochenende fahren wir mit dem Fahrrad an den See und nehmen Kuchen mit.",
        "A German woman, friendly and clear, like a navigation system. Speaks German. Statistical synthesis.",
        ("german", "woman", "friendly", "clear"), "female", "adult", "friendly", "German",
    ),
    Recipe(
        "elena", "Elena", Source(engine="pico", voice="es-ES"), PICO, "es-ES",
        "El domingo vamos a la montaña con unos amigos y comemos junto al río.",
        "A Spanish woman with a warm, lively voice. Speaks Spanish. Statistical synthesis.",
        ("spanish", "woman", "warm", "lively"), "female", "adult", "lively", "Spanish",
    ),
    Recipe(
        "claire", "Claire", Source(engine="pico", voice="fr-FR"), PICO, "fr-FR",
        "Ce soir nous dînons dans un petit restaurant près du port, avec toute la famille et nos voisins.",
        "A French woman with a soft, polite voice. Speaks French. Statistical synthesis.",
        ("french", "woman", "soft", "polite"), "female", "adult", "polite", "French",
    ),
    # Formant synthesis, not built from recordings of a person
    Recipe(
        "albert", "Albert", Source(engine="espeak-ng", voice="en+sandro", settings="pitch=20 speed=120"),
        RULES, "en-GB",
        "When I was a boy, this road was only a path between two fields.",
        "A calm old man with a low, slow British voice, like a grandfather telling a story. Formant "
        "synthesis, a little robotic.",
        ("calm", "old", "man", "grandfather", "slow", "low", "british", "storyteller"),
        "male", "old", "calm", "British",
    ),
    Recipe(
        "bruno", "Bruno", Source(engine="espeak-ng", voice="en-us+david", settings="pitch=20 speed=150"),
        RULES, "en-US",
        "Lock the heavy door behind you, and walk down to the bottom of the stairs.",
        "A man with a very deep, dark American voice, like a film trailer. Formant synthesis.",
        ("deep", "dark", "man", "bass", "american"), "male", "adult", "dark", "American",
    ),
    Recipe(
        "lily", "Lily", Source(engine="espeak-ng", voice="en-us+anika", settings="pitch=85 speed=160"),
        RULES, "en-US",
        "Look, there is a tiny frog in the pond! Can we take it home and show it to mum?",
        "A little girl with a very high, excited voice, about six years old. Formant synthesis.",
        ("little", "girl", "child", "kid", "high", "excited"), "female", "child", "excited", "American",
    ),
    Recipe(
        "otto", "Otto", Source(engine="espeak-ng", voice="en-us+robosoft6", settings="pitch=50 speed=160"),
        RULES, "en-US",
        "All systems are running. The temperature of the reactor is forty degrees.",
        "A robot with a flat, monotone machine voice, like an android in an old film. Formant synthesis.",
        ("robot", "machine", "android", "monotone", "flat"), "neutral", None, "monotone", "American",
    ),
    Recipe(
        "silas", "Silas", Source(engine="espeak-ng", voice="en+whisper", settings="pitch=50 speed=160"),
        RULES, "en-GB",
        "Be very quiet now, the children are asleep upstairs, and the old floor creaks.",
        "A man who whispers: breath without any tone, secretive. Formant synthesis.",
        ("whisper", "whispering", "quiet", "secretive", "man"), "male", "adult", "whispering", "British",
    ),
    Recipe(
        "faye", "Faye", Source(engine="espeak-ng", voice="en-us+whisperf", settings="pitch=85 speed=165"),
        RULES, "en-US",
        "Come closer and listen, I found the key to the garden under a stone.",
        "A woman who whispers softly, breathy and hushed. Formant synthesis.",
        ("whisper", "whispering", "soft", "breathy", "woman"), "female", "adult", "whispering", "American",
    ),
    Recipe(
        "barnaby", "Barnaby",
        Source(engine="espeak-ng", voice="en+croak", settings="pitch=20 speed=160"), RULES, "en-GB",
        "Nobody has sailed this ship for thirty years, and nobody ever will again.",
        "A croaky, hoarse old sailor whose rough British voice trembles. Formant synthesis.",
        ("croaky", "hoarse", "rough", "old", "man", "sailor", "british"), "male", "old", "croaky", "British",
    ),
    Recipe(
        "ruby", "Ruby", Source(engine="espeak-ng", voice="en-us+f4", settings="pitch=85 speed=180"),
        RULES, "en-US",
        "Good morning everybody, what a wonderful day! Shall we go dancing tonight?",
        "A cheerful young woman with a high, bright, happy voice. Formant synthesis.",
        ("cheerful", "happy", "young", "woman", "bright", "american"), "female", "young", "cheerful",
        "American",
    ),
    Recipe(
        "nigel", "Nigel", Source(engine="espeak-ng", voice="en-gb-x-rp+iven2", settings="pitch=85 speed=165"),
        RULES, "en-GB",
        "I should be delighted to join you for tea at four, provided that the weather holds.",
        "A British man with a refined, posh accent, like a butler. Formant synthesis.",
        ("british", "english", "man", "posh", "refined", "butler"), "male", "adult", "refined", "British",
    ),
    Recipe(
        "agnes", "Agnes", Source(engine="espeak-ng", voice="en+grandma", settings="pitch=40 speed=130"),
        RULES, "en-GB",
        "Sit down by the fire, my dear, and have another piece of cake.",
        "A kind old woman, a grandmother who speaks slowly. British, formant synthesis.",
        ("old", "woman", "grandmother", "kind", "slow", "british"), "female", "old", "kind", "British",
    ),
    Recipe(
        "felix", "Felix",
        Source(engine="espeak-ng", voice="en-us+kaukovalta", settings="pitch=85 speed=270"), RULES, "en-US",
        "Hurry up, the bus is coming, the tickets are in my pocket, the bags are in the hall, and we "
        "still have to say goodbye to everybody in the house!",
        "A young man who talks very fast, in a hurry, like a sports commentator. Formant synthesis.",
        ("fast", "quick", "hurried", "young", "man", "commentator"), "male", "young", "fast", "American",
    ),
    Recipe(
        "moses", "Moses", Source(engine="espeak-ng", voice="en-us+Jacky", settings="pitch=40 speed=95"),
        RULES, "en-US",
        "Take your time. There is no need to hurry at all.",
        "A man who speaks very slowly, patient and unhurried. Formant synthesis.",
        ("slow", "patient", "unhurried", "man"), "male", "adult", "slow", "American",
    ),
    Recipe(
        "grace", "Grace", Source(engine="espeak-ng", voice="en-us+steph", settings="pitch=20 speed=150"),
        RULES, "en-US",
        "Close your eyes, breathe in slowly, and let your shoulders sink.",
        "A calm woman with a low, husky voice, like a meditation teacher. Formant synthesis.",
        ("calm", "low", "husky", "woman", "soothing"), "female", "adult", "calm", "American",
    ),
    Recipe(
        "diego", "Diego", Source(engine="espeak-ng", voice="es-419+travis", settings="pitch=85 speed=165"),
        RULES, "es-419",
        "Mi hermano trabaja en el puerto y cada noche trae pescado fresco para la cena.",
        "A young Latin American man, direct and clear. Speaks Spanish. Formant synthesis.",
        ("spanish", "latin american", "man", "young", "direct"), "male", "young", "direct", "Latin American",
    ),
    Recipe(
        "klaus", "Klaus", Source(engine="espeak-ng", voice="de+marcelo", settings="pitch=20 speed=155"),
        RULES, "de-DE",
        "Der Zug nach Hamburg fährt heute zehn Minuten später von Gleis sieben ab.",
        "A German man with a deep, stern voice. Speaks German. Formant synthesis.",
        ("german", "man", "deep", "stern"), "male", "adult", "stern", "German",
    ),
    Recipe(
        "pierre", "Pierre", Source(engine="espeak-ng", voice="fr+robosoft8", settings="pitch=20 speed=155"),
        RULES, "fr-FR",
        "Le boulanger ouvre sa boutique à six heures du matin, et le pain est encore chaud quand nous arrivons.",
        "A French man, dry and monotone. Speaks French. Formant synthesis, robotic.",
        ("french", "man", "dry", "monotone"), "male", "adult", "dry", "French",
    ),
)  # fmt: skip


def seal() -> None:
    """Leave the database as a single file that can be opened in a read-only folder: no journal, no lock file."""
    with closing(sqlite3.connect(DEMO / "library.sqlite3")) as db:
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("VACUUM")
    (DEMO / "library.lock").unlink()


def main() -> int:
    encoder = EmbeddedSpeakerEncoder()
    missing: list[str] = []
    clips: dict[str, Audio] = {}
    for recipe in VOICES:
        try:
            clips[recipe.id] = tidy(speak(recipe.source, recipe.transcript))
        except NotInstalled as error:
            missing.append(f"{recipe.id}: {error}")
    if missing:
        print("\n".join(missing), file=sys.stderr)
        return 1
    for voice_id, clip in clips.items():
        if not SHORTEST_S <= clip.duration <= LONGEST_S:
            missing.append(f"{voice_id}: {clip.duration:.1f} s; change its text to last 4 to 7 s")
    if missing:
        print("\n".join(missing), file=sys.stderr)
        return 1

    for old in [*DEMO.glob("library.*"), *(DEMO / "clips").rglob("*.flac")]:
        old.unlink()
    library, activity = VoiceLibrary.create(DEMO, encoder=encoder), VoiceActivity()
    for recipe in VOICES:
        assert re.fullmatch(r"[a-z]+", recipe.id)
        library.add(
            clips[recipe.id],
            id=recipe.id, name=recipe.name, description=recipe.description, transcript=recipe.transcript,
            language=recipe.language, tags=recipe.tags, gender=recipe.gender, age=recipe.age,
            style=recipe.style, accent=recipe.accent, source=recipe.source,
            licence=recipe.permission.licence, consent=recipe.permission.consent(),
            quality=measure_quality(Excerpt(clips[recipe.id], tuple(activity.speech(clips[recipe.id])))),
        )  # fmt: skip
    library.close()
    seal()
    size = sum(file.stat().st_size for file in DEMO.rglob("*") if file.is_file())
    print(f"{len(library)} voices, {size / 1e6:.1f} MB in {DEMO.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
