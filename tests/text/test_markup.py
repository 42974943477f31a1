"""Text without Markdown, tags, addresses and emoji, whole and while it arrives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentaudio.text.markup import MarkupStream, without_markup
from agentaudio.text.phrases import SpokenPhrases


@pytest.mark.parametrize(
    ("written", "left"),
    [
        ("Some **bold**, _leaning_ and ~~old~~ words.", "Some bold, leaning and old words."),
        ("# Title\nBody", "Title\n\nBody"),
        ("- [x] done\n- [ ] open", "done\n\nopen"),
        ("2) Second\n3. Third", "Second\n\nThird"),
        ("| City | Days |\n|:--|--:|\n| Rome | 3 |", "City, Days\n\nRome, 3"),
        ("Before\n```sh\nrm -rf /\n```\nafter", "Before\n\nafter"),
        ("See [the _long_ guide](https://a.org/x_(y) \"t\") now.", "See the long guide now."),
        ("Go to https://www.a-b.org/c?d=1#e. Then", "Go to a-b.org. Then"),
        ("(see http://example.org/x)", "(see example.org)"),
        ("Write to <me@example.org>.", "Write to me@example.org."),
        ("It is fine[1], really[^2].", "It is fine, really."),
        ("Well done 🎉👩‍👩‍👧 1️⃣!", "Well done 1!"),
        ("H<sub>2</sub>O &amp; <b>more</b>", "H 2 O & more"),
        (r"my\_var \*not bold\*", "my_var *not bold*"),
        ("3 * 4 = 12 and 2*3*4, a < b > c", "3 * 4 = 12 and 2*3*4, a < b > c"),
        ("这是**重要**的，见https://x.cn/a。", "这是重要的，见x.cn。"),
        ("one\n---\ntwo", "one\n\ntwo"),
        ("[1]: https://a.org\ntext", "text"),
        ("snake_case_name and __init__", "snake_case_name and init"),
    ],
)  # fmt: skip
def test_what_marks_text_up_is_left_out(written: str, left: str) -> None:
    assert without_markup(written).strip() == left.strip()


MARKED = st.lists(
    st.sampled_from(
        ["**", "*", "_", "`", "```", "\n", "\n\n", "- ", "# ", "| ", "|", "[a](", "[", "](b)", ")", "<b>", "<", ">",
         " ", "word", "3. ", "https://a.org/b ", "www.x.com", "🎉", "\\*", "~~", "---", "5", ".", "Dr.", "$2.5bn",
         "好。", "March 5, 2024"]
    ),
    max_size=40,
).map("".join)  # fmt: skip


@given(MARKED, st.data())
def test_markup_does_not_depend_on_how_the_text_arrives(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=20)))
    stream = MarkupStream()
    found = [stream.push(text[start:end]) for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert "".join([*found, stream.finish()]) == without_markup(text)


@given(MARKED, st.data())
def test_spoken_phrases_do_not_depend_on_how_the_text_arrives(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=20)))
    whole, stream = SpokenPhrases("en"), SpokenPhrases("en")
    found = [stream.push(text[start:end]) for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert sum(found, []) + stream.finish() == whole.push(text) + whole.finish()


def test_words_are_given_out_while_their_line_goes_on() -> None:
    stream = MarkupStream()
    assert stream.push("It is la") == "It is " and stream.push("te and **ve") == "late and "
    assert stream.push("ry dark** no") == "very dark "
    assert stream.push("w.\n- one") == "now." and stream.finish() == "\n\none"


def test_an_emphasis_that_never_ends_does_not_hold_the_text_back() -> None:
    stream = MarkupStream()
    assert len(stream.push("**note " + "word " * 200)) > 500


def test_forms_are_not_cut_between_phrases() -> None:
    phrases = SpokenPhrases("en")
    found = phrases.push("We met on Tuesday, March 5, 2024, and paid $2.5bn to Dr. Smith. **See** https://a.org/x.")
    assert found + phrases.finish() == [
        "We met on Tuesday,",
        "March fifth, twenty twenty four, and paid two point five billion dollars to Doctor Smith.",
        "See a dot org.",
    ]
