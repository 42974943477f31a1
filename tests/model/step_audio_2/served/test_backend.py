"""Step-Audio 2 on servers of each kind: real sockets and requests, byte by byte."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import time
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr
from support.openai_server import ChatServer, Reply, chat_server
from support.sounds import tone
from support.step_audio_2 import CharacterVocabulary, speech_tokens
from support.step_audio_2_server import (
    IDS,
    Tones,
    call_ids,
    omni_chunks,
    spoken_ids,
    stepfun_chunks,
    surround,
    vllm_chunks,
)

from agentaudio import Agent, GenerateOptions, tool
from agentaudio.conversation import AudioPart, Conversation, SpeechPart, TextPart, ToolSpec
from agentaudio.errors import AgentAudioError, BackendError, OptionError
from agentaudio.model.clip_voice import ClipVoice
from agentaudio.model.speech_lm import AudioDelta, Delta, End, TextDelta, TokensDelta
from agentaudio.model.step_audio_2.served.backend import ServedStepAudio2
from agentaudio.model.step_audio_2.served.load import load
from agentaudio.model.step_audio_2.tasks import HasTasks
from agentaudio.model.step_audio_2.token2wav.remote import RemoteDecoder
from agentaudio.sound.audio import Audio

VOCABULARY = CharacterVocabulary()
KEY = "sk-secret-1234567890"


@asynccontextmanager
async def served(
    server: ChatServer, *, exact: bool = True, speech: Any = None, **options: Any
) -> AsyncIterator[ServedStepAudio2]:
    model = load(None, base_url=server.url, api_key=SecretStr(KEY), **({"progress_timeout_s": 5.0} | options))
    model._vocabulary = VOCABULARY if exact else None
    if speech is not None:
        made = ServedStepAudio2(
            model._server, speech=speech, vocabulary=model._vocabulary, progress_timeout_s=model._progress_timeout_s
        )
        model = made
    try:
        yield model
    finally:
        await model.aclose()


def asked(*parts: str | Audio) -> Conversation:
    conversation = Conversation()
    conversation.add("user", *(TextPart(part) if isinstance(part, str) else AudioPart(part) for part in parts))
    return conversation


async def answer(model: ServedStepAudio2, conversation: Conversation | None = None, **options: Any) -> list[Delta]:
    conversation = conversation or asked("hello")
    tools = options.pop("tools", ())
    voice = options.pop("voice", None)
    generated = model.generate(conversation, tools=tools, voice=voice, options=GenerateOptions(**options))
    return [delta async for delta in generated]


def text(deltas: list[Delta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


def codes(deltas: list[Delta]) -> list[int]:
    return [code for delta in deltas if isinstance(delta, TokensDelta) for code in delta.tokens.ids]


def sound(deltas: list[Delta]) -> Audio:
    return Audio.concat([delta.audio for delta in deltas if isinstance(delta, AudioDelta)])


RING = ToolSpec("ring", "Ring the bell.", {"type": "object", "properties": {"times": {"type": "integer"}}})


@tool
def ring(times: int) -> str:
    """Ring the bell."""
    return f"It rang {times} times."


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("at_once", [1, 3, 50])
async def test_text_speech_and_calls_are_split_as_they_stream(exact: bool, at_once: int) -> None:
    said = list(range(0, 400, 10))
    spoken, call = spoken_ids(VOCABULARY, "Grüße, 你好", said, ends=False), call_ids(VOCABULARY, "ring", {"times": 2})
    ids = [*spoken, *call, IDS.eot]
    calls = [] if exact else [("ring", '{"times": 2}')]
    chunks = vllm_chunks(VOCABULARY, ids, at_once=at_once, with_ids=exact, calls=calls)
    async with chat_server() as server, served(server, exact=exact, speech=Tones()) as model:
        surround(server, chunks)
        deltas = await answer(model, tools=[RING])
    assert text(deltas) == "Grüße, 你好" and codes(deltas) == said
    assert sound(deltas).duration == pytest.approx(len(said) / 25)
    calls_made = [delta for delta in deltas if type(delta).__name__ == "CallDelta"]
    assert [(one.call.name, one.call.arguments, one.problem) for one in calls_made] == [("ring", {"times": 2}, None)]  # type: ignore[union-attr]
    end = deltas[-1]
    assert isinstance(end, End) and end.reason == "tool_calls" and end.usage["output_audio_tokens"] == len(said)


async def test_a_call_left_in_the_text_by_a_server_without_the_tool_parser_is_read() -> None:
    ids = [*call_ids(VOCABULARY, "ring", {"times": 3}), IDS.eot]
    async with chat_server() as server, served(server, exact=False) as model:
        surround(server, vllm_chunks(VOCABULARY, ids, with_ids=False))
        deltas = await answer(model, tools=[RING], speak=False)
    assert [type(delta).__name__ for delta in deltas] == ["CallDelta", "End"]


async def test_a_turn_with_a_tool_sends_what_the_plug_in_reads() -> None:
    first = [*spoken_ids(VOCABULARY, "One moment.", [1, 2, 3], ends=False), *call_ids(VOCABULARY, "ring", {"times": 2})]
    second = spoken_ids(VOCABULARY, "It rang.", [4, 5, 6, 7])
    async with chat_server() as server, served(server, speech=Tones()) as model:
        around = surround(server, vllm_chunks(VOCABULARY, [*first, IDS.eot]), vllm_chunks(VOCABULARY, second))
        session = Agent(model, tools=[ring]).session()
        reply = await session.run(tone(duration_s=26.0, sample_rate=24_000))
        assert reply.text == "One moment. It rang." and reply.audio is not None
        await session.run("thank you")
    one, two, three = (request.json for request in around.asked)
    assert around.asked[0].headers["authorization"] == f"Bearer {KEY}"
    assert (one["model"], one["stream"], one["return_token_ids"]) == ("mini", True, True)
    assert one["skip_special_tokens"] is False
    assert (one["continue_final_message"], one["add_generation_prompt"]) == (True, False)
    assert (one["temperature"], one["top_p"], one["repetition_penalty"], one["max_tokens"]) == (0.7, 0.9, 1.05, 4096)
    assert one["tools"][0]["function"]["name"] == "ring" and IDS.eot in one["stop_token_ids"]
    assert one["messages"][-1] == {"role": "assistant", "content": "<tts_start>"}
    heard = [part for part in one["messages"][1]["content"] if part["type"] == "input_audio"]
    assert [Audio.load(base64.b64decode(part["input_audio"]["data"])).duration for part in heard] == [25.0, 1.0]
    spoke, result = two["messages"][2], two["messages"][3]
    assert spoke["token_ids"] == [IDS.tts_start, *first] and spoke["content"][0]["codes"] == [1, 2, 3]
    assert json.loads(spoke["tool_calls"][0]["function"]["arguments"]) == {"times": 2}
    assert (result["role"], result["tool_call_id"]) == ("tool", spoke["tool_calls"][0]["id"])
    assert three["messages"][4]["token_ids"] == [IDS.tts_start, *second[:-1]]


async def test_sound_arrives_at_the_server_unchanged() -> None:
    voice = Audio(np.random.default_rng(0).normal(0, 0.1, 8_000).astype(np.float32), 16_000)
    async with chat_server() as server, served(server) as model:
        around = surround(server, vllm_chunks(VOCABULARY, [*VOCABULARY.encode("ok"), IDS.eot]))
        await answer(model, asked(voice, "what is this? <|EOT|>"), speak=False)
    parts = around.asked[0].json["messages"][1]["content"]
    assert np.array_equal(Audio.load(base64.b64decode(parts[0]["input_audio"]["data"])).samples, voice.samples)
    assert parts[1]["text"] == "what is this? <|EOT|>"  # the plug-in takes it for text
    assert around.asked[0].json["add_generation_prompt"] is True


async def test_an_answer_of_another_model_in_the_history_is_sent_with_its_words_and_codes() -> None:
    conversation = asked("hello")
    conversation.add("assistant", SpeechPart("Good day.", tokens=speech_tokens([7, 8, 9])))
    conversation.add("user", "and now?")
    for kind, sent in {
        "vllm": {"role": "assistant", "content": [{"type": "text", "text": "Good day.", "codes": [7, 8, 9]}]},
        "stepfun": {"role": "assistant", "content": None,
                    "tts_content": {"tts_text": "Good day.", "tts_audio": "<audio_7><audio_8><audio_9>"}},
        "vllm-omni": {"role": "assistant", "content": "Good day."},
    }.items():  # fmt: skip
        async with chat_server() as server, served(server, exact=False, dialect=kind) as model:
            around = surround(server, vllm_chunks(VOCABULARY, [*VOCABULARY.encode("ok"), IDS.eot], with_ids=False))
            await answer(model, conversation, speak=False)
        assert around.asked[0].json["messages"][2] == sent, kind


async def test_stepfuns_own_server_is_found_out_and_spoken_with() -> None:
    said = list(range(100, 140))
    call = [("search", '{"query": "weather"}')]
    async with chat_server() as server, served(server, exact=False, speech=Tones()) as model:
        around = surround(server, stepfun_chunks("Hello there", said, after=" Bye.", calls=call), kind="stepfun")
        deltas = await answer(model, asked(tone(duration_s=1.0), "a <|EOT|> b"))
    assert text(deltas) == "Hello there Bye." and codes(deltas) == said
    assert sound(deltas).duration == pytest.approx(len(said) / 25)
    sent = around.asked[0].json
    assert [message["role"] for message in sent["messages"]] == ["system", "human", "assistant"]
    assert sent["messages"][1]["content"][1]["text"] == "a < |EOT|> b" and "return_token_ids" not in sent
    assert Audio.load(base64.b64decode(sent["messages"][1]["content"][0]["input_audio"]["data"])).sample_rate == 16_000


async def test_the_sound_of_vllm_omni_is_played_and_its_tokens_may_be_spoken_here_instead() -> None:
    pcm = tone(duration_s=0.5, sample_rate=24_000).to_pcm16()
    async with chat_server() as server, served(server, exact=False, dialect="vllm-omni") as model:
        around = surround(server, omni_chunks("Good day.", pcm))
        assert (model.capabilities.voices, model.capabilities.calls_tools) == ("fixed", False)
        deltas = await answer(model, asked(tone(duration_s=1.0)))
        assert text(deltas) == "Good day." and sound(deltas).duration == pytest.approx(0.5)
        sent = around.asked[0].json
        assert sent["modalities"] == ["text", "audio"]
        assert sent["messages"][1]["content"][0]["audio_url"]["url"].startswith("data:audio/wav;base64,")
    ids = spoken_ids(VOCABULARY, "Hi", [1] * 25)
    voice = ClipVoice(tone(duration_s=3.0), id="mine")
    speech = Tones()
    async with chat_server() as server, served(server, exact=False, speech=speech) as model:
        around = surround(server, vllm_chunks(VOCABULARY, ids, with_ids=False), kind="vllm-omni")
        deltas = await answer(model, voice=voice)
        assert sound(deltas).duration == pytest.approx(1.0) and speech.voices == ["mine"]
        assert around.asked[0].json["modalities"] == ["text"]
        with pytest.raises(BackendError, match="vllm-omni cannot be given tools"):
            await answer(model, tools=[RING])


async def test_another_vocabulary_is_named_before_anything_is_asked() -> None:
    async with chat_server() as server, served(server) as model:
        around = surround(server, [b""], tokens=[27, 83, 1, 2, 3], models=["qwen"])
        for work in (model.warm_up(), answer(model)):
            with pytest.raises(BackendError, match=r"'qwen'.*is not that of Step-Audio 2.*agentaudio\[vllm\]"):
                await work
        assert not around.asked


async def test_an_answer_without_speech_of_a_server_that_hides_its_vocabulary_is_refused() -> None:
    chunks = vllm_chunks(VOCABULARY, [*VOCABULARY.encode("I am a text model."), IDS.eot], with_ids=False)
    async with chat_server() as server, served(server, exact=False, speech=Tones()) as model:
        surround(server, chunks, tokens=None)
        with pytest.raises(BackendError, match="without speech tokens.*plug-in|without speech tokens.*agentaudio"):
            await answer(model)
        assert text(await answer(model, speak=False)) == "I am a text model."


@pytest.mark.parametrize("sent", [-1, 999_999, 1.5, "12", None, True])
async def test_token_ids_that_no_vocabulary_has_are_refused(sent: Any) -> None:
    chunks = vllm_chunks(VOCABULARY, spoken_ids(VOCABULARY, "Hi", [1, 2, 3]))
    broken = chunks[1].replace(b'"token_ids": [', f'"token_ids": [{json.dumps(sent)}, '.encode())
    assert broken != chunks[1]
    async with chat_server() as server, served(server, speech=Tones()) as model:
        surround(server, [chunks[0], broken, *chunks[2:]])
        with pytest.raises(BackendError, match="token id"):
            await answer(model)


async def test_a_model_that_is_not_served_and_several_without_a_choice_are_named() -> None:
    async with chat_server() as server:
        surround(server, [b""], models=["a", "b"])
        for name, said in ((None, "several models.*a, b"), ("c", "does not serve 'c'.*a, b")):
            model = load(name, base_url=server.url)
            with pytest.raises(BackendError, match=said):
                await answer(model)
            await model.aclose()


BEGUN = vllm_chunks(VOCABULARY, spoken_ids(VOCABULARY, "Hello", [1] * 20))[:4]
HOSTILE: dict[str, tuple[Reply, str]] = {
    "dies": (Reply(BEGUN, cut=True), "broke off"),
    "ends early": (Reply(BEGUN), "broke off"),
    "hangs": (Reply(BEGUN, stall=True), "sent neither"),
    "sends rubbish": (Reply([b"data: \xff\xfe{not json\n\n"]), "not JSON"),
    "sends a page": (
        Reply([b"<html>hello</html>"], headers={"content-type": "text/html"}), "sent text/html instead of an answer",
    ),
    "sends a list": (Reply([b"data: [1, 2]\n\n"]), "JSON object"),
    "reports an error": (Reply([b'data: {"error": {"message": "CUDA out of memory"}}\n\n']), "CUDA out of memory"),
    "refuses": (Reply([b'{"error": {"message": "\\"auto\\" tool choice requires --enable-auto-tool-choice"}}'],
                      status=400, headers={"content-type": "application/json"}), "enable-auto-tool-choice"),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
async def test_a_server_that_fails_gives_one_clear_line_in_time_and_loses_nothing(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    reply, said = HOSTILE[kind]
    good = vllm_chunks(VOCABULARY, spoken_ids(VOCABULARY, "Fine.", [5] * 12))
    speech = Tones()
    async with chat_server() as server, served(server, speech=speech, progress_timeout_s=1.0) as model:
        around = surround(server, good, reply, Reply(good))
        session = Agent(model).session()
        await session.run("hello")
        begun = time.monotonic()
        with pytest.raises(BackendError, match=said) as caught:
            await session.run(tone(duration_s=1.0))
        assert time.monotonic() - begun < 6.0 and "\n" not in str(caught.value)
        shown = "".join(traceback.format_exception(caught.value)) + caplog.text + repr(vars(model))
        assert KEY not in shown
        assert len(around.asked) == 2  # nothing is repeated once something has come
        assert (await session.run("are you there?")).text == "Fine."
        sent = around.asked[2].json["messages"]
        assert [message["role"] for message in sent][:3] == ["system", "user", "assistant"]
        assert sent[2]["token_ids"] == [IDS.tts_start, *spoken_ids(VOCABULARY, "Fine.", [5] * 12, ends=False)]


async def test_a_server_without_the_plug_in_is_told_by_its_prompts() -> None:
    chunks = vllm_chunks(VOCABULARY, spoken_ids(VOCABULARY, "Hello", [1] * 40), prompt=[151_644, 8948])
    async with chat_server() as server, served(server, speech=Tones()) as model:
        surround(server, chunks, tokens=None)
        with pytest.raises(BackendError, match=r"begins the prompt with 151644.*agentaudio\[vllm\]"):
            await answer(model)


async def test_an_overloaded_server_is_asked_again_before_the_first_delta() -> None:
    busy = Reply([b'{"error": "busy"}'], status=503, headers={"content-type": "application/json", "retry-after": "0"})
    async with chat_server() as server, served(server, speech=Tones()) as model:
        around = surround(server, busy, Reply(vllm_chunks(VOCABULARY, spoken_ids(VOCABULARY, "Hi", [1] * 9))))
        assert text(await answer(model)) == "Hi" and len(around.asked) == 2


async def test_a_server_that_is_not_there_is_named() -> None:
    model = load(None, base_url="http://127.0.0.1:9/v1", api_key=SecretStr(KEY))
    with pytest.raises(BackendError, match=r"step-audio-2 at http://127.0.0.1:9/v1 cannot be reached"):
        await answer(model)
    await model.aclose()


async def test_a_server_that_never_says_what_it_serves_is_given_up_in_time() -> None:
    async with chat_server(Reply(stall=True)) as server, served(server, progress_timeout_s=0.5) as model:
        begun = time.monotonic()
        with pytest.raises(BackendError, match="did not say within 0.5 s"):
            await answer(model)
        assert time.monotonic() - begun < 3.0


async def test_closing_an_answer_closes_the_request_and_ends_the_sound() -> None:
    chunks = vllm_chunks(VOCABULARY, spoken_ids(VOCABULARY, "Hello there", [1] * 60))
    async with chat_server() as server, served(server, speech=Tones()) as model:
        surround(server, Reply(chunks[:6], stall=True))
        generated = model.generate(asked("hello"))
        await anext(generated)
        assert server.answering == 1
        await generated.aclose()
        async with asyncio.timeout(3):
            while server.answering:
                await asyncio.sleep(0.01)


async def test_closing_an_answer_does_not_wait_for_a_service_that_hangs() -> None:
    chunks = vllm_chunks(VOCABULARY, spoken_ids(VOCABULARY, "Hello there", [1] * 60))
    async with chat_server() as server, chat_server(Reply(stall=True)) as hanging:
        surround(server, Reply(chunks[:6], stall=True))
        remote = RemoteDecoder(hanging.url.removesuffix("/v1"), timeout_s=30.0)
        async with served(server, speech=remote) as model:
            generated = model.generate(asked("hello"))
            await anext(generated)
            begun = time.monotonic()
            await generated.aclose()
            assert time.monotonic() - begun < 5.0


async def test_a_stop_string_ends_the_answer_and_the_request() -> None:
    chunks = vllm_chunks(VOCABULARY, spoken_ids(VOCABULARY, "One. Two. Three.", [1] * 60))
    async with chat_server() as server, served(server, speech=Tones()) as model:
        surround(server, Reply(chunks[:-3], stall=True))
        deltas = await answer(model, stop=(" Two",))
        assert text(deltas) == "One." and deltas[-1] == End("stop", deltas[-1].usage)  # type: ignore[union-attr]


async def test_a_failure_of_the_sound_ends_the_answer_with_its_reason() -> None:
    chunks = vllm_chunks(VOCABULARY, spoken_ids(VOCABULARY, "Hello", [1] * 40))
    async with chat_server() as server, served(server, speech=Tones(ValueError("torch says no"))) as model:
        surround(server, Reply(chunks[:-3], stall=True))
        with pytest.raises(BackendError, match="speech decoder failed.*torch says no"):
            await answer(model)


async def test_a_closed_model_stops_its_answers_and_refuses_more() -> None:
    chunks = vllm_chunks(VOCABULARY, spoken_ids(VOCABULARY, "Hello", [1] * 40))
    async with chat_server() as server, served(server, speech=Tones()) as model:
        surround(server, Reply(chunks[:4], stall=True))
        running = asyncio.ensure_future(answer(model))
        async with asyncio.timeout(5):
            while not server.answering:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        await model.aclose()
        with pytest.raises(BackendError, match="was closed"):
            await running
        with pytest.raises(BackendError, match="load it again"):
            await answer(model)


async def test_the_context_is_what_the_server_says_and_is_counted_rather_high() -> None:
    async with chat_server() as server, served(server, exact=False) as model:
        surround(server, vllm_chunks(VOCABULARY, [IDS.eot], with_ids=False))
        assert model.context_tokens == 16_384
        await model.warm_up()
        assert model.context_tokens == 4096
        counted = model.count_tokens(asked(tone(duration_s=10.0), "How many words are in this sentence of ours?"))
        assert 125 < counted < 400


async def test_tasks_of_the_native_model_work_on_a_server() -> None:
    async with chat_server() as server, served(server) as model:
        around = surround(server, vllm_chunks(VOCABULARY, [*VOCABULARY.encode("good morning"), IDS.eot]))
        assert isinstance(model, HasTasks)
        assert await model.transcribe(tone(duration_s=1.0)) == "good morning"
        assert await model.translate(tone(duration_s=1.0), "zh") == "good morning"
        with pytest.raises(OptionError, match="de"):
            await model.translate(tone(duration_s=1.0), "de")  # type: ignore[arg-type]
    sent = around.asked[0].json
    assert sent["messages"][0]["content"] == "请记录下你所听到的语音内容。" and sent["temperature"] == 0
    assert sent["add_generation_prompt"] and "tools" not in sent


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"token2wav": "/no/such/folder"}, "neither a folder nor an address"),
        ({"base_url": "127.0.0.1:8000"}, "not an address"),
        ({"progress_timeout_s": 0}, "seconds above 0"),
        ({"tokenizer": "/no/such/tokenizer.json"}, "is missing"),
    ],
)
def test_bad_options_are_refused_at_once(options: dict[str, Any], said: str) -> None:
    from pathlib import Path

    if "tokenizer" in options:
        options = {"tokenizer": Path(options["tokenizer"])}
    with pytest.raises(AgentAudioError, match=said):
        load(None, **options)
