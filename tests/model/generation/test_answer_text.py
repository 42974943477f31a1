"""The words and calls of an answer, from its tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from agentaudio.conversation import ToolSpec
from agentaudio.model.generation.answer_text import AnswerText
from agentaudio.model.speech_lm import CallDelta, TextDelta

END = 256
RING = ToolSpec("ring", "Ring the bell.", {"type": "object", "properties": {"times": {"type": "integer"}}})


def answer(data: bytes, *, ends: bool = True, limit: int = 1000, **settings: Any) -> tuple[AnswerText, list[Any]]:
    """The answer to these bytes, a token each, as far as it takes them; and its deltas."""
    deltas: list[Any] = []

    def decode(tokens: Sequence[int]) -> str:
        return bytes(tokens).decode("utf-8", "replace")

    text = AnswerText(decode, {END}, limit, emit=deltas.append, **settings)
    for token in [*data, *([END] if ends else [])]:
        if text.take(token):
            break
    return text, deltas


def test_characters_of_several_tokens_come_whole() -> None:
    text, deltas = answer("Grüße, 你好 🙂!".encode())
    assert [delta.text for delta in deltas] == list("Grüße, 你好 🙂!")
    assert (text.words, text.reason, text.whole) == ("Grüße, 你好 🙂!", "stop", True)


def test_spaces_stay_where_a_tokenizer_drops_them_before_a_first_word() -> None:
    words = ["Good", "day", "to", "you", "."]
    deltas: list[Any] = []

    def decode(tokens: Sequence[int]) -> str:  # as SentencePiece does
        return "".join(f" {words[token]}" if token < 4 else words[token] for token in tokens).removeprefix(" ")

    text = AnswerText(decode, {END}, 100, emit=deltas.append)
    for token in (0, 1, 2, 3, 4, END):
        text.take(token)
    assert [delta.text for delta in deltas] == ["Good", " day", " to", " you", "."]


def test_thoughts_are_left_out() -> None:
    text, _ = answer(b"<think>\nA greeting.\n</think>\n\nHello.")
    assert (text.words, text.reason) == ("Hello.", "stop")
    assert answer(b"A greeting.</think>Hello.", opened="<think>")[0].words == "Hello."


def test_broken_characters_are_shown_as_such_and_hold_nothing_back() -> None:
    text, deltas = answer(b"a" + b"\xe4" * 12 + b"b")
    assert text.words.startswith("a\ufffd") and text.words.endswith("b") and len(deltas) > 2
    assert answer(b"a\xe4")[0].words == "a\ufffd"


def test_a_stop_string_ends_the_answer_before_it() -> None:
    text, _ = answer(b"one two three", stop=("wo t",))
    assert (text.words, text.reason, text.whole) == ("one t", "stop", False)
    assert len(text.tokens) == len(b"one two t")
    assert answer(b"one tw", stop=("two",))[0].words == "one tw"


def test_the_limit_counts_tokens() -> None:
    text, _ = answer(b"abcdef", limit=4)
    assert (text.words, text.reason, len(text.tokens)) == ("abcd", "length", 4)
    assert answer(b"abc", limit=4)[0].reason == "stop"


def test_calls_are_taken_out_of_the_text() -> None:
    written = b'One moment.\n<tool_call>\n{"name": "ring", "arguments": {"times": 2}}\n</tool_call>'
    text, deltas = answer(written, tools=[RING])
    calls = [delta for delta in deltas if isinstance(delta, CallDelta)]
    assert [(one.call.name, one.call.arguments, one.problem) for one in calls] == [("ring", {"times": 2}, None)]
    assert (text.words.strip(), text.reason, text.whole) == ("One moment.", "tool_calls", False)
    assert all(isinstance(delta, TextDelta | CallDelta) for delta in deltas)


@pytest.mark.parametrize(("limit", "reason"), [(30, "length"), (1000, "tool_calls")])
def test_a_call_that_is_cut_off_has_a_problem(limit: int, reason: str) -> None:
    text, deltas = answer(b'<tool_call>{"name": "ring", "arguments": {"ti', limit=limit, tools=[RING])
    assert [bool(delta.problem) for delta in deltas] == [True] and text.reason == reason


def test_without_tools_a_call_is_text() -> None:
    assert answer(b"<tool_call>x")[0].words == "<tool_call>x"
