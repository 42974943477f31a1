"""What a turn and a session may use."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from support.models import calls, scripted

from agentaudio import Agent, Limits, SqliteStore, Stop, UsageLimits, external_tool, tool
from agentaudio.errors import OptionError
from agentaudio.model.speech_lm import End, TextDelta

ran: list[int] = []


@tool
async def look(n: int = 0) -> str:
    """Look."""
    ran.append(n)
    return "seen"


@pytest.fixture(autouse=True)
def _nothing_ran() -> None:
    ran.clear()


def agent(*steps: Any, turn: UsageLimits = UsageLimits(), session: UsageLimits = UsageLimits()) -> Agent:
    return Agent(scripted(*steps), tools=[look], limits=Limits(turn=turn, session=session))


def look_at(*numbers: int) -> dict[str, object]:
    return calls(*(("look", {"n": number}) for number in numbers))


async def test_a_turn_that_may_not_generate_again_does_not_run_calls_whose_results_nobody_would_tell() -> None:
    session = agent(look_at(1), look_at(2), "Done.", turn=UsageLimits(requests=2)).session()
    found = [event async for event in session.stream("go")]
    reply = found[-1].reply  # type: ignore[union-attr]
    assert (reply.stop, reply.stopped_by, ran) == ("usage_limit", "requests of the turn", [1])
    stopped = [event for event in found if event.type == "turn.stopped"]
    assert [(event.stop, event.by) for event in stopped] == [("usage_limit", "requests of the turn")]
    last = session.conversation.messages[-1].tool_outputs[0]
    assert last.is_error and last.text == "look was not run: the limit of requests of the turn was reached."
    assert (await session.run("and now")).text == "Done."  # the next turn has its own


async def test_calls_beyond_the_limit_are_not_run_and_those_before_stay() -> None:
    reply = await agent(look_at(1, 2), look_at(3, 4), "Done.", turn=UsageLimits(tool_calls=3)).run("go")
    assert (reply.stop, reply.stopped_by) == ("usage_limit", "tool_calls of the turn")
    assert ran == [1, 2] and [run.call.arguments["n"] for run in reply.tool_calls] == [1, 2]


@pytest.mark.parametrize("name", ["input_tokens", "output_tokens"])
async def test_tokens_add_up_over_the_turns_of_a_session(name: str) -> None:
    step = [TextDelta("Yes."), End(usage={name: 40})]
    session = agent(step, step, step, step, session=UsageLimits(**{name: 100})).session()
    replies = [await session.run("go") for _ in range(4)]
    assert [reply.stop for reply in replies] == ["answered", "answered", "answered", "usage_limit"]
    assert replies[3].stopped_by == f"{name} of the session" and not replies[3].text
    assert [message.text for message in session.conversation][-2:] == ["Yes.", "go"]


async def test_an_answer_is_cut_where_the_sound_of_the_session_ends() -> None:
    session = agent("One two.", "Three four five six.", session=UsageLimits(sound_s=1.0)).session(plays=False)
    assert (await session.run("go")).stop == "answered"
    found = [event async for event in session.stream("go")]
    reply = found[-1].reply  # type: ignore[union-attr]
    assert reply.audio is not None and reply.audio.duration == pytest.approx(0.4)
    assert [event.type for event in found].count("turn.stopped") == 1 and reply.text == "Three four"
    assert (reply.stop, reply.stopped_by) == ("usage_limit", "sound_s of the session")


async def test_requests_of_a_failed_turn_count_too() -> None:
    def breaks(*_: object) -> Any:
        raise ValueError("broken")

    session = agent(breaks, breaks, session=UsageLimits(requests=1)).session()
    with pytest.raises(Exception, match="broken"):
        await session.run("go")
    assert (await session.run("go")).stop == "usage_limit"


async def test_a_refused_question_takes_no_request() -> None:
    limits = Limits(session=UsageLimits(requests=1))
    session = Agent(
        scripted("Yes."), input_checks=[lambda text: Stop() if "no" in text else None], limits=limits
    ).session()
    assert [(await session.run(said)).stop for said in ("no", "yes", "yes")] == ["refused", "answered", "usage_limit"]


async def test_calls_of_the_caller_are_counted_and_not_handed_out_beyond_the_limit() -> None:
    door = external_tool("door", "Open a door.", {"type": "object"})
    limits = Limits(turn=UsageLimits(tool_calls=0))
    session = Agent(scripted(calls(("door", {})), "Done."), tools=[door], limits=limits).session()
    reply = await session.run("open")
    assert (reply.stop, reply.open_calls) == ("usage_limit", ())


async def test_an_answer_that_is_complete_is_no_excess(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        reply = await agent(look_at(1), "Done.", turn=UsageLimits(requests=2, tool_calls=1, sound_s=0.3)).run("go")
    assert (reply.text, reply.stop, reply.stopped_by) == ("Done.", "answered", "")


@pytest.mark.parametrize("wrong", [{"requests": -1}, {"sound_s": float("nan")}, {"tool_calls": "3"}])
def test_wrong_limits_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=f"UsageLimits.{next(iter(wrong))} is"):
        UsageLimits(**wrong)
    with pytest.raises(OptionError, match="Limits.session is 3; give UsageLimits"):
        Limits(session=3)  # type: ignore[arg-type]


async def test_a_stored_session_goes_on_counting_when_it_is_resumed(tmp_path: Path) -> None:
    limited = agent("Yes.", "Yes.", "Yes.", session=UsageLimits(requests=2))
    async with SqliteStore(tmp_path / "talks.sqlite3") as store:
        for stop in "answered", "answered", "usage_limit":
            session = await store.session(limited, "ana")
            assert (await session.run("go")).stop == stop
            await store.leave("ana")
        session = await store.session(agent("Yes.", "Yes.", "Yes."), "ana")
        assert (await session.run("go")).stop == "answered"
