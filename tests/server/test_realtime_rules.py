"""What clients of the Realtime protocol rely on, rule by rule: where each rule is tested, and the tests of some."""

from __future__ import annotations

import asyncio
import base64
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.realtime_agent import talker
from support.realtime_client import question, realtime_client
from support.server import Running, running_server

from agentaudio import Agent, Audio
from agentaudio.model.scripted import Scripted

RULES = {
    "an update is merged deeply; null switches off; turn_detection and tool_choice are replaced whole": (
        "test_an_update_changes_only_what_it_names_and_null_switches_off",
        "test_a_wrong_update_changes_nothing_and_names_its_field",
    ),
    "session.created and session.updated carry the whole session": (
        "test_an_update_changes_only_what_it_names_and_null_switches_off",
    ),
    "the defaults that clients ask for are taken": (
        "test_speech_its_item_and_its_words_have_one_id",
        "test_the_voice_changes_in_mid_session_by_id_name_object_and_words",
    ),
    "response.created echoes the metadata of response.create": (
        "test_a_response_beside_the_conversation_reads_and_leaves_nothing_there",
        "test_a_replayed_conversation_is_taken_whole_in_order_and_once",
    ),
    "every item is added and done, with the item before it; root is the head": (
        "test_events_of_a_response_come_in_the_order_that_clients_expect",
        "test_items_are_placed_deleted_and_retrieved",
    ),
    "the events of a response come in one order": (
        "test_events_of_a_response_come_in_the_order_that_clients_expect",
        "test_each_response_is_whole_and_alone_whatever_the_client_does",
    ),
    "a function call is announced as an item before its arguments, with a call_id of at most 32 characters": (
        "test_a_function_call_is_announced_item_by_item_and_its_result_answered_on_request",
    ),
    "after a result nothing happens until a response is asked for": (
        "test_a_function_call_is_announced_item_by_item_and_its_result_answered_on_request",
        "test_two_calls_get_exactly_one_answer_from_both_results",
    ),
    "an interruption is told as such; late truncations and cancellations harm nothing": (
        "test_speech_of_the_user_stops_an_answer_that_is_being_made_and_keeps_what_was_heard",
        "test_a_truncation_beyond_the_sound_sent_is_clamped_and_cuts_nothing",
        "test_the_last_truncation_counts_also_when_it_comes_late_or_tells_of_more",
        "test_an_item_that_is_deleted_while_it_is_spoken_does_not_come_back",
    ),
    "usage has totals and details": ("test_events_of_a_response_come_in_the_order_that_clients_expect",),
    "every item can be retrieved": ("test_items_of_every_kind_can_be_retrieved_also_after_a_truncation",),
    "speech and its item have one id, and a call comes some milliseconds after the end of speech": (
        "test_speech_its_item_and_its_words_have_one_id",
        "test_a_call_leaves_the_client_time_to_see_the_end_of_the_users_turn",
    ),
    "deltas hold whole samples, and no frame reaches 1 MiB": (
        "test_long_sound_comes_in_whole_samples_and_small_frames",
    ),
    "hundreds of items are taken at once": ("test_a_replayed_conversation_is_taken_whole_in_order_and_once",),
    "errors have the protocol's shape, codes and event ids": (
        "test_what_is_wrong_with_an_event_is_told_in_the_protocols_shape",
        "test_a_missing_or_wrong_key_is_refused_in_the_protocols_shape",
    ),
    "nothing harmless is an error, and the connection stays": (
        "test_events_in_a_senseless_order_harm_nothing",
        "test_an_empty_turn_gets_an_answer_and_no_error",
        "test_a_connection_outlives_malformed_frames",
    ),
    "a second response is refused, and the first goes on": (
        "test_a_second_response_is_refused_and_the_first_one_goes_on",
    ),
    "events of our own go to clients that ask": (
        "test_a_client_that_asks_gets_tools_and_voices_as_they_happen",
        "test_calls_of_the_agents_own_tools_are_not_shown_as_calls_of_the_client",
    ),
    "the voice may change at any time, and is reported as a string": (
        "test_the_voice_changes_in_mid_session_by_id_name_object_and_words",
    ),
    "silence after idle_timeout_ms is answered": ("test_a_user_who_stays_silent_is_spoken_to_after_the_idle_time",),
    "names of 2024 come in from all and go out to those that say so": (
        "test_the_flat_names_of_2024_are_taken_and_sent_only_to_clients_that_ask_for_them",
    ),
    "the words of each committed sound come, or that they do not": (
        "test_speech_its_item_and_its_words_have_one_id",
        "test_words_that_nobody_recognises_are_told_as_such_and_the_session_goes_on",
    ),
    "responses tell how many requests are left": ("test_each_response_says_how_many_requests_are_left",),
    "quiet streams are kept alive and not buffered": (
        "test_a_quiet_stream_is_kept_alive_and_no_proxy_may_hold_it_back",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running_server(talker()) as running:
        yield running


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_has_its_tests(rule: str) -> None:
    found = "\n".join(file.read_text(encoding="utf-8") for file in Path(__file__).parent.glob("test_*.py"))
    for name in RULES[rule]:
        assert re.search(rf"def {name}\(", found), name


async def test_items_of_every_kind_can_be_retrieved_also_after_a_truncation(server: Running) -> None:
    async with realtime_client(server.port) as client:
        lookup = {"type": "function", "name": "lookup", "parameters": {"type": "object"}}
        await client.update(tools=[lookup], audio={"input": {"turn_detection": None}})
        written = await client.write("call lookup")
        message, call = (await client.responded())["output"]
        await client.result(call, "it is raining")
        output = (await client.until("conversation.item.done"))["item"]
        await client.send("conversation.item.truncate", item_id=message["id"], content_index=0, audio_end_ms=10)
        await client.until("conversation.item.truncated")
        kinds = {}
        for item_id in (written, message["id"], call["id"], output["id"]):
            await client.send("conversation.item.retrieve", item_id=item_id)
            item = (await client.until("conversation.item.retrieved"))["item"]
            assert item["id"] == item_id
            kinds[item["type"], item.get("role")] = item
        assert not client.of("error")
    assert set(kinds) == {
        ("message", "user"), ("message", "assistant"), ("function_call", None), ("function_call_output", None),
    }  # fmt: skip
    assert kinds["function_call_output", None]["output"] == "it is raining"


async def test_a_call_leaves_the_client_time_to_see_the_end_of_the_users_turn() -> None:
    calls = [{"name": "lookup", "arguments": {}}]
    agent = Agent(Scripted([{"heard": "What is the time?", "calls": calls}, "It is nine."]))
    with running_server(agent) as server:
        async with realtime_client(server.port) as client:
            lookup = {"type": "function", "name": "lookup", "parameters": {"type": "object"}}
            await client.update(tools=[lookup])
            speaking = asyncio.create_task(client.say(question() + Audio.silence(1.0, 24_000), speed=4))
            await client.until("input_audio_buffer.speech_stopped")
            stopped = time.monotonic()
            await client.until("response.function_call_arguments.done")
            assert time.monotonic() - stopped >= 0.02
            await speaking


async def test_long_sound_comes_in_whole_samples_and_small_frames(server: Running) -> None:
    async with realtime_client(server.port) as client:  # it closes the connection at a frame of 1 MiB
        await client.write("count 600")
        response = await client.responded()
        deltas = client.of("response.output_audio.delta")
    assert response["status"] == "completed"
    assert len(client.sound()) == 2 * 24_000 * 60
    assert all(len(one["delta"]) < 60_000 for one in deltas)  # less than a second
    assert all(len(base64.b64decode(one["delta"])) % 2 == 0 for one in deltas)
