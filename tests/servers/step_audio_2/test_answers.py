"""Step-Audio 2 on a real, unmodified vLLM: its prompts and greedy answers are those of the native model."""

from __future__ import annotations

import concurrent.futures
from typing import Any

from support.chat_wire import wire_messages, wire_tools
from support.step_audio_2_on_vllm import TOKENS, TOOLS, Native, Server, requested, sound, talk

from agentaudio.conversation import Conversation
from agentaudio.model.step_audio_2.tokens import TokenIds

IDS = TokenIds()
LENGTHS_S = (0.04, 0.3, 0.77, 1.5, 2.6, 4.1, 6.66, 9.9, 14.2, 19.0, 24.97, 25.0, 26.3, 51.2)


def test_greedy_answers_are_those_of_the_native_model(native: Native, server: Server, figures: dict[str, Any]) -> None:
    equal = compared = 0
    heard = set()
    for number, seconds in enumerate(LENGTHS_S):
        plain = Conversation()
        plain.add("user", sound(seconds, 100 + number))
        for conversation, tools in ((plain, ()), (talk(seconds, number), TOOLS)):
            prompt, fields = requested(native, conversation, tools)
            answered = server.ask(**fields)
            assert answered["prompt_token_ids"] == list(prompt.ids), seconds
            expected = native.answer(prompt, TOKENS)
            found = answered["choices"][0]["token_ids"]
            heard.add(tuple(found))
            equal += sum(one == other for one, other in zip(found, expected, strict=True))
            compared += TOKENS
    figures["greedy_tokens"] = {"compared": compared, "equal": equal, "lengths_of_sound": len(LENGTHS_S)}
    assert compared >= 500 and equal == compared
    assert len(heard) >= 24, "the answers depend on what was heard"


def test_an_answer_that_goes_back_by_its_ids_is_read_as_it_was(native: Native, server: Server) -> None:
    """Random weights write tokens that no text would become."""
    conversation = Conversation()
    conversation.add("user", sound(1.2, 5))
    prompt, fields = requested(native, conversation)
    said = server.ask(**fields)["choices"][0]["token_ids"]
    native.prompts.remember(prompt, said, text="something")
    conversation.add("assistant", "something")
    conversation.add("user", "And?")
    prompt, fields = requested(native, conversation)
    fields["messages"][1]["token_ids"] = [IDS.tts_start, *said, IDS.tts_end, IDS.eot]
    answered = server.ask(**fields)
    assert answered["prompt_token_ids"] == list(prompt.ids)
    assert answered["choices"][0]["token_ids"] == native.answer(prompt, TOKENS)


def test_written_answers_and_thoughts_begin_as_in_the_native_model(native: Native, server: Server) -> None:
    conversation = Conversation()
    conversation.add("user", "Hi")
    messages = wire_messages(conversation, native.prompts.translation(conversation))
    written = server.ask(messages, add_generation_prompt=True, max_tokens=1, min_tokens=1)
    assert written["prompt_token_ids"] == list(native.prompts.build(conversation, reply="text").ids)
    opening = {"role": "assistant", "content": "\n<think>\n"}
    flags = {"continue_final_message": True, "add_generation_prompt": False, "max_tokens": 1, "min_tokens": 1}
    thought = server.ask([*messages, opening], **flags)
    assert thought["prompt_token_ids"] == list(native.prompts.build(conversation, reply="think").ids)


def test_sixteen_at_once_get_what_each_gets_alone(native: Native, server: Server, figures: dict[str, Any]) -> None:
    requests = [requested(native, talk(0.5 + 0.37 * number, number), TOOLS)[1] for number in range(16)]
    alone = [server.ask(**fields)["choices"][0]["token_ids"] for fields in requests]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        together = list(pool.map(lambda fields: server.ask(**fields)["choices"][0]["token_ids"], requests))
    figures["at_once"] = 16
    assert together == alone and len({tuple(one) for one in together}) >= 14


def test_each_delta_brings_its_ids(server: Server) -> None:
    messages = [{"role": "user", "content": "Hi"}]
    chunks = list(
        server.stream(messages, max_tokens=TOKENS, tools=wire_tools(TOOLS), stream_options={"include_usage": True})
    )
    whole = server.ask(messages, tools=wire_tools(TOOLS), min_tokens=0)
    ids = [one for chunk in chunks for choice in chunk["choices"] for one in choice.get("token_ids") or ()]
    assert ids == whole["choices"][0]["token_ids"]
    assert chunks[0]["prompt_token_ids"] == whole["prompt_token_ids"]
    assert chunks[-1]["usage"]["completion_tokens"] == len(ids)
    text = "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])
    assert text == whole["choices"][0]["message"]["content"]
