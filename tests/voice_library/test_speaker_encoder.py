"""The included speaker encoder, on the demo clips."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from agentaudio.errors import BackendError, VoiceError
from agentaudio.sound.audio import Audio
from agentaudio.sound.speaker_encoder import (
    EmbeddedSpeakerEncoder,
    SpeakerEncoder,
    mel_spectrogram,
    trim_silence,
)
from agentaudio.voice_library.library import demo_voices

pytest.importorskip("onnxruntime")


def clip(voice_id: str) -> Audio:
    return demo_voices().get(voice_id).clip


def some_voice_ids() -> list[str]:
    return sorted(voice.id for voice in demo_voices())[:3]


@pytest.fixture(scope="module")
def encoder() -> EmbeddedSpeakerEncoder:
    return EmbeddedSpeakerEncoder()


@pytest.fixture(scope="module")
def speech() -> Audio:
    return clip(some_voice_ids()[0])


def noise(duration_s: float, rate: int = 16_000) -> Audio:
    samples = np.random.default_rng(0).normal(0, 0.1, round(duration_s * rate))
    return Audio(samples.astype(np.float32), rate)


def test_encoder_fits_the_protocol(encoder: EmbeddedSpeakerEncoder) -> None:
    protocol: SpeakerEncoder = encoder
    assert (protocol.name, protocol.dim) == ("resemblyzer-0.1.4", 256)


def test_embedding_is_float32_of_unit_length(encoder: EmbeddedSpeakerEncoder, speech: Audio) -> None:
    embedding = encoder.encode(speech)
    assert embedding.shape == (encoder.dim,) and embedding.dtype == np.float32
    assert np.linalg.norm(embedding) == pytest.approx(1.0, abs=1e-5)


def test_embedding_is_that_of_the_original_network(encoder: EmbeddedSpeakerEncoder) -> None:
    # Written by scripts/export_speaker_encoder.py --golden: torch's answer for the same samples.
    golden = np.load(Path(__file__).with_name("resemblyzer_angus.npy"), allow_pickle=False)
    assert golden @ encoder.encode_prepared(clip("angus").samples) > 0.9999


def test_sample_rate_of_the_clip_does_not_matter(encoder: EmbeddedSpeakerEncoder, speech: Audio) -> None:
    at_16k, at_48k = encoder.encode(speech), encoder.encode(speech.resample(48_000))
    assert at_16k @ at_48k > 0.99


def test_a_quieter_copy_is_the_same_speaker(encoder: EmbeddedSpeakerEncoder, speech: Audio) -> None:
    quiet = Audio(speech.samples * 0.003, speech.sample_rate)
    assert encoder.encode(speech) @ encoder.encode(quiet) > 0.85


def test_long_silence_around_speech_changes_little(encoder: EmbeddedSpeakerEncoder, speech: Audio) -> None:
    rest = Audio.silence(2.0, speech.sample_rate)
    assert encoder.encode(speech) @ encoder.encode(rest + speech + rest) > 0.97


def test_two_speakers_are_further_apart_than_two_halves_of_one(encoder: EmbeddedSpeakerEncoder) -> None:
    one, other = (clip(voice_id) for voice_id in some_voice_ids()[:2])
    middle = one.duration / 2
    first, second = encoder.encode(one.slice(0, middle)), encoder.encode(one.slice(middle))
    assert first @ second > first @ encoder.encode(other) + 0.1


def test_silent_audio_is_refused(encoder: EmbeddedSpeakerEncoder) -> None:
    with pytest.raises(VoiceError, match=r"3\.0 s is silent .*record it again"):
        encoder.encode(Audio.silence(3.0, 16_000))


@pytest.mark.parametrize("duration_s", [0.0, 0.01, 0.3, 0.49])
def test_too_short_audio_is_refused(encoder: EmbeddedSpeakerEncoder, duration_s: float) -> None:
    with pytest.raises(VoiceError, match="silent" if not duration_s else "at least 0.5 s"):
        encoder.encode(noise(duration_s))


def test_a_click_in_long_silence_is_refused(encoder: EmbeddedSpeakerEncoder) -> None:
    click = Audio.silence(2.0, 16_000) + noise(0.05) + Audio.silence(2.0, 16_000)
    with pytest.raises(VoiceError, match="at least 0.5 s"):
        encoder.encode(click)


def test_a_missing_export_is_named(speech: Audio) -> None:
    with pytest.raises(BackendError, match="nowhere.onnx is missing; leave the path out"):
        EmbeddedSpeakerEncoder("nowhere.onnx").encode(speech)


@pytest.mark.parametrize("duration_s", [0.5, 1.0, 1.59, 1.6, 1.61, 2.37, 2.8, 3.21, 5.0])
def test_every_length_from_half_a_second_encodes(encoder: EmbeddedSpeakerEncoder, duration_s: float) -> None:
    prepared = noise(duration_s).samples
    assert np.isfinite(encoder.encode_prepared(prepared)).all()


def test_threads_may_share_one_encoder(speech: Audio) -> None:
    encoder, results = EmbeddedSpeakerEncoder(), []
    threads = [threading.Thread(target=lambda: results.append(encoder.encode(speech))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4 and all(np.array_equal(result, results[0]) for result in results)


def test_mel_of_a_tone_peaks_in_its_own_band() -> None:
    time_s = np.arange(16_000) / 16_000
    low, high = (mel_spectrogram(np.sin(2 * np.pi * hz * time_s).astype(np.float32))[50].argmax() for hz in (250, 4000))
    # Centres are 73.6 Hz apart below 1 kHz, from 73.6 Hz; 4 kHz is 31.9 of those steps (1.10 mel) up.
    assert mel_spectrogram(np.zeros(1600, np.float32)).shape == (11, 40)
    assert (low, high) == (2, 31)


def test_silence_trimming_keeps_short_pauses_and_drops_long_ones() -> None:
    word = noise(1.0).samples
    short, long = np.zeros(1600, np.float32), np.zeros(48_000, np.float32)
    assert len(trim_silence(np.concatenate([word, short, word]))) > 2.0 * 16_000
    assert len(trim_silence(np.concatenate([word, long, word]))) < 2.5 * 16_000
