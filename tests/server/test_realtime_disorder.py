"""Valid events in any order and at any moment: what holds of the answers of a Realtime server whatever comes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

import pytest
from support.realtime_agent import talker
from support.realtime_client import Client, Event, question, realtime_client
from support.server import KEY, Running, running_server

from agentaudio import Audio
from agentaudio.server.settings import ServerSettings

HARMLESS = frozenset(
    (
        "conversation_already_has_active_response", "response_cancel_not_active", "input_audio_buffer_commit_empty",
        "item_delete_invalid_item_id", "item_truncate_invalid_item_id", "item_retrieve_invalid_item_id",
        "rate_limit_exceeded", "invalid_item_reference", "item_create_duplicate_item_id",
        "item_create_invalid_previous_item_id",
    )
)  # fmt: skip
TEXTS = ("hello", "count 3", "count 30 slowly", "call one two", "call time_in", "history", "voice", "wait 0.05")
PART_OF_AN_ITEM = (
    "response.content_part.added", "response.output_audio.delta", "response.output_audio.done",
    "response.output_audio_transcript.delta", "response.output_audio_transcript.done", "response.output_text.delta",
    "response.output_text.done", "response.content_part.done", "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
)  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    settings = ServerSettings(keys=(KEY,), requests_per_minute=100_000, sound_s_per_minute=1_000_000)
    with running_server(talker(), settings) as running:
        yield running


class User:
    """A client that does things at random."""

    def __init__(self, client: Client, rng: random.Random) -> None:
        self._client, self._rng = client, rng
        self._sound = list((question() + Audio.silence(0.8, 24_000)).chunks(100))
        self._place = 0

    async def act(self) -> None:
        rng, client = self._rng, self._client
        match rng.randrange(12):
            case 0 | 1:
                item = {"type": "message", "role": "user", "content": rng.choice(TEXTS)}
                await client.send("conversation.item.create", item=item)
            case 2 | 3:
                await client.send("response.create")
            case 4:
                text = {"type": "message", "role": "user", "content": rng.choice(TEXTS[:3])}
                await client.send("response.create", response={"conversation": "none", "input": [text]})
            case 5:
                await client.send("response.cancel")
            case 6:
                await client.send("conversation.item.truncate", item_id=self._item(), audio_end_ms=rng.randrange(2_000))
            case 7:
                await client.send("conversation.item.delete", item_id=self._item())
            case 8:
                for call in [one["item"] for one in client.of("conversation.item.done")]:
                    if call["type"] == "function_call" and rng.random() < 0.5:
                        await client.result(call, "a result")
            case 9:
                for _ in range(rng.randrange(1, 20)):
                    await client.say(self._sound[self._place % len(self._sound)], speed=20)
                    self._place += 1
            case 10:
                detection = rng.choice([None, {"type": "server_vad"}, {"type": "server_vad", "create_response": False}])
                modality = rng.choice(["audio", "audio", "text"])
                tools: list[Event] = [{"type": "function", "name": name, "parameters": {}} for name in ("one", "two")]
                session = {"audio": {"input": {"turn_detection": detection}}, "output_modalities": [modality]}
                await client.send("session.update", session={**session, "tools": tools})
            case 11:
                await client.send(rng.choice(["input_audio_buffer.commit", "input_audio_buffer.clear"]))

    def _item(self) -> str:
        known = [one["item"]["id"] for one in self._client.of("conversation.item.added")]
        return self._rng.choice(known[-6:]) if known else "none"


def check(events: list[Event]) -> None:
    """What holds of all events of a connection."""
    active: str | None = None
    open_items: dict[str, str] = {}  # announced and not done, with the response
    done: set[str] = set()
    for event in events:
        response = event.get("response") or {}
        match event["type"]:
            case "response.created" if response["conversation_id"] is not None:
                assert active is None, "two responses at the same time"
                active = response["id"]
            case "response.done":
                assert response["id"] not in done
                done.add(response["id"])
                active = None if active == response["id"] else active
                assert response["id"] not in open_items.values()
                assert response["status"] != "failed", response["status_details"]
            case "response.output_item.added":
                assert event["response_id"] not in done
                open_items[event["item"]["id"]] = event["response_id"]
            case "response.output_item.done":
                assert open_items.pop(event["item"]["id"]) == event["response_id"]
            case "error":
                assert event["error"]["code"] in HARMLESS, event
            case kind if kind in PART_OF_AN_ITEM:
                assert event["item_id"] in open_items and event["response_id"] not in done
    created = {one["response"]["id"] for one in events if one["type"] == "response.created"}
    assert created == done and not open_items


async def settled(client: Client) -> None:
    """Wait until all responses that were asked for are done; those that wait for results begin within 2 s."""
    quiet = 0
    for _ in range(300):
        await asyncio.sleep(0.1)
        quiet = quiet + 1 if len(client.of("response.created")) == len(client.of("response.done")) else 0
        if quiet == 25:
            return
    raise AssertionError("a response does not end")


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.hostile) for seed in range(2, 14))])
async def test_each_response_is_whole_and_alone_whatever_the_client_does(server: Running, seed: int) -> None:
    rng = random.Random(seed)
    async with realtime_client(server.port) as client:
        user = User(client, rng)
        for _ in range(40 if seed == 1 else 150):
            await user.act()
            await asyncio.sleep(rng.choice([0.0, 0.0, 0.01, 0.05]))
        detection = {"input": {"turn_detection": None}}
        await client.send("session.update", session={"audio": detection})
        await client.send("response.cancel")
        await settled(client)
        kept = {one["item"]["id"] for one in client.of("conversation.item.added")}
        kept -= {one["item_id"] for one in client.of("conversation.item.deleted")}
        for item_id in kept:
            await client.send("conversation.item.retrieve", item_id=item_id)
            assert (await client.until("conversation.item.retrieved"))["item"]["id"] == item_id
        check(client.events)
