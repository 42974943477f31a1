"""Documents, voice cards, schemas and requests that hold signs of some language: they are words and nothing else."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from agentaudio import Agent, tool
from agentaudio.conversation import Conversation, ToolOutput, ToolSpec
from agentaudio.model.embedded.answering.answer import answer
from agentaudio.model.embedded.routing.expectations import expected_sentences
from agentaudio.model.embedded.routing.router import Router
from agentaudio.model.embedded.routing.slots import fill
from agentaudio.model.speech_lm import GenerateOptions
from agentaudio.text.embedding import load_embedder
from agentaudio.tools.context import RunContext

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
QUESTION = "what is two plus two " + "then tell me something more about it " * 30
QUERY = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}


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
        async with Agent("embedded", tools=["search_documents", "calculate"], documents=tmp_path) as agent:
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
