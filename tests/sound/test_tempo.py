"""`TempoStream`: faster and slower speech at the same pitch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.sounds import tone

from agentaudio.errors import AudioError
from agentaudio.sound.audio import Audio
from agentaudio.sound.tempo import TempoStream
from agentaudio.voice_library.library import demo_voices


def changed(sound: Audio, rate: float, *, piece_ms: float = 10_000) -> Audio:
    stream = TempoStream(rate, sound.sample_rate)
    return Audio.concat([*map(stream.push, sound.chunks(piece_ms)), stream.finish()])


@pytest.mark.parametrize("rate", [0.25, 0.7, 1.3, 2.0, 4.0])
def test_the_length_changes_and_the_pitch_stays(rate: float) -> None:
    sound = tone(220, 2.0, 24_000)
    out = changed(sound, rate)
    assert len(out) == round(len(sound) / rate)
    spectrum = np.abs(np.fft.rfft(out.samples * np.hanning(len(out)))) ** 2
    strongest = int(spectrum.argmax())
    assert strongest * 24_000 / len(out) == pytest.approx(220, abs=1.5)
    assert spectrum[strongest - 4 : strongest + 5].sum() > 0.999 * spectrum.sum()


@given(st.floats(0.25, 4.0), st.floats(1.0, 500.0), st.integers(0, 12_000))
def test_cuts_between_chunks_cannot_be_heard(rate: float, piece_ms: float, length: int) -> None:
    sound = Audio(demo_voices().get("angus").clip.samples[:length], 16_000)
    out = changed(sound, rate, piece_ms=piece_ms)
    assert out == changed(sound, rate) and len(out) == round(length / rate)


def test_at_its_own_speed_speech_is_unchanged() -> None:
    sound = tone(duration_s=0.5)
    assert changed(sound, 1.0, piece_ms=20) == sound


@pytest.mark.parametrize("rate", [0.0, 0.2, 4.1, -1.0, float("nan"), float("inf")])
def test_speeds_out_of_range_are_refused(rate: float) -> None:
    with pytest.raises(AudioError, match="give 0.25 to 4"):
        TempoStream(rate, 16_000)


def test_another_sample_rate_is_refused() -> None:
    with pytest.raises(AudioError, match="8000 Hz"):
        TempoStream(1.5, 16_000).push(tone(sample_rate=8_000))
