"""A whole answer: from ids to deltas to the next prompt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.step_audio_2 import CharacterVocabulary, speech_tokens

from agentaudio.conversation import Conversation, SpeechPart, ToolOutput, ToolSpec
from agentaudio.model.speech_lm import CallDelta, TextDelta, TokensDelta
from agentaudio.model.step_audio_2.language.answer import AnswerReader
from agentaudio.model.step_audio_2.language.interleave import Mode, interleave
from agentaudio.model.step_audio_2.language.prompt import PromptBuilder
from agentaudio.model.step_audio_2.tokens import TokenIds

IDS = TokenIds()
VOCABULARY = CharacterVocabulary()
VOICES = ToolSpec(
    "audio_search", "", {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
)


def test_speech_and_a_call_in_one_answer_and_the_prompt_after_it() -> None:
    builder = PromptBuilder(VOCABULARY)
    talk = Conversation()
    talk.add("user", "Talk like a robot")
    prompt = builder.build(talk, [VOICES])
    reader = AnswerReader(VOCABULARY, prompt.mode, builder.translation(talk, [VOICES]))
    generated = [
        *interleave(VOCABULARY.encode("OK"), [1, 2, 3, 4, 5])[1:],
        IDS.tool_call, *VOCABULARY.encode('function  \ntimbre_rag  \n{"query": "机器人"}'), IDS.tool_call_end, IDS.eot,
    ]  # fmt: skip
    deltas = [delta for token_id in generated for delta in reader.feed(token_id)]
    assert reader.ended
    assert "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)) == "OK"
    assert [delta.tokens.ids for delta in deltas if isinstance(delta, TokensDelta)] == [(1,), (2,), (3,), (4,), (5,)]
    (call,) = (delta.call for delta in deltas if isinstance(delta, CallDelta))
    assert (call.name, call.arguments) == ("audio_search", {"query": "机器人"})

    said = reader.said
    builder.remember(prompt, generated, text=said.text, codes=said.codes, call_ids=said.call_ids)
    talk.add("assistant", SpeechPart("OK", tokens=speech_tokens((1, 2, 3, 4, 5))), call)
    talk.add("tool", ToolOutput(call.id, call.name, "The voice is now Zed."))
    after = builder.build(talk, [VOICES])
    assert after.shared_with([*prompt.positions, *generated]) == len(prompt.ids) + len(generated)
    assert str(after).endswith("<|BOT|>input\n你的音色已经更新完成，请继续对话。<|EOT|><|BOT|>assistant\n<tts_start>")


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ('function\nsearch\n{"query": "x"}', "there is no tool 'search'"),
        ("function\ntimbre_rag\n{}", "timbre_rag needs 'query'"),
        ("function\ntimbre_rag\n{query", "not JSON"),
    ],
)
def test_a_call_that_cannot_be_run_says_why(written: str, problem: str) -> None:
    reader = AnswerReader(VOCABULARY, "text", PromptBuilder(VOCABULARY).translation(Conversation(), [VOICES]))
    ids = [IDS.tool_call, *VOCABULARY.encode(written), IDS.tool_call_end]
    (delta,) = [delta for token_id in ids for delta in reader.feed(token_id)]
    assert isinstance(delta, CallDelta) and delta.problem is not None and problem in delta.problem


@pytest.mark.parametrize(
    ("mode", "text"),
    [
        ("text", '{"name": "audio_search", "arguments": {"query": "robot"}}'),
        ("text", 'I look. ```json\n{"name": "timbre_rag", "arguments": {"query": "robot"}}\n```'),
        ("speech", '<tool_call>{"name": "timbre_rag", "arguments": {"query": "robot"}}</tool_call>'),
        ("speech", 'One moment. functions.audio_search({"query": "robot"})'),
    ],
)
def test_a_call_that_the_text_only_spells_is_called_and_not_spoken(mode: Mode, text: str) -> None:
    reader = AnswerReader(VOCABULARY, mode, PromptBuilder(VOCABULARY).translation(Conversation(), [VOICES]))
    deltas = [delta for token_id in VOCABULARY.encode(text) for delta in reader.feed(token_id)] + reader.finish()
    (call,) = [delta for delta in deltas if isinstance(delta, CallDelta)]
    assert (call.call.name, call.call.arguments, call.problem) == ("audio_search", {"query": "robot"}, None)
    assert not call.is_native and "robot" not in reader.said.text and reader.said.call_ids == [call.call.id]


def test_words_that_only_mention_a_tool_or_braces_stay_words() -> None:
    text = 'The tool audio_search takes {"query": a text}, such as {robot}; a < b.'
    reader = AnswerReader(VOCABULARY, "text", PromptBuilder(VOCABULARY).translation(Conversation(), [VOICES]))
    deltas = [delta for token_id in VOCABULARY.encode(text) for delta in reader.feed(token_id)] + reader.finish()
    assert all(isinstance(delta, TextDelta) for delta in deltas) and reader.said.text == text


def test_a_call_that_was_cut_off_is_reported() -> None:
    reader = AnswerReader(VOCABULARY, "text", PromptBuilder(VOCABULARY).translation(Conversation(), [VOICES]))
    for token_id in [IDS.tool_call, *VOCABULARY.encode('function\ntimbre_rag\n{"query": "x')]:
        assert reader.feed(token_id) == []
    (delta,) = reader.finish()
    assert isinstance(delta, CallDelta) and delta.problem is not None and "not finished" in delta.problem


@given(st.lists(st.integers(-3, 158_800) | st.sampled_from([IDS.tool_call, IDS.tool_call_end, IDS.tts_start])))
def test_any_ids_give_deltas(ids: list[int]) -> None:
    modes: tuple[Mode, ...] = ("speech", "text", "think")
    for mode in modes:
        reader = AnswerReader(VOCABULARY, mode, PromptBuilder(VOCABULARY).translation(Conversation()))
        deltas = [delta for token_id in ids for delta in reader.feed(token_id)] + reader.finish()
        assert reader.said.text == "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))
        assert reader.finish() == []
