"""The `End` of an answer: its reason, and the number of tokens of each kind."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the model needs torch")
pytest.importorskip("transformers", reason="the model needs transformers")

from support.step_audio_2_answers import answer, asked, call, dictate, ending, noise, spoken  # noqa: E402

from agentaudio.conversation import ToolSpec  # noqa: E402
from agentaudio.errors import OptionError  # noqa: E402
from agentaudio.model.speech_lm import CallDelta, GenerateOptions  # noqa: E402
from agentaudio.model.step_audio_2.generate import StepAudio2  # noqa: E402
from agentaudio.model.step_audio_2.init_tiny import init_tiny  # noqa: E402
from agentaudio.model.step_audio_2.settings import Sampling  # noqa: E402
from agentaudio.model.step_audio_2.tokens import BpeVocabulary, TokenIds  # noqa: E402

IDS = TokenIds()
TEXT = GenerateOptions(speak=False)
LOOK = ToolSpec("look", "Look at something.", {"type": "object", "properties": {}})


@pytest.mark.parametrize("stop", [IDS.eot, IDS.endoftext, IDS.im_end])
async def test_a_stop_token_ends_an_answer_even_as_the_last_one_allowed(
    model: StepAudio2, vocabulary: BpeVocabulary, stop: int
) -> None:
    dictate(model, [*vocabulary.encode("two"), stop])
    end = ending(await answer(model, asked("hi"), options=GenerateOptions(speak=False, max_tokens=4)))
    assert (end.reason, end.usage["output_tokens"]) == ("stop", 4)


async def test_max_tokens_ends_an_answer_as_too_long(model: StepAudio2, vocabulary: BpeVocabulary) -> None:
    dictate(model, vocabulary.encode("two"))
    end = ending(await answer(model, asked("hi"), options=GenerateOptions(speak=False, max_tokens=3)))
    assert (end.reason, end.usage["output_tokens"]) == ("length", 3)


async def test_the_context_ends_an_answer_as_too_long(tmp_path: Path, vocabulary: BpeVocabulary) -> None:
    context = 512
    small = StepAudio2.load(init_tiny(tmp_path, text={"max_position_embeddings": context}), device="cpu")
    dictate(small, vocabulary.encode("x" * context))
    end = ending(await answer(small, asked("hi"), options=TEXT))
    assert end.reason == "length"
    assert end.usage["input_tokens"] + end.usage["output_tokens"] == context
    await small.aclose()


async def test_a_stop_string_ends_an_answer(model: StepAudio2, vocabulary: BpeVocabulary) -> None:
    dictate(model, vocabulary.encode("one two three"))
    end = ending(await answer(model, asked("hi"), options=GenerateOptions(speak=False, stop=("two",))))
    assert (end.reason, end.usage["output_tokens"]) == ("stop", len("one two"))


async def test_calls_end_an_answer_as_tool_calls(model: StepAudio2, vocabulary: BpeVocabulary) -> None:
    dictate(model, [IDS.tts_end, *call(vocabulary, "look", "{}"), IDS.eot])
    end = ending(await answer(model, asked("hi"), tools=[LOOK], options=GenerateOptions()))
    assert end.reason == "tool_calls"


async def test_a_call_that_a_limit_cut_off_is_reported_and_too_long(
    model: StepAudio2, vocabulary: BpeVocabulary
) -> None:
    begun = [IDS.tts_end, *call(vocabulary, "look", '{"at": ')[:-1]]
    dictate(model, begun)
    options = GenerateOptions(max_tokens=len(begun))
    deltas = await answer(model, asked("hi"), tools=[LOOK], options=options)
    (cut,) = [delta for delta in deltas if isinstance(delta, CallDelta)]
    assert cut.problem is not None and "not finished" in cut.problem
    assert ending(deltas).reason == "length"


async def test_usage_counts_the_tokens_read_and_written(model: StepAudio2, vocabulary: BpeVocabulary) -> None:
    conversation = asked(noise(seconds=2.0), "and?")
    written = spoken(vocabulary, "me", [1, 2, 3, 4, 5])
    for cached in (False, True):
        with dictate(model, written):
            usage = ending(await answer(model, conversation, options=GenerateOptions())).usage
        request = model._request(conversation, (), Sampling(), 8, GenerateOptions(), False)
        assert usage["input_tokens"] == len(request.prompt.ids)
        assert usage["input_audio_tokens"] == request.prompt.ids.count(IDS.audio_patch) == 25
        assert (usage["cached_tokens"] > 0) == cached
        assert usage["output_tokens"] == len(written)
        assert usage["output_audio_tokens"] == 5, "pads are not sound"
        assert "thought_tokens" not in usage


def test_capabilities_are_those_of_the_model(folder: Path) -> None:
    model = StepAudio2.load(folder, device="cpu")
    able = model.capabilities
    assert (able.hears, able.voices, able.calls_tools, able.streams_input) == (True, "any", True, False)
    assert able.sample_rate_hz == 24_000
    assert able.max_audio_s == int(0.9 * 16_384 / 12.5)
    honoured = {"temperature", "top_p", "repetition_penalty", "max_tokens", "seed", "stop", "language"}
    assert able.options == honoured <= {one.name for one in fields(GenerateOptions)}
    GenerateOptions(language="zh-CN").check(model)
    with pytest.raises(OptionError, match="does not speak 'fr'"):
        GenerateOptions(language="fr").check(model)
