"""Templates: sentences with slots, and sentences that only look like one."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentaudio.text.template import Slot, Template, read_phrase
from agentaudio.text.words import split_words

SONG = read_phrase("play {song} by {artist}")
NOT_TEMPLATES = ("Use {0} here.", "{}", "{{song}", "{song!r:>10}", "{a.b}", "x = {'k': 1}", "{", "}{", "{1_a}", "{a b}")


def template(text: str) -> Template:
    found = read_phrase(text)
    assert isinstance(found, Template)
    return found


def test_slots_and_text_are_parsed_once() -> None:
    assert template("play {song} by {artist}").parts == ("play ", Slot("song"), " by ", Slot("artist"))
    assert template("{a} and {a}").slots == ("a",)
    assert template("{a} and {b}").fragments == (" and ",)
    assert len(template("play {song}")) == len("play {song}")


@pytest.mark.parametrize("text", [text for text in NOT_TEMPLATES if text != "{{song}"])
def test_braces_that_hold_no_name_are_text(text: str) -> None:
    assert read_phrase(text) == text


def test_values_are_not_read_as_slots() -> None:
    filled = template("play {song} by {artist}").filled({"song": r"{artist} \1 %s", "artist": "{song}"})
    assert filled == r"play {artist} \1 %s by {song}"
    assert template("open {museum_name}").filled({}) == "open museum name"


@pytest.mark.parametrize(
    ("said", "values"),
    [
        ("play yesterday by the beatles", {"song": "yesterday", "artist": "the beatles"}),
        ("oh well play one by one by metallica", {"song": "one", "artist": "one by metallica"}),
        ("play by by by", {"song": "by", "artist": "by"}),
        ("play by metallica", None),
        ("play yesterday", None),
        ("", None),
    ],
)
def test_the_first_slots_take_as_few_words_as_possible(said: str, values: dict[str, str] | None) -> None:
    assert template("play {song} by {artist}").match(said.split()) == values


def test_a_slot_that_is_named_twice_counts_once() -> None:
    assert template("{a} then {a}").match(["x", "then"]) == {"a": "x"}


@given(st.lists(st.sampled_from("a b play by".split()), max_size=12))
def test_a_match_is_an_instance_of_the_template(words: list[str]) -> None:
    shape = template("play {song} by {artist}")
    values = shape.match(words)
    if values is not None:
        assert " ".join(words).endswith(shape.filled(values))


@pytest.mark.parametrize(
    "text",
    [
        "{a} {b} {c} {d} {e} {f} {g} {h} {i} {j}",
        "{a} {b} {c} {d} {e} {f} {g} {h} {i} {j} zzz",
        " word ".join(f"{{s{number}}}" for number in range(30)) + " end",
        "word {a} word {b} word {c} word {d} word {e} word no",
        " ".join(f"{{s{number}}}" for number in range(200)),
        "word " * 300 + "{a} zzz",
    ],
)
def test_matching_takes_time_in_proportion_to_the_words(text: str) -> None:
    shape = template(text)

    def seconds(words: int) -> float:
        begun = time.thread_time()
        shape.match(split_words("word " * words))
        return time.thread_time() - begun

    assert min(seconds(4000) for _ in range(3)) < 20 * min(seconds(400) for _ in range(3)) + 0.05
