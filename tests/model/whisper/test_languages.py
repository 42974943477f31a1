"""Short words of other languages do not change the language that is heard, and sentences do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from support.ear import whisper_folder

from agentaudio.model.whisper.recogniser import WhisperRecogniser
from agentaudio.sound.audio import Audio
from agentaudio.voice_library import library
from agentaudio.workers.worker import Worker

pytestmark = pytest.mark.neural

SHORT = {
    "de": "hallo nein ja danke gut doch", "it": "si no ciao bene grazie prego", "es": "no hola vale bueno gracias sí",
    "fr": "oui non salut merci voilà bon", "ru": "да нет привет спасибо хорошо так", "en": "no okay yes sure stop fine",
}  # fmt: skip


@pytest.fixture(scope="module")
async def base() -> AsyncIterator[WhisperRecogniser]:
    recogniser = WhisperRecogniser(whisper_folder("base"))
    yield recogniser
    await recogniser.aclose()


@pytest.fixture(scope="module")
def espeak() -> Iterator[Worker]:
    loader = pytest.importorskip("espeakng_loader", reason="the extra espeak is not installed")
    worker = Worker(
        "agentaudio.model.embedded.speaking.espeak_worker", loader.get_library_path(), loader.get_data_path()
    )
    yield worker
    worker.close()


async def test_one_word_of_another_language_leaves_the_expected_one(base: WhisperRecogniser, espeak: Worker) -> None:
    pause = Audio.silence(0.3, 16_000)
    for language, words in SHORT.items():
        for word in words.split():
            header, pcm = espeak.ask({"text": word, "voice": language, "rate": 150, "pitch": 50, "range": 50})
            sound = Audio.from_pcm16(bytes(pcm), header["sample_rate"]).resample(16_000)
            heard = await base.recognise(Audio.concat([pause, sound, pause]))
            assert heard.language in ("en", None), (language, word)


async def test_a_sentence_of_another_language_changes_it(base: WhisperRecogniser) -> None:
    voices = [voice for voice in library.demo_voices() if not voice.card.language.startswith("en")]
    languages = [voice.card.language.partition("-")[0] for voice in voices]
    heard = [(await base.recognise(voice.clip)).language for voice in voices]
    assert len(voices) > 25 and not {"en", None} & set(heard)
    # Czech is near to Slovak, for instance.
    assert sum(one != other for one, other in zip(languages, heard, strict=True)) <= 0.1 * len(voices), heard
