"""`Recipe`, and the demo voices of classic synthesisers: robots, whispers, characters, and languages without styles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from demo_permissions import PICO, RULES, Permission, cmu, gnu

from agentaudio.voice_library.voice import Source


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
HELSINKI = "University of Helsinki, Department of General Linguistics"

ENGINE_VOICES = (
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
    # Formant synthesis, not built from recordings of a person
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
