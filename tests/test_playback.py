"""The heard words and sound of an answer that was cut off."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.sounds import tone

from agentaudio.conversation import Conversation, SpeechPart, SpeechTokens
from agentaudio.errors import ConversationError, OptionError
from agentaudio.playback import Playback, SpokenStep
from agentaudio.sound.aside import AsideAudio, SoundsAside
from agentaudio.sound.audio import Audio


def sound(seconds: float) -> Audio:
    return tone(duration_s=seconds, sample_rate=8_000)


def step(*pieces: str | float, complete: bool = True) -> SpokenStep:
    made = SpokenStep()
    for piece in pieces:
        made.add(piece if isinstance(piece, str) else sound(piece))
    made.complete = complete
    return made


def heard_text(made: SpokenStep, seconds: float) -> str:
    part = made.heard(seconds)
    return "" if part is None else part.text


def test_words_are_heard_in_the_sound_that_follows_them() -> None:
    made = step("One.", 1.0, " Two.", 2.0, " Three.", 1.0)
    assert [heard_text(made, at) for at in (0.0, 0.5, 1.0, 2.0, 3.0, 3.5, 3.96)] == [
        "", "", "One.", "One.", "One. Two.", "One. Two.", "One. Two. Three.",
    ]  # fmt: skip


def test_words_of_one_sound_are_heard_evenly_and_never_cut() -> None:
    made = step("the quick brown fox", 1.9)  # ten characters a second
    assert [heard_text(made, at) for at in (0.2, 0.3, 0.8, 0.9, 1.0, 1.8)] == [
        "", "the", "the", "the quick", "the quick", "the quick brown",
    ]  # fmt: skip


def test_words_of_a_short_sound_are_heard_evenly() -> None:
    assert [heard_text(step("one two", 0.7), at) for at in (0.2, 0.3)] == ["", "one"]


def test_words_whose_sound_has_only_begun_take_at_least_the_time_of_very_fast_speech() -> None:
    made = step("great wall of china", 0.4, complete=False)  # 25 characters a second are ten characters
    assert [heard_text(made, at) for at in (0.19, 0.2, 0.385, 0.4)] == ["", "great", "great", "great wall"]


def test_sound_that_was_put_aside_is_heard_and_cut_like_before() -> None:
    made = step("One.", 1.0, " Two.", 2.0)
    parts = [made.heard(at) for at in (None, 0.5, 1.5)]
    made.set_aside(SoundsAside())
    assert [made.heard(at) for at in (None, 0.5, 1.5)] == parts
    alone = step("One.", 1.0)
    alone.set_aside(SoundsAside())
    part = alone.heard(None)
    assert part is not None and isinstance(part.audio, AsideAudio)


def test_punctuation_ends_a_word() -> None:
    assert heard_text(step("well,know", 0.9), 0.6) == "well,"


def test_nothing_counts_as_played_before_the_first_report() -> None:
    playback = Playback(True, speaks=True)
    made = playback.begin_step()
    made.add("A long answer.")
    made.add(sound(3.0))
    made.complete = True
    assert playback.heard() == [None]


def test_words_of_a_later_sound_are_counted_from_its_start() -> None:
    made = step("One.", 1.0, " two three four five", 2.0)
    assert heard_text(made, 2.0) == "One. two three"
    assert heard_text(made, 1.5) == "One. two"


def test_sound_before_the_first_words_has_none() -> None:
    made = step(1.0, "two words", 2.0)
    assert [heard_text(made, at) for at in (0.5, 1.0, 1.9, 3.0)] == ["", "", "two", "two words"]


def test_scripts_without_blanks_are_cut_between_characters() -> None:
    assert heard_text(step("今天天气很好", 6.0), 2.0) == "今天"


def test_sound_is_cut_where_playback_stopped() -> None:
    part = step("a long answer", 2.0, complete=True).heard(0.5)
    assert part is not None and part.audio is not None
    assert (part.audio.duration, part.cut_s, part.interrupted) == (0.5, 0.5, True)


def test_a_whole_answer_is_not_cut() -> None:
    made = step("All of it.", 1.0)
    for seconds in (None, 0.95, 1.0, 7.0, math.inf):
        assert made.heard(seconds) == SpeechPart("All of it.", sound(1.0))
    part = made.heard(0.94)
    assert part is not None and part.interrupted


def test_a_step_without_heard_speech_has_no_part() -> None:
    assert step("words", 1.0).heard(0.0) is None
    assert step().heard(None) is None
    assert step("  ").heard(None) is None


def test_an_unfinished_answer_is_marked_as_interrupted() -> None:
    part = step("Half of", 1.0, complete=False).heard(None)
    assert part is not None and (part.text, part.interrupted, part.cut_s) == ("Half of", True, 1.0)


def test_words_without_sound_yet_were_not_heard() -> None:
    made = step("First.", 0.5, " A long second sentence follows.", complete=False)
    assert heard_text(made, 0.5) == "First."
    made.add(sound(0.1))  # enough time for one short word at most
    assert heard_text(made, 0.6) in ("First.", "First. A")


def test_a_report_beyond_the_sound_does_not_add_words() -> None:
    made = step("First.", 0.5, " Second.", complete=False)
    assert heard_text(made, 99.0) == heard_text(made, 0.5) == "First."


def test_words_that_precede_all_sound_are_spread_over_it() -> None:
    made = step("one two", " three four", 1.0, 1.0, complete=False)
    made.complete = True
    assert heard_text(made, 1.0) == "one two" and heard_text(made, 0.5) == "one"


def test_tokens_are_cut_like_the_sound() -> None:
    made = step("words", 1.0)
    made.add_tokens(SpeechTokens(tuple(range(20)), "cosyvoice2", 25.0))
    made.add_tokens(SpeechTokens(tuple(range(20, 25)), "cosyvoice2", 25.0))
    whole, half = made.heard(None), made.heard(0.5)
    assert whole is not None and whole.tokens is not None and whole.tokens.ids == tuple(range(25))
    assert half is not None and half.tokens is not None and half.tokens.ids == tuple(range(12))
    with pytest.raises(ConversationError, match="cannot follow"):
        made.add_tokens(SpeechTokens((1,), "mimi", 12.5))


def test_pieces_that_the_reader_did_not_get_are_removed() -> None:
    playback = Playback(False, speaks=True)
    first, second = playback.begin_step(), playback.begin_step()
    for made, words in ((first, "One."), (second, "Two.")):
        made.add(words)
        made.add(sound(1.0))
        made.complete = True
    playback.take_back(3)
    assert [part and part.text for part in playback.heard()] == ["One.", None]
    part = playback.heard()[0]
    assert part is not None and part.interrupted and part.audio is None and first.duration == 0.0


def test_a_report_counts_from_the_start_of_the_turn() -> None:
    playback = Playback(True, speaks=True)
    for words in ("One.", "Two."):
        made = playback.begin_step()
        made.add(words)
        made.add(sound(1.0))
        made.complete = True
    assert playback.heard() == [None, None]
    playback.report(1.5)
    first, second = playback.heard()
    assert first == SpeechPart("One.", sound(1.0))
    assert second is not None and second.audio is not None
    assert (second.text, second.cut_s, second.audio.duration) == ("", 0.5, 0.5)
    playback.report(1.2)  # an older report that came late
    assert playback.heard()[1] == second
    playback.report(1.95)
    assert all(part and not part.interrupted for part in playback.heard())


def test_the_first_report_shows_that_the_reader_plays() -> None:
    playback = Playback(None, speaks=True)
    made = playback.begin_step()
    made.add("Hello there.")
    made.add(sound(2.0))
    made.complete = True
    assert playback.heard()[0] == SpeechPart("Hello there.", sound(2.0))
    playback.report(0.0)
    assert playback.plays and playback.heard() == [None]


@pytest.mark.parametrize("seconds", [-0.1, math.nan, math.inf])
def test_a_report_that_is_not_a_number_of_seconds_is_refused(seconds: float) -> None:
    playback = Playback(None, speaks=True)
    with pytest.raises(OptionError, match="0 or more"):
        playback.report(seconds)
    assert playback.plays is None


def test_words_without_sound_count_as_heard() -> None:
    written = Playback(True, speaks=False)
    made = written.begin_step()
    made.add("Read me")
    assert [part and part.text for part in written.heard()] == ["Read me"]
    spoken = Playback(True, speaks=True)
    silent = spoken.begin_step()
    silent.add("Not spoken yet")
    assert spoken.heard() == [None]
    silent.complete = True
    assert spoken.heard() == [SpeechPart("Not spoken yet")]


def test_the_conversation_keeps_what_was_heard() -> None:
    playback, talk = Playback(True, speaks=True), Conversation()
    for words in ("One two.", "Three."):
        made = playback.begin_step()
        made.add(words)
        made.add(sound(1.0))
        made.complete = True
        made.part = made.heard(None)
        assert made.part is not None
        talk.add("assistant", made.part)
    playback.report(0.5)
    playback.settle(talk)
    assert [message.text for message in talk] == ["One"]
    playback.report(0.75)  # a later report may correct it
    playback.settle(talk)
    part = talk.messages[0].parts[0]
    assert isinstance(part, SpeechPart) and part.cut_s == 0.75


pieces = st.lists(st.one_of(st.sampled_from(["a", " bc", " d. ", "好的", ""]), st.floats(0.0, 0.5)), max_size=12)


@given(pieces, st.booleans(), st.lists(st.floats(0, 4), min_size=1, max_size=6))
def test_longer_playback_never_removes_words_or_sound(
    made_of: list[str | float], complete: bool, seconds: list[float]
) -> None:
    made = step(*made_of, complete=complete)
    whole = made.heard(None)
    text, length = "", 0.0
    for at in sorted(seconds):
        part = made.heard(at)
        if part is None:
            assert not text and not length
            continue
        now = part.audio.duration if part.audio else 0.0
        assert part.text.startswith(text) and now >= length - 1e-9
        assert whole is not None and whole.text.startswith(part.text)
        assert now <= at + 1e-3 or now == pytest.approx(made.duration)
        text, length = part.text, now
