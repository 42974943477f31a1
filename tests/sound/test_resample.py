"""Resampling: frequencies kept and removed, and the length of the result."""

from __future__ import annotations

import numpy as np
import pytest
from support.sounds import tone

from agentaudio.sound.levels import rms
from agentaudio.sound.resample import Resampler, resample

PAIRS = [(24_000, 16_000), (16_000, 24_000), (8_000, 16_000), (48_000, 8_000), (44_100, 16_000)]


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
def test_frequencies_up_to_nine_tenths_of_the_lower_limit_are_kept(from_hz: int, to_hz: int) -> None:
    for share in (0.1, 0.5, 0.9):
        sound = tone(share * min(from_hz, to_hz) / 2, 1.0, from_hz)
        kept = resample(sound.samples, from_hz, to_hz)
        middle = kept[len(kept) // 4 : -len(kept) // 4]
        assert 20 * np.log10(rms(middle) / sound.rms) == pytest.approx(0.0, abs=0.02)


@pytest.mark.parametrize(("from_hz", "to_hz"), [(from_hz, to_hz) for from_hz, to_hz in PAIRS if from_hz > to_hz])
def test_frequencies_above_the_new_limit_are_removed_instead_of_folded_back(from_hz: int, to_hz: int) -> None:
    sound = tone(1.05 * to_hz / 2, 1.0, from_hz)
    folded = resample(sound.samples, from_hz, to_hz)
    assert rms(folded[len(folded) // 4 : -len(folded) // 4]) < sound.rms * 10 ** (-100 / 20)


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
@pytest.mark.parametrize("count", [0, 1, 2, 3, 100, 12_345])
def test_the_length_is_rounded_half_up(from_hz: int, to_hz: int, count: int) -> None:
    assert len(resample(np.zeros(count, np.float32), from_hz, to_hz)) == int(count * to_hz / from_hz + 0.5)


def test_equal_rates_change_nothing() -> None:
    samples = tone().samples
    assert resample(samples, 16_000, 16_000) is samples
    same = Resampler(16_000, 16_000)
    assert same.push(samples) is samples and len(same.push(samples[:0], last=True)) == 0
