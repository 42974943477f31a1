"""Running suites with agents that follow a script, and the files that a run leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from support.sounds import tone

from agentaudio import Conversation
from agentaudio.conversation import ToolCall, ToolSpec
from agentaudio.errors import AgentAudioError, EvaluationError, OptionError
from agentaudio.evaluation.suites.load import SuiteFile, load_suite
from agentaudio.evaluation.suites.page import save_page
from agentaudio.evaluation.suites.record import DialogueRun, SuiteRun
from agentaudio.evaluation.suites.results import Unfinished, load_result, save_junit, save_result
from agentaudio.evaluation.suites.run import run_suite
from agentaudio.evaluation.suites.sounds import UserSounds
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import CallDelta, Delta, ReferenceVoice, TextDelta

SUITE = """
name: mine
agent: {agent}
dialogues:
- id: sum
  kind: tools
  turns:
  - type: what is two plus two
    expect: {{tool: calculate, arguments: {{expression: {{computes: 4}}}}, says: ["4"], supported: true}}
- id: invented
  kind: facts
  turns:
  - type: how old are you
    expect: {{no_tool: true, never_says: ["41"]}}
- id: sound
  kind: facts
  turns:
  - sound: hello.wav
    expect: {{says: you asked, stop: answered, within: {{total: 60}}}}
"""


def step(conversation: Conversation, tools: Sequence[ToolSpec], voice: ReferenceVoice | None) -> list[Delta]:
    """Computes sums, is 41 years old, and repeats anything else."""
    last = conversation.messages[-1]
    if last.role == "tool":
        return [TextDelta(last.tool_outputs[-1].text)]
    if "look" in last.text:
        return [CallDelta(ToolCall(f"call-{len(conversation.messages)}", "look", {"what": "gold"}))]
    if "plus" in last.text:
        return [CallDelta(ToolCall(f"call-{len(conversation.messages)}", "calculate", {"expression": "2+2"}))]
    return [TextDelta("I am 41." if "old" in last.text else f"You asked {last.text}")]


@pytest.fixture
def suite(tmp_path: Path) -> SuiteFile:
    return written(tmp_path, SUITE.format(agent="{tools: [calculate]}"))


def written(folder: Path, text: str) -> SuiteFile:
    tone(300, 0.5).save(folder / "hello.wav")
    (folder / "suite.yaml").write_text(text, encoding="utf-8")
    return load_suite(folder / "suite.yaml")


async def ran(suite: SuiteFile, **options: Any) -> SuiteRun:
    model = Scripted([step], loop=True)
    return await run_suite(suite, model, label="scripted", out=suite.folder, sounds=UserSounds(suite), **options)


async def test_each_dialogue_is_run_and_judged_in_a_session_of_its_own(suite: SuiteFile) -> None:
    run = await ran(suite, repeats=2)
    assert [(one.dialogue, one.repeat, one.passed) for one in run.runs] == [
        ("sum", 1, True), ("invented", 1, False), ("sound", 1, True),
        ("sum", 2, True), ("invented", 2, False), ("sound", 2, True),
    ]  # fmt: skip
    computed, invented = run.runs[0].turns[0], run.runs[1].turns[0]
    assert computed.calls == ("calculate(expression='2+2')",)
    assert [(one.check, one.passed) for one in invented.verdicts] == [("no_tool", True), ("never_says", False)]
    assert run.runs[2].turns[0].stages["total"] >= 0


async def test_a_function_may_make_the_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_agent.py").write_text(
        "from agentaudio import Agent\ndef made(model):\n    return Agent(model, tools=['calculate'])\n"
        "def other(model):\n    return 'no agent'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert (await ran(written(tmp_path, SUITE.format(agent="my_agent:made")))).runs[0].passed
    for name, message in (("my_agent:other", "not an Agent"), ("my_agent:none", "cannot be imported")):
        with pytest.raises(OptionError, match=message):
            await ran(written(tmp_path, SUITE.format(agent=name)))


async def test_a_turn_that_fails_is_noted_and_the_others_are_run(suite: SuiteFile) -> None:
    model = Scripted(["only one answer", {"calls": [{"name": "none"}]}])
    run = await run_suite(suite, model, label="scripted", out=suite.folder, sounds=UserSounds(suite))
    assert [one.passed for one in run.runs] == [False, True, False]


async def test_what_a_strange_model_raises_fails_its_turn_only(suite: SuiteFile) -> None:
    def breaks(conversation: Conversation, tools: Sequence[ToolSpec], voice: ReferenceVoice | None) -> list[Delta]:
        if "old" in conversation.messages[-1].text:
            raise ZeroDivisionError("division by zero")
        return step(conversation, tools, voice)

    model = Scripted([breaks], loop=True)
    run = await run_suite(suite, model, label="scripted", out=suite.folder, sounds=UserSounds(suite))
    assert [one.passed for one in run.runs] == [True, False, True]
    assert "division by zero" in (run.runs[1].turns[0].error or "")


async def test_speech_is_synthesised_once(tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader", reason="needs the extra espeak")
    text = (
        "name: mine\nagent: {}\nspeaking: {synthesiser: espeak, voices: {en: [bruno]}}\n"
        "dialogues:\n- {id: a, turns: [{say: hello}]}\n- {id: b, turns: [{say: hello}, {say: hello, voice: lily}]}\n"
    )
    suite = written(tmp_path, text)
    sounds, again = UserSounds(suite, tmp_path / "kept"), UserSounds(suite, tmp_path / "kept")
    first, second = suite.suite.dialogues
    said = [await sounds.user_input(one, turn) for one in (first, second) for turn in one.turns]
    await sounds.aclose()
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "kept").iterdir()}
    assert len(files) == 2 and said[0] == said[1] != said[2]
    assert await again.user_input(second, second.turns[1]) == said[2]
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "kept").iterdir()} == files


async def test_the_result_of_a_background_tool_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "looking.py").write_text(
        "import asyncio\nfrom agentaudio import Agent, tool\n"
        "@tool(background=True)\nasync def look(what: str) -> str:\n    'Look for something.'\n"
        "    await asyncio.sleep(0.2)\n    return f'found {what}'\n"
        "def made(model):\n    return Agent(model, tools=[look])\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    text = (
        "name: mine\nagent: looking:made\ndialogues:\n- id: look\n  turns:\n  - type: look for gold\n"
        "    expect: {tool: look, result_of: look, says: found gold}\n"
    )
    assert [one.passed for one in (await ran(written(tmp_path, text))).runs] == [True]
    text = text.replace("result_of: look, says", "never_says")
    assert [one.passed for one in (await ran(written(tmp_path, text))).runs] == [True]


async def test_only_the_chosen_dialogues_are_run(suite: SuiteFile) -> None:
    assert [one.dialogue for one in (await ran(suite, only=["facts"])).runs] == ["invented", "sound"]
    with pytest.raises(OptionError, match=r"no dialogue and no kind 'fact'; did you mean 'facts'"):
        await ran(suite, only=["fact"])


@pytest.mark.parametrize(
    ("like", "message"), [("tobi", "no voice 'tobi'; did you mean 'toby'"), ("broken.wav", "broken.wav is not a sound")]
)
async def test_what_an_answer_is_compared_with_is_looked_up_first(like: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "broken.wav").write_text("not a sound")
    text = SUITE.format(agent="{}").replace("{says: you asked", f"{{voice: {{like: {like}}}, says: you asked")
    began: list[DialogueRun] = []
    with pytest.raises(AgentAudioError, match=message):
        await ran(written(tmp_path, text), progress=lambda run, number, total: began.append(run))
    assert began == []


async def test_a_result_is_read_as_it_was_written(suite: SuiteFile) -> None:
    run = await ran(suite)
    save_result(run, suite.folder)
    assert load_result(suite.folder) == run
    (suite.folder / "result.json").write_text('{"run": {"runs": [{}]}}')
    with pytest.raises(EvaluationError, match="is not the result of a suite"):
        load_result(suite.folder)


async def test_junit_counts_failures_and_escapes_what_was_said(suite: SuiteFile) -> None:
    run = await ran(suite)
    root = ElementTree.parse(save_junit(run, suite.folder, ["pass_at_1 is <low>\x00"])).getroot()
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("4", "2", "0")
    cases = {case.get("name"): [child.tag for child in case] for case in root}
    assert cases == {"sum[1]": [], "invented[1]": ["failure"], "sound[1]": [], "requirements": ["failure"]}
    failure = root.find("testcase[@name='invented[1]']/failure")
    assert failure is not None and "'41' in 'I am 41.'" in (failure.get("message") or "")


async def test_the_page_shows_failures_first_with_sound(suite: SuiteFile) -> None:
    run = await ran(suite)
    text = save_page(run, suite.folder, [], None).read_text("utf-8")
    assert text.index("invented <code>") < text.index("sum <code>")
    assert "<audio controls" in text and "66.7 % (" in text


async def test_a_run_that_was_cut_off_anywhere_goes_on(suite: SuiteFile) -> None:
    whole = await ran(suite)
    strange = replace(whole.runs[0].turns[0], answer="四\u2028or\x854")  # which str.splitlines takes for ends of lines
    runs = [replace(whole.runs[0], turns=(strange,)), *whole.runs[1:]]
    log = Unfinished(suite.folder, digest=suite.digest)
    assert log.done() == []
    for one in runs[:2]:
        log.add(one)
    log.close()
    (path,) = suite.folder.glob("unfinished*")
    content = path.read_bytes()
    ends = [place for place, byte in enumerate(content, start=1) if byte == ord("\n")]
    for cut in range(len(content) + 1):  # killed while it wrote
        path.write_bytes(content[:cut])
        again = Unfinished(suite.folder, digest=suite.digest)
        assert again.done() == runs[: sum(end <= cut for end in ends)]
        again.close()
    path.write_bytes(content[:-10])
    log = Unfinished(suite.folder, digest=suite.digest)
    new: list[DialogueRun] = []
    resumed = await ran(suite, done=log.done(), progress=lambda run, number, total: new.append(run))
    log.close()
    assert [one.dialogue for one in new] == ["invented", "sound"]
    assert [(one.dialogue, one.passed) for one in resumed.runs] == [(one.dialogue, one.passed) for one in whole.runs]


async def test_what_is_unfinished_outlives_other_runs_in_the_folder(suite: SuiteFile) -> None:
    (first, *_) = (await ran(suite, only=["sum"])).runs
    log = Unfinished(suite.folder, digest=suite.digest, only=[])
    log.add(first)
    with pytest.raises(EvaluationError, match="another run works in"):
        Unfinished(suite.folder, digest=suite.digest, only=[])
    other = Unfinished(suite.folder, digest=suite.digest, only=["sound"])
    assert other.done() == []
    other.add(first)
    other.end()
    other.close()
    log.close()
    kept = Unfinished(suite.folder, digest=suite.digest, only=[])
    assert kept.done() == [first]
    kept.end()
    kept.close()
    assert not list(suite.folder.glob("unfinished*"))
