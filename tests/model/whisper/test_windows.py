"""How often the decoder looks at one stretch of speech."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from support.ear import request, whisper_folder, words

from agentaudio.demo.run import questions_folder
from agentaudio.model.whisper.checkpoint import Checkpoint, Decoded
from agentaudio.model.whisper.hints import Hints
from agentaudio.model.whisper.windows import SURE_SCORE, Words, hear
from agentaudio.sound.audio import Audio

pytestmark = pytest.mark.neural


class Counting(Checkpoint):
    """Whisper base, with the scores of what it has decoded."""

    def __init__(self) -> None:
        super().__init__(whisper_folder("base"))
        self.scores: list[float] = []

    def decode(self, encoded: Any, **options: Any) -> Decoded:
        decoded = super().decode(encoded, **options)
        self.scores.append(decoded.score)
        return decoded


@pytest.fixture(scope="module")
def checkpoint() -> Iterator[Counting]:
    counting = Counting()
    yield counting
    counting.close()


def heard(checkpoint: Counting, sound: Audio, hint: str) -> Words:
    checkpoint.scores.clear()
    samples = np.asarray(sound.resample(16_000).samples, np.float32)
    return hear(
        checkpoint, samples, language="en", expected="en", speech_s=2.0, beam=5, hints=Hints([hint]),
        check_stop=lambda: None,
    )  # fmt: skip


def test_a_text_that_is_sure_is_decoded_once_although_a_hint_is_near(checkpoint: Counting) -> None:
    found = heard(checkpoint, Audio.load(questions_folder() / "time-in-tokyo.flac"), "the time in tokyo is late now")
    assert words(found.decoded.text) == words("what is the time in tokyo right now")
    assert len(checkpoint.scores) == 1 and checkpoint.scores[0] >= SURE_SCORE


def test_a_text_that_is_not_sure_is_decoded_again_with_a_hint_that_is_near(checkpoint: Counting) -> None:
    sound, said = request(15)  # which is misheard without its hint
    found = heard(checkpoint, sound, said)
    assert len(checkpoint.scores) == 2 and checkpoint.scores[0] < SURE_SCORE
    assert words(found.decoded.text) == words(said)
