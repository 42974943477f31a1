"""Calls that the caller requires, of Step-Audio 2 on servers."""

from __future__ import annotations

from typing import Any

import pytest
from support.openai_server import chat_server
from support.step_audio_2 import CharacterVocabulary
from support.step_audio_2_server import IDS, Tones, call_ids, spoken_ids, surround, vllm_chunks

from agentaudio import Agent, GenerateOptions, tool
from agentaudio.conversation import Conversation, ToolSpec
from agentaudio.errors import OptionError
from agentaudio.model.speech_lm import CallDelta
from agentaudio.model.step_audio_2.served.backend import ServedStepAudio2
from agentaudio.model.step_audio_2.served.load import load

VOCABULARY = CharacterVocabulary()
QUERY = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
VOICES, DOCUMENTS = (ToolSpec(name, "Find.", QUERY) for name in ("audio_search", "search_documents"))
NAMED = {"type": "function", "function": {"name": "timbre_rag"}}


def model_on(url: str, *, speech: Any = None, kind: str = "vllm") -> ServedStepAudio2:
    model = load(None, base_url=url, dialect=kind)  # type: ignore[arg-type]
    return ServedStepAudio2(model._server, speech=speech, vocabulary=VOCABULARY)


@pytest.mark.parametrize(
    ("must_call", "tools", "asked"),
    [(True, [VOICES, DOCUMENTS], "required"), ("audio_search", [VOICES, DOCUMENTS], NAMED), (True, [VOICES], NAMED)],
)
async def test_vllm_is_told_what_to_call_and_to_say_nothing_before(must_call: Any, tools: Any, asked: Any) -> None:
    conversation = Conversation()
    conversation.add("user", "Sound like a pirate.")
    async with chat_server() as server:
        chunks = vllm_chunks(VOCABULARY, [*call_ids(VOCABULARY, "timbre_rag", {"query": "pirate"}), IDS.eot])
        around = surround(server, chunks)
        model = model_on(server.url, speech=Tones())
        server.clients.append(model)
        made = model.generate(conversation, tools=tools, options=GenerateOptions(must_call=must_call))
        (call,) = [delta.call async for delta in made if isinstance(delta, CallDelta)]
    assert (call.name, call.arguments) == ("audio_search", {"query": "pirate"})
    sent = around.asked[0].json
    assert sent["tool_choice"] == asked and sent["messages"][-1]["role"] == "user"
    assert (sent["continue_final_message"], sent["add_generation_prompt"]) == (False, True)


async def test_a_call_that_no_tool_answers_and_a_server_that_cannot_be_made_to_call_are_refused() -> None:
    conversation = Conversation()
    conversation.add("user", "Hi.")
    async with chat_server() as server:
        around = surround(server, [b""], kind="stepfun")
        refused: list[tuple[str, Any, list[ToolSpec], str]] = [
            ("vllm", "ring", [VOICES], "'ring'.*audio_search"),
            ("vllm", True, [], "the tools are: none"),
            ("stepfun", True, [VOICES], "stepfun cannot be made to call"),
        ]
        for kind, must_call, tools, problem in refused:
            model = model_on(server.url, kind=kind)
            server.clients.append(model)
            with pytest.raises(OptionError, match=problem):
                async for _ in model.generate(conversation, tools=tools, options=GenerateOptions(must_call=must_call)):
                    pass
        assert not around.asked


@tool
def ring(times: int) -> str:
    """Ring the bell."""
    return f"It rang {times} times."


async def test_the_answer_after_the_call_is_free() -> None:
    call, told = call_ids(VOCABULARY, "ring", {"times": 2}), spoken_ids(VOCABULARY, "It rang.", [4, 5, 6, 7])
    async with chat_server() as server:
        around = surround(server, vllm_chunks(VOCABULARY, [*call, IDS.eot]), vllm_chunks(VOCABULARY, told))
        model = model_on(server.url, speech=Tones())
        server.clients.append(model)
        agent = Agent(model, tools=[ring])
        assert (await agent.run("Ring!", options=GenerateOptions(must_call="ring"))).text == "It rang."
    first, second = (request.json for request in around.asked)
    assert first["tool_choice"]["function"]["name"] == "ring" and "tool_choice" not in second
    assert second["messages"][-1] == {"role": "assistant", "content": "<tts_start>"}
    assert second["messages"][-3]["token_ids"] == call
