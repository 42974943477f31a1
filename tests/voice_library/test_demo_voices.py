"""The included demo voices: their clips and cards, and that the encoder distinguishes them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from agentaudio.retrieval.voices.indexes import VoiceIndexes
from agentaudio.retrieval.voices.query import card_prose
from agentaudio.sound.audio import Audio
from agentaudio.sound.speaker_encoder import EmbeddedSpeakerEncoder
from agentaudio.text.sentence_embedder import SentenceEmbedder
from agentaudio.voice_library.library import VoiceLibrary, demo_voices
from agentaudio.voice_library.voice import Voice

VOICES = list(demo_voices())
DEMO = demo_voices().folder

each_voice = pytest.mark.parametrize("voice", VOICES, ids=lambda voice: voice.id)


def pitch_hz(clip: Audio) -> float:
    """Median pitch by autocorrelation of 60 ms frames; 0 when less than a fifth of them is periodic."""
    frames = np.lib.stride_tricks.sliding_window_view(clip.samples, 960)[::320]
    frames = frames[np.abs(frames).max(axis=1) > 0.05] * np.hanning(960)
    lags = np.fft.irfft(np.abs(np.fft.rfft(frames, 2048)) ** 2)[:, :356]  # down to 45 Hz
    window = np.fft.irfft(np.abs(np.fft.rfft(np.hanning(960), 2048)) ** 2)[:356]
    periodic = (lags / lags[:, :1] / (window / window[0]))[:, 32:]  # up to 500 Hz
    strongest = periodic.max(axis=1)
    # The first lag nearly as strong as the strongest: twice the period is as periodic as the period.
    first = (periodic > 0.85 * strongest[:, None]).argmax(axis=1) + 32
    voiced = strongest > 0.6
    return float(np.median(clip.sample_rate / first[voiced])) if voiced.mean() > 0.2 else 0.0


def voices_tagged(*tags: str) -> list[Voice]:
    return [voice for voice in VOICES if set(tags) <= set(voice.card.tags)]


NATURAL = [voice for voice in VOICES if voice.card.source and voice.card.source.engine == "kokoro"]


def test_the_gallery_has_at_least_40_natural_voices_in_under_7_mb() -> None:
    assert len(NATURAL) >= 40 and len(VOICES) >= 55
    assert sum(file.stat().st_size for file in DEMO.rglob("*") if file.is_file()) < 7e6


def test_natural_voices_come_first() -> None:
    assert VOICES[: len(NATURAL)] == NATURAL


def test_every_clip_has_a_card_and_ids_and_names_are_unique() -> None:
    assert {voice.path for voice in VOICES} == set((DEMO / "clips").rglob("*.flac"))
    assert len({voice.id for voice in VOICES}) == len({voice.name for voice in VOICES}) == len(VOICES)


def test_the_meaning_of_the_cards_comes_with_the_gallery_so_that_no_program_embeds_them() -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra 'embedded'")
    embed = SentenceEmbedder()
    asked: list[str] = []

    class Watched:
        name = embed.name

        def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
            asked.extend(texts)
            return embed(texts)

    indexes = VoiceIndexes(demo_voices(), Watched(), None)
    rows = indexes.refresh().ids()
    _, meanings = indexes.texts()
    assert len(asked) <= 1  # to learn the width
    assert meanings is not None and list(meanings.ids().ids()) == list(rows)
    for (row, _), vector in zip(
        indexes.voices(rows), embed([card_prose(v.card) for _, v in indexes.voices(rows)]), strict=True
    ):
        assert dict(meanings.search(vector, len(rows)))[row] > 0.999


def test_reading_leaves_no_file_beside_the_library() -> None:
    assert len(VoiceLibrary(DEMO).select(purpose="synthesis")) == len(VOICES)
    assert {file.name for file in DEMO.iterdir()} == {"NOTICE", "clips", "index", "library.sqlite3"}


@each_voice
def test_quality_was_measured(voice: Voice) -> None:
    quality = voice.card.quality
    assert quality is not None and quality.clipped == 0 and quality.bandwidth_hz > 5_000
    if "whispering" not in voice.card.tags:  # which the detector hardly takes for speech
        assert quality.speech_s > 2.5


@each_voice
def test_clip_is_the_one_the_card_describes(voice: Voice) -> None:
    assert hashlib.sha256(voice.path.read_bytes()).hexdigest() == voice.card.sha256
    assert voice.clip.sample_rate == 16_000
    assert voice.clip.duration == pytest.approx(voice.card.duration_s, abs=0.01)
    assert 4.0 <= voice.clip.duration <= 7.0
    assert 0.69 < voice.clip.peak < 0.73  # -3 dBFS


@each_voice
def test_card_is_complete_and_permits_synthesis(voice: Voice) -> None:
    card = voice.card
    assert card.transcript and card.language != "und" and len(card.tags) >= 2
    assert card.style and card.accent and card.source and card.source.engine and card.source.voice
    assert 20 < len(card.description) < 250 and card.description.endswith(".")
    assert card.consent is not None and card.consent.holder and card.consent.evidence
    assert voice.require("synthesis") is voice and voice.require("demo") is voice


@each_voice
def test_card_distinguishes_synthetic_speakers_from_recorded_people(voice: Voice) -> None:
    assert voice.card.source is not None and voice.card.consent is not None
    source = voice.card.source
    nobody = source.engine == "espeak-ng" or (source.engine == "kokoro" and source.voice != "ff_siwis")
    assert voice.card.consent.basis == ("synthetic" if nobody else "licence")
    assert voice.card.consent.holder.startswith("nobody") == nobody
    assert "synthesis" in voice.description.lower()


def test_one_person_is_one_voice() -> None:
    people = [
        (source.engine, source.voice.partition("+")[2] if source.engine == "espeak-ng" else source.voice)
        for source in (voice.card.source for voice in VOICES)
        if source is not None
    ]
    assert len(set(people)) == len(VOICES)


def test_speakers_of_the_recorded_questions_are_not_in_the_gallery() -> None:
    reserved = re.compile(r"slt|rms|^en-(us|gb)$|^en$|\+[fm]3$|^en-(US|GB)$")
    for voice in VOICES:
        assert voice.card.source is not None and not reserved.search(voice.card.source.voice), voice


@pytest.mark.parametrize(
    "request_words",
    [
        ("calm", "old", "man"), ("deep", "man"), ("little", "girl"), ("child",), ("robot",), ("whispering",),
        ("croaky",), ("hoarse",), ("cheerful", "young", "woman"), ("british", "man"), ("american", "man"),
        ("scottish", "man"), ("italian", "woman"), ("italian", "man"), ("czech",), ("finnish",), ("russian",),
        ("catalan",), ("german",), ("spanish",), ("french",), ("fast",), ("slow",),
    ],
    ids=" ".join,
)  # fmt: skip
def test_some_voice_fits_each_common_request(request_words: tuple[str, ...]) -> None:
    assert voices_tagged(*request_words)


def test_words_about_pitch_are_true() -> None:
    for voice in voices_tagged("deep"):
        assert 45 < pitch_hz(voice.clip) < 90, voice
    for voice in voices_tagged("child"):
        assert pitch_hz(voice.clip) > 230, voice
    for voice in voices_tagged("whispering"):
        assert pitch_hz(voice.clip) == 0.0, voice


def test_words_about_pace_are_true() -> None:
    english = [voice for voice in VOICES if voice.card.language.startswith("en")]
    letters_per_s = {voice.id: len(voice.transcript) / voice.clip.duration for voice in english}
    usual = float(np.median(list(letters_per_s.values())))
    for voice in english:
        if "fast" in voice.card.tags:
            assert letters_per_s[voice.id] > 1.4 * usual, voice
        if "slow" in voice.card.tags:
            assert letters_per_s[voice.id] < 0.8 * usual, voice


@pytest.fixture(scope="module")
def encoder() -> EmbeddedSpeakerEncoder:
    pytest.importorskip("onnxruntime")
    return EmbeddedSpeakerEncoder()


@pytest.fixture(scope="module")
def speakers() -> NDArray[np.float32]:
    return np.concatenate([vectors for _, vectors in demo_voices().embeddings()])


@pytest.mark.neural
def test_stored_rows_are_those_of_the_clips(encoder: EmbeddedSpeakerEncoder, speakers: NDArray[np.float32]) -> None:
    assert demo_voices().encoder_name == encoder.name
    assert speakers.shape == (len(VOICES), encoder.dim) and speakers.dtype == np.float32
    fresh = np.stack([encoder.encode(voice.clip) for voice in VOICES])
    assert (fresh * speakers).sum(axis=1).min() > 0.999


def test_no_two_voices_sound_like_one_speaker(speakers: NDArray[np.float32]) -> None:
    between = speakers @ speakers.T - np.eye(len(speakers))
    assert between.max() < 0.83


@pytest.mark.neural
def test_nearest_to_a_first_half_is_its_second_half(encoder: EmbeddedSpeakerEncoder) -> None:
    middles = [voice.clip.duration / 2 for voice in VOICES]
    first = np.stack([
        encoder.encode(voice.clip.slice(0, middle)) for voice, middle in zip(VOICES, middles, strict=True)
    ])  # fmt: skip
    second = np.stack([
        encoder.encode(voice.clip.slice(middle)) for voice, middle in zip(VOICES, middles, strict=True)
    ])  # fmt: skip
    hits = (first @ second.T).argmax(axis=1) == np.arange(len(VOICES))
    assert hits.mean() >= 0.9


def test_the_notice_names_every_recorded_voice() -> None:
    notice = Path(DEMO / "NOTICE").read_text(encoding="utf-8")
    for voice in VOICES:
        if voice.card.consent is not None and voice.card.consent.basis == "licence":
            assert re.search(rf"\b{voice.id}\b", notice), voice
