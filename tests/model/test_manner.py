"""An answer is spoken slower, faster, louder or more quietly, as the user wishes."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import numpy as np
import pytest
from support.parts import Beeps

from agentaudio.conversation import Conversation
from agentaudio.model.cascade.cascade import Cascade
from agentaudio.model.embedded.dialogue.manners import LIMITS, SAID, asked_manner, manner_of, without_manner
from agentaudio.model.manner import LOUDEST_PEAK, Manner
from agentaudio.model.parts import ChatDelta
from agentaudio.model.speech_lm import AudioDelta, End, GenerateOptions, TextDelta
from agentaudio.model.spoken import spoken
from agentaudio.sound.audio import Audio


def tone(amplitude: float = 0.2) -> Audio:
    return Audio((amplitude * np.sin(np.arange(24_000) * 2 * np.pi * 200 / 24_000)).astype(np.float32), 24_000)


def test_a_sound_gets_longer_and_keeps_its_pitch() -> None:
    slower = Manner(rate=0.8).applied(tone())
    assert slower.duration == pytest.approx(1.25, abs=0.01)
    spectrum = np.abs(np.fft.rfft(slower.samples))
    assert np.argmax(spectrum) / slower.duration == pytest.approx(200, abs=3)


def test_a_sound_gets_louder_without_clipping() -> None:
    louder = Manner(gain_db=6).applied(tone(0.2))
    assert np.abs(louder.samples).max() == pytest.approx(0.4, abs=0.01)
    assert np.abs(Manner(gain_db=10).applied(tone(0.8)).samples).max() <= LOUDEST_PEAK


async def answer() -> AsyncGenerator[ChatDelta, None]:
    yield Manner(rate=0.5)
    yield TextDelta("slowly")
    yield End()


async def test_the_sound_of_an_answer_follows_its_manner_which_is_not_passed_on() -> None:
    plain = Beeps()
    deltas = [delta async for delta in spoken(plain, answer())]
    assert not any(isinstance(delta, Manner) for delta in deltas)
    sounds = [delta.audio.duration for delta in deltas if isinstance(delta, AudioDelta)]
    assert sum(sounds) == pytest.approx(0.12, abs=0.01)


class Slow:
    name, calls_tools, cites, languages, options = "slow", False, False, ("en",), frozenset[str]()

    def chat(self, conversation: Conversation, **_: object) -> AsyncGenerator[ChatDelta, None]:
        return answer()


async def test_a_silent_answer_has_no_manner() -> None:
    cascade = Cascade(None, Slow(), None)  # type: ignore[arg-type]
    conversation = Conversation()
    conversation.add("user", "hello")
    deltas = [delta async for delta in cascade.generate(conversation, options=GenerateOptions(speak=False))]
    assert [type(delta) for delta in deltas] == [TextDelta, End]


@pytest.mark.parametrize(
    ("said", "way"),
    [
        ("Slower, please.", "slower"), ("You are talking too fast.", "slower"), ("could you speed up a bit", "faster"),
        ("Louder!", "louder"), ("I can hardly hear you", "louder"), ("not so loud", "quieter"), ("at your normal "
                                                                                                 "speed", "normal"),
        ("what is the fastest animal", None),
    ],
)  # fmt: skip
def test_what_a_wish_asks_for(said: str, way: str | None) -> None:
    assert asked_manner(said) == way


def test_the_wishes_that_were_granted_add_up_and_end() -> None:
    assert manner_of([]) == Manner()
    assert manner_of([SAID["slower"], "Something else.", SAID["slower"]]).rate == pytest.approx(0.64)
    assert manner_of([SAID["slower"]] * 9).rate == manner_of([SAID["slower"]] * 5).rate
    assert manner_of([SAID["louder"], SAID["quieter"]]) == Manner()
    assert manner_of([SAID["faster"], SAID["louder"], SAID["normal"]]) == Manner()
    assert manner_of([LIMITS["slower"]]) == Manner()


def test_a_manner_at_the_end_of_another_request_is_taken_from_it() -> None:
    assert without_manner("Say it in an old man's voice and slower.") == ("Say it in an old man's voice", "slower")
    assert without_manner("and slower") == ("and slower", None)
