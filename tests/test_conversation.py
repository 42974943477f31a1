"""Messages that a conversation accepts and refuses."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.sounds import tone

from agentaudio.conversation import (
    AudioPart,
    Citation,
    Conversation,
    Message,
    Part,
    Passage,
    SpeechPart,
    SpeechTokens,
    TextPart,
    ToolCall,
    ToolOutput,
    ToolSpec,
)
from agentaudio.errors import ConversationError


def call(call_id: str) -> ToolCall:
    return ToolCall(call_id, "look", {})


def output(call_id: str, text: str = "seen") -> ToolOutput:
    return ToolOutput(call_id, "look", text)


def with_calls(*call_ids: str) -> Conversation:
    talk = Conversation()
    talk.add("user", "look")
    talk.add("assistant", *map(call, call_ids))
    return talk


@pytest.mark.parametrize(
    ("made", "field"),
    [
        (Passage("p", "t", "s"), "score"),
        (Citation("t", "s", "q"), "quote"),
        (TextPart("x"), "text"),
        (AudioPart(tone()), "transcript"),
        (SpeechTokens((1,), "c", 25.0), "ids"),
        (SpeechPart("x"), "text"),
        (call("a"), "name"),
        (output("a"), "text"),
        (ToolSpec("look", "Look.", {}), "name"),
        (Message("user", (TextPart("x"),)), "role"),
    ],
)
def test_what_was_said_cannot_be_changed(made: object, field: str) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(made, field, None)
    assert not hasattr(made, "__dict__")


def test_what_is_not_said_is_left_out() -> None:
    assert (Passage("p", "t", "s").position, Passage("p", "t", "s").score) == (0, 0.0)
    assert Citation("t", "s", "q").position == 0
    said = SpeechPart("x")
    assert (said.audio, said.tokens, said.interrupted, said.cut_s) == (None, None, False, None)
    assert (output("a").passages, output("a").is_error, ToolSpec("a", "b", {}).phrases) == ((), False, ())
    assert AudioPart(tone()).transcript is None


def test_the_text_of_a_message_is_all_its_words() -> None:
    talk = Conversation()
    message = talk.add("user", "Look:", AudioPart(tone()), AudioPart(tone(), "heard"), SpeechPart("said"))
    assert message.text == "Look: heard said"


def test_a_string_is_a_text_part() -> None:
    talk = Conversation()
    assert talk.add("user", "hi", AudioPart(tone())).parts[0] == TextPart("hi")
    assert [message.role for message in talk] == ["user"] and len(talk) == 1


def test_an_empty_message_is_refused() -> None:
    with pytest.raises(ConversationError, match="an empty user message"):
        Conversation().add("user")


def test_open_calls_are_those_without_output_in_their_order() -> None:
    talk = with_calls("a", "b", "c")
    talk.add("tool", output("b"))
    assert [one.id for one in talk.open_calls] == ["a", "c"]
    talk.add("tool", output("c"), output("a"))
    assert talk.open_calls == ()
    assert [one.call_id for one in talk.last_outputs] == ["b", "c", "a"]


@pytest.mark.parametrize("role", ["user", "assistant", "system"])
def test_no_other_message_is_added_while_calls_are_open(role: str) -> None:
    talk = with_calls("a", "b")
    talk.add("tool", output("a"))
    with pytest.raises(ConversationError, match=r"calls \['b'\] have no output yet"):
        talk.add(role, "well")  # type: ignore[arg-type]
    assert len(talk) == 3


def test_a_call_is_answered_once() -> None:
    talk = with_calls("a")
    with pytest.raises(ConversationError, match="'a', which is not open"):
        talk.add("tool", output("a"), output("a"))
    talk.add("tool", output("a"))
    with pytest.raises(ConversationError, match="'a', which is not open; open calls: none"):
        talk.add("tool", output("a"))


def test_an_output_without_a_call_is_refused() -> None:
    with pytest.raises(ConversationError, match=r"'x', which is not open; open calls: \['a'\]"):
        with_calls("a").add("tool", output("x"))


@pytest.mark.parametrize("part", ["words", SpeechPart("words"), call("b")])
def test_a_tool_message_holds_outputs_only(part: Part | str) -> None:
    with pytest.raises(ConversationError, match="a tool message holds tool outputs, not"):
        with_calls("a").add("tool", part)


def test_an_output_in_a_message_of_another_role_is_refused() -> None:
    talk = with_calls("a")
    talk.add("tool", output("a"))
    with pytest.raises(ConversationError, match="a user message cannot hold tool outputs"):
        talk.add("user", output("a"))


def test_two_calls_with_one_id_are_refused() -> None:
    with pytest.raises(ConversationError, match="already a call with the id 'a'"):
        with_calls("a", "a")
    talk = with_calls("a")
    talk.add("tool", output("a"))
    with pytest.raises(ConversationError, match="already a call with the id 'a'"):
        talk.add("assistant", call("b"), call("a"))
    assert talk.call_ids == {"a"}


def test_last_outputs_excludes_earlier_steps() -> None:
    talk = with_calls("a")
    talk.add("tool", output("a"))
    talk.add("assistant", call("b"))
    assert talk.last_outputs == () and [one.id for one in talk.open_calls] == ["b"]


def test_calls_before_a_later_message_are_not_open() -> None:
    # A history from elsewhere may have lost an output.
    talk = Conversation([Message("assistant", (call("a"),)), Message("user", (TextPart("well"),))])
    assert talk.open_calls == ()
    talk.add("user", "go on")


def test_the_last_user_message_is_the_newest() -> None:
    talk = Conversation()
    assert talk.last_user is None
    for words in ("first", "second"):
        talk.add("user", words)
        talk.add("assistant", "yes")
    assert talk.last_user is not None and talk.last_user.text == "second"


def test_a_part_is_replaced_by_identity() -> None:
    first, second = SpeechPart("same"), SpeechPart("same")
    talk = Conversation()
    talk.add("assistant", first)
    talk.add("user", "and?")
    talk.add("assistant", second)
    assert talk.replace(second, SpeechPart("sa", interrupted=True))
    assert [message.text for message in talk] == ["same", "and?", "sa"]
    assert not talk.replace(second, None)


@pytest.mark.parametrize("position", [0, 1, 2, 3])
def test_a_part_is_replaced_wherever_it_stands(position: int) -> None:
    said = [TextPart(word) for word in ("one", "two", "three", "four")]
    talk = Conversation()
    for part in said:
        talk.add("user", part)
    assert talk.replace(said[position], TextPart("new"))
    assert [m.text for m in talk] == ["new" if part is said[position] else part.text for part in said]
    assert Conversation().replace(said[0], None) is False


def test_an_output_replaces_the_one_for_the_same_call() -> None:
    talk = with_calls("a", "b")
    talk.add("tool", output("a"), output("b"))
    late = ToolOutput("b", "look", "late")
    assert talk.replace_output(late) is True
    assert talk.last_outputs == (output("a"), late)
    assert talk.replace_output(ToolOutput("c", "look", "")) is False


def test_a_message_without_parts_is_removed() -> None:
    said = SpeechPart("said")
    talk = Conversation()
    talk.add("user", "hi")
    talk.add("assistant", said)
    assert talk.replace(said, None)
    assert [message.role for message in talk] == ["user"]


def test_removing_speech_leaves_the_calls_of_its_message() -> None:
    said = SpeechPart("one moment")
    talk = Conversation()
    talk.add("assistant", said, call("a"))
    talk.replace(said, None)
    assert talk.messages == [Message("assistant", (call("a"),))]


def test_a_copy_does_not_change_with_the_original() -> None:
    talk = with_calls("a")
    copy = talk.copy()
    talk.add("tool", output("a"))
    assert len(copy) == 2 and copy.open_calls and copy != talk


def test_tokens_of_one_codec_are_joined_and_cut() -> None:
    whole = SpeechTokens((1, 2, 3), "cosyvoice2", 25.0) + SpeechTokens((4,), "cosyvoice2", 25.0)
    assert whole.ids == (1, 2, 3, 4)
    assert whole.until(0.12).ids == (1, 2, 3) and whole.until(0.119).ids == (1, 2) and whole.until(9).ids == whole.ids
    for other in (SpeechTokens((4,), "mimi", 25.0), SpeechTokens((4,), "cosyvoice2", 12.5)):
        with pytest.raises(ConversationError, match="cannot follow"):
            _ = whole + other


@given(st.lists(st.tuples(st.sampled_from("ucot"), st.integers(0, 3)), max_size=12))
def test_every_output_has_one_call_for_any_messages(steps: list[tuple[str, int]]) -> None:
    talk = Conversation()
    parts: dict[str, Part | str] = {"u": "hi", "t": SpeechPart("well")}
    for kind, number in steps:
        try:
            if kind == "c":
                talk.add("assistant", call(f"c{number}"))
            elif kind == "o":
                talk.add("tool", output(f"c{number}"))
            else:
                talk.add("user" if kind == "u" else "assistant", parts[kind])
        except ConversationError:
            pass
    calls = [one.id for message in talk for one in message.tool_calls]
    answered = [one.call_id for message in talk for one in message.tool_outputs]
    assert len(set(calls)) == len(calls) and len(set(answered)) == len(answered)
    assert set(calls) - set(answered) == {one.id for one in talk.open_calls}
    assert set(answered) <= set(calls)
