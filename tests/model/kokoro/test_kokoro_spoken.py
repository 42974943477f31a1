"""What is cut from the sound of a phrase, and which sounds are broken."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from agentaudio.model.kokoro.spoken import AHEAD_STEPS, FRAME, QUIET_STEPS, SAMPLE_RATE_HZ, STEP, Spoken

Floats = NDArray[np.float32]


def hum(frames: int) -> Floats:
    return np.asarray(0.2 * np.sin(2 * np.pi * 150 * np.arange(frames * FRAME) / SAMPLE_RATE_HZ), np.float32)


def still(frames: int) -> Floats:
    return np.zeros(frames * FRAME, np.float32)


def spoken(phonemes: str, parts: list[tuple[str, int]]) -> Spoken:
    """parts: (symbols or "", frames); the frames of several symbols are shared among them. A symbol that is
    no letter is silent, as are the two ends."""
    samples = [hum(frames) if symbols[:1].isalpha() else still(frames) for symbols, frames in parts]
    lengths = [frames / max(1, len(symbols)) for symbols, frames in parts for _ in range(max(1, len(symbols)))]
    return Spoken(phonemes, np.concatenate(samples), np.array(lengths))


def seconds(samples: Floats) -> float:
    return len(samples) / SAMPLE_RATE_HZ


def test_silence_around_a_phrase_is_cut() -> None:
    sound = spoken("wən", [("", 14), ("wən", 20), ("", 24)]).trimmed()
    assert seconds(sound) == pytest.approx(0.5 + 0.045, abs=0.006)
    assert np.abs(sound[: round(0.03 * SAMPLE_RATE_HZ)]).max() > 0.1


@pytest.mark.parametrize(("mark", "least", "most"), [(". ", 0.15, 0.5), (", ", 0.05, 0.2), (" ", 0.05, 0.2)])
def test_long_pauses_inside_are_shortened_by_their_mark(mark: str, least: float, most: float) -> None:
    sound = spoken(f"wən{mark}tu", [("", 14), ("wən", 20), (mark, 32), ("tu", 20), ("", 10)]).trimmed()
    assert least < seconds(sound) - 1.0 - 0.045 < most


def test_the_breath_of_a_stop_at_the_end_is_cut() -> None:
    sound = spoken("nɑt.", [("", 14), ("nɑ", 16), ("t", 20), (".", 8), ("", 1)]).trimmed()
    assert seconds(sound) == pytest.approx(0.4 + 0.075 + 0.015, abs=0.01)


def test_short_pauses_are_kept_as_they_are() -> None:
    sound = spoken("wən tu", [("", 14), ("wən", 20), (" ", 3), ("tu", 20), ("", 10)]).trimmed()
    assert seconds(sound) == pytest.approx(1.0 + 3 * 0.025 + 0.045, abs=0.006)


def test_a_sound_of_the_right_length_is_whole() -> None:
    assert not spoken("wən tu", [("", 14), ("wən", 12), (" ", 3), ("tu", 12), ("", 10)]).is_broken()


@pytest.mark.parametrize(
    ("phonemes", "parts"),
    [
        ("wən", [("", 60)]),  # silence
        ("wən tu θri fɔɹ", [("", 14), ("wəntuθrifɔɹ", 8), ("", 9)]),  # too short for four words
        ("wən", [("", 14), ("wən", 60), ("", 9)]),  # too long for one word
        ("wən", [("", 14), ("wə", 4), ("n", 50), ("", 9)]),  # one symbol for more than a second
    ],
)
def test_silent_short_long_and_stuck_sounds_are_broken(phonemes: str, parts: list[tuple[str, int]]) -> None:
    assert spoken(phonemes, parts).is_broken()


def test_silence_has_nothing_to_keep() -> None:
    assert len(spoken("wən", [("", 60)]).trimmed()) == 0


def test_what_is_spoken_behind_a_phrase_is_cut_off_in_the_silence_before_it() -> None:
    parts = [("", 14), ("wən", 20), (". ", 12), ("tu", 20), (".", 4), ("", 10)]
    cut = spoken("wən. tu.", parts).without("tu.")
    assert cut.phonemes == "wən."
    assert 34 * FRAME <= len(cut.samples) < 46 * FRAME
    assert seconds(cut.trimmed()) == pytest.approx(0.53, abs=0.02)
    assert not cut.is_broken()


def test_nothing_of_what_is_spoken_behind_stays_where_the_sound_runs_ahead_of_the_symbols() -> None:
    whole = spoken("wən. tu.", [("", 14), ("wən", 20), (". ", 2), ("tu", 20), (".", 4), ("", 10)])
    ahead = Spoken(whole.phonemes, whole.samples[AHEAD_STEPS * STEP :], whole.frames)
    assert seconds(ahead.without("tu.").trimmed()) == pytest.approx(0.53, abs=0.02)


def test_a_quiet_sound_at_the_end_of_a_phrase_is_kept() -> None:
    hiss = 0.1 * hum(8)
    samples = np.concatenate([still(14), hum(18), hiss, hum(20), still(14)])[AHEAD_STEPS * STEP :]
    frames = np.array([14, 9, 9, 6, 1, 1, 10, 10, 4, 10], np.float64)
    cut = Spoken("wəs. tu.", samples, frames).without("tu.")
    end_of_hiss = 40 * FRAME - AHEAD_STEPS * STEP
    assert end_of_hiss - QUIET_STEPS * STEP <= len(cut.samples) <= end_of_hiss
