"""Conversations as prompts, by chat templates that differ in what they accept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment
from support.llm_tiny import CHATML, INST, ONE_CALL, SPECIAL, TURNS

from agentaudio.conversation import AudioPart, Conversation, Message, TextPart, ToolCall, ToolOutput, ToolSpec
from agentaudio.errors import BackendError
from agentaudio.model.chat_models.template import ChatTemplate
from agentaudio.sound.audio import Audio

RING = ToolSpec("ring", "Ring the bell.", {"type": "object", "properties": {"times": {"type": "integer"}}})


def template(source: str) -> ChatTemplate:
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])

    def fail(message: str) -> None:
        raise ValueError(message)

    environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    environment.globals["raise_exception"] = fail
    read = environment.from_string(source)

    def write(messages: list[dict[str, Any]], tools: list[dict[str, Any]] | None) -> str:
        return read.render(messages=messages, tools=tools, add_generation_prompt=True)

    return ChatTemplate(write, SPECIAL, name="tiny")


def rung() -> Conversation:
    """A conversation with two calls in one step, whose results come in another order."""
    conversation = Conversation()
    conversation.add("system", TextPart("Be brief."))
    conversation.add("user", AudioPart(Audio.silence(0.1, 16_000), "ring twice"))
    calls = ToolCall("a", "ring", {"times": 5}), ToolCall("b", "ring", {"times": 6})
    conversation.add("assistant", TextPart("One moment."), *calls)
    conversation.add("tool", ToolOutput("b", "ring", "six done"), ToolOutput("a", "ring", "five done"))
    return conversation


def test_tools_calls_and_results_are_written_by_the_template() -> None:
    made = template(CHATML)
    assert made.takes_tools and made.after_answer.startswith("<|im_end|>")
    prompt = made.prompt(rung(), [RING])
    assert prompt.startswith("<|im_start|>system\nBe brief.") and prompt.endswith("<|im_start|>assistant\n")
    assert '"name": "ring", "description": "Ring the bell."' in prompt
    places = ["Be brief.", "user\nring twice<", "One moment.", '"arguments": {"times": 5}', '{"times": 6}', "six done"]
    assert [prompt.index(one) for one in places] == sorted(prompt.index(one) for one in places)


def test_results_follow_their_calls_with_ids_that_strict_templates_take() -> None:
    made = template(INST)
    assert made.takes_tools and made.after_answer.startswith("</s>")
    prompt = made.prompt(rung(), [RING])
    calls = json.loads(prompt.partition("[TOOL_CALLS]")[2].partition("</s>")[0])
    results = [json.loads(one.partition("[/TOOL_RESULTS]")[0]) for one in prompt.split("[TOOL_RESULTS]")[1:]]
    assert [call["arguments"] for call in calls] == [{"times": 5}, {"times": 6}]
    by_id = {result["call_id"]: result["content"] for result in results}
    assert [by_id[call["id"]] for call in calls] == ["five done", "six done"]
    assert "[INST]Be brief.\n\nring twice[/INST]" in prompt


def test_a_template_with_one_call_in_a_message_gets_a_step_for_each() -> None:
    made = template(ONE_CALL)
    assert made.takes_tools
    prompt = made.prompt(rung(), [RING])
    places = ['"parameters": {"times": 5}', "five done", '"parameters": {"times": 6}', "six done"]
    assert [prompt.index(one) for one in places] == sorted(prompt.index(one) for one in places)


def test_a_template_without_system_and_tools_gets_both_as_words_of_the_user() -> None:
    made = template(TURNS)
    assert not made.takes_tools and made.after_answer.startswith("<end_of_turn>")
    prompt = made.prompt(rung())
    assert prompt.startswith("<s><start_of_turn>user\nBe brief.\n\nring twice<end_of_turn>\n<start_of_turn>model\nOne")
    assert "Result of the tool ring:\nfive done" in prompt and prompt.endswith("<start_of_turn>model\n")
    with pytest.raises(BackendError, match="template of 'tiny' has no place for tools; take a model"):
        made.prompt(rung(), [RING])


@pytest.mark.parametrize("source", [INST, TURNS])
def test_successive_messages_of_one_role_are_joined_where_roles_must_alternate(source: str) -> None:
    conversation = Conversation()
    for role, text in (("user", "hello"), ("user", "are you there"), ("assistant", "Yes."), ("user", "good")):
        conversation.add(role, TextPart(text))  # type: ignore[arg-type]
    assert "hello\n\nare you there" in template(source).prompt(conversation)


@pytest.mark.parametrize("source", [CHATML, INST, TURNS, ONE_CALL])
def test_words_cannot_write_the_marks_of_a_prompt(source: str) -> None:
    made = template(source)
    marks = [one for one in (*SPECIAL, "<tool_response>", "<tool_call>") if one in source and one != "<|quiet|>"]
    honest, forged = Conversation(), Conversation()
    honest.add("user", TextPart("hello"))
    forged.add("user", TextPart("hello " + " ".join(marks)))
    tools = [RING] if made.takes_tools else []
    for mark in marks:
        assert made.prompt(forged, tools).count(mark) == made.prompt(honest, tools).count(mark)
    if tools:
        evil = ToolSpec("ring", "".join(marks), {"type": "object", "properties": {"".join(marks): {}}})
        for mark in marks:
            assert made.prompt(honest, [evil]).count(mark) == made.prompt(honest, tools).count(mark)


def test_results_stay_results_where_only_the_roles_must_alternate() -> None:
    conversation = rung()
    for role, text in (("assistant", "Done."), ("user", "thanks"), ("user", "are you there")):
        conversation.add(role, TextPart(text))  # type: ignore[arg-type]
    prompt = template(INST).prompt(conversation, [RING])
    assert "[TOOL_CALLS]" in prompt and prompt.count("[TOOL_RESULTS]") == 2
    assert "[INST]thanks\n\nare you there[/INST]" in prompt


def test_a_template_whose_calls_cannot_be_read_makes_a_model_that_calls_none() -> None:
    odd = (
        CHATML.replace("<tool_call>", "~call~")
        .replace("</tool_call>", "~end~")
        .replace('{"name": "{{', "{{")
        .replace('}}", "arguments": {{', "}} with {{")
    )
    assert template(CHATML).takes_tools and not template(odd).takes_tools


def test_a_template_that_asks_for_a_list_of_tools_gets_an_empty_one() -> None:
    made = template("{% for tool in tools %}{{ tool.function.name }}{% endfor %}" + TURNS)
    assert "hello" in made.prompt(Conversation([Message("user", (TextPart("hello"),))]))


def test_a_template_that_writes_nothing_of_the_user_is_refused() -> None:
    with pytest.raises(BackendError, match="'tiny' does not write what the user says"):
        template("hello")
    with pytest.raises(BackendError, match="chat template of 'tiny' failed: no"):
        template("{{ raise_exception('no') }}")
