"""What a conversation takes of the context, and reading it before it is needed."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
from support.step_audio_2 import speech_tokens
from support.step_audio_2_answers import GREEDY, answer, asked, dictate, ending, noise, spoken

from agentaudio import Agent
from agentaudio.conversation import AudioPart, Conversation, SpeechPart, ToolSpec
from agentaudio.errors import BackendError
from agentaudio.events import ConversationCompacted, StepFinished
from agentaudio.model.speech_lm import HasContext
from agentaudio.model.step_audio_2.generate import StepAudio2
from agentaudio.model.step_audio_2.tokens import BpeVocabulary

TOOLS = (ToolSpec("web_search", "Search.", {"type": "object", "properties": {}}),)


async def test_the_count_is_what_a_generation_reads(model: StepAudio2) -> None:
    conversation = asked(noise(seconds=1), "what is this?")
    assert isinstance(model, HasContext) and model.context_tokens == 16_384
    for tools in ((), TOOLS):
        counted = model.count_tokens(conversation, tools=tools, options=GREEDY)
        assert counted == ending(await answer(model, conversation, tools=tools)).usage["input_tokens"]


async def test_what_was_read_ahead_is_not_read_again(model: StepAudio2) -> None:
    conversation = asked(noise(seconds=1))
    conversation.add("assistant", SpeechPart("hello", tokens=speech_tokens([1, 2, 3, 4])))
    await model.read_ahead(conversation, tools=TOOLS, options=GREEDY)
    before = model.count_tokens(conversation, tools=TOOLS, options=GREEDY)
    conversation.add("user", "again")
    usage = ending(await answer(model, conversation, tools=TOOLS)).usage
    header = len("assistant\n") + 2  # read ahead as the beginning of an answer
    assert before - header <= usage["cached_tokens"] < before


async def test_reading_ahead_stops_when_it_is_cancelled_or_the_model_is_closed(model: StepAudio2) -> None:
    reading = asyncio.create_task(model.read_ahead(asked("word " * 3000)))
    await asyncio.sleep(0.05)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await model.read_ahead(asked("word " * 4000))  # longer than the context: nothing to read
    await model.aclose()
    with pytest.raises(BackendError, match="closed"):
        await model.read_ahead(asked("hello"))


async def test_after_a_compaction_the_next_turn_reads_its_own_sound_alone(
    folder: Path, vocabulary: BpeVocabulary
) -> None:
    from agentaudio.model.step_audio_2.init_tiny import init_tiny

    small = init_tiny(folder.parent / "small", text={"max_position_embeddings": 4096})
    shutil.rmtree(small / "token2wav")  # speech tokens alone
    model = StepAudio2.load(small, device="cpu", dtype="float32")
    old = Conversation()
    for number in range(16):
        old.add("user", AudioPart(noise(number, seconds=1)))
        old.add("assistant", SpeechPart("yes", tokens=speech_tokens([number] * 120)))
    session = Agent(model).session(old)
    done, fresh = [], []
    for number in range(3):
        hook = dictate(model, spoken(vocabulary, "no", [number] * 8))
        async for event in session.stream(noise(90 + number, seconds=1)):
            if isinstance(event, ConversationCompacted):
                done.append((number, event.compacted))
            elif isinstance(event, StepFinished):
                fresh.append(event.usage["input_tokens"] - event.usage["cached_tokens"])
        hook.remove()
        idle = [task for task in asyncio.all_tasks() if task.get_name() == "agentaudio-compaction"]
        if idle:
            await asyncio.wait(idle)
    await model.aclose()
    ((turn, compacted),) = done
    assert turn == 1 and compacted.answers == 13
    assert compacted.tokens_after < 0.4 * 4096 < 0.6 * 4096 < compacted.tokens_before
    assert fresh[0] > 0.6 * 4096 and max(fresh[1:]) < 60
