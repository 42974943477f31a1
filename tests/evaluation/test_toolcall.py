"""StepEval-Audio-Toolcall: the four metrics of a folder of 8 x 6 dialogues, whose right result was computed by hand.

The length of each last question says what the model answers, in hundredths of a second:

target        positives: calls of        negatives: calls of
timbre        target x 4, other, none    target, other, none x 4
web_search    target x 6                 none x 6
get_weather   target x 3, other x 3      target x 2, none x 4
date_time     none x 6                   target, none x 5

The judge says that the parameters are reasonable if they are those of the reference; half of the calls have others.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from support.benchmarks import measured, sound, value

from agentaudio.conversation import AudioPart, Conversation, ToolCall, ToolSpec
from agentaudio.evaluation.benchmarks.stepeval_toolcall import BENCHMARK, TARGETS
from agentaudio.evaluation.item import Answer, Item
from agentaudio.evaluation.scorers.calls import Calls, written_calls
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import CallDelta, Delta, ReferenceVoice, TextDelta

NONE, RIGHT, OTHER, CHANGED = 10, 20, 30, 40
"""What the model does, by the hundredths of a second of the question; CHANGED calls the target with other arguments."""

ANSWERS = {
    "timbre": ([RIGHT, RIGHT, CHANGED, CHANGED, OTHER, NONE], [RIGHT, OTHER, NONE, NONE, NONE, NONE]),
    "web_search": ([RIGHT, RIGHT, RIGHT, CHANGED, CHANGED, CHANGED], [NONE] * 6),
    "get_weather": ([RIGHT, RIGHT, CHANGED, OTHER, OTHER, OTHER], [RIGHT, CHANGED, NONE, NONE, NONE, NONE]),
    "get_date_time": ([NONE] * 6, [RIGHT, NONE, NONE, NONE, NONE, NONE]),
}
EXPECTED = {
    # 5 triggers of positives, 1 call of the target in a negative: 5/6; 5 of 6 positives; 4 of 5; 2 of 4
    "timbre_rag": (83.33, 83.33, 80.0, 50.0),
    "web_search": (100.0, 100.0, 100.0, 50.0),
    # 6 triggers, 2 wrong ones; 6 of 6; 3 of 6; 2 of 3
    "get_weather": (75.0, 100.0, 50.0, 66.67),
    # no trigger of a positive, 1 wrong one
    "get_date_time": (0.0, 0.0, None, None),
}
ARGUMENTS: dict[str, dict[str, str]] = {
    "timbre": {"query": "海绵宝宝的音色"},
    "web_search": {"query": "news"},
    "get_weather": {"location": "Paris"},
    "get_date_time": {},
}


def folder_of_dialogues(folder: Path) -> Path:
    for name, kinds in ANSWERS.items():
        for kind, answers in zip(("positive", "negative"), kinds, strict=True):
            lines = []
            for number, hundredths in enumerate(answers):
                wav = f"wav/{name}_{kind}.jsonl-{number}-2.wav"
                # The tool is told by the third digit: 0.2 s and some thousandths.
                sound(folder / wav, hundredths / 100 + (list(ANSWERS).index(name) + 1) / 1000)
                call = f"<tool_call>function  \n{TARGETS[name]}  \n{json.dumps(ARGUMENTS[name])}</tool_call>"
                turns: list[dict[str, Any]] = [
                    {"from": "Human", "text": "你好", "value": "你好"},
                    {"from": "Assistant", "text": "你好呀", "value": "你好呀"},
                    {"from": "Human", "text": "", "value": {"type": "wav", "value": wav}},
                    {"from": "Assistant", "text": "", "value": call if kind == "positive" else "好的"},
                ]
                lines.append(json.dumps([{"session_id": number, "turn_idx": i, **t} for i, t in enumerate(turns)]))
            (folder / f"{name}_{kind}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def answer(conversation: Conversation, tools: Sequence[ToolSpec], voice: ReferenceVoice | None) -> list[Delta]:
    assert {tool.name for tool in tools} == set(TARGETS.values())
    assert [message.role for message in conversation] == ["user", "assistant", "user"]
    (part,) = [part for part in conversation.messages[-1].parts if isinstance(part, AudioPart)]
    thousandths = round(part.audio.duration * 1000)
    does, name = thousandths // 10, list(ANSWERS)[thousandths % 10 - 1]
    if does == NONE:
        return [TextDelta("好的")]
    if does == OTHER:
        return [CallDelta(ToolCall("1", "calculate", {"expression": "1+1"}))]
    arguments = ARGUMENTS[name] if does == RIGHT else dict.fromkeys(ARGUMENTS[name], "something else")
    return [CallDelta(ToolCall("1", TARGETS[name], arguments))]


def judge(conversation: Conversation, tools: Sequence[ToolSpec], voice: ReferenceVoice | None) -> list[Delta]:
    return [TextDelta("No" if "something else" in conversation.messages[-1].text else "Yes")]


async def test_the_four_metrics_are_those_computed_by_hand(tmp_path: Path) -> None:
    data = folder_of_dialogues(tmp_path / "data")
    result = await measured(BENCHMARK, data, tmp_path / "run", Scripted([answer] * 2), judge=Scripted([judge]))
    found: dict[str, list[float | None]] = {}
    names = ("trigger precision", "trigger recall", "type accuracy", "parameter accuracy")
    figures = {(one.name, one.group): round(one.value, 2) for one in result.figures}
    for tool in EXPECTED:
        found[tool] = [figures.get((name, tool)) for name in names]
    assert {tool: tuple(values) for tool, values in found.items()} == EXPECTED
    assert (result.items, result.scored, value(result, "malformed calls")) == (48, 48, 0.0)
    # Without a judge the arguments of the reference are asked for: 7 of 13 calls have them.
    assert value(result, "equal parameters") == round(100 * 7 / 13, 2)


async def test_calls_that_are_written_out_count_and_broken_ones_are_counted_apart() -> None:
    item = Item("1", details={"tool": "get_weather", "positive": True, "expected": {"location": "Paris"}})
    scorer = Calls({"weather": "get_weather"})
    for text in (
        '<tool_call>function  \nget_weather  \n{"location": "paris "}</tool_call>',
        '<tool_call>{"name": "get_weather", "arguments": {"location": "Paris"}}</tool_call>',
        '{"name": "weather", "arguments": {"location": "Paris"}}',
    ):
        score = await scorer.score(item, Answer(text), None)
        assert score.counts["equal"] == 1, text
    score = await scorer.score(item, Answer("<tool_call>get the weather!</tool_call>"), None)
    assert (score.counts["malformed"], score.counts["triggered positives"]) == (1, 0)
    assert written_calls("I will look it up.") == ([], 0)
