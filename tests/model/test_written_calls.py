"""Calls that a model writes into its text: found in every form and cut, and never spoken."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentaudio.conversation import ToolSpec
from agentaudio.model.speech_lm import CallDelta, TextDelta
from agentaudio.model.written_calls import WrittenCalls

SCHEMA = {"type": "object", "properties": {"people": {"type": "integer"}, "note": {"type": "string"}}}
TOOLS = [
    ToolSpec("book", "Book a table.", SCHEMA | {"required": ["people"], "additionalProperties": False}),
    ToolSpec("ring_bell", "Ring the bell.", {"type": "object", "properties": {}}),
]
Outcome = tuple[str, list[tuple[str, Any, bool]]]


def read(*pieces: str) -> Outcome:
    """The text, and the calls with their arguments and whether they have a problem."""
    written = WrittenCalls(TOOLS)
    found = [one for piece in pieces for one in written.push(piece)] + written.finish()
    words = "".join(one.text for one in found if isinstance(one, TextDelta))
    calls = [(one.call.name, dict(one.call.arguments), one.problem is not None)
             for one in found if isinstance(one, CallDelta)]  # fmt: skip
    return words, calls


WHOLE = {
    "Hermes": '<tool_call>\n{"name": "book", "arguments": {"people": 2}}\n</tool_call>',
    "OpenAI's namespace": 'functions.book({"people": 2})',
    "a namespace with keywords": "functions.book(people=2)",
    "Python": "book(people=2)",
    "Python with JSON": 'book({"people": 2})',
    "bare JSON": '{"name": "book", "arguments": {"people": 2}}',
    "parameters": '{"name":"book","parameters":{"people":2}}',
    "the type as name": "{type:book, people:2}",
    "bare keys": "{name: book, arguments: {people: 2}}",
    "the API's own form": '{"type": "function", "function": {"name": "book", "arguments": "{\\"people\\": 2}"}}',
    "a list": '[{"name": "book", "arguments": {"people": 2}}]',
    "a fence": '```json\n{"name": "book", "arguments": {"people": 2}}\n```',
    "a fence without a language": '```\n{"name": "book", "arguments": {"people": 2}}\n```',
    "Mistral": '[TOOL_CALLS] [{"name": "book", "arguments": {"people": 2}}]',
    "Llama": '<function=book>{"people": 2}</function>',
    "Llama's Python": "<|python_tag|>book(people=2)",
    "Kimi": '<|tool_call_begin|>functions.book:0<|x|>{"people": 2}<|tool_call_end|>',
    "Step-Audio": '<tool_call>function\nbook\n{"people": 2}</tool_call>',
    "Qwen's tags": "<tool_call>\n<function=book>\n<parameter=people>\n2\n</parameter>\n</function>\n</tool_call>",
    "Qwen's tags alone": "<function=book>\n<parameter=people>\n2\n</parameter>\n</function>",
    "GLM": "<tool_call>book\n<arg_key>people</arg_key>\n<arg_value>2</arg_value>\n</tool_call>",
    "Mistral's arguments": '[TOOL_CALLS]book[ARGS]{"people": 2}',
    "Mistral's ids": '[TOOL_CALLS]book[CALL_ID]a1b2c3d4e[ARGS]{"people": 2}',
    "LFM": "<|tool_call_start|>[book(people=2)]<|tool_call_end|>",
    "arguments first": '{"arguments": {"people": 2}, "name": "book"}',
    "a note with brackets": '{"name": "book", "arguments": {"people": 2, "note": "a } \\" ) ] </x>"}}',
    "an apostrophe": """book(people=2, note="Anna's table")""",
}


ENDLESS = ("Mistral", "Mistral's arguments", "Mistral's ids", "Llama's Python")
"""Forms that reach to the end of the answer."""


@pytest.mark.parametrize(
    ("form", "before", "after"),
    [(form, before, after) for form in WHOLE for before, after in (("", ""), ("Of course. ", ""), ("Now: ", " Done."))
     if not (after and form in ENDLESS)],
)  # fmt: skip
def test_a_whole_call_is_made_and_not_a_character_of_it_is_text(form: str, before: str, after: str) -> None:
    words, calls = read(before + WHOLE[form] + after)
    assert words.strip() == (before + after).strip() or words == before + after
    assert [(name, arguments["people"], bad) for name, arguments, bad in calls] == [("book", 2, False)]


@pytest.mark.parametrize("form", WHOLE)
def test_any_cut_gives_the_same(form: str) -> None:
    text = f"Sure, I book it. {WHOLE[form]}"
    whole = read(text)
    assert read(*text) == whole
    for place in range(len(text)):
        assert read(text[:place], text[place:]) == whole, (text[:place], text[place:])


@pytest.mark.parametrize("form", WHOLE)
def test_a_call_that_is_cut_off_is_not_spoken_and_the_model_is_told(form: str) -> None:
    call = WHOLE[form]
    opened = call.index("book") + 4 if "book" in call else len(call) // 2
    for end in range(opened + 1, len(call) - 12):
        words, calls = read("Certainly. " + call[:end])
        assert words.strip() == "Certainly.", call[:end]
        assert len(calls) == 1 and calls[0][0] == "book", call[:end]


@pytest.mark.parametrize(
    "broken",
    [
        '{"name": "book", "arguments": {"people": }}', "<tool_call>book it for two</tool_call>", "functions.book(two)",
        '{"name": "book", "arguments": "two"}', "<tool_call>{'name' 'book'}</tool_call>", "functions.book({people)",
        '{"name": "book", "arguments": [2]}', "book(people=two)", '{"name": "book", "arguments": {"guests": 2}}',
        '{"name": "book"}', "functions.book()", '```json\n{"name": "book", "arguments": {,}}\n```',
    ],
)  # fmt: skip
def test_a_broken_call_becomes_a_problem_for_the_model(broken: str) -> None:
    words, calls = read("Yes. " + broken)
    assert words.strip() == "Yes." and [(name, bad) for name, _, bad in calls] == [("book", True)]


@pytest.mark.parametrize(
    "honest",
    [
        "You can book a table for {n} people, or ring the bell.", "I book (if you like) a table.", "book",
        "In a set {1, 2, 3} there are three.", 'He said {"hello": "world"} to me.', "x < 3 and y > 4 and z[0] = {}",
        "The functions. They book nothing.", "function calls are useful", "a bookshelf(tall) and rebook(1)",
        "Write `book` to book.", "```python\nprint(1)\n```", '{"name": "Anna", "age": 3}', "<b>bold</b> and <tool>",
        "[1, 2] and [link](http://x)", "ring_bell is a name", "{", "}", "<", "`", "``", "[", "my book(s) and ring_bell",
        'the type is {type: noun} here', "{name}", "see book (page 2)", "f.book(people=2) in a text about code",
    ],
)  # fmt: skip
def test_words_that_only_resemble_a_call_are_text(honest: str) -> None:
    assert read(honest) == (honest, [])
    assert read(*honest) == (honest, [])


def test_several_calls_and_the_words_between_them_are_kept_in_order() -> None:
    text = f"First {WHOLE['Hermes']} then {WHOLE['Python']} and ring_bell()."
    words, calls = read(text)
    assert words == "First  then  and ." and [name for name, _, _ in calls] == ["book", "book", "ring_bell"]
    both = '<tool_call>{"name": "book", "arguments": {"people": 1}}\n{"name": "ring_bell", "arguments": {}}</tool_call>'
    assert [name for name, _, _ in read(both)[1]] == ["book", "ring_bell"]


def test_values_between_tags_are_read_by_the_schema() -> None:
    tags = "<parameter=people>2</parameter><parameter=note>7\n8</parameter>"
    assert read(f"<tool_call><function=book>{tags}</function></tool_call>") == (
        "",
        [("book", {"people": 2, "note": "7\n8"}, False)],
    )
    keys = "<arg_key>people</arg_key><arg_value>2</arg_value><arg_key>note</arg_key><arg_value>[7]</arg_value>"
    assert read(f"<tool_call>book{keys}</tool_call>") == ("", [("book", {"people": 2, "note": "[7]"}, False)])
    assert read('<tool_call><function=fly><parameter=to>{"x": 1}</parameter></function></tool_call>')[1] == [
        ("fly", {"to": {"x": 1}}, False)
    ]


def test_several_calls_between_tags() -> None:
    both = '[TOOL_CALLS]book[ARGS]{"people": 1}[TOOL_CALLS]ring_bell[ARGS]{}'
    assert read(both)[1] == [("book", {"people": 1}, False), ("ring_bell", {}, False)]
    both = "<|tool_call_start|>[book(people=1, note='a'), ring_bell()]<|tool_call_end|>"
    assert read(both)[1] == [("book", {"people": 1, "note": "a"}, False), ("ring_bell", {}, False)]


@pytest.mark.parametrize(
    "cut",
    ["<tool_call><function=ring_bell>", "<tool_call><function=ring_bell><parameter=a>1</parameter>",
     "<tool_call>ring_bell<arg_key>a</arg_key><arg_value>1</arg_value>",
     "<function=ring_bell><parameter=a>1</parameter>"],
)  # fmt: skip
def test_a_call_whose_last_values_may_be_missing_is_not_made(cut: str) -> None:
    assert [(name, bad) for name, _, bad in read(cut)[1]] == [("ring_bell", True)]


def test_unknown_tools_are_called_only_in_a_frame_made_for_calls() -> None:
    assert read('<tool_call>{"name": "fly", "arguments": {}}</tool_call>') == ("", [("fly", {}, False)])
    assert read("fly(high=2)") == ("fly(high=2)", [])


TOKENS = st.sampled_from(
    ["book", "(", ")", "{", "}", '"name"', ":", '"book"', "people", "=", "2", " ", "functions.", "<tool_call>",
     "</tool_call>", "```", "json\n", "[", "]", "'", '"', ",", "ring_bell", "\\", "The", "<", "[TOOL_CALLS]"]
)  # fmt: skip


@given(st.lists(TOKENS, max_size=24), st.data())
def test_no_text_is_lost_or_doubled_and_the_cut_does_not_matter(tokens: list[str], data: st.DataObject) -> None:
    text = "".join(tokens)
    whole = read(text)
    assert read(*tokens) == whole == read(*text)
    words, calls = whole
    if not calls:
        assert words == text


def test_a_long_text_that_begins_like_a_call_takes_linear_time_and_is_text() -> None:
    text = '{"name": "' + "x" * 30_000
    assert read(*(text[at : at + 100] for at in range(0, len(text), 100))) == (text, [])
