"""Documents, voice cards, schemas and requests that hold signs of some language: they are words and nothing else."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agentaudio import Agent, load_model, tool
from agentaudio.conversation import Conversation, Passage, ToolOutput, ToolSpec
from agentaudio.errors import BackendError
from agentaudio.model.asked.queries import search_query, voice_query
from agentaudio.model.embedded.answering.answer import answer
from agentaudio.model.embedded.answering.extracts import extract
from agentaudio.model.embedded.routing.arithmetic import expression
from agentaudio.model.embedded.routing.clauses import clauses
from agentaudio.model.embedded.routing.expectations import expected_sentences
from agentaudio.model.embedded.routing.router import Router
from agentaudio.model.embedded.routing.slots import fill
from agentaudio.model.speech_lm import GenerateOptions
from agentaudio.retrieval.voices.query import asks_for_default, asks_for_talker
from agentaudio.text.embedding import load_embedder
from agentaudio.text.phrases import PhraseStream
from agentaudio.text.sentences import sentences
from agentaudio.text.spoken_form import spoken_form
from agentaudio.text.template import Slot, Template
from agentaudio.text.words import split_words
from agentaudio.tools.context import RunContext

pytestmark = pytest.mark.hostile

for extra in ("pocketsphinx", "onnxruntime", "pyworld", "espeakng_loader"):
    pytest.importorskip(extra, reason="needs the extras 'embedded' and 'espeak'")

SENTENCES = (
    "Use the format string {0} here.",
    "A LaTeX index is written x_{1} and \\frac{a}{b}.",
    'The answer is {"name": {"first": "Ada"}}.',
    "Write {name!r:>{width}} or %s or %(name)d or ${HOME}.",
    "Braces {} and {{ and }} and { alone.",
    "A regular expression is (?P<a>.+?)*+ or [a-z or \\1 or \\g<9> or (?<=x.",
    "Jinja writes {{ 7 * 7 }} and {% for x in y %} and {# no #}.",
    "Speak like {0} in the voice of {query}.",
    "{a} {b} {c} {d} {e} {f} {g} {h} {i} {j} zzz.",
)
RUNS = (
    "-",
    "1",
    "1,234,",
    "1+",
    "(",
    "[",
    "[a](",
    "![",
    '"',
    "“",
    "'a",
    "a",
    "é",
    "中",
    "あ ",
    "。",
    "...",
    "`",
    "**a ",
    "__a ",
    "\n",
    "\n- ",
    "www.!",
    "https://",
    "and ",
    "then ",
    "please ",
    "in ",
    "in a voice ",
    "twice ",
    "sqrt ",
    "add one ",
    "minutes ",
    "one ",
    "point one ",
    "to meters ",
    "call ",
    "a\u0301",
    "\u200b",
    "\ud800",
    "🙂",
    "٣",
    "²",
    "/",
    "a/",
    "1 - ",
    "tell me about ",
)
BEFORE = ("", "hear a ")
AFTER = (" b c d e f !",)
QUESTION = "what is two plus two " + "then tell me something more about it " * 30
QUERY = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}


STRING = {"type": "string"}


def tool_of(name: str, **properties: Any) -> ToolSpec:
    phrases = (Template(("timer for ", Slot("minutes"))),) if "minutes" in properties else ()
    return ToolSpec(name, f"A tool for {name}.", {"type": "object", "properties": properties}, phrases)


SPECS = [
    tool_of("convert", value={"type": "number"}, unit={"enum": ["miles", "kilometers", "meters"]}),
    tool_of("timer", minutes={"type": "integer"}),
    tool_of("clock", timezone=STRING),
    tool_of("calculate", expression=STRING),
    tool_of("museum", museum=STRING, hour=STRING),
    tool_of("search_documents", query=STRING),
    tool_of("audio_search", query=STRING),
]


def ones(count: int) -> np.ndarray[Any, Any]:
    return np.ones((count, 1), np.float32)


def expression_of(text: str) -> str | None:
    return expression(split_words(text))


@functools.cache
def router() -> Router:
    return Router(load_embedder("default"))


@pytest.mark.parametrize("sentence", SENTENCES)
@pytest.mark.parametrize("name", ["search_documents", "audio_search", "look"])
def test_sentences_of_any_signs_are_routed_expected_and_answered(name: str, sentence: str) -> None:
    spec = ToolSpec(name, f"Look things up. {sentence}", QUERY, (sentence, f"answer in the voice of {sentence}"))
    expected = expected_sentences([spec])
    assert all(word.replace("'", "").isalpha() for line in expected for word in line.split())
    for text in (sentence, QUESTION):
        assert router().route(text, [spec])
    assert not fill(sentence, spec).exact
    assert answer("what is it", [ToolOutput("1", name, sentence)], load_embedder("default")).text


def seconds(run: str, length: int, work: Callable[[str], object]) -> float:
    """The time for texts of about `length` characters in which `run` is repeated."""
    begun = time.thread_time()
    for before in BEFORE:
        for after in AFTER:
            work(before + run * (length // len(run)) + after)
    return time.thread_time() - begun


def of_users(text: str) -> None:
    for spec in SPECS:
        fill(text, spec)
    for read in (expression_of, clauses, search_query, voice_query, asks_for_talker, asks_for_default, sentences):
        read(text)
    extract(text, [Passage("notes.md", "Notes", "The moon is far away. It is round.")], lambda texts: ones(len(texts)))


def of_documents(text: str) -> None:
    spoken_form(text)
    stream = PhraseStream()
    for place in range(0, len(text), 7):
        stream.push(text[place : place + 7])
    stream.finish()
    assert answer("what is it", [ToolOutput("1", "look", text)], lambda texts: ones(len(texts))).text


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("work", [of_users, of_documents])
def test_long_runs_take_time_in_proportion_to_their_length(work: Callable[[str], object], run: str) -> None:
    short = min(seconds(run, 500, work) for _ in range(2))
    # 8 times as long; quadratic work takes 64 times as long. The CPU time, because other processes run too.
    assert seconds(run, 4000, work) < 30 * short + 0.2


def test_a_long_request_is_refused_in_one_line_that_names_the_setting() -> None:
    async def turn() -> None:
        async with Agent(load_model("embedded-lite", max_request_chars=20), tools=["calculate"]) as agent:
            await agent.run("-" * 21)

    with pytest.raises(BackendError, match=r"has 21 characters; .* at most 20 \(max_request_chars\)"):
        asyncio.run(turn())


@pytest.mark.parametrize("value", ["\\1", "C:\\new\\g<x>", "{0}", "%s", "a\\", "(?P<x>", "${x}"])
def test_the_values_of_a_schema_are_not_templates(value: str) -> None:
    city: dict[str, Any] = {
        "type": "string",
        "enum": [value, "Rome"],
        "examples": [value],
        "description": f"as '{value}'",
    }
    spec = ToolSpec("get_weather", "The weather in a city.", {"type": "object", "properties": {"city": city}})
    assert "the weather in rome" in expected_sentences([spec])
    assert fill("the weather in rome please", spec).arguments == {"city": "Rome"}


def test_no_document_ends_the_turns_of_an_agent(tmp_path: Path) -> None:
    for number, sentence in enumerate(SENTENCES):
        (tmp_path / f"{number}.md").write_text(f"# Notes {sentence}\n{sentence}\n")

    async def turns() -> list[str]:
        async with Agent("embedded-lite", tools=["search_documents", "calculate"], documents=tmp_path) as agent:
            questions = ("what is two plus two", "hello", QUESTION)
            return [(await agent.run(text, options=GenerateOptions(speak=False))).text for text in questions]

    assert "4" in asyncio.run(turns())[0]


def test_a_function_of_phrases_returns_sentences_and_a_list_has_slots() -> None:
    def held(context: RunContext) -> Iterable[str]:
        return ("open {room}",)

    @tool(phrases=held)
    def from_data(room: str) -> str:
        return room

    @tool(phrases=["open {room}"])
    def from_developer(room: str) -> str:
        return room

    context = RunContext(Conversation())
    assert from_data.spec(context).phrases == ("open {room}",)
    assert not fill("open kitchen", from_data.spec(context)).exact
    assert fill("open kitchen", from_developer.spec(context)).exact
