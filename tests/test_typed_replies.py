"""Answers as data beside the spoken words."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Any

import pytest
from pydantic import BaseModel, Field, RootModel
from support.models import calls, scripted

from agentaudio import Agent, Limits, Stop, UsageLimits, tool
from agentaudio.conversation import Conversation, ToolCall
from agentaudio.errors import OptionError, OutputError
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import CallDelta, TextDelta


class Booking(BaseModel):
    """A table that was booked."""

    people: int = Field(ge=1)
    day: date


FITS = {"people": 4, "day": "2026-11-29"}
BROKEN = {"people": 0, "day": "soon"}
BOOKED = Booking(people=4, day=date(2026, 11, 29))


def gives(data: Any, say: str = "") -> dict[str, object]:
    return {**calls(("give_output", data)), "say": say}


def agent(*steps: Any, **settings: Any) -> Agent:
    return Agent(scripted(*steps), output=Booking, **settings)


async def test_the_reply_holds_an_instance_and_the_words_are_said_once() -> None:
    session = agent(gives(FITS, "Booked for four."), gives(FITS, "Again.")).session(plays=False)
    reply = await session.run("book")
    assert (reply.output, reply.text, reply.stop) == (BOOKED, "Booked for four.", "answered")
    assert isinstance(reply.output, Booking) and reply.to_dict()["output"] == {"people": 4, "day": "2026-11-29"}
    assert not session.conversation.open_calls
    assert (await session.run("again")).text == "Again."


async def test_the_sound_does_not_wait_for_the_data() -> None:
    kinds = [event.type async for event in agent(gives(BROKEN, "Booked."), gives(FITS)).session().stream("book")]
    assert kinds.index("audio.delta") < kinds.index("tool.started") < kinds.index("turn.finished")


async def test_data_that_do_not_fit_go_back_to_the_model_which_mends_them_in_silence() -> None:
    seen: list[Conversation] = []

    def mends(conversation: Conversation, tools: Any, voice: object) -> Any:
        seen.append(conversation)
        assert [one.name for one in tools] == ["give_output"]
        return [TextDelta("Booked, I said."), CallDelta(ToolCall("mended", "give_output", FITS))]

    reply = await agent(gives(BROKEN, "Booked for four."), mends).run("book")
    assert (reply.output, reply.text) == (BOOKED, "Booked for four.")
    (problem,) = seen[0].last_outputs
    assert problem.is_error and "people: Input should be greater than or equal to 1" in problem.text
    assert reply.audio is not None and reply.audio.duration == pytest.approx(3 * 0.3)


async def test_a_model_that_forgets_its_data_is_asked_for_them() -> None:
    session = agent("Booked for four.", "(the call that asks counts as a step)", gives(FITS, "ignored")).session(
        plays=False
    )
    reply = await session.run("book")
    assert (reply.output, reply.text) == (BOOKED, "Booked for four.")
    asked = session.conversation.messages[3].tool_outputs[0]
    assert asked.is_error and "without a call of give_output" in asked.text


@pytest.mark.parametrize("steps", [("Booked.", "Yes.", "Yes.", "Yes."), (gives(BROKEN, "Booked."),) * 4])
async def test_a_model_that_never_gives_them_fails_with_a_typed_error_and_keeps_what_was_said(steps: Any) -> None:
    session = agent(*steps).session(plays=False)
    kinds: list[str] = []
    with pytest.raises(OutputError, match="after 2 more attempts"):
        async for event in session.stream("book"):
            kinds.append(event.type)
    assert kinds.count("step.started") == 3 and kinds[-1] == "turn.failed"
    assert [m.text for m in session.conversation if m.role == "assistant" and m.text] == ["Booked."]
    assert session.conversation.messages[-1].failed and not session.conversation.open_calls


async def test_data_that_come_before_the_words_do_not_end_the_turn() -> None:
    reply = await agent(gives(FITS), "Booked for four.").run("book")
    assert (reply.output, reply.text) == (BOOKED, "Booked for four.")


async def test_other_tools_run_first_and_the_last_step_still_takes_the_data() -> None:
    @tool
    def free(day: str) -> str:
        return "yes"

    steps = {**calls(("free", {"day": "today"})), "say": "Let me see."}, gives(FITS, "Booked.")
    reply = await agent(*steps, tools=[free], max_steps=2).run("book")
    assert (reply.output, reply.text, reply.stop) == (BOOKED, "Let me see. Booked.", "answered")
    assert [run.status for run in reply.tool_calls] == ["done", "done"]


async def test_a_usage_limit_ends_the_search_for_data() -> None:
    limits = Limits(turn=UsageLimits(requests=1))
    reply = await agent("Booked.", "Yes.", limits=limits).run("book")
    assert (reply.text, reply.output, reply.stop) == ("Booked.", None, "usage_limit")
    whole = await agent(gives(FITS, "Booked."), limits=limits).run("book")
    assert (whole.output, whole.stop) == (BOOKED, "answered")


async def test_a_refused_answer_has_no_data() -> None:
    reply = await agent(gives(FITS, "No."), output_checks=[lambda text: Stop("Sorry.")]).run("book")
    assert (reply.stop, reply.text, reply.output) == ("refused", "Sorry.", None)


async def test_it_works_in_a_live_session() -> None:
    async with agent(gives(FITS, "Booked for four.")).live(ears=None, plays=False) as live:
        await live.send("book")
        async with asyncio.timeout(10):
            async for event in live:
                if event.type == "turn.finished":
                    assert event.reply.output == BOOKED
                    return


class Names(RootModel[list[str]]):
    pass


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"output": int}, "output is <class 'int'>; give a pydantic model"),
        ({"output": Names}, "Names is not written as a JSON object"),
        ({"output": Booking, "tools": [tool(name="give_output")(lambda: "x")]}, "a tool is named 'give_output'"),
    ],
)
def test_what_cannot_be_given_is_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(OptionError, match=problem):
        Agent(Scripted(["x"]), **settings)


def test_a_model_that_calls_no_tools_cannot_give_data() -> None:
    with pytest.raises(OptionError, match="cannot call tools"):
        Agent(scripted("x", calls_tools=False), output=Booking)
