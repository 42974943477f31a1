"""Answers in which a server has spelled out the tokens: calls of all forms, whole and in any pieces."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentaudio.conversation import ToolSpec
from agentaudio.model.step_audio_2.language.spelled_answer import SpelledAnswer, WireCall

QUERY = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
TOOLS = [ToolSpec("search", "", QUERY), ToolSpec("get_date_time", "", {"type": "object", "properties": {}})]
OFFICIAL = '<tool_call>function\nsearch\n{"query": "tea </tool_call> <audio_5>"}</tool_call>'
FORMS = [
    OFFICIAL.replace(" </tool_call> <audio_5>", ""),
    '<tool_call>{"name": "search", "arguments": {"query": "tea"}}</tool_call>',
    '<tool_call>\nsearch {"query": "tea"}\n</tool_call>',
    '<tool_call>```json\n{"name": "search", "arguments": {"query": "tea"}}\n```</tool_call>',
    "<tool_call><function=search>\n<parameter=query>\ntea\n</parameter>\n</function></tool_call>",
    "<tool_call>search<arg_key>query</arg_key><arg_value>tea</arg_value></tool_call>",
    '<function=search>{"query": "tea"}</function>',
    '{"name": "search", "arguments": {"query": "tea"}}',
    '```json\n{"name": "search", "parameters": {"query": "tea"}}\n```',
    'functions.search(query="tea")',
    '[TOOL_CALLS]search[ARGS]{"query": "tea"}',
]


def read(*pieces: str) -> tuple[str, list[tuple[str, str]]]:
    reader = SpelledAnswer(TOOLS)
    found = [one for piece in pieces for one in reader.push(piece)] + reader.finish()
    content = "".join(one for one in found if isinstance(one, str))
    return content, [(one.name, one.arguments) for one in found if isinstance(one, WireCall)]


@pytest.mark.parametrize("form", FORMS)
def test_calls_are_taken_in_each_form_that_models_write(form: str) -> None:
    content, calls = read(f"Let me see. {form}")
    assert (content.strip(), [(name, json.loads(written)) for name, written in calls]) == (
        "Let me see.",
        [("search", {"query": "tea"})],
    )


def test_speech_stays_in_the_content_and_tags_in_arguments_end_nothing() -> None:
    block = "<tts_start>Let<audio_1><audio_2><audio_3><audio_4><tts_pad><audio_6561><tts_end>"
    assert read(block + OFFICIAL) == (block, [("search", '{"query": "tea </tool_call> "}')])


pieces = st.sampled_from(
    [*FORMS, OFFICIAL, "Hi. ", "<audio_77>", "<tts_end>", "<", "<audio", "{a}", "é茶", "</tool_call>"]
)


@given(st.lists(pieces, max_size=5).map("".join), st.lists(st.integers(0, 400), max_size=12))
def test_the_cuts_of_a_stream_change_nothing(text: str, cuts: list[int]) -> None:
    bounds = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    content, calls = read(*(text[start:end] for start, end in zip(bounds, bounds[1:], strict=False)))
    whole, calls_of_whole = read(text)
    assert calls == calls_of_whole
    assert sorted(content) == sorted(whole)  # a token may pass words that are held back


def test_words_and_half_tokens_are_content() -> None:
    assert read("2 < 3 and <audio", "book> is <tts_ no token <") == ("2 < 3 and <audiobook> is <tts_ no token <", [])


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ('<tool_call>function\nsearch\n{"query": 5}</tool_call>', '{"query": 5}'),
        ('<tool_call>function\nsearch\n{"query": "te', '{"query": "te'),
        ("<tool_call>function\nsearch\n[1, 2]</tool_call>", "[1, 2]"),
        ("<tool_call>function\nsearch\nnot JSON at all: {{</tool_call>", "not JSON at all: {{"),
    ],
)
def test_calls_with_problems_go_to_the_client_as_they_were_written(text: str, arguments: str) -> None:
    assert read(text) == ("", [("search", arguments)])


def test_a_call_of_nothing_known_stays_text() -> None:
    assert read("<tool_call>1 + 1 = 2</tool_call>") == ("<tool_call>1 + 1 = 2</tool_call>", [])
