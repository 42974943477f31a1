"""The deltas of a model are checked against the protocol and its capabilities."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.sounds import tone

from agentaudio import Agent, GenerateOptions, Reply
from agentaudio.conversation import Citation, Conversation, SpeechPart, SpeechTokens, ToolCall, ToolSpec
from agentaudio.errors import BackendError
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import (
    AudioDelta,
    CallDelta,
    CitationDelta,
    Delta,
    End,
    Heard,
    ReferenceVoice,
    TextDelta,
    TokensDelta,
    UnspokenDelta,
)
from agentaudio.sound.audio import Audio

ABLE = Scripted(["x"]).capabilities


class Emits:
    """A model that emits the given values, of any type."""

    name = "emits"

    def __init__(self, *deltas: Any, **able: Any) -> None:
        self._deltas = deltas
        self.capabilities = replace(ABLE, **able)

    async def generate(
        self,
        conversation: Conversation,
        *,
        tools: Sequence[ToolSpec] = (),
        voice: ReferenceVoice | None = None,
        options: GenerateOptions = GenerateOptions(),
    ) -> AsyncGenerator[Delta, None]:
        for delta in self._deltas:
            yield delta

    async def warm_up(self, tools: Sequence[ToolSpec] = ()) -> None:
        pass

    async def aclose(self) -> None:
        pass


def reply(model: Emits, **options: Any) -> Reply:
    return asyncio.run(Agent(model).run("hi", **options))


@pytest.mark.parametrize(
    ("emitted", "named"),
    [
        (ToolCall("1", "look", {}), "ToolCall"),
        ("Hello", "'Hello'"),
        (None, "None"),
        (TextDelta(42), "its text is int"),  # type: ignore[arg-type]
        (AudioDelta(b"RIFF"), "its audio is bytes"),  # type: ignore[arg-type]
        (CallDelta({"name": "look"}), "its call is dict"),  # type: ignore[arg-type]
        (Heard(None), "its text is NoneType"),  # type: ignore[arg-type]
        (End(None), "its reason is NoneType"),  # type: ignore[arg-type]
        (End(usage=None), "its usage is NoneType"),  # type: ignore[arg-type]
        (End(usage={"tokens": math.nan}), "its usage of tokens is nan"),
        (End(usage={7: 1}), "its usage has the name 7"),  # type: ignore[dict-item]
        (Heard("a", "high"), "its confidence is str"),  # type: ignore[arg-type]
        (Heard("a", 1.5), "its confidence is 1.5"),
        (Heard("a", math.nan), "its confidence is nan"),
        (Heard("a", final="no"), "its final is str"),  # type: ignore[arg-type]
        (CallDelta(ToolCall(5, "look", {})), "its call.id is int"),  # type: ignore[arg-type]
        (CallDelta(ToolCall([], "look", {})), "its call.id is list"),  # type: ignore[arg-type]
        (CallDelta(ToolCall("a", None, {})), "its call.name is NoneType"),  # type: ignore[arg-type]
        (CallDelta(ToolCall("a", "look", [1])), "its call.arguments is list"),  # type: ignore[arg-type]
        (CallDelta(ToolCall("a", "look", {}), 5), "its problem is int"),  # type: ignore[arg-type]
        (UnspokenDelta(["a"]), "its words is list"),  # type: ignore[arg-type]
        (UnspokenDelta(("a", 2)), "its words hold int"),  # type: ignore[arg-type]
        (CitationDelta(Citation("a", None, "b")), "its citation.source is NoneType"),  # type: ignore[arg-type]
        (TokensDelta(SpeechTokens([1], "c", 25)), "its tokens.ids is list"),  # type: ignore[arg-type]
        (TokensDelta(SpeechTokens(("a",), "c", 25)), "its tokens.ids hold str"),  # type: ignore[arg-type]
        (TokensDelta(SpeechTokens((1,), "c", 0)), "its tokens.rate_hz is 0"),
        (TokensDelta(SpeechTokens((1,), None, 25)), "its tokens.codec is NoneType"),  # type: ignore[arg-type]
    ],
)
def test_anything_that_is_not_a_delta_is_refused(emitted: object, named: str) -> None:
    with pytest.raises(BackendError, match=f"model 'emits' emitted .*{named}"):
        reply(Emits(TextDelta("Well."), emitted))


def test_lone_surrogates_in_words_can_be_printed() -> None:
    said = reply(Emits(Heard("h\ud800"), TextDelta("\udfffü")))
    assert (said.heard, said.text) == ("h?", "?ü")


def test_a_missing_end_is_added() -> None:
    assert reply(Emits(TextDelta("Well."))).stop == "answered"


def test_deltas_after_the_end_are_ignored() -> None:
    assert reply(Emits(TextDelta("Well."), End(), TextDelta(" No."))).text == "Well."


@pytest.mark.parametrize("rate", [8_000, 24_000, 44_100])
def test_sound_is_resampled_to_the_declared_rate(rate: int) -> None:
    whole = tone(440.0, 1.0, rate)
    audio = reply(Emits(*(AudioDelta(piece) for piece in whole.chunks(20)), sample_rate_hz=16_000)).audio
    assert audio is not None and audio.sample_rate == 16_000
    assert np.array_equal(audio.samples, whole.resample(16_000).samples)


def test_sound_of_a_model_without_voices_is_refused() -> None:
    with pytest.raises(BackendError, match="made sound, but its capabilities say voices='none'"):
        reply(Emits(AudioDelta(tone()), voices="none"))


def test_sound_is_dropped_when_speak_is_false() -> None:
    deltas = (TextDelta("Hush."), AudioDelta(tone(sample_rate=8_000)), AudioDelta(tone()))
    assert reply(Emits(*deltas), options=GenerateOptions(speak=False)).audio is None


def test_partial_words_are_refused_unless_the_model_streams_input() -> None:
    partial = (Heard("hel", 0.4, final=False), Heard("hello", 0.9), TextDelta("Hi."))
    assert reply(Emits(*partial)).heard == "hello"
    with pytest.raises(BackendError, match="streams_input=False"):
        reply(Emits(*partial, streams_input=False))
    assert reply(Emits(*partial[1:], streams_input=False)).heard == "hello"


def test_calls_get_unique_ids() -> None:
    look = [CallDelta(ToolCall("1", "look", {"n": n})) for n in range(3)]
    session = Agent(Scripted([look, [*look, TextDelta("More.")], [TextDelta("Done.")]])).session()

    seen = asyncio.run(session.run("hi"))
    ids = [run.call.id for run in seen.tool_calls]
    assert ids[:3] == ["1", "1-2", "1-3"] and len(set(ids)) == 6
    outputs = [output.call_id for message in session.conversation for output in message.tool_outputs]
    assert outputs == ids


def test_empty_sound_is_dropped() -> None:
    session = Agent(Emits(TextDelta("Well."), AudioDelta(Audio.silence(0, 16_000)))).session()
    asyncio.run(session.run("hi"))
    assert session.conversation.messages[-1].parts == (SpeechPart("Well."),)


def test_a_model_that_says_it_calls_no_tools_makes_no_calls() -> None:
    with pytest.raises(BackendError, match="called a tool, but its capabilities say calls_tools=False"):
        reply(Emits(CallDelta(ToolCall("1", "look", {})), calls_tools=False))


def test_an_end_has_a_known_reason_and_counts() -> None:
    with pytest.raises(BackendError, match="its reason is 'banana'; known: stop, length, tool_calls"):
        reply(Emits(End("banana")))  # type: ignore[arg-type]
    with pytest.raises(BackendError, match="its usage of output_tokens is None"):
        reply(Emits(End(usage={"input_tokens": 1, "output_tokens": None})))  # type: ignore[dict-item]


def test_words_and_sound_are_counted_for_every_model() -> None:
    sound = AudioDelta(tone(440.0, 0.5, 16_000))
    said = reply(
        Emits(TextDelta("Well"), CitationDelta(Citation("Tea", "tea.txt", "Steamed")), TextDelta("."), sound, sound)
    )
    assert said.usage == {"output_characters": 5, "output_sound_s": 1.0}
    tokens = TokensDelta(SpeechTokens((1,) * 25, "cosyvoice2", 25.0))
    assert reply(Emits(tokens, tokens)).usage == {"output_characters": 0, "output_sound_s": 2.0}
    third = TokensDelta(SpeechTokens((1,), "c", 30.0))
    assert reply(Emits(third)).usage["output_sound_s"] == 0.033, "milliseconds"


@pytest.mark.parametrize("other", [SpeechTokens((2,), "mimi", 25.0), SpeechTokens((2,), "cosyvoice2", 50.0)])
def test_a_model_keeps_its_codec_within_an_answer(other: SpeechTokens) -> None:
    first = TokensDelta(SpeechTokens((1,), "cosyvoice2", 25.0))
    with pytest.raises(BackendError, match="changed its codec"):
        reply(Emits(first, TokensDelta(other)))
    reply(Emits(first, first))
