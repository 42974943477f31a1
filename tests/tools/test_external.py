"""Tools that the caller of the agent runs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agentaudio import RunContext, tool
from agentaudio.conversation import Conversation, ToolCall
from agentaudio.errors import ConversationError, OptionError, ToolArgumentError, ToolError
from agentaudio.tools.external import caller_runs, external_tool

SCHEMA = {"type": "object", "properties": {"room": {"type": "string"}}, "required": ["room"]}
lights = external_tool("lights", "Switch the lights of a room.", SCHEMA, phrases=("it is dark",))


def test_models_see_an_external_tool_like_any_other() -> None:
    spec = lights.spec(RunContext(Conversation()))
    assert (spec.name, spec.description, spec.parameters) == ("lights", "Switch the lights of a room.", SCHEMA)
    assert spec.phrases == ("it is dark",)


def test_only_a_tool_without_a_function_is_external() -> None:
    @tool
    def bell() -> str:
        return "ding"

    assert lights.external and not bell.external


def test_running_an_external_tool_here_is_refused() -> None:
    with pytest.raises(ToolError, match="'lights' has no function here; the caller of the agent runs its calls"):
        lights(room="hall")
    with pytest.raises(ToolError, match="'lights' has no function here"):
        asyncio.run(lights.call(RunContext(Conversation()), {"room": "hall"}))


def test_a_call_without_a_required_argument_is_refused() -> None:
    assert lights.arguments.check("lights", {"room": "hall"}) == {"room": "hall"}
    with pytest.raises(ToolArgumentError, match="room: Field required"):
        lights.arguments.check("lights", {})


@pytest.mark.parametrize("schema", [{}, {"type": "string"}, {"properties": {}}, [], None])
def test_parameters_that_do_not_describe_an_object_are_refused(schema: Any) -> None:
    with pytest.raises(OptionError, match="'lights' are not a JSON Schema of an object"):
        external_tool("lights", "Switch the lights.", schema)


def test_the_name_of_an_external_tool_is_checked() -> None:
    with pytest.raises(OptionError, match="is not a tool name"):
        external_tool("two words", "", SCHEMA)


class Speechless(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no message")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("key=abc"), "lights failed unexpectedly (ValueError); say that it did not work."),
        (Speechless(), "lights failed unexpectedly (Speechless); say that it did not work."),
        (asyncio.CancelledError(), "lights failed unexpectedly (CancelledError); say that it did not work."),
        (KeyboardInterrupt(), "lights failed unexpectedly (KeyboardInterrupt); say that it did not work."),
    ],
)
def test_an_exception_of_any_kind_as_a_result_is_a_failed_call(error: BaseException, words: str) -> None:
    (run,) = caller_runs([ToolCall("c1", "lights", {})], {"c1": error})
    assert (run.status, run.result.text) == ("failed", words)


@pytest.mark.parametrize("results", [{1: "on"}, {1: "on", "c2": "on"}, {"c1": "on", None: "off"}])
def test_results_under_unknown_keys_of_any_type_are_refused(results: dict[Any, Any]) -> None:
    with pytest.raises(ConversationError, match="there is no open call .*; open calls: c1"):
        caller_runs([ToolCall("c1", "lights", {})], results)


@pytest.mark.parametrize("results", [{}, {"c1": "on"}])
def test_results_without_an_open_call_are_refused(results: dict[str, Any]) -> None:
    with pytest.raises(ConversationError, match="no call is open"):
        caller_runs([], results)
