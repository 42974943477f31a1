"""Chat requests to vLLM: their prompts have the ids of our own prompt maker, and nothing in them is forged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.chat_wire import wire_messages, wire_tools
from support.step_audio_2 import CharacterVocabulary, byte_vocabulary, kept, speech_tokens

from agentaudio.conversation import (
    AudioPart,
    Conversation,
    Part,
    SpeechPart,
    TextPart,
    ToolCall,
    ToolOutput,
    ToolSpec,
)
from agentaudio.errors import ConversationError
from agentaudio.model.step_audio_2.language.chat_request import Layout, request_turns
from agentaudio.model.step_audio_2.language.prompt import PromptBuilder, Reply
from agentaudio.model.step_audio_2.language.segments import Prompt, assemble
from agentaudio.model.step_audio_2.tokens import SPECIAL_TOKENS
from agentaudio.sound.audio import Audio

VOCABULARY = byte_vocabulary()
IDS = VOCABULARY.ids
QUERY = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
TOOLS = [ToolSpec("web_search", "Search <|EOT|>.", QUERY), ToolSpec("book", "Réserver.", {"type": "object"})]

texts = st.lists(
    st.sampled_from([*SPECIAL_TOKENS, "<audio_7>", "\n", "thé", "茶"]) | st.text(max_size=4), max_size=3
).map("".join)
sounds = st.builds(
    Audio.silence, st.sampled_from([0.01, 0.5, 25.0, 26.0, 51.0]), st.sampled_from([8_000, 16_000, 44_100])
).map(AudioPart)
speech = st.builds(
    lambda text, codes: SpeechPart(text, tokens=speech_tokens(codes) if codes else None),
    texts,
    st.lists(st.integers(0, 6560), max_size=9),
)
arguments = st.dictionaries(st.text(max_size=3), texts | st.integers() | st.none(), max_size=2)
asked = st.lists(texts.map(TextPart) | sounds, min_size=1, max_size=3)
said = st.lists(texts.map(TextPart) | speech, max_size=2)
calls = st.lists(st.tuples(st.sampled_from(["web_search", "book", "gone"]), arguments, texts), max_size=2)


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    talk = Conversation()
    if draw(st.booleans()):
        talk.add("system", draw(texts))
    for turn in range(draw(st.integers(1, 3))):
        talk.add("user", *draw(asked))
        made = draw(calls)
        parts: list[Part] = [*draw(said), *(ToolCall(f"{turn}.{n}", one[0], one[1]) for n, one in enumerate(made))]
        if parts:
            talk.add("assistant", *parts)
        if made:
            talk.add("tool", *(ToolOutput(f"{turn}.{n}", one[0], one[2]) for n, one in enumerate(made)))
    return talk


def requested(messages: list[dict[str, Any]], tools: Sequence[ToolSpec] = (), *, reply: Reply = "speech") -> Prompt:
    if reply != "text":
        opening = {"speech": "<tts_start>", "think": "\n<think>\n"}[reply]
        messages = [*messages, {"role": "assistant", "content": opening}]
    turns = request_turns(
        messages,
        VOCABULARY,
        tools=wire_tools(tools),
        add_generation_prompt=reply == "text",
        continue_final_message=reply != "text",
    )
    return assemble(turns, VOCABULARY)


@given(conversations(), st.sampled_from([[], TOOLS]), st.sampled_from(["speech", "text", "think"]))
def test_prompts_are_those_of_the_native_model(talk: Conversation, tools: list[ToolSpec], reply: Reply) -> None:
    builder = PromptBuilder(VOCABULARY)
    translation = builder.translation(talk, tools)
    made = requested(wire_messages(talk, translation, sound_as_it_is=True), translation.specs, reply=reply)
    native = builder.build(talk, tools, reply=reply)
    assert made.ids == native.ids
    assert [(one.start, one.samples) for one in made.audio] == [(one.start, one.samples) for one in native.audio]


@given(st.lists(st.integers(0, IDS.audio_0 + 6561), max_size=20), texts)
def test_ids_that_came_go_back_as_they_are(generated: list[int], text: str) -> None:
    generated = [one for one in generated if one not in (IDS.audio_patch, *IDS.stop)]
    talk = Conversation()
    talk.add("user", "Hi.")
    builder = PromptBuilder(VOCABULARY)
    prompt = builder.build(talk)
    builder.remember(prompt, generated, text=text)
    talk.add("assistant", text)
    talk.add("user", "And?")
    written = wire_messages(talk, builder.translation(talk), sound_as_it_is=True)
    native = builder.build(talk)
    if (remembered := builder._generated.get((text.strip(), (), ()))) is not None:
        written[1]["token_ids"] = [*remembered, IDS.eot, 40]
        written[1]["tool_calls"] = [{"function": {"name": "book", "arguments": "{}"}}]
    assert requested(written).ids == native.ids


def test_speech_of_the_servers_dialect_is_a_block_before_the_text() -> None:
    spoken = {"tts_text": "au", "tts_audio": "<audio_1><audio_9999><audio_2>"}
    message = {"role": "assistant", "content": "d", "tts_content": spoken}
    parts = [{"type": "text", "text": "au", "codes": [1, 2]}, {"type": "text", "text": "d"}]
    question = {"role": "user", "content": "Hi"}
    by_parts = requested([question, {"role": "assistant", "content": parts}])
    assert requested([question, message]).ids == by_parts.ids
    assert str(by_parts).endswith(
        "<|BOT|>assistant\n<tts_start>au<audio_1><audio_2><audio_6561><audio_6561><tts_end>d<|EOT|>"
        "<|BOT|>assistant\n<tts_start>"
    )


def test_an_open_answer_ends_in_the_ids_that_it_brings() -> None:
    question = {"role": "user", "content": "Hi"}
    open_answer: dict[str, Any] = {"role": "assistant", "content": "So: "}
    brought = request_turns([question, open_answer | {"token_ids": [7, 8]}], VOCABULARY, continue_final_message=True)
    without = request_turns([question, open_answer], VOCABULARY, continue_final_message=True)
    assert assemble(brought, VOCABULARY).ids == [*assemble(without, VOCABULARY).ids, 7, 8]


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ({"role": "assistant", "content": "", "token_ids": [-1]}, "-1"),
        ({"role": "assistant", "content": "", "token_ids": "40"}, "whole numbers"),
        ({"role": "assistant", "content": "", "token_ids": [True]}, "whole numbers"),
        ({"role": "assistant", "content": "", "tts_content": {"tts_text": "a"}}, "tts_audio"),
        ({"role": "assistant", "content": [{"type": "text", "text": "a", "codes": [6561]}]}, "6561"),
        ({"role": "user", "content": [{"type": "image"}]}, "image"),
        ({"role": "user", "content": 5}, "int"),
    ],
)
def test_what_no_prompt_can_hold_is_refused(message: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConversationError, match=problem):
        requested([{"role": "user", "content": "Hi"}, message, {"role": "user", "content": "Hi"}])


def test_only_an_answer_can_be_continued() -> None:
    with pytest.raises(ConversationError, match="nothing|no answer"):
        request_turns([{"role": "user", "content": "Hi"}], VOCABULARY, continue_final_message=True)
    with pytest.raises(ConversationError, match="not both"):
        request_turns([], VOCABULARY, add_generation_prompt=True, continue_final_message=True)


def test_arguments_that_cannot_be_read_do_not_spoil_later_turns() -> None:
    call = {"function": {"name": "book", "arguments": "{broken"}}
    question = {"role": "user", "content": "Hi"}
    text = str(requested([question, {"role": "assistant", "content": None, "tool_calls": [call]}, question]))
    assert "<tool_call>function\nbook\n{}</tool_call>" in text


@pytest.mark.parametrize("case", kept("server"), ids=lambda case: case["name"])
def test_the_layout_of_stepfun_s_server_is_written(case: dict[str, Any]) -> None:
    characters = CharacterVocabulary()
    turns = request_turns(case["conversation"], characters, layout="stepfun", **case["options"])
    assert str(assemble(turns, characters)) == case["robust"]


def test_that_layout_puts_sound_first_and_breaks_lines() -> None:
    clip = {"type": "audio", "audio": Audio.silence(0.1, 16_000)}
    parts = [{"type": "text", "text": "What is it?"}, clip, {"type": "text", "text": "Say."}, clip]
    turns = request_turns([{"role": "user", "content": parts}], VOCABULARY, layout="stepfun")
    sound = "<audio_start><audio_patch><audio_end>"
    assert str(assemble(turns, VOCABULARY)) == f"<|BOT|>human\n{sound}\n{sound}\nWhat is it?\nSay.<|EOT|>"


@pytest.mark.parametrize("layout", ["native", "stepfun"])
@given(texts)
def test_no_layout_lets_text_forge_a_token(layout: Layout, text: str) -> None:
    def special(words: str) -> list[int]:
        messages: list[dict[str, Any]] = [
            {"role": role, "content": words + "."} for role in ("system", "user", "tool", "input", "odd", "assistant")
        ]
        call = {"id": words, "function": {"name": words, "arguments": {"a": words}}}
        messages.append({"role": "assistant", "content": [{"type": "text", "text": words}], "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": words, "content": words})
        tool = {"type": "function", "function": {"name": words, "description": words, words: words}}
        turns = request_turns(messages, VOCABULARY, tools=[tool], layout=layout)
        return [one for one in assemble(turns, VOCABULARY).ids if not IDS.is_text(one)]

    assert special(text) == special("harmless")


def test_another_layout_is_refused() -> None:
    with pytest.raises(ConversationError, match="'fork'.*native, stepfun"):
        request_turns([{"role": "user", "content": "Hi"}], VOCABULARY, layout="fork")  # type: ignore[arg-type]
