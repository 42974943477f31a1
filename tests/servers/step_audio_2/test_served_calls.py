"""Calls, ends and refusals of a real vLLM with our plug-in."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from support.chat_wire import wire_tools
from support.step_audio_2_on_vllm import QUERY, TOKENS, Server
from support.vllm_server import ENVIRONMENT, PYTHON, said

from agentaudio.conversation import ToolSpec
from agentaudio.model.step_audio_2.tokens import PUBLISHED_IDS, TokenIds

IDS = TokenIds()
CALL = '<tool_call>function\nsearch\n{"query": "tea"}</tool_call>'
SEARCH = wire_tools([ToolSpec("search", "", QUERY)])
ANSWERS = {
    f"Let me see.{CALL}": ("Let me see.", ["tea"]),
    f"<tts_start>A<audio_1><audio_2><audio_3><audio_4><tts_end>{CALL}{CALL.replace('tea', 'thé')}": (
        "<tts_start>A<audio_1><audio_2><audio_3><audio_4><tts_end>",
        ["tea", "thé"],
    ),
    '<tool_call>{"name": "search", "arguments": {"query": "tea"}}</tool_call>': ("", ["tea"]),
    'search(query="tea")': ("", ["tea"]),
    "No call, but < 3 <": ("No call, but < 3 <", []),
}  # fmt: skip


@pytest.mark.parametrize("words", ANSWERS)
def test_calls_are_parsed_whole_and_streamed(words: str, server: Server) -> None:
    content, queries = ANSWERS[words]
    fields = {"tools": SEARCH, "max_tokens": 300, **said(words, PUBLISHED_IDS)}
    messages = [{"role": "user", "content": "Search!"}]
    choice = server.ask(messages, **fields, min_tokens=0)["choices"][0]
    calls = [call["function"] for call in choice["message"].get("tool_calls") or ()]
    assert [(call["name"], json.loads(call["arguments"])) for call in calls] == [
        ("search", {"query": one}) for one in queries
    ]
    assert (choice["message"]["content"] or "") == content
    assert choice["finish_reason"] == ("tool_calls" if queries else "stop")
    assert choice["token_ids"].count(IDS.tool_call) == words.count("<tool_call>")

    choices = [choice for chunk in server.stream(messages, **fields) for choice in chunk["choices"]]
    deltas = [choice["delta"] for choice in choices]
    streamed = [call for delta in deltas for call in delta.get("tool_calls") or ()]
    assert [call["function"] for call in streamed] == calls
    assert [call["index"] for call in streamed] == list(range(len(queries)))
    assert len({call["id"] for call in streamed}) == len(queries)
    assert "".join(delta.get("content") or "" for delta in deltas) == content
    assert choices[-1]["finish_reason"] == choice["finish_reason"]


BOOK = wire_tools([ToolSpec("book", "", {"type": "object", "properties": {"seats": {"type": "integer"}}})])


@pytest.mark.parametrize(
    ("choice", "called"),
    [("required", {"search", "book"}), ({"type": "function", "function": {"name": "book"}}, {"book"})],
)
@pytest.mark.parametrize("speaks", [False, True])
def test_a_call_that_is_required_is_made(server: Server, choice: Any, called: set[str], speaks: bool) -> None:
    """Whatever the weights say: here they are random."""
    messages = [{"role": "user", "content": "Hi"}]
    fields: dict[str, Any] = {"tools": SEARCH + BOOK, "max_tokens": 400, "temperature": 1, "parallel_tool_calls": False}
    fields["tool_choice"] = choice
    if speaks:
        messages.append({"role": "assistant", "content": "<tts_start>"})
        fields |= {"continue_final_message": True, "add_generation_prompt": False}
    for seed in range(3):
        answered = server.ask(messages, **fields, seed=seed, min_tokens=0)["choices"][0]
        (call,) = answered["message"]["tool_calls"]
        assert call["function"]["name"] in called and not answered["message"]["content"]
        arguments = json.loads(call["function"]["arguments"])
        assert isinstance(arguments, dict) and type(arguments.get("seats", 0)) is int
        # OpenAI's server, too, says "stop" where one function is named.
        assert answered["finish_reason"] == ("tool_calls" if choice == "required" else "stop")
    choices = [one for chunk in server.stream(messages, **fields, seed=0) for one in chunk["choices"]]
    (streamed,) = [call for one in choices for call in one["delta"].get("tool_calls") or ()]
    assert streamed["function"]["name"] in called


@pytest.mark.parametrize("end", [IDS.eot, IDS.endoftext, IDS.im_end])
def test_an_answer_ends_where_the_model_ends_it(server: Server, end: int) -> None:
    choice = server.ask([{"role": "user", "content": "Hi"}], min_tokens=0, allowed_token_ids=[end])["choices"][0]
    assert (choice["finish_reason"], choice["token_ids"]) == ("stop", [end])


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ({"role": "assistant", "content": "a", "token_ids": [-5]}, "-5"),
        ({"role": "assistant", "content": "a", "token_ids": [10**9]}, "vocabulary"),
        ({"role": "assistant", "content": "a", "tts_content": {"tts_text": "a"}}, "tts_audio"),
        ({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]}, ""),
        ({"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]}, ""),
    ],
)
def test_what_cannot_be_read_is_refused_and_the_server_goes_on(
    server: Server, message: dict[str, Any], problem: str
) -> None:
    question = {"role": "user", "content": "Hi"}
    refused = server.ask([question, message, question])
    assert refused.get("status") == 400 and problem in refused["error"], refused
    assert len(server.ask([question])["choices"][0]["token_ids"]) == TOKENS


def test_registering_twice_is_harmless() -> None:
    program = "\n".join(
        [
            "from agentaudio.model.step_audio_2.vllm.plugin import register",
            "register(); register()",
            "from vllm.model_executor.models.registry import ModelRegistry",
            "assert 'StepAudio2ForCausalLM' in ModelRegistry.get_supported_archs()",
        ]
    )
    done = subprocess.run([PYTHON, "-c", program], env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "overwritten" not in done.stdout + done.stderr


def test_a_vllm_without_a_place_for_the_prompts_serves_other_models() -> None:
    program = "\n".join(
        [
            "import sys, vllm.renderers.registry as registry",
            "del registry.RENDERER_REGISTRY",
            "from agentaudio.model.step_audio_2.vllm.plugin import register",
            "register()",
        ]
    )
    done = subprocess.run([PYTHON, "-c", program], env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "needs vLLM 0.32 or newer" in done.stdout + done.stderr
