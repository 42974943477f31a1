"""Checks and usage limits of the agent hold for the clients of its server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from openai import OpenAI
from support.realtime_client import realtime_client
from support.rehearsed import Rehearsed
from support.server import KEY, Running, running_server

from agentaudio import Agent, Limits, Stop, UsageLimits
from agentaudio.turn_checks import WITHHELD

MODEL = Rehearsed()


def no_prices(text: str) -> Stop | None:
    return Stop("I cannot speak about prices.") if "euro" in text else None


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    limits = Limits(turn=UsageLimits(requests=1))
    agent = Agent(MODEL, input_checks=[no_prices], output_checks=[no_prices], limits=limits)
    with running_server(agent) as running:
        yield running


def test_a_refused_request_ends_with_the_content_filter_and_stays_from_the_model(server: Running) -> None:
    with OpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0) as client:
        before = len(MODEL.given)
        asked: list[Any] = [{"role": "user", "content": "nine euro"}]
        choice = client.chat.completions.create(model="x", messages=asked).choices[0]
        assert (choice.finish_reason, choice.message.content) == ("content_filter", "I cannot speak about prices.")
        assert len(MODEL.given) == before
        asked += [
            {"role": "assistant", "content": choice.message.content}, {"role": "user", "content": "what is the time"},
        ]  # fmt: skip
        choice = client.chat.completions.create(model="x", messages=asked).choices[0]
        assert choice.finish_reason == "stop"
    texts = [message.text for message in MODEL.given[-1].conversation if message.role == "user"]
    assert texts == [WITHHELD, "what is the time"]


async def test_a_refused_response_of_the_realtime_protocol_says_so_and_its_words_are_heard(server: Running) -> None:
    async with realtime_client(server.port) as client:
        await client.update(audio={"input": {"turn_detection": None}})
        await client.write("nine euro")
        refused = await client.responded()
        assert refused["status"] == "incomplete" and refused["status_details"]["reason"] == "content_filter"
        assert refused["output"][0]["content"][0]["transcript"] == "I cannot speak about prices."
        await client.write("what is the time")
        answered = await client.responded()
        assert answered["status"] == "completed"
        assert client.wrong == []
    texts = [message.text for message in MODEL.given[-1].conversation if message.role == "user"]
    assert texts == [WITHHELD, "what is the time"]
