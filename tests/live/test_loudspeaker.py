"""How far an answer was played, by the reports of the player."""

from __future__ import annotations

import numpy as np
import pytest

from agentaudio.live.loudspeaker import SAMPLE_RATE_HZ, Loudspeaker
from agentaudio.sound.audio import Audio


def speaking(seconds: float) -> Loudspeaker:
    speaker = Loudspeaker(1, reports=True)
    speaker.add(Audio(np.full(round(seconds * SAMPLE_RATE_HZ), 0.2, np.float32), SAMPLE_RATE_HZ))
    return speaker


def test_a_report_that_comes_late_does_not_take_back_what_was_played() -> None:
    speaker = speaking(2.0)
    speaker.report(1.2)
    for late in (0.0, 0.4, 1.1):
        speaker.report(late)
    assert speaker.played_s == pytest.approx(1.2)


def test_a_report_corrects_what_the_clock_of_the_microphone_had_assumed() -> None:
    speaker = speaking(2.0)
    speaker.report(0.5)
    speaker.take(round(0.4 * SAMPLE_RATE_HZ))
    speaker.report(0.6)
    assert speaker.played_s == pytest.approx(0.6)


def test_what_was_played_is_given_whatever_the_pieces_in_which_it_was_made() -> None:
    sound = (0.2 * np.random.default_rng(1).standard_normal(4_000)).clip(-1, 1).astype(np.float32)
    speaker, at = Loudspeaker(1, reports=True), 0
    for size in (7, 900, 1, 320, 1_500, 1_272):
        speaker.add(Audio(sound[at : at + size], SAMPLE_RATE_HZ))
        at += size
    assert speaker.take(320) is None
    speaker.report(1e-9)
    found = [speaker.take(320) for _ in range(13)]
    assert all(part is not None and len(part) == 320 for part in found)
    np.testing.assert_array_equal(np.concatenate([part for part in found if part is not None])[:4_000], sound)
    assert not found[-1][160:].any()  # type: ignore[index]
    assert speaker.take(320) is None


def test_nothing_is_played_of_what_was_dropped() -> None:
    speaker = speaking(1.0)
    speaker.add(Audio(np.full(SAMPLE_RATE_HZ, 0.1, np.float32), SAMPLE_RATE_HZ))
    speaker.report(0.25)
    speaker.drop()
    assert (speaker.length, speaker.left_s, speaker.has_ended) == (SAMPLE_RATE_HZ // 4, 0.0, True)
    assert speaker.take(320) is None
