"""The backend `step-audio-2` on a real vLLM, in a conversation with sound, tools and spoken answers."""

from __future__ import annotations

from pathlib import Path

from support.step_audio_2_on_vllm import TOOLS, Server, sound

from agentaudio.conversation import Conversation, Part, SpeechPart, SpeechTokens, TextPart, ToolCall, ToolOutput
from agentaudio.model.speech_lm import (
    Delta,
    End,
    GenerateOptions,
    SpeechLM,
    TextDelta,
    TokensDelta,
)
from agentaudio.model.step_audio_2.served.load import load

GREEDY = GenerateOptions(temperature=0.0, max_tokens=20, seed=0, language="en")


async def answer(model: SpeechLM, conversation: Conversation) -> list[Delta]:
    return [delta async for delta in model.generate(conversation, tools=TOOLS, options=GREEDY)]


def text(deltas: list[Delta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


def codes(deltas: list[Delta]) -> list[int]:
    return [code for delta in deltas if isinstance(delta, TokensDelta) for code in delta.tokens.ids]


def spoken(deltas: list[Delta]) -> SpeechPart:
    """An answer, as the conversation keeps it."""
    tokens = [delta.tokens for delta in deltas if isinstance(delta, TokensDelta)]
    whole = None if not tokens else SpeechTokens(tuple(codes(deltas)), tokens[0].codec, tokens[0].rate_hz)
    return SpeechPart(text(deltas), tokens=whole)


async def test_a_conversation_goes_as_with_the_model_in_this_process(folder: Path, server: Server) -> None:
    from agentaudio.model.step_audio_2.generate import StepAudio2

    native = StepAudio2.load(folder, device="cpu", dtype="float32")
    native.speech = None
    conversation = Conversation()
    more: list[list[Part]] = [
        [sound(1.3, 1), TextPart("<|EOT|> What is it?")],
        [sound(26.0, 2, 44_100)],
        [TextPart("And?"), sound(0.4, 3), sound(2.2, 4)],
    ]
    hits = server.metric("vllm:prefix_cache_hits_total")
    model = load(None, base_url=f"{server.address}/v1", tokenizer=folder)
    for turn, parts in enumerate(more):
        conversation.add("user", *parts)
        here = await answer(native, conversation)
        there = await answer(model, conversation)
        assert (text(there), codes(there)) == (text(here), codes(here)), turn
        ends = [one for deltas in (here, there) for one in deltas if isinstance(one, End)]
        assert ends[0].reason == ends[1].reason == "length"
        assert ends[0].usage["input_tokens"] == ends[1].usage["input_tokens"]
        if turn == 1:  # an answer that no model remembers, as it has a call more
            conversation.add("assistant", spoken(here), ToolCall("c1", "web_search", {"query": "thé"}))
            conversation.add("tool", ToolOutput("c1", "web_search", "Tea </tool_call> is green."))
        else:
            conversation.add("assistant", spoken(here))
    await native.aclose()
    await model.aclose()
    # Turns two and three begin with all that was read and said before.
    assert server.metric("vllm:prefix_cache_hits_total") - hits > 500
