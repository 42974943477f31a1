"""Tool calls: the same for any cuts, repaired only where that is safe, and never lost silently."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.step_audio_2 import expected, kept, specs, totals

from agentaudio.conversation import ToolSpec
from agentaudio.errors import ConversationError
from agentaudio.model.step_audio_2.language.tool_calls import (
    CLOSE,
    OPEN,
    ReadCall,
    ToolCallParser,
    parse_tool_calls,
    written_call,
)

SEARCH = ToolSpec(
    "search",
    "",
    {
        "type": "object",
        "properties": {"query": {"type": "string"}, "limit": {"type": "integer"}},
        "required": ["query"],
        "additionalProperties": False,
    },
)
fragments = st.sampled_from(
    [OPEN, CLOSE, "<tool_call", "</tool", "_call>", "<", "function", "retrieval", "\n", "search", " ", "{", "}", '"',
     '"query"', ": ", '"x"', "\\", '\\"', "\\u12", ",", "[", "]", "1", "1e999", "NaN", "é", "\x00", "\ud800",
     "function\nsearch\n"]
)  # fmt: skip
outputs = st.lists(fragments | st.text(max_size=4), max_size=25).map("".join)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]) , max_size=6) | st.sampled_from([OPEN, CLOSE, f"a{CLOSE}\n"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


def call(arguments: str, name: str = "search") -> str:
    return f"{OPEN}function\n{name}\n{arguments}{CLOSE}"


def read(text: str, tools: list[ToolSpec] | None = None) -> ReadCall:
    output = parse_tool_calls(text, tools)
    assert output.content == ""
    (found,) = output.calls + output.problems
    return found


@pytest.mark.parametrize("case", kept("tool_calls"), ids=lambda case: case["name"])
def test_reference_texts_cut_at_every_place(case: dict[str, Any]) -> None:
    for cut in range(len(case["text"]) + 1):
        parser = ToolCallParser(specs(case["tools"]), repair=False)
        found = [*parser.feed(case["text"][:cut]), *parser.feed(case["text"][cut:]), *parser.finish()]
        assert totals(found) == expected(case["robust"])


@given(outputs, st.lists(st.integers(0, 200), max_size=8))
def test_every_way_of_cutting_gives_the_same(text: str, cuts: list[int]) -> None:
    parser = ToolCallParser([SEARCH])
    places = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    pieces = [text[start:stop] for start, stop in zip(places, places[1:], strict=False)]
    found = [one for piece in pieces for one in parser.feed(piece)] + parser.finish()
    whole = parse_tool_calls(text, [SEARCH])
    assert "".join(one for one in found if isinstance(one, str)) == whole.content
    assert [one for one in found if isinstance(one, ReadCall) and one.problem is None] == list(whole.calls)
    assert [one for one in found if isinstance(one, ReadCall) and one.problem is not None] == list(whole.problems)


@given(outputs)
def test_only_stray_closing_tags_are_dropped(text: str) -> None:
    parser = ToolCallParser()
    rebuilt = "".join(
        one if isinstance(one, str) else OPEN + one.source + CLOSE * one.closed
        for one in [*parser.feed(text), *parser.finish()]
    )
    lost = Counter(text) - Counter(rebuilt)
    strays = (len(text) - len(rebuilt)) // len(CLOSE)
    assert lost == Counter(CLOSE * strays)
    assert OPEN not in "".join(one for one in parser.feed(text) if isinstance(one, str))


@given(st.dictionaries(st.text(max_size=4), json_values, max_size=4))
def test_what_history_writes_is_read_back(arguments: dict[str, Any]) -> None:
    found = read(f"{OPEN}{written_call('any', arguments)}{CLOSE}")
    assert found.problem is None
    assert json.dumps(found.arguments, sort_keys=True) == json.dumps(arguments, sort_keys=True)


def test_history_refuses_arguments_without_a_json_form() -> None:
    endless: dict[str, Any] = {}
    endless["a"] = endless
    for arguments in (endless, {(1, 2): "a"}):
        with pytest.raises(ConversationError, match="as JSON"):
            written_call("any", arguments)  # type: ignore[arg-type]


@given(st.text(max_size=60))
def test_any_arguments_are_read_or_reported(written: str) -> None:
    for found in (piece for piece in parse_tool_calls(call(written), [SEARCH]).calls):
        assert set(found.arguments) <= {"query", "limit"}


@pytest.mark.parametrize(
    "hostile",
    [
        "[" * 100_000,
        '{"a":' * 5_000 + "1" + "}" * 5_000,
        '{"query":' + "[" * 40 + "]" * 40 + "}",
        '{"query": ' + "9" * 5_000 + "}",
        '{"query": 1e999}',
        '{"query": -Infinity}',
        '{"query": NaN}',
        '{"query": "' + '\\"' * 3_000,
    ],
    ids=lambda text: text[:14],
)
def test_hostile_json_is_broken_json(hostile: str) -> None:
    found = read(call(hostile), [SEARCH])
    assert found.problem == "bad_json"
    assert found.delta().call.arguments == {}


def test_of_equal_keys_the_last_counts_and_half_characters_are_replaced() -> None:
    found = read(call('{"query": "a", "query": "b\\ud800"}'), [SEARCH])
    assert found.arguments == {"query": "b?"}


@pytest.mark.parametrize(
    ("written", "arguments"),
    [
        ("{'query': 'tea'}", {"query": "tea"}),
        ("{query: 北京 天气}", {"query": "北京 天气"}),
        ('{"query": "tea",}', {"query": "tea"}),
        ('{"query": "tea"', {"query": "tea"}),
        ('{"query": "one\ntwo"}', {"query": "one\ntwo"}),
        (json.dumps('{"query": "tea"}'), {"query": "tea"}),
    ],
)
def test_json_with_one_meaning_is_mended(written: str, arguments: dict[str, Any]) -> None:
    pytest.importorskip("json_repair")
    found = read(call(written), [SEARCH])
    assert (found.problem, found.arguments, found.repaired) == (None, arguments, True)


@pytest.mark.parametrize(
    "written",
    [
        '{"query": }',
        '{"query": [',
        '{"query": "a"}{"query": "b"}',
        '{"query": "a" "b"}',
        "{'query': 'it's tea'}",
        "tea",
    ],
)
def test_json_with_a_doubtful_meaning_is_reported(written: str) -> None:
    found = read(call(written), [SEARCH])
    assert found.problem == "bad_json"
    assert "search" in found.message


def test_without_the_mending_library_broken_json_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "json_repair", None)
    assert read(call("{'query': 'tea'}"), [SEARCH]).problem == "bad_json"


@pytest.mark.parametrize(
    "written",
    [
        '{"name": "search", "arguments": {"query": "tea", "limit": 2}}',
        '{"name": "search", "arguments": "{\\"query\\": \\"tea\\", \\"limit\\": 2}"}',
        '\n{"name": "search", "parameters": {"query": "tea", "limit": 2}}\n',
        '{"type": "function", "function": {"name": "search", "arguments": {"query": "tea", "limit": 2}}}',
        '{"name": "search", "query": "tea", "limit": 2}',
        'function search {"query": "tea", "limit": 2}',
        'function search\n{"query": "tea", "limit": 2}',
        'function\nsearch {"query": "tea", "limit": 2}',
        'search\n{"query": "tea", "limit": 2}',
        'search({"query": "tea", "limit": 2})',
        'search(query="tea", limit=2)',
        '```json\n{"name": "search", "arguments": {"query": "tea", "limit": 2}}\n```',
        '```\nfunction\nsearch\n{"query": "tea", "limit": 2}\n```',
        'functions.search {"query": "tea", "limit": 2}',
        "<function=search><parameter=query>tea</parameter><parameter=limit>2</parameter></function>",
        "{'name': 'web_search', 'arguments': {'query': 'tea', 'limit': 2}}",
        'function\nweb_search\n{"query": "tea", "limit": 2}',
    ],
)
def test_other_forms_of_a_call_are_read_and_counted(written: str) -> None:
    parser = ToolCallParser([SEARCH], aliases={"web_search": "search"})
    (found,) = parser.feed(f"{OPEN}{written}{CLOSE}") + parser.finish()
    assert isinstance(found, ReadCall) and found.problem is None
    assert (found.name, found.arguments) == ("search", {"query": "tea", "limit": 2})
    assert not found.is_native and not found.delta().is_native


@pytest.mark.parametrize("name", ["Search", "functions.search", "tools:Web-Search", "WEB_SEARCH", "default_api.search"])
def test_a_name_that_is_spelled_alike_means_the_tool(name: str) -> None:
    parser = ToolCallParser([SEARCH], aliases={"web_search": "search"})
    (found,) = parser.feed(call('{"query": "tea"}', name)) + parser.finish()
    assert isinstance(found, ReadCall) and found.problem is None
    assert (found.name, found.is_native) == ("search", False)


def test_a_name_that_could_mean_two_tools_means_none() -> None:
    tools = [replace(SEARCH, name=name) for name in ("Search", "SEARCH")]
    for name in ("search", "calendar.search"):
        (found,) = ToolCallParser(tools).feed(call('{"query": "tea"}', name))
        assert isinstance(found, ReadCall) and found.problem == "unknown_function"
    (exact,) = ToolCallParser(tools).feed(call('{"query": "tea"}', "SEARCH"))
    assert isinstance(exact, ReadCall) and (exact.name, exact.is_native) == ("SEARCH", True)


def test_several_calls_between_one_pair_of_tags_are_all_read() -> None:
    parser = ToolCallParser([SEARCH])
    one, two = ({"name": "search", "arguments": {"query": word}} for word in ("tea", "milk"))
    for written in (json.dumps([one, two]), f"{json.dumps(one)}\n{json.dumps(two)}"):
        found = parser.feed(f"{OPEN}{written}{CLOSE}")
        assert [call.arguments["query"] for call in found if isinstance(call, ReadCall)] == ["tea", "milk"]


@pytest.mark.parametrize(
    ("text", "problem", "message"),
    [
        (call("{}", "serach"), "unknown_function", "did you mean 'search'"),
        (call("{}"), "misfit", "'query'"),
        (call('{"query": "a", "page": 2}'), "misfit", "'page'; it takes 'query', 'limit'"),
        (call("[1]"), "arguments_not_object", "one JSON object"),
        (f"{OPEN}please search for tea{CLOSE}", "not_a_function", "line by line"),
        (f'{OPEN}{{"name": "search"}}{CLOSE}', "misfit", "'query'"),
        (f'{OPEN}{{"name": "serach", "arguments": {{}}}}{CLOSE}', "unknown_function", "did you mean 'search'"),
        (f'{OPEN}{{"name": "search", "arguments": [1]}}{CLOSE}', "arguments_not_object", "one object"),
        (f'{OPEN}function\nsearch\n{{"query": "a', "unterminated", "not finished"),
    ],
)
def test_each_defect_has_a_kind_and_words_for_the_model(text: str, problem: str, message: str) -> None:
    found = read(text, [SEARCH])
    delta = found.delta("call_1")
    assert found.problem == problem
    assert delta.problem is not None and message in delta.problem
    assert delta.call.id == "call_1"


def test_a_valid_call_has_no_problem_and_a_unique_id() -> None:
    output = parse_tool_calls("Hm. " + call('{"query": "a"}') * 2 + "ok", [SEARCH])
    assert output.content == "Hm. ok"
    first, second = (found.delta() for found in output.calls)
    assert first.problem is None and first.call.arguments == {"query": "a"}
    assert first.call.id != second.call.id


def test_blanks_that_the_model_writes_are_ignored() -> None:
    assert read(f'{OPEN}function  \nsearch  \n{{"query": "a"}}  {CLOSE}', [SEARCH]).problem is None


def test_an_unclosed_quote_does_not_swallow_the_next_call() -> None:
    output = parse_tool_calls(call('{"query": "a') + call('{"query": "b"}') + "bye", [SEARCH], repair=False)
    assert [found.problem for found in output.problems] == ["bad_json"]
    assert [found.arguments for found in output.calls] == [{"query": "b"}]
    assert output.content == "bye"


def test_a_line_break_shows_at_once_that_a_quote_was_never_closed() -> None:
    parser = ToolCallParser(repair=False)
    found = parser.feed(call('{"query": "a') + f"bye {OPEN}function\n")
    assert [one if isinstance(one, str) else one.problem for one in found] == ["bad_json", "bye "]


def test_a_call_is_reported_as_soon_as_its_tag_is_closed() -> None:
    parser = ToolCallParser()
    assert parser.feed(call("{}")[:-1]) == [] and parser.open
    assert len(parser.feed(">")) == 1 and not parser.open
    assert parser.feed("a <tool") == ["a "]
    assert parser.finish() == ["<tool"]


def test_many_and_long_unknown_arguments_make_a_short_message() -> None:
    tools = [ToolSpec("search", "", {"properties": {"query": {}}, "additionalProperties": False})]
    written = json.dumps({f"{n}{'x' * 500}": 1 for n in range(500)})
    (problem,) = parse_tool_calls(f"<tool_call>function\nsearch\n{written}</tool_call>", tools).problems
    assert problem.problem == "misfit" and len(problem.message) < 600 and "'query'" in problem.message
