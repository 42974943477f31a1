"""Each check of a turn, on replies that pass it and replies that do not."""

from __future__ import annotations

import re
from typing import Any

import pytest

from agentaudio import Audio, Reply
from agentaudio.conversation import Citation, ToolCall
from agentaudio.evaluation.suites.checks import Judge, language_of
from agentaudio.evaluation.suites.record import Observed
from agentaudio.evaluation.suites.schema import Expect
from agentaudio.sound.speaker_encoder import EmbeddedSpeakerEncoder
from agentaudio.tools.execution import ToolRun
from agentaudio.tools.result import ToolResult
from agentaudio.voice_library.library import demo_voices

VOICES = demo_voices()


def called(name: str, **arguments: Any) -> Reply:
    return Reply("", tool_calls=(ToolRun(ToolCall("1", name, arguments), "done", ToolResult("fine"), 0.1),))


def twice(reply: Reply) -> Reply:
    return Reply("", tool_calls=reply.tool_calls * 2)


def cited(source: str, title: str = "The Moon") -> Reply:
    return Reply("", citations=(Citation(title, source, "quote"),))


def spoken(voice: str) -> Reply:
    return Reply("Hello.", audio=VOICES.get(voice).clip, voice=VOICES.get(voice))


async def hears_three_hearts(audio: Audio) -> str:
    return "three hearts"


JUDGE = Judge(clip=lambda name: VOICES.get(name).clip, encoder=EmbeddedSpeakerEncoder, transcribe=hears_three_hearts)


async def fault(expect: dict[str, Any], seen: Observed | Reply | None) -> str:
    """What is wrong; "" for nothing."""
    observed = seen if isinstance(seen, Observed) else Observed(seen)
    verdicts = await JUDGE.verdicts(Expect.model_validate(expect), observed)
    return "; ".join(verdict.detail for verdict in verdicts if not verdict.passed)


PASSES: list[tuple[dict[str, Any], Observed | Reply]] = [
    ({"tool": "look"}, called("look")),
    ({"tool": ["look", "look"]}, twice(called("look"))),
    ({"no_tool": True}, Reply("hello")),
    ({"tool": "look", "arguments": {"at": "Moon"}}, called("look", at="moon", how="far")),
    ({"says": ["384,000", "moon"]}, Reply("The Moon is 384000 km away.")),
    ({"never_says": ["sent"]}, Reply("I cannot send it.")),
    ({"audible": "three|3"}, spoken("gina")),
    ({"cites": "moon"}, cited("documents/moon.md")),
    ({"cites": "the moon"}, cited("https://example.org/a?b=c")),
    ({"cites": "page"}, cited("https://example.org/page.html")),
    ({"supported": True}, Observed(Reply("The Moon has no air at all."), evidence=["The Moon has no air."])),
    ({"language": "zh"}, Reply("月亮很远。")),
    ({"language": "en"}, Reply("It is far away.")),
    ({"within": {"first_sound": 2}}, Observed(Reply(""), stages={"first_sound": 1.9})),
    ({"stop": "answered"}, Reply("")),
    ({"result_of": "look"}, Observed(None, results=["look"])),
    ({"voice": "gina|leo"}, spoken("gina")),
    ({"voice": {"attributes": {"gender": "female", "accent": "italian"}}}, spoken("gina")),
    ({"voice": {"like": "gina"}}, spoken("gina")),
    ({"stops_agent_within_s": 0.5}, Observed(None, stopped_after_s=0.4)),
    ({"agent_goes_on": True}, Observed(None, went_on=True)),
]
FAILS: list[tuple[dict[str, Any], Observed | Reply | None, str]] = [
    ({"tool": "look"}, Reply("hello"), "called nothing"),
    ({"tool": "look"}, called("listen", to="me"), r"called listen\(to='me'\)"),
    ({"tool": "look"}, twice(called("look")), "called look"),
    ({"tool": "look"}, None, "called nothing"),
    ({"no_tool": True}, called("look"), "called look"),
    ({"tool": "look", "arguments": {"at": "Moon"}}, called("look", at="Sun"), "at is 'Sun', not 'Moon'"),
    ({"tool": "look", "arguments": {"at": "Moon"}}, called("look"), "at is None, not 'Moon'"),
    ({"says": ["384,000"]}, Reply("It is far."), "'384,000' not in 'It is far.'"),
    ({"says": ["384,000"]}, None, "there was no answer"),
    ({"never_says": ["is sent"]}, Reply("Your mail is sent."), "'is sent' in"),
    ({"audible": "four"}, spoken("gina"), "'four' not in what was heard: 'three hearts'"),
    ({"audible": "four"}, Reply("four"), "has no sound"),
    ({"cites": "mars"}, cited("documents/moon.md"), "'mars' not among"),
    ({"supported": True}, Observed(Reply("It has 7 moons."), evidence=["It has two moons."]), "nothing supports"),
    ({"language": "zh"}, Reply("It is far away."), "is en"),
    ({"language": "en"}, Reply("42"), "is no language"),
    ({"within": {"first_sound": 2}}, Observed(Reply(""), stages={"first_sound": 2.1}), "after 2.10 s, not 2 s"),
    ({"within": {"first_sound": 2}}, Reply(""), "no first_sound"),
    ({"stop": "answered"}, Reply("", stop="length"), "length, not answered"),
    ({"result_of": "look"}, Observed(None, results=["listen"]), "no result of 'look'"),
    ({"voice": "gina"}, spoken("leo"), "leo, not gina"),
    ({"voice": "gina"}, Reply("hello"), "the own voice, not gina"),
    ({"voice": {"attributes": {"gender": "male"}}}, spoken("gina"), "gina has the gender female, not male"),
    ({"voice": {"like": "gina"}}, spoken("bruno"), "resembles gina by 0"),
    ({"voice": {"like": "gina", "at_least": 0.99}}, spoken("leo"), "less than 0.99"),
    ({"voice": {"like": "gina"}}, Reply("hello"), "has no sound"),
    ({"stops_agent_within_s": 0.5}, Observed(None, stopped_after_s=0.6), "stopped after 0.60 s"),
    ({"stops_agent_within_s": 0.5}, Observed(None), "did not stop"),
    ({"agent_goes_on": True}, Observed(None, went_on=False), "stopped, or answered"),
]


@pytest.mark.parametrize(("expect", "seen"), PASSES)
async def test_what_is_as_expected_passes(expect: dict[str, Any], seen: Observed | Reply) -> None:
    assert await fault(expect, seen) == ""


@pytest.mark.parametrize(("expect", "seen", "detail"), FAILS)
async def test_what_is_not_is_said(expect: dict[str, Any], seen: Observed | Reply | None, detail: str) -> None:
    assert re.search(detail, await fault(expect, seen))


def test_every_key_is_tried_both_ways() -> None:
    keys = set(Expect.model_fields)
    assert {key for expect, _ in PASSES for key in expect} == keys
    assert {key for expect, _, _ in FAILS for key in expect} == keys


@pytest.mark.parametrize(
    ("text", "language"),
    [("Il fait beau aujourd'hui à Paris.", "fr"), ("今日は天気がいいです。", "ja"), ("…", None), ("Yes.", "en")],
)
def test_languages_are_told_apart(text: str, language: str | None) -> None:
    assert language_of(text) == language
