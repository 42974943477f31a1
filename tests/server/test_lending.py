"""Lending a voice over HTTP: a spoken consent, a sample, and what becomes of both."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx2
import numpy as np
import openai
import pytest
from support.server import KEY, OTHER_KEY, Running, running_server
from support.sounds import wav

from agentaudio.agent import Agent
from agentaudio.conversation import AudioPart, Conversation, ToolSpec
from agentaudio.errors import ConsentError
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import Delta, Heard, ReferenceVoice
from agentaudio.server.settings import ServerSettings
from agentaudio.sound.audio import Audio
from agentaudio.speaker import Speaker
from agentaudio.voice_library.consent_sentence import SENTENCES
from agentaudio.voice_library.consents import Consents
from agentaudio.voice_library.export import export_voice
from agentaudio.voice_library.library import VoiceLibrary, demo_voices

ADMIN_KEY = "admin-key-0123456789"
VOICES, CONSENTS = "/v1/audio/voices", "/v1/audio/voice_consents"
SPEAKER, STRANGER = "angus", "claire"


def half(id: str, which: int) -> Audio:
    """The first or the second half of a demo voice's clip."""
    clip = demo_voices().get(id).clip
    return clip.slice(0, 3.2) if which == 1 else clip.slice(clip.duration - 2.6)


def file(sound: Audio) -> bytes:
    return wav(sound.samples, sound.sample_rate)


def words_of(
    conversation: Conversation, tools: Sequence[ToolSpec], voice: ReferenceVoice | None
) -> list[Delta]:  # fmt: skip
    """Hears the English sentence in recordings of 2.6 s, the Chinese one in 2.5 s, and other words elsewhere."""
    last = conversation.last_user
    assert last is not None
    part = next(part for part in last.parts if isinstance(part, AudioPart))
    said = {2.6: SENTENCES["en"], 2.5: SENTENCES["zh"]}.get(round(part.audio.duration, 2), "something else entirely")
    return [Heard(said)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lent") / "voices"
    VoiceLibrary.create(folder)
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Running]:
    settings = ServerSettings(keys=(KEY, OTHER_KEY, ADMIN_KEY), admin_keys=(ADMIN_KEY,), voices=4)
    with running_server(Agent(Scripted([words_of], loop=True), voices=folder), settings) as running:
        yield running


@pytest.fixture(scope="module")
def sdk(server: Running) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def other(server: Running) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=OTHER_KEY, max_retries=0) as client:
        yield client


def refusal(error: pytest.ExceptionInfo[openai.APIStatusError]) -> tuple[int, str | None, str | None]:
    return error.value.status_code, error.value.code, error.value.param


def test_the_sentences_are_listed(sdk: openai.OpenAI) -> None:
    found = sdk.get("/audio/voice_consent_sentences", cast_to=httpx2.Response).json()
    assert found["sentences"] == SENTENCES and {"en", "zh"} <= found["sentences"].keys()
    assert found["problem"] is None


def test_a_voice_is_lent_used_and_taken_back(sdk: openai.OpenAI, folder: Path) -> None:
    library = VoiceLibrary(folder)
    consent = sdk.audio.voice_consents.create(
        name="Angus Ross", language="en-GB", recording=("c.wav", file(half(SPEAKER, 2)))
    )  # fmt: skip
    assert consent.object == "audio.voice_consent" and consent.id.startswith("cons_") and consent.name == "Angus Ross"
    assert sdk.audio.voice_consents.retrieve(consent.id).language == "en-GB"
    assert [one.id for one in sdk.audio.voice_consents.list()] == [consent.id]
    assert sdk.audio.voice_consents.update(consent.id, name="Angus").name == "Angus"

    voice = sdk.audio.voices.create(
        name="My voice", audio_sample=("s.wav", file(half(SPEAKER, 1))), consent=consent.id,
        extra_body={"speaker_description": "A deep voice from the hills.", "ref_text": "As it was spoken."},
    )  # fmt: skip
    assert voice.id.startswith("voice_") and voice.object == "audio.voice" and voice.type == "audio_sample"
    held = library.get(voice.id)
    card = held.card
    assert (card.description, card.transcript) == ("A deep voice from the hills.", "As it was spoken.")
    assert card.consent is not None and card.consent.basis == "speaker" and card.consent.recording is not None
    recording = card.consent.recording
    assert recording.transcript == SENTENCES["en"] and recording.same_speaker > 0.78 and recording.language == "en-GB"
    kept = library.consents.sound(recording.id)
    assert kept is not None and Audio.load(kept).duration == pytest.approx(2.6, abs=0.01)
    export_voice(library, voice.id, folder.parent / "export")
    assert (folder.parent / "export" / "consent.flac").read_bytes() == kept
    assert "owner" not in json.dumps(held.to_dict())

    sample = sdk.get(f"/audio/voices/{voice.id}/sample", cast_to=httpx2.Response)
    assert Audio.load(sample.content).duration > 2
    speaker = Speaker(Scripted(["Hello."]), library)
    assert asyncio.run(speaker.find("a deep voice from the hills")) == held

    assert sdk.audio.voice_consents.delete(consent.id).deleted
    assert held.permit.refusal() is not None and not held.path.exists()
    assert not list((folder / "consents").iterdir())
    with pytest.raises(ConsentError):
        held.require("synthesis")


def test_a_voice_belongs_to_the_key_that_added_it(sdk: openai.OpenAI, other: openai.OpenAI, folder: Path) -> None:
    sample, recording = file(half("ruby", 1)), file(half("ruby", 2))
    consent = sdk.audio.voice_consents.create(name="Ruby", language="en", recording=("c.wav", recording))
    with pytest.raises(openai.NotFoundError):
        other.audio.voice_consents.retrieve(consent.id)
    with pytest.raises(openai.APIStatusError) as refused:
        other.audio.voices.create(name="Stolen", audio_sample=("s.wav", sample), consent=consent.id)
    assert refusal(refused) == (404, "consent_not_found", "consent")
    voice = sdk.audio.voices.create(name="Ruby", audio_sample=("s.wav", sample), consent=consent.id)
    for call in (other.audio.voices.delete, other.audio.voice_consents.delete):
        with pytest.raises(openai.NotFoundError):
            call(voice.id if call == other.audio.voices.delete else consent.id)
    assert VoiceLibrary(folder).get(voice.id).permit.refusal() is None
    assert sdk.audio.voices.delete(voice.id).deleted
    assert not VoiceLibrary(folder).has(voice.id)
    assert list(sdk.audio.voice_consents.list()) == []  # nothing is kept of a person whose voice is gone


def test_a_recording_of_other_words_is_no_consent(sdk: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        sdk.audio.voice_consents.create(name="A", language="en", recording=("c.wav", file(half(SPEAKER, 1))))
    assert refusal(refused) == (400, "consent_not_spoken", "recording")
    assert SENTENCES["en"] in refused.value.message and "something else" in refused.value.message


def test_chinese_is_heard_in_its_own_sentence(sdk: openai.OpenAI) -> None:
    sound = half(SPEAKER, 2).slice(0, 2.5)
    consent = sdk.audio.voice_consents.create(name="A", language="zh-CN", recording=("c.wav", file(sound)))
    assert sdk.audio.voice_consents.delete(consent.id).deleted
    with pytest.raises(openai.BadRequestError) as refused:
        sdk.audio.voice_consents.create(name="A", language="ja", recording=("c.wav", file(sound)))
    assert refusal(refused) == (400, "unsupported_value", "language")


def noisy(sound: Audio) -> Audio:
    noise = np.random.default_rng(1).normal(0, sound.rms / 2, len(sound))
    return Audio(np.clip(sound.samples + noise, -1, 1), sound.sample_rate)


def distorted(sound: Audio) -> Audio:
    return Audio(np.clip(sound.samples * 20 / sound.peak, -1, 1), sound.sample_rate)


@pytest.mark.parametrize(
    ("sample", "why"),
    [
        (half(STRANGER, 1), "do not sound like one speaker"),
        (half(SPEAKER, 1).slice(0, 1.0), "speech"),
        (noisy(half(SPEAKER, 1)), "noisy"),
        (distorted(half(SPEAKER, 1)), "distorted"),
        (half(SPEAKER, 1).resample(4_000), "muffled"),
        (Audio(np.random.default_rng(2).normal(0, 0.1, 64_000), 16_000), "speech"),
        (Audio.concat([half(SPEAKER, 1), half("timmy", 1)]), "two speakers"),
    ],
)
def test_a_sample_that_cannot_be_used_is_refused_with_the_reason(
    sdk: openai.OpenAI, consent: str, folder: Path, sample: Audio, why: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        sdk.audio.voices.create(name="A", audio_sample=("s.wav", file(sample)), consent=consent)
    assert why in refused.value.message and refusal(refused)[1:] == ("voice_refused", "audio_sample")
    assert len(VoiceLibrary(folder)) == 0


@pytest.fixture(scope="module")
def consent(sdk: openai.OpenAI) -> Iterator[str]:
    made = sdk.audio.voice_consents.create(name="A", language="en", recording=("c.wav", file(half(SPEAKER, 2))))
    yield made.id
    sdk.audio.voice_consents.delete(made.id)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"consent": "yes"}, "consent_not_found"),
        ({"consent": "true"}, "consent_not_found"),
        ({"consent": "../../etc"}, "consent_not_found"),
        ({"consent": ""}, "missing_required_parameter"),
        ({"name": ""}, "missing_required_parameter"),
        ({"name": "n" * 101}, "invalid_value"),
        ({"type": "prompt"}, "unsupported_value"),
        ({"speaker_description": "d" * 2_001}, "invalid_value"),
    ],
)
def test_a_field_is_no_consent_and_bad_fields_are_named(
    sdk: openai.OpenAI, consent: str, fields: dict[str, str], code: str
) -> None:
    data = {"name": "A", "consent": consent} | fields
    with pytest.raises(openai.APIStatusError) as refused:
        sdk.post("/audio/voices", cast_to=object, body=data, files={"audio_sample": ("s.wav", file(half(SPEAKER, 1)))},
                 options={"headers": {"content-type": "multipart/form-data"}})  # fmt: skip
    assert refused.value.code == code


def test_sounds_that_cannot_be_read_are_refused(sdk: openai.OpenAI, consent: str) -> None:
    for content in (b"", b"RIFF....WAVE", b"\x00" * 1_000):
        with pytest.raises(openai.BadRequestError):
            sdk.audio.voices.create(name="A", audio_sample=("s.wav", content), consent=consent)
        with pytest.raises(openai.BadRequestError):
            sdk.audio.voice_consents.create(name="A", language="en", recording=("c.wav", content))


def test_a_key_keeps_a_bounded_number_of_consents(other: openai.OpenAI) -> None:
    recording = ("c.wav", file(half(SPEAKER, 2)))
    made = [other.audio.voice_consents.create(name=str(n), language="en", recording=recording).id for n in range(4)]
    with pytest.raises(openai.RateLimitError):
        other.audio.voice_consents.create(name="5", language="en", recording=recording)
    first = other.audio.voice_consents.list(limit=3)
    assert [one.id for one in first.data] == made[:3] and [one.id for one in first] == made
    for id in made:
        other.audio.voice_consents.delete(id)


def test_a_damaged_consent_is_unknown_and_harms_no_other(folder: Path, sdk: openai.OpenAI, consent: str) -> None:
    broken = folder / "consents" / f"cons_{'0' * 24}.json"
    broken.write_bytes(b'{"id": "cons_')
    try:
        assert [one.id for one in Consents(folder).all()] == [consent]
        with pytest.raises(openai.NotFoundError):
            sdk.audio.voice_consents.retrieve(broken.stem)
    finally:
        broken.unlink()
