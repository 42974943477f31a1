"""Very short phrases: what is spoken behind them, and that it is not heard."""

from __future__ import annotations

import pytest
from support.weights import weights_folder

from agentaudio.model.clip_voice import ClipVoice
from agentaudio.model.kokoro.short_phrases import SOUNDS_ALONE, TAIL, USUAL_SYMBOLS, followed, pace
from agentaudio.model.kokoro.symbols import IDS
from agentaudio.model.kokoro.synthesiser import KokoroSynthesiser, load
from agentaudio.model.whisper.recogniser import WhisperRecogniser
from agentaudio.sound.audio import Audio
from agentaudio.voice_library.library import demo_voices


@pytest.mark.parametrize(
    ("phonemes", "wanted"),
    [
        ("jˈɛs.", f"jˈɛs. {TAIL}"),
        ("jˈɛs", f"jˈɛs. {TAIL}"),
        ("jˈɛs?", f"jˈɛs? {TAIL}"),
        ("ˈ" * 30, f"{'ˈ' * 30}. {TAIL}"),
    ],
)
def test_a_sentence_is_spoken_behind_few_sounds(phonemes: str, wanted: str) -> None:
    assert followed(phonemes) == wanted
    assert set(TAIL) <= IDS.keys()


def test_a_phrase_of_enough_sounds_is_spoken_alone() -> None:
    assert followed("a" * SOUNDS_ALONE) == "a" * SOUNDS_ALONE


def test_the_shorter_a_phrase_the_faster_it_is_spoken() -> None:
    assert pace(15) > pace(30) > pace(USUAL_SYMBOLS) == pace(200) == 1.0
    assert pace(12) < 1.4


@pytest.fixture(scope="module")
def kokoro() -> KokoroSynthesiser:
    pytest.importorskip("onnxruntime", reason="the extra embedded is not installed")
    pytest.importorskip("pyworld", reason="the extra embedded is not installed")
    weights_folder("misaki")
    weights_folder("kokoro")
    return load(None)


@pytest.fixture(scope="module")
def ear() -> WhisperRecogniser:
    pytest.importorskip("ctranslate2", reason="the extra embedded is not installed")
    return WhisperRecogniser(weights_folder("whisper-base"), threads=1)


@pytest.mark.neural
@pytest.mark.parametrize("said", ["Yes.", "No.", "Thanks.", "Goodbye."])
async def test_answers_of_one_word_are_heard_and_nothing_else(
    kokoro: KokoroSynthesiser, ear: WhisperRecogniser, said: str
) -> None:
    """Alone, this voice says "Yes" as "yeah, that's good", and lasts twice as long."""
    voice = demo_voices().get("agnes")
    sound = kokoro.say(said, await kokoro.prepare(ClipVoice(voice.clip, voice.transcript, "agnes")), "en")
    assert sound.duration < 0.9
    around = Audio.silence(0.5, sound.sample_rate)
    heard = (await ear.recognise(Audio.concat([around, sound, around]), language="en")).text
    assert heard.lower().strip(".! ").replace("-", "") == said.lower().strip(".")
