"""The `End` of an answer: its reason, and the number of tokens of each kind."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the model needs torch")
pytest.importorskip("transformers", reason="the model needs transformers")

from support.step_audio_2_answers import answer, asked, call, dictate, ending, noise, spoken  # noqa: E402

from agentaudio.conversation import ToolOutput, ToolSpec  # noqa: E402
from agentaudio.errors import OptionError  # noqa: E402
from agentaudio.model.speech_lm import CallDelta, GenerateOptions  # noqa: E402
from agentaudio.model.step_audio_2.generate import StepAudio2  # noqa: E402
from agentaudio.model.step_audio_2.init_tiny import init_tiny  # noqa: E402
from agentaudio.model.step_audio_2.settings import Sampling  # noqa: E402
from agentaudio.model.step_audio_2.tokens import BpeVocabulary, TokenIds  # noqa: E402

IDS = TokenIds()
TEXT = GenerateOptions(speak=False)
VOICES = ToolSpec(
    "audio_search", "Find.", {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
)
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


@pytest.mark.parametrize("must_call", [True, "look", "audio_search"])
async def test_an_answer_that_has_to_call_begins_with_the_call(
    model: StepAudio2, vocabulary: BpeVocabulary, must_call: Any
) -> None:
    """The model only gets to write what follows the opening: the name, where any tool will do, and the arguments."""
    rest = '{"query": "old"}' if must_call == "audio_search" else "look\n{}" if must_call is True else "{}"
    dictate(model, [*vocabulary.encode(rest), IDS.tool_call_end, IDS.eot])
    deltas = await answer(model, asked("hi"), tools=[LOOK, VOICES], options=GenerateOptions(must_call=must_call))
    called, end = deltas
    assert isinstance(called, CallDelta) and called.problem is None
    name = "look" if must_call is True else must_call
    assert (called.call.name, called.call.arguments) == (name, {"query": "old"} if name == "audio_search" else {})
    assert ending([end]).reason == "tool_calls"


async def test_an_answer_that_had_to_call_is_read_again_as_it_was(model: StepAudio2, vocabulary: BpeVocabulary) -> None:
    conversation = asked("hi")
    with dictate(model, [*vocabulary.encode("{}"), IDS.tool_call_end, IDS.eot]):
        deltas = await answer(model, conversation, tools=[LOOK], options=GenerateOptions(must_call="look"))
    (made,) = [delta.call for delta in deltas if isinstance(delta, CallDelta)]
    conversation.add("assistant", made)
    conversation.add("tool", ToolOutput(made.id, "look", "seen"))
    usage = ending(await answer(model, conversation, tools=[LOOK])).usage
    before = ending(deltas).usage
    assert usage["cached_tokens"] >= before["input_tokens"] + before["output_tokens"] - 1


async def test_a_tool_that_is_not_offered_cannot_be_required(model: StepAudio2) -> None:
    refused: list[tuple[Any, list[ToolSpec], str]] = [("ring", [LOOK], "'ring'.*look"), (True, [], "tools are: none")]
    for must_call, tools, problem in refused:
        with pytest.raises(OptionError, match=problem):
            await answer(model, asked("hi"), tools=tools, options=GenerateOptions(must_call=must_call))
    for wrong in ("", False, 1):
        with pytest.raises(OptionError, match="must_call"):
            GenerateOptions(must_call=wrong)  # type: ignore[arg-type]


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
    honoured = {"temperature", "top_p", "repetition_penalty", "max_tokens", "seed", "stop", "language", "must_call"}
    assert able.options == honoured <= {one.name for one in fields(GenerateOptions)}
    GenerateOptions(language="zh-CN").check(model)
    with pytest.raises(OptionError, match="does not speak 'fr'"):
        GenerateOptions(language="fr").check(model)
