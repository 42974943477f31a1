"""Asking for a voice."""

from __future__ import annotations

import pytest

from agentaudio.resources import open_voices
from agentaudio.retrieval.voice_search import VoiceSearch, asks_for_default


@pytest.mark.parametrize(
    ("query", "voice"),
    [
        ("a calm old man", "walter"),
        ("grandpa", "walter"),
        ("somebody young and cheerful", "ruby"),
        ("a woman", "ruby"),
        ("a robot", "robot"),
        ("Zed", "robot"),
        ("the voice of Ruby please", "ruby"),
    ],
)
def test_descriptions_and_names_find_their_voice(voices: VoiceSearch, query: str, voice: str) -> None:
    assert voices.by_text(query)[0].voice.id == voice


@pytest.mark.parametrize("query", ["a refrigerator door", "", "an italian woman", "whispering", "xyzzy"])
def test_nothing_fits_is_an_answer(voices: VoiceSearch, query: str) -> None:
    assert voices.by_text(query) == []


@pytest.mark.parametrize(
    "query", ["default", "your own voice", "go back to your normal voice", "the default voice", "默认女音色", "Reset."]
)
def test_the_default_voice_is_recognised_in_any_wording(query: str) -> None:
    assert asks_for_default(query)


@pytest.mark.parametrize("query", ["a calm old man", "a young voice", "an original character"])
def test_other_wishes_are_not_the_default(query: str) -> None:
    assert not asks_for_default(query)


@pytest.mark.parametrize(
    ("query", "voices"),
    [
        ("a calm old man", {"albert"}),
        ("a little girl", {"lily"}),
        ("an italian woman", {"gina"}),
        ("a scottish man", {"angus"}),
        ("a german woman", {"greta"}),
        ("a russian man", {"boris"}),
    ],
)
def test_the_demo_library_has_the_voice_first(query: str, voices: set[str]) -> None:
    assert open_voices().by_text(query)[0].voice.id in voices
