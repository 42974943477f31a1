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
