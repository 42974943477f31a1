"""The thoughts of reasoning models are not part of the answer."""

from __future__ import annotations

import pytest

from agentaudio.model.generation.thoughts import Thoughts, opened_by


def words(text: str, cut: int, opened: str = "") -> str:
    thoughts = Thoughts(opened)
    pieces = [thoughts.feed(text[start : start + cut]) for start in range(0, len(text), cut)]
    return "".join([*pieces, thoughts.finish()])


@pytest.mark.parametrize("cut", [1, 2, 5, 100])
@pytest.mark.parametrize(
    ("text", "opened", "expected"),
    [
        ("Hello, you.", "", "Hello, you."),
        ("<think>\nHe greets me.\n</think>\n\nHello.", "", "Hello."),
        ("\n<thinking>a < b</thinking> Yes.", "", "Yes."),
        ("[THINK]hm[/THINK]Yes [THINK] no", "", "Yes [THINK] no"),
        ("He greets me.</think>\n\nHello.", "<think>", "Hello."),
        ("<think>it never ends", "", ""),
        ("it never ends", "<think>", ""),
        ("<think></think>", "", ""),
        ("  <thin", "", "  <thin"),
        ("Say <think>this</think>.", "", "Say <think>this</think>."),
        ("<b>bold</b>", "", "<b>bold</b>"),
        ("", "", ""),
    ],
)
def test_thoughts_at_the_beginning_are_left_out_in_any_cut(text: str, opened: str, expected: str, cut: int) -> None:
    assert words(text, cut, opened) == expected


def test_a_prompt_may_open_the_thoughts() -> None:
    assert opened_by("<|assistant|>\n<think>\n") == "<think>"
    assert opened_by("<think>\n\n</think>\n\n") == ""
