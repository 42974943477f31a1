"""The answer of a chat server, as servers of every strictness stream it."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentaudio.errors import BackendError
from agentaudio.model.openai.answer import ChatAnswer
from agentaudio.model.speech_lm import AudioDelta, CallDelta, Delta, End, TextDelta
from agentaudio.sound.audio import Audio


def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def read(*chunks: dict[str, Any]) -> list[Delta]:
    answer = ChatAnswer("m")
    return [delta for one in chunks for delta in answer.push(one)] + answer.finish()


def calls(deltas: list[Delta]) -> list[tuple[str, Any]]:
    return [(delta.call.name, dict(delta.call.arguments)) for delta in deltas if isinstance(delta, CallDelta)]


def piece(arguments: Any = None, name: str | None = None, id: str | None = None, **more: Any) -> dict[str, Any]:
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return {"function": function} | ({"id": id} if id else {}) | more


STREAMED: dict[str, list[list[dict[str, Any]]]] = {
    "as OpenAI": [
        [piece("", "book", "a", index=0)], [piece('{"n"', index=0)], [piece(": 2}", index=0)],
        [piece("", "ring", "b", index=1)], [piece("{}", index=1)],
    ],
    "id and name repeated in each piece": [
        [piece("", "book", "a", index=0)], [piece('{"n"', "book", "a", index=0)], [piece(": 2}", "book", "a", index=0)],
        [piece("{}", "ring", "b", index=1)],
    ],
    "without indexes": [
        [piece('{"n"', "book", "a")], [piece(": 2}")], [piece("{}", "ring", "b")],
    ],
    "every call numbered 0": [
        [piece('{"n": 2}', "book", "a", index=0)], [piece("{}", "ring", "b", index=0)],
    ],
    "arguments as objects, all at once": [
        [piece({"n": 2}, "book", "a", index=0), piece({}, "ring", "b", index=1)],
    ],
    "without ids": [
        [piece('{"n": 2}', "book", index=0)], [piece("{}", "ring", index=1)],
    ],
    "the name in pieces": [
        [piece("", "bo", "a", index=0)], [piece("", "ok", index=0)], [piece('{"n": 2}', index=0)],
        [piece("{}", "ring", "b", index=1)],
    ],
    "the name growing": [
        [piece("", "bo", "a", index=0)], [piece('{"n": 2}', "book", "a", index=0)], [piece(None, "ring", "b", index=1)],
    ],
    "JSON in JSON": [
        [piece(json.dumps('{"n": 2}'), "book", "a", index=0)], [piece("", "ring", "b", index=1)],
    ],
    "interleaved": [
        [piece("", "book", "a", index=0)], [piece("", "ring", "b", index=1)], [piece('{"n": ', index=0)],
        [piece("{}", index=1)], [piece("2}", index=0)],
    ],
}  # fmt: skip


@pytest.mark.parametrize("way", STREAMED)
@pytest.mark.parametrize("finish", ["tool_calls", "stop", "function_call"])
def test_calls_are_read_from_servers_of_every_kind(way: str, finish: str) -> None:
    deltas = read(*(chunk(tool_calls=pieces) for pieces in STREAMED[way]), chunk(finish))
    assert calls(deltas) == [("book", {"n": 2}), ("ring", {})]
    ids = [delta.call.id for delta in deltas if isinstance(delta, CallDelta)]
    assert len(set(ids)) == 2 and all(ids)
    assert deltas[-1] == End("tool_calls")


@pytest.mark.parametrize("arguments", ['{"n": ', "[1]", "7", "{'n': 2} and more", "NaN", '{"n": NaN}'])
def test_broken_arguments_become_a_problem_for_the_model(arguments: str) -> None:
    (call, _) = read(chunk(tool_calls=[piece(arguments, "book", "a", index=0)]), chunk("tool_calls"))
    assert isinstance(call, CallDelta) and call.problem and call.call.arguments == {}


def test_the_legacy_function_call_is_read() -> None:
    head, tail = chunk(function_call={"name": "book", "arguments": '{"n"'}), chunk(function_call={"arguments": ": 2}"})
    assert calls(read(head, tail, chunk("function_call"))) == [("book", {"n": 2})]


def test_words_usage_and_the_length_stop_are_kept() -> None:
    usage = {
        "prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9,
        "prompt_tokens_details": {"cached_tokens": 5, "audio_tokens": 3}, "completion_tokens_details": None,
    }  # fmt: skip
    deltas = read(chunk(content="One"), chunk(content=" two"), chunk("length"), {"choices": [], "usage": usage})
    assert deltas[:2] == [TextDelta("One"), TextDelta(" two")]
    expected = {"input_tokens": 7, "input_audio_tokens": 3, "input_cached_tokens": 5, "output_tokens": 2}
    assert deltas[2] == End("length", expected)


@pytest.mark.parametrize(
    "strange",
    [
        {}, {"choices": None}, {"choices": [None]}, {"choices": [{}]}, {"choices": [{"delta": None}]},
        {"choices": "x"}, {"choices": [{"delta": {"content": None, "tool_calls": None, "audio": None}}]},
        {"choices": [{"delta": {"tool_calls": [None, {}, {"function": None}]}}]}, {"usage": "x", "choices": []},
        {"choices": [{"delta": {"content": 7, "audio": "x", "role": "assistant"}}]}, {"object": "ping"},
        {"choices": [{"delta": {"reasoning_content": "hmm", "reasoning": "hmm"}}]},
    ],
)  # fmt: skip
def test_chunks_of_strange_form_do_no_harm(strange: dict[str, Any]) -> None:
    assert read(strange, chunk(content="a"), strange, chunk("stop")) == [TextDelta("a"), End("stop")]


def test_an_error_in_the_stream_a_broken_answer_and_a_filter_are_errors() -> None:
    with pytest.raises(BackendError, match="failed in the middle.*out of memory"):
        read(chunk(content="a"), {"error": {"message": "out of memory", "code": 500}})
    with pytest.raises(BackendError, match="broke off"):
        read(chunk(content="a"))
    with pytest.raises(BackendError, match="content filter"):
        read(chunk(content="a"), chunk("content_filter"))


TONE = Audio(0.4 * np.sin(np.arange(480) / 5), 24_000)


@given(st.lists(st.integers(0, 960), max_size=6), st.booleans(), st.booleans())
def test_sound_is_whole_for_any_cut(cuts: list[int], header: bool, padded: bool) -> None:
    pcm = TONE.to_pcm16()
    if header:
        pcm = TONE.to_bytes("wav")[:44] + pcm
    places = sorted({min(cut, len(pcm)) for cut in cuts} | {0, len(pcm)})
    pieces = [base64.b64encode(pcm[start:stop]).decode() for start, stop in zip(places, places[1:], strict=False)]
    pieces = pieces if padded else [piece.rstrip("=") for piece in pieces]
    deltas = read(*(chunk(audio={"data": piece}) for piece in pieces), chunk("stop"))
    sound = Audio.concat([delta.audio for delta in deltas if isinstance(delta, AudioDelta)])
    assert sound.sample_rate == 24_000 and sound.to_pcm16() == TONE.to_pcm16()


def test_the_transcript_of_sound_is_the_text_unless_the_text_comes_by_itself() -> None:
    spoken = chunk(audio={"transcript": "Hello", "data": base64.b64encode(TONE.to_pcm16()).decode()})
    assert [type(delta) for delta in read(spoken, chunk("stop"))] == [TextDelta, AudioDelta, End]
    deltas = read(chunk(content="Hello"), spoken, chunk("stop"))
    assert [delta.text for delta in deltas if isinstance(delta, TextDelta)] == ["Hello"]


def test_sound_in_a_choice_of_its_own_is_heard() -> None:
    data = base64.b64encode(TONE.to_pcm16()).decode()
    sound = {"choices": [{"index": 1, "delta": {"audio": {"data": data, "transcript": ""}}, "finish_reason": "stop"}]}
    deltas = read(chunk(content="Hello"), chunk("stop"), sound)
    assert [type(delta) for delta in deltas] == [TextDelta, AudioDelta, End]


def test_sound_that_is_not_base64_is_an_error() -> None:
    with pytest.raises(BackendError, match="not base64"):
        read(chunk(audio={"data": "§§"}))
