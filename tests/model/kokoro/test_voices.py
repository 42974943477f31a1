"""Kokoro in reference voices: prepared once, kept where permitted, refused when revoked, and nearer than its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from support.ear import word_errors
from support.weights import weights_folder

from agentaudio.errors import ConsentError, VoiceError
from agentaudio.model.clip_voice import ClipVoice
from agentaudio.model.kokoro.faster_file import multiplies_signed_exactly
from agentaudio.model.kokoro.synthesiser import KokoroSynthesiser, load
from agentaudio.model.whisper.recogniser import WhisperRecogniser
from agentaudio.sound.audio import Audio
from agentaudio.sound.speaker_encoder import EmbeddedSpeakerEncoder
from agentaudio.voice_library.library import VoiceLibrary, demo_voices

pytest.importorskip("onnxruntime", reason="the extra embedded is not installed")
pytest.importorskip("pyworld", reason="the extra embedded is not installed")
pytest.importorskip("ctranslate2", reason="the extra embedded is not installed")

pytestmark = pytest.mark.neural

TEXT = "The old bridge was closed for repairs."


@pytest.fixture(scope="module")
def kokoro() -> KokoroSynthesiser:
    weights_folder("misaki")
    weights_folder("kokoro")
    return load(None)


async def arriving(text: str) -> AsyncGenerator[str, None]:
    yield text


async def test_a_retrieved_voice_is_neared_kept_and_refused_when_revoked(
    kokoro: KokoroSynthesiser, library: VoiceLibrary
) -> None:
    clip = demo_voices().get("angus").clip
    library.add(
        clip, id="angus", name="Angus", description="", licence="CC0-1.0", consent=library.card("ruby").consent
    )  # fmt: skip
    voice = library.get("angus")
    state = await kokoro.prepare(voice)
    (kept,) = library.prompts
    assert kept.model == "kokoro" and kept.size_bytes < 5_000
    encoder = EmbeddedSpeakerEncoder()
    near, own = [
        encoder.encode(Audio.concat([part async for part in kokoro.speak(arriving(TEXT), voice)]))
        @ encoder.encode(clip)
        for voice in (state, await kokoro.prepare(None))
    ]
    assert near > 0.65 and near > own + 0.05

    again = load(None)  # another process finds the file and speaks nothing to prepare the voice
    assert (await again.prepare(library.get("angus"))).english.style.rows.tolist() == state.english.style.rows.tolist()

    library.revoke("angus")
    with pytest.raises(ConsentError, match="'angus' may not be spoken in"):
        await kokoro.prepare(voice)


async def test_an_answer_in_a_retrieved_voice_is_heard_right(kokoro: KokoroSynthesiser) -> None:
    ear = WhisperRecogniser(weights_folder("whisper-base"), threads=1)
    state = await kokoro.prepare(ClipVoice(demo_voices().get("angus").clip))
    speech = Audio.concat([part async for part in kokoro.speak(arriving(TEXT), state)])
    assert speech.sample_rate == 24_000
    heard = (await ear.recognise(speech, language="en")).text
    assert heard == TEXT if multiplies_signed_exactly() else word_errors(TEXT, heard) <= 2
    await ear.aclose()


async def test_a_clip_without_speech_is_refused(kokoro: KokoroSynthesiser) -> None:
    with pytest.raises(VoiceError, match="silent"):
        await kokoro.prepare(ClipVoice(Audio.silence(3.0, 16_000)))
