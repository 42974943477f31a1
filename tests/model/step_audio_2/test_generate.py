"""Step-Audio 2 as a backend: it drives the loop, stops when cancelled, and reuses cached prompts."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the model needs torch")
pytest.importorskip("transformers", reason="the model needs transformers")

from support.step_audio_2 import speech_tokens  # noqa: E402
from support.step_audio_2_answers import (  # noqa: E402
    answer,
    asked,
    call,
    codes,
    dictate,
    ending,
    noise,
    spoken,
    text,
)
from support.step_audio_2_tiny import count_encodings  # noqa: E402

from agentaudio import Agent, Audio, tool  # noqa: E402
from agentaudio.conversation import AudioPart, Conversation, SpeechPart, ToolSpec  # noqa: E402
from agentaudio.errors import AudioError, BackendError, ModelError, OptionError  # noqa: E402
from agentaudio.events import TextSpoken as Said  # noqa: E402
from agentaudio.model.registry import load_model  # noqa: E402
from agentaudio.model.speech_lm import (  # noqa: E402
    CallDelta,
    Delta,
    GenerateOptions,
    SpeechLM,
    TokensDelta,
)
from agentaudio.model.step_audio_2.generate import StepAudio2  # noqa: E402
from agentaudio.model.step_audio_2.settings import Sampling  # noqa: E402
from agentaudio.model.step_audio_2.tokens import BpeVocabulary, TokenIds  # noqa: E402

IDS = TokenIds()
THREAD = "step-audio-2"


async def test_streams_text_and_speech_tokens_and_ends(model: StepAudio2, vocabulary: BpeVocabulary) -> None:
    assert isinstance(model, SpeechLM)
    dictate(model, spoken(vocabulary, "你好, you", [5, 6560, 0, 7, 1, 2]))
    deltas = await answer(model, asked(noise()), options=GenerateOptions())
    assert text(deltas) == "你好, you"
    assert codes(deltas) == [5, 6560, 0, 7, 1, 2]
    end = ending(deltas)
    assert end.reason == "stop"
    assert end.usage["cached_tokens"] == 0 < end.usage["input_tokens"]
    # The first piece of text is whole once its last byte is there, and comes before later sound.
    assert isinstance(deltas[2], TokensDelta)


async def test_speak_false_asks_for_text(model: StepAudio2, vocabulary: BpeVocabulary) -> None:
    dictate(model, [*vocabulary.encode("plain words"), IDS.eot])
    deltas = await answer(model, asked("hi"), options=GenerateOptions(speak=False))
    assert (text(deltas), codes(deltas), ending(deltas).reason) == ("plain words", [], "stop")


async def test_agent_loop_calls_a_tool_and_answers(model: StepAudio2, vocabulary: BpeVocabulary) -> None:
    called = []

    @tool
    def add(a: int, b: int) -> str:
        """Add two numbers."""
        called.append((a, b))
        return str(a + b)

    dictate(
        model,
        [*spoken(vocabulary, "wait", [1, 2])[:-1], *call(vocabulary, "add", '{"a": 2, "b": 3}'), IDS.eot],
        spoken(vocabulary, "five", [3, 4, 5]),
        spoken(vocabulary, "bye", [6]),
    )
    encoded = count_encodings(model._weights.model)  # type: ignore[union-attr]
    agent = Agent(model, tools=[add], instructions="Count.")
    session = agent.session()
    reply = await session.run(noise())
    assert called == [(2, 3)]
    assert reply.text == "wait five"
    assert reply.stop == "answered"
    roles = [message.role for message in session.conversation]
    assert roles == ["system", "user", "assistant", "tool", "assistant"]
    reply = await session.run(noise(1))
    assert reply.text == "bye"
    assert encoded == [1, 1]  # two sounds in three generations


async def test_problems_of_a_call_are_reported_with_it(model: StepAudio2, vocabulary: BpeVocabulary) -> None:
    spec = ToolSpec("look", "", {"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]})
    cut = call(vocabulary, "look", '{"at": "the')[:-1]
    dictate(model, [IDS.tts_end, *call(vocabulary, "look", "{}"), *cut, IDS.eot])
    deltas = await answer(model, asked("hi"), tools=[spec], options=GenerateOptions(temperature=0))
    problems = [delta.problem for delta in deltas if isinstance(delta, CallDelta)]
    assert [problem and problem.split()[0] for problem in problems] == ["look", "the"]
    assert ending(deltas).reason == "tool_calls"


async def test_native_names_of_tools_come_out_as_ours(model: StepAudio2, vocabulary: BpeVocabulary) -> None:
    schema = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
    specs = [ToolSpec("audio_search", "Find a voice.", schema)]
    dictate(model, [IDS.tts_end, *call(vocabulary, "timbre_rag", '{"query": "默认男音色"}'), IDS.eot])
    deltas = await answer(model, asked("hi"), tools=specs, options=GenerateOptions())
    (made,) = [delta for delta in deltas if isinstance(delta, CallDelta)]
    assert made.problem is None
    assert (made.call.name, dict(made.call.arguments)) == ("audio_search", {"query": "default"})


async def test_second_turn_reuses_the_states_of_the_first(model: StepAudio2) -> None:
    encoded = count_encodings(model._weights.model)  # type: ignore[union-attr]
    conversation = asked(noise())
    first = await answer(model, conversation)
    conversation.add("assistant", SpeechPart(text(first).strip(), None, speech_tokens(codes(first))))
    conversation.add("user", AudioPart(noise(1)))
    second = await answer(model, conversation)
    assert encoded == [1, 1]
    used = ending(first).usage
    # All of the first prompt and its answer but the last id, which the model had not read.
    assert ending(second).usage["cached_tokens"] == used["input_tokens"] + used["output_tokens"] - 1
    model._kept.clear()
    assert text(await answer(model, conversation)) == text(second)


async def test_an_interrupted_turn_is_gone_on_from(model: StepAudio2) -> None:
    conversation = asked(noise())
    heard: list[Delta] = []
    async with contextlib.aclosing(model.generate(conversation, options=GenerateOptions(temperature=0))) as deltas:
        async for delta in deltas:
            heard.append(delta)
            if len(heard) == 5:
                break
    conversation.add("assistant", SpeechPart(text(heard).strip(), None, speech_tokens(codes(heard)), interrupted=True))
    conversation.add("user", "go on")
    again = await answer(model, conversation)
    first = ending(await answer(model, asked(noise()), options=GenerateOptions(temperature=0, max_tokens=1)))
    # All that was said, but perhaps the last id, which the model may not have read yet.
    assert ending(again).usage["cached_tokens"] >= first.usage["input_tokens"] + len(heard) - 1


async def test_closing_stops_within_one_token(model: StepAudio2) -> None:
    passes = 0

    def count(*_: Any) -> None:
        nonlocal passes
        passes += 1

    model._weights.model.register_forward_hook(count)  # type: ignore[union-attr]
    tasks = asyncio.all_tasks()
    async with contextlib.aclosing(model.generate(asked("hi"), options=GenerateOptions(max_tokens=2000))) as deltas:
        async for _ in deltas:
            stopped_at = passes
            break
    assert passes <= stopped_at + 2  # the one being worked on when the delta was handed over, and when it closed
    await asyncio.sleep(0.05)
    assert passes <= stopped_at + 2
    assert asyncio.all_tasks() == tasks
    assert not model._running
    assert not [thread for thread in threading.enumerate() if thread.name == THREAD]


async def test_cancelling_the_agents_turn_leaves_nothing_running(model: StepAudio2) -> None:
    session = Agent(model, options=GenerateOptions(max_tokens=2000)).session()
    turn = asyncio.ensure_future(_until_it_speaks(session))
    await turn
    await session.interrupt()
    assert not [thread for thread in threading.enumerate() if thread.name == THREAD]
    assert not model._running
    assert session.conversation.messages[-1].role == "assistant"
    part = session.conversation.messages[-1].parts[0]
    assert isinstance(part, SpeechPart) and part.interrupted


async def _until_it_speaks(session: Any) -> None:
    async with contextlib.aclosing(session.stream("hello")) as events:
        async for event in events:
            if isinstance(event, Said) and event.text.strip():
                return


async def test_cancelled_before_the_first_token(model: StepAudio2) -> None:
    task = asyncio.create_task(answer(model, asked(noise(0, 20.0))))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not [thread for thread in threading.enumerate() if thread.name == THREAD]


async def test_same_seed_same_answer(model: StepAudio2) -> None:
    async def draw(seed: int) -> str:
        return text(await answer(model, asked("hi"), options=GenerateOptions(seed=seed, max_tokens=6, speak=False)))

    assert await draw(1) == await draw(1) != await draw(2)


async def test_concurrent_answers_equal_those_given_one_by_one(model: StepAudio2) -> None:
    questions = [asked(noise(seed), f"question {seed}") for seed in range(4)]
    alone = [text(await answer(model, question)) for question in questions]
    model._kept.clear()
    together = await asyncio.gather(*(answer(model, question) for question in questions))
    assert [text(deltas) for deltas in together] == alone


async def test_max_tokens_and_stop_strings_end_an_answer(model: StepAudio2, vocabulary: BpeVocabulary) -> None:
    said = await answer(model, asked("hi"), options=GenerateOptions(temperature=0, max_tokens=3))
    assert ending(said).reason == "length"
    assert ending(said).usage["output_tokens"] == 3
    dictate(model, vocabulary.encode("one two three"))
    said = await answer(model, asked("hi"), options=GenerateOptions(speak=False, stop=("two", "never")))
    assert (text(said), ending(said).reason) == ("one ", "stop")


async def test_a_thought_comes_first_and_stays_inside(folder: Path, vocabulary: BpeVocabulary) -> None:
    model = StepAudio2.load(folder, device="cpu", dtype="float32", think=True)
    encoded = count_encodings(model._weights.model)  # type: ignore[union-attr]
    dictate(model, vocabulary.encode("who asks?</think>"), spoken(vocabulary, "me", [1]), spoken(vocabulary, "hm", []))
    conversation = asked(noise())
    deltas = await answer(model, conversation, options=GenerateOptions())
    assert (text(deltas), codes(deltas)) == ("me", [1])
    assert ending(deltas).usage["thought_tokens"] == len("who asks?</think>")
    assert encoded == [1]
    conversation.add("assistant", SpeechPart("me", None, speech_tokens([1])))
    conversation.add("user", "and?")
    request = model._request(conversation, (), Sampling(), 8, GenerateOptions(), False)
    assert "who asks?" not in str(request.prompt)
    await model.aclose()


async def test_warm_up_caches_the_prompt_of_the_first_turn(model: StepAudio2) -> None:
    spec = ToolSpec("look", "Look at something.", {"type": "object", "properties": {}})
    await model.warm_up([spec])
    deltas = await answer(model, asked("hi"), tools=[spec])
    usage = ending(deltas).usage
    assert usage["cached_tokens"] > 0.8 * usage["input_tokens"]


async def test_closed_model_says_so(folder: Path) -> None:
    model = StepAudio2.load(folder, device="cpu")
    deltas = model.generate(asked("hi"), options=GenerateOptions(max_tokens=2000))
    await anext(deltas)
    await model.aclose()
    await model.aclose()
    with pytest.raises(BackendError, match="closed"):
        async for _ in deltas:
            pass
    with pytest.raises(BackendError, match="closed; load it again"):
        await answer(model, asked("hi"))


async def test_overlong_conversations_name_the_limit(model: StepAudio2) -> None:
    with pytest.raises(BackendError, match=r"limit is 16,384"):
        await answer(model, asked(noise(0, 1320.0, 1000)))
    with pytest.raises(AudioError, match="takes at most 1179 s"):
        await Agent(model).run(noise(0, 1320.0, 1000))
    with pytest.raises(BackendError, match=r"limit is 16,384"):
        await answer(model, asked("word " * 4000))


@pytest.mark.parametrize(
    "audio",
    [
        Audio(np.zeros(16_000), 16_000),
        noise(0, 0.5, 8_000),
        Audio(np.random.default_rng(0).normal(0, 0.1, (24_000, 2)), 48_000),
        Audio((np.random.default_rng(0).normal(0, 0.1, 8000) * 2**15).astype(np.int16), 16_000),
        Audio((np.random.default_rng(0).normal(0, 0.1, 8000) * 2**31).astype(np.int32), 16_000),
        Audio(np.random.default_rng(0).normal(0, 0.1, 8000).astype(np.float64), 16_000),
        Audio(np.full(1, 0.1), 16_000),
    ],
    ids=["silence", "telephone", "stereo", "int16", "int32", "float64", "one sample"],
)
async def test_any_sound_is_answered(model: StepAudio2, audio: Audio) -> None:
    assert ending(await answer(model, asked(audio), options=GenerateOptions(temperature=0, max_tokens=2)))


async def test_ten_minutes_are_heard_in_pieces(folder: Path) -> None:
    model = StepAudio2.load(folder, device="cpu")
    encoded = count_encodings(model._weights.model)  # type: ignore[union-attr]
    deltas = await answer(model, asked(noise(0, 600.0, 8_000)), options=GenerateOptions(temperature=0, max_tokens=2))
    assert sum(encoded) == 24
    assert ending(deltas).usage["input_tokens"] > 24 * 313
    await model.aclose()


async def test_bad_sounds_give_one_clear_error(model: StepAudio2, tmp_path: Path) -> None:
    fake = tmp_path / "words.wav"
    fake.write_text("these are words")
    with pytest.raises(AudioError, match="words.wav is not a sound file"):
        await Agent(model).run(fake)
    with pytest.raises(AudioError, match="holds no sound"):
        await Agent(model).run(Audio(np.zeros(0), 16_000))
    with pytest.raises(AudioError, match="is silent"):
        await Agent(model).run(Audio(np.zeros(16_000), 16_000))
    with pytest.raises(AudioError, match="holds no samples"):
        await answer(model, asked(Audio(np.zeros(0), 16_000)))
    for bad in (np.nan, np.inf):
        with pytest.raises(AudioError, match="NaN or infinite"):
            Audio(np.array([0.0, bad]), 16_000)


async def test_impossible_options_and_empty_conversations_are_refused(model: StepAudio2) -> None:
    for options, words in (
        ({"temperature": -1}, "temperature"),
        ({"max_tokens": 0}, "max_tokens is 0"),
        ({"stop": ("",)}, "none of them empty"),
        ({"stop": "end"}, "stop is 'end'"),
        ({"max_tokens": 1.5}, "an integer"),
        ({"seed": 1.5}, "seed is 1.5"),
        ({"temperature": "warm"}, "temperature is 'warm'"),
    ):
        with pytest.raises(OptionError, match=words):
            await answer(model, asked("hi"), options=GenerateOptions(**options))
    with pytest.raises(BackendError, match="nothing to answer"):
        await answer(model, Conversation())


def test_loading_by_name_and_its_errors(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = load_model(f"step-audio-2-mini:{folder}", device="cpu", language="en")
    assert isinstance(loaded, StepAudio2)
    assert loaded.capabilities.voices == "any" and loaded.capabilities.hears
    for options, words in (
        ({"device": "tpu9"}, "no device 'tpu9'"),
        ({"dtype": "int8"}, "dtype 'int8'"),
        ({"language": "fr"}, "language 'fr'"),
        ({"devise": "cpu"}, "no option 'devise'; did you mean 'device'"),
    ):
        with pytest.raises(OptionError, match=words):
            load_model(f"step-audio-2-mini:{folder}", **options)
    with pytest.raises(BackendError, match="no folder"):
        load_model(f"step-audio-2-mini:{tmp_path / 'nowhere'}")
    for file in folder.iterdir():
        if file.name != "tokenizer.json":
            (tmp_path / file.name).symlink_to(file)
    with pytest.raises(ModelError, match="tokenizer.json"):
        load_model(f"step-audio-2-mini:{tmp_path}")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    with pytest.raises(BackendError, match=r"stepfun-ai/Step-Audio-2-mini is not in the local cache"):
        load_model("step-audio-2-mini")
