from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.examples import share

from agentaudio.conversation import ToolSpec
from agentaudio.model.embedded.routing.clauses import clauses
from agentaudio.model.embedded.routing.router import Router, VectorCache
from agentaudio.text.sentence_embedder import SentenceEmbedder
from agentaudio.text.template import read_phrase

TEXT = {"type": "string"}


def spec(name: str, description: str, phrases: tuple[str, ...] = (), **properties: Any) -> ToolSpec:
    required = [key for key, value in properties.items() if "anyOf" not in value]
    return ToolSpec(
        name,
        description,
        {"type": "object", "properties": properties, "required": required},
        tuple(map(read_phrase, phrases)),
    )


SEARCH = spec("search_documents", "Search the documents for facts to answer a question with.", query=TEXT)
WEB = spec("web_search", "Search the web for news and facts that the documents do not have.", query=TEXT)
VOICE = spec("audio_search", "Change the voice you speak in.", query=TEXT)
CLOCK = spec("get_date_time", "Tell the current date, weekday and time.", timezone={"anyOf": [TEXT, {"type": "null"}]})
SUMS = spec("calculate", "Work out an arithmetic expression exactly.", expression=TEXT)
MUSEUM = spec("opening_hours", "When a museum is open today.", museum=TEXT)
TIMER = spec("set_timer", "Start a timer.", ("set a timer for ten minutes",), minutes={"type": "integer"})
PLANTS = spec("water_plants", "Water the plants in the garden.", ("water the {plant}",), plant=TEXT)
EVERY = [SEARCH, WEB, VOICE, CLOCK, SUMS, MUSEUM, TIMER]
ROUTER = Router(SentenceEmbedder())


@pytest.mark.parametrize(
    ("text", "tool", "arguments"),
    [
        ("who built the great wall", "search_documents", {"query": "who built the great wall"}),
        ("search the web for cheap flights", "web_search", {"query": "cheap flights"}),
        ("please answer in the voice of a calm old man", "audio_search", {"query": "a calm old man"}),
        ("what time is it in tokyo", "get_date_time", {"timezone": "Asia/Tokyo"}),
        ("what is seventeen times twenty three", "calculate", {"expression": "17*23"}),
        ("when is the national museum open today", "opening_hours", {"museum": "national museum"}),
        ("set a timer for twenty minutes", "set_timer", {"minutes": 20}),
    ],
)
def test_requests_reach_their_tool(text: str, tool: str, arguments: dict[str, Any]) -> None:
    (route,) = ROUTER.route(text, EVERY)
    assert (route.kind, route.tool, route.arguments, route.missing) == ("tool", tool, arguments, ())


@pytest.mark.parametrize("text", ["hello there", "thank you very much", "how are you", "goodbye"])
def test_chat_calls_nothing(text: str) -> None:
    (route,) = ROUTER.route(text, EVERY)
    assert (route.kind, route.tool) == ("chat", None)


@pytest.mark.parametrize("text", ["send an email to my boss", "feed the cat", ""])
def test_requests_for_no_tool_are_unknown_with_low_confidence(text: str) -> None:
    (route,) = ROUTER.route(text, EVERY)
    assert (route.kind, route.tool) == ("unknown", None)
    assert route.confidence <= 0.3


def test_a_tool_registered_today_is_found_by_its_description_and_phrases() -> None:
    (route,) = ROUTER.route("please water the roses", [*EVERY, PLANTS])
    assert (route.tool, route.arguments) == ("water_plants", {"plant": "roses"})
    (route,) = ROUTER.route("please water the roses", EVERY)
    assert route.tool is None


def test_a_question_without_any_search_is_unknown() -> None:
    (route,) = ROUTER.route("who built the great wall", [TIMER, SUMS])
    assert (route.kind, route.tool) == ("unknown", None)
    assert ROUTER.route("who built the great wall", [])[0].tool is None


@pytest.mark.parametrize(
    "text",
    [
        "tell me about the great wall in the voice of a calm old man",
        "in the voice of a calm old man tell me about the great wall",
        "speak like a calm old man and tell me about the great wall",
    ],
)
def test_a_voice_and_a_question_are_two_calls_voice_first(text: str) -> None:
    voice, search = ROUTER.route(text, EVERY)
    assert (voice.tool, voice.arguments) == ("audio_search", {"query": "a calm old man"})
    assert (search.tool, search.arguments) == ("search_documents", {"query": "the great wall"})


def test_missing_arguments_are_named() -> None:
    (route,) = ROUTER.route("set a timer", EVERY)
    assert (route.tool, route.missing) == ("set_timer", ("minutes",))
    assert route.confidence <= 0.5


def test_one_clause_stays_whole() -> None:
    assert clauses("answer in the voice of an old man") == ["answer in the voice of an old man"]
    assert clauses("what is the difference between tea and coffee") == ["what is the difference between tea and coffee"]


@settings(deadline=None, max_examples=share(25))
@given(st.text(max_size=60))
def test_any_text_gives_a_route(text: str) -> None:
    routes = ROUTER.route(text, EVERY)
    assert routes and all(0 <= route.confidence <= 1 for route in routes)


def test_texts_that_recur_are_embedded_once_and_only_the_newest_are_kept() -> None:
    asked: list[str] = []

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        asked.extend(texts)
        return np.array([[len(text), 1.0] for text in texts], np.float32)

    cache = VectorCache(embed, kept=2)
    np.testing.assert_array_equal(cache(["a", "bb", "a"]), [[1, 1], [2, 1], [1, 1]])
    cache(["bb", "ccc"])
    assert asked == ["a", "bb", "ccc"]
    cache(["bb"])
    cache(["a"])
    assert asked == ["a", "bb", "ccc", "a"]
