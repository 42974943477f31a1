"""Timbre transfer: speech becomes more similar to the reference and stays intelligible."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from agentaudio.errors import VoiceError
from agentaudio.model.embedded.speaking.espeak import Espeak
from agentaudio.model.timbre import FFT_SIZE, LOUDEST_PEAK, SAMPLE_RATE_HZ, WorldTimbre, _Sampled
from agentaudio.sound.audio import Audio
from agentaudio.sound.speaker_encoder import EmbeddedSpeakerEncoder
from agentaudio.voice_library.library import demo_voices

pytest.importorskip("pyworld", reason="the extra embedded is not installed")
pytest.importorskip("espeakng_loader", reason="the extra espeak is not installed")

TEXT = "Honey bees visit about two million flowers to make one jar of honey."


@pytest.fixture(scope="module")
def speech() -> Audio:
    synthesiser = Espeak()
    try:
        return synthesiser.speak(TEXT)
    finally:
        synthesiser.close()


def _clip(name: str) -> Audio:
    return demo_voices().get(name).clip


@cache
def _timbre(name: str) -> WorldTimbre:
    """The timbre of a voice of the demo, which is analysed once."""
    return WorldTimbre(_clip(name))


@pytest.mark.parametrize("name", ["angus", "gina", "toby"])
def test_moves_speech_towards_the_reference(speech: Audio, name: str) -> None:
    encoder = EmbeddedSpeakerEncoder()
    target = encoder.encode(_clip(name))
    converted = _timbre(name).apply(speech)
    assert float(target @ encoder.encode(converted)) > float(target @ encoder.encode(speech)) + 0.05


def test_takes_over_the_pitch(speech: Audio) -> None:
    timbre = _timbre("gina")
    spoken = WorldTimbre(timbre.apply(speech)).pitch_hz
    assert timbre.pitch_hz is not None and spoken is not None
    assert spoken == pytest.approx(timbre.pitch_hz, rel=0.15)


def test_the_breath_in_a_voice_is_that_of_a_measurement_in_every_frame(speech: Audio) -> None:
    """It is measured in every second one."""
    import pyworld

    sampled = _Sampled.of(speech)
    found, voiced = sampled.aperiodicity(), sampled.f0 > 0
    every = pyworld.d4c(sampled.wave, sampled.f0, sampled.times, SAMPLE_RATE_HZ, fft_size=FFT_SIZE)
    assert found.shape == every.shape
    np.testing.assert_allclose(found[~voiced], every[~voiced], atol=1e-6)
    apart_db = 20 * np.abs(np.log10((found[voiced] + 1e-3) / (every[voiced] + 1e-3)))
    assert apart_db.mean() < 1.0


def test_whispers_like_a_whisper(speech: Audio) -> None:
    timbre = _timbre("silas")
    assert timbre.pitch_hz is None
    with_voice, whispered = _timbre("angus").apply(speech), timbre.apply(speech)
    assert WorldTimbre(with_voice).pitch_hz is not None
    assert WorldTimbre(whispered).pitch_hz is None


@pytest.mark.parametrize("gain", [0.01, 1.0, 3.0])
def test_loudness_is_normalised_for_any_input(speech: Audio, gain: float) -> None:
    loud = Audio(speech.samples * np.float32(gain), speech.sample_rate)
    converted = _timbre("angus").apply(loud)
    assert converted.sample_rate == SAMPLE_RATE_HZ
    assert converted.duration == pytest.approx(speech.duration, abs=0.05)
    assert 0.1 < converted.peak <= LOUDEST_PEAK + 1e-6
    assert 0.03 < float(np.sqrt(np.mean(np.square(converted.samples)))) < 0.2


def test_the_same_speech_gives_the_same_sound(speech: Audio) -> None:
    timbre = _timbre("marcus")
    assert timbre.apply(speech) == timbre.apply(speech)


@pytest.mark.parametrize(
    "sound",
    [
        Audio.silence(0.0, 16_000),
        Audio.silence(0.01, 22_050),
        Audio.silence(1.0, 16_000),
        Audio(np.full(300, 0.5, np.float32), 8_000),
        Audio(np.random.default_rng(0).standard_normal(16_000).astype(np.float32) * 0.1, 16_000),
    ],
    ids=["empty", "10 ms", "silence", "a click", "noise"],
)
def test_unvoiced_sound_does_not_fail(sound: Audio) -> None:
    converted = _timbre("angus").apply(sound)
    assert converted.sample_rate == SAMPLE_RATE_HZ
    assert converted.peak <= 1.0


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        (lambda: Audio.silence(3.0, 16_000), "silent"),
        (lambda: Audio.silence(0.0, 16_000), "silent"),
        (lambda: _clip("angus").slice(1.0, 1.3), "longer"),
    ],
    ids=["silent", "empty", "300 ms"],
)
def test_a_reference_without_enough_voice_is_refused(reference: Callable[[], Audio], why: str) -> None:
    with pytest.raises(VoiceError, match=why):
        WorldTimbre(reference())


def test_the_statistics_of_the_whole_give_what_it_gives_by_itself(speech: Audio) -> None:
    reference = _timbre("angus")
    np.testing.assert_array_equal(
        reference.apply(speech, reference.source_of(speech)).samples, reference.apply(speech).samples
    )


def test_the_formants_of_a_vocal_tract_of_the_same_length_are_left_to_the_averages(speech: Audio) -> None:
    reference = _timbre("ruby")
    assert reference.source_of(speech).warp > 1
    alike = reference.source_of(speech, warps=False)
    assert alike.warp == 1 and len(reference.apply(speech, alike)) == len(reference.apply(speech))


def test_the_statistics_of_silence_are_refused() -> None:
    with pytest.raises(VoiceError, match="holds no voice"):
        _timbre("angus").source_of(Audio.silence(1.0, 16_000))
