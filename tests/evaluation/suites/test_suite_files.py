"""Suite files: what they may hold, and errors that name the line and the key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.examples import share

from agentaudio.errors import OptionError
from agentaudio.evaluation.suites.load import load_suite

HEAD = "name: mine\nagent: {tools: [calculate]}\ndialogues:\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "suite.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_suite_of_the_demo_has_sixty_turns_in_english_and_chinese() -> None:
    suite = load_suite("demo").suite
    turns = [turn for dialogue in suite.dialogues for turn in dialogue.turns]
    assert len(turns) >= 60
    assert {dialogue.language for dialogue in suite.dialogues} == {"en", "zh"}
    checked = {key for turn in turns if turn.expect for key in turn.expect.model_fields_set}
    assert checked >= {"tool", "no_tool", "arguments", "voice", "says", "never_says", "audible", "cites", "supported"}
    assert checked >= {"language", "stop", "result_of", "stops_agent_within_s", "agent_goes_on"}
    assert "within" not in checked, "a busy machine fails no dialogue; latencies are reported"


def test_one_word_stands_for_a_list_of_one() -> None:
    suite = load_suite("demo").suite
    expect = suite.dialogues[0].turns[0].expect
    assert expect is not None
    assert (expect.tool, expect.cites) == (["search_documents"], ["moon"])


@pytest.mark.parametrize(
    ("dialogues", "message"),
    [
        ("- {id: a}", ":4: dialogues.0.turns is missing"),
        ("- id: a\n  turns:\n  - {type: hi, expect: {tol: x}}", ":6: there is no setting .*tol; did you mean 'tool'"),
        ("- id: a\n  turns:\n  - {type: hi, say: ho}", ":6: .*give one of say, type and sound"),
        ("- id: a\n  turns:\n  - {type: hi, expect: {tool: x, no_tool: true}}", "tool and no_tool exclude each other"),
        ("- id: a\n  turns:\n  - {type: hi, expect: {no_tool: false}}", "no_tool: Input should be True, not False"),
        ("- id: a\n  turns:\n  - {type: hi, expect: {}}", ":6: .*expect is empty"),
        ("- id: a\n  turns:\n  - {type: hi, expect: {arguments: {x: 1}}}", "arguments need one tool"),
        (
            "- id: a\n  turns:\n  - type: hi\n    expect:\n      tool: x\n      arguments: {y: {contain: z}}",
            ":9: there is no setting .*contain; did you mean 'contains'",
        ),
        ("- id: a\n  turns:\n  - {sound: no.wav}", ":6: there is no sound file .*no.wav"),
        ("- id: a\n  turns: [{type: hi}]\n- id: a\n  turns: [{type: hi}]", ":6: two dialogues have the id 'a'"),
        ("- id: a\n  turns:\n  - type: hi\n    begins: {quiet_s: 1}", ":7: only turns of a live dialogue"),
        ("- id: a\n  turns:\n  - type: hi\n    expect: {agent_goes_on: true}", ":7: .*add live: true"),
        ("- id: a\n  turns:\n  - {type: hi, expect: {within: {first_sund: 1}}}", "first_sund"),
        ("- id: a\n  turns:\n  - {type: hi, expect: {voice: {at_least: 0.5}}}", "give an id, attributes or like"),
    ],
)
def test_errors_name_the_line_and_the_key(tmp_path: Path, dialogues: str, message: str) -> None:
    text = HEAD + "".join(f"{line}\n" for line in dialogues.splitlines())
    with pytest.raises(OptionError, match=f"suite.yaml.*{message}"):
        load_suite(written(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ":1: a suite is a mapping"),
        ("name: x\n\tagent: y", ":2: the line begins with a tab"),
        ("name: x\ndialogues: [{id: a, turns: [{type: hi}]}]", "agent is missing"),
        ("name: x\nagent: no-function\ndialogues: [{id: a, turns: [{type: hi}]}]", ":2: agent: .*match pattern"),
        ("name: x\nagent: {tool: []}\ndialogues: []", ":2: there is no setting agent.tool; did you mean 'tools'"),
    ],
)
def test_a_file_that_is_no_suite_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        load_suite(written(tmp_path, text))


def test_a_missing_file_and_one_of_another_kind_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="cannot be read"):
        load_suite(tmp_path / "none.yaml")
    with pytest.raises(OptionError, match=r"is not a suite; give a file that ends in .yaml"):
        load_suite("demmo")


VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "id",
                    "turns",
                    "expect",
                    "say",
                    "type",
                    "tool",
                    "voice",
                    "arguments",
                    "contains",
                    "live",
                    "within",
                    "x",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=share(60), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(VALUES)
def test_any_content_is_a_suite_or_refused_with_its_line(tmp_path: Path, dialogues: Any) -> None:
    path = written(tmp_path, yaml.safe_dump({"name": "x", "agent": {}, "dialogues": dialogues}, allow_unicode=True))
    try:
        load_suite(path)
    except OptionError as error:
        assert str(error).startswith(f"{path}:")
