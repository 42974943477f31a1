"""Agents with Step-Audio 2 on a real vLLM, and with their voices on a real token2wav service."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.step_audio_2_on_vllm import Server
from support.step_audio_2_server import IDS, spoken_ids
from support.vllm_server import door, running_requests

from agentaudio import Agent, GenerateOptions, Reply, tool
from agentaudio.conversation import AudioPart, Conversation, SpeechPart, TextPart
from agentaudio.errors import BackendError
from agentaudio.model.clip_voice import ClipVoice
from agentaudio.model.speech_lm import AudioDelta, Delta, TextDelta, TokensDelta
from agentaudio.model.step_audio_2.language.segments import spelled
from agentaudio.model.step_audio_2.served.backend import ServedStepAudio2
from agentaudio.model.step_audio_2.served.load import load
from agentaudio.model.step_audio_2.served.server import ServedModel
from agentaudio.model.step_audio_2.tokens import PUBLISHED_IDS, BpeVocabulary
from agentaudio.sound.audio import Audio
from agentaudio.voice_library.library import demo_voices

GREEDY = GenerateOptions(temperature=0, max_tokens=20, repetition_penalty=1.0, speak=True)


@pytest.fixture
def vllm(server: Server) -> str:
    return server.address


@pytest.fixture(scope="module")
def sound_service(folder: Path) -> Iterator[str]:
    pytest.importorskip("prometheus_client", reason="needs the extra 'server'")
    from support.server import serving

    from agentaudio.model.step_audio_2.speech_decoder import SpeechDecoder
    from agentaudio.server.settings import ServerSettings
    from agentaudio.server.token2wav.app import create_sound_app

    decoder = SpeechDecoder(folder / "token2wav", device="cpu", steps=2, rows=16)
    with serving(create_sound_app(decoder, ServerSettings())) as running:
        yield running.url


def served(address: str, folder: Path, **options: Any) -> ServedStepAudio2:
    return load(None, base_url=f"{address}/v1", tokenizer=folder, language="en", progress_timeout_s=300.0, **options)


async def looked_up(address: str, folder: Path) -> ServedModel:
    model = served(address, folder)
    try:
        return await model._server.model()
    finally:
        await model.aclose()


def noise(seconds: float, seed: int) -> Audio:
    drawn = np.random.default_rng(seed).normal(0, 0.1, round(24_000 * seconds)).clip(-1, 1)
    return Audio(drawn.astype(np.float32), 24_000)


def said(deltas: list[Delta]) -> tuple[str, tuple[int, ...]]:
    codes = tuple(code for delta in deltas if isinstance(delta, TokensDelta) for code in delta.tokens.ids)
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)), codes


async def test_conversations_go_as_with_the_model_in_this_process(vllm: str, folder: Path) -> None:
    """Greedy answers of three turns, of which the later ones hold earlier answers as their ids."""
    from agentaudio.model.step_audio_2.generate import StepAudio2

    native = StepAudio2.load(folder, device="cpu", dtype="float32", language="en", compiled=False)
    native.speech = None
    model = served(vllm, folder)
    for seed in range(4):
        conversation = Conversation()
        for turn in range(3):
            conversation.add(
                "user", AudioPart(noise(0.7 + turn + seed / 3, 10 * seed + turn)), TextPart("<|EOT|> well?")
            )
            expected = [delta async for delta in native.generate(conversation, options=GREEDY)]
            found = [delta async for delta in model.generate(conversation, options=GREEDY)]
            assert said(found) == said(expected), (seed, turn)
            text, codes = said(found)
            tokens = next((delta.tokens for delta in found if isinstance(delta, TokensDelta)), None)
            if tokens is not None:
                tokens = type(tokens)(codes, tokens.codec, tokens.rate_hz)
            conversation.add("assistant", SpeechPart(text, tokens=tokens))
    await native.aclose()
    await model.aclose()


async def test_sixteen_at_once_answer_in_sixteen_voices(vllm: str, folder: Path, sound_service: str) -> None:
    from agentaudio.model.step_audio_2.speech_decoder import SpeechDecoder
    from agentaudio.model.step_audio_2.token2wav.batching import TOLERANCE

    vocabulary = BpeVocabulary.load(str(folder / "tokenizer.json"))
    waiting = [
        spelled(
            spoken_ids(vocabulary, f"Hi {k}.", [(37 * k + 11 * n) % 6561 for n in range(24)], ends=False), vocabulary
        )
        for k in range(16)
    ]
    voices = [ClipVoice(card.clip.slice(0, 3.0), id=card.id) for card in [*demo_voices()][:16]]
    here = SpeechDecoder(folder / "token2wav", device="cpu", steps=2)
    async with door(vllm, lambda _: (waiting.pop(), None, False), PUBLISHED_IDS) as before:
        model = load(
            None,
            base_url=before.url,
            tokenizer=folder,
            token2wav=sound_service,
            dialect="vllm",
            progress_timeout_s=300.0,
        )
        model._server._known = await looked_up(vllm, folder)  # the door expects requests for answers alone
        conversation = Conversation()
        conversation.add("user", "hello")

        async def answer(voice: ClipVoice) -> list[Delta]:
            return [delta async for delta in model.generate(conversation, voice=voice)]

        answers = await asyncio.gather(*map(answer, voices))
        await model.aclose()
    assert len({said(deltas)[0] for deltas in answers}) == 16
    for voice, deltas in zip(voices, answers, strict=True):
        stream = here.stream(voice)
        expected = np.concatenate([stream.feed(said(deltas)[1]), stream.finish()])
        found = Audio.concat([delta.audio for delta in deltas if isinstance(delta, AudioDelta)]).samples
        assert len(found) == 24 * 960 and np.abs(found - expected).max() <= TOLERANCE


async def test_conversations_at_once_keep_apart_while_one_is_cancelled_and_one_calls_a_tool(
    vllm: str, folder: Path, sound_service: str
) -> None:
    """Five spoken answers, each in its own voice, one that is closed after its first codes, and a turn with a tool."""
    from agentaudio.model.step_audio_2.speech_decoder import SpeechDecoder
    from agentaudio.model.step_audio_2.token2wav.batching import TOLERANCE

    vocabulary = BpeVocabulary.load(str(folder / "tokenizer.json"))
    codes = {str(k): [(37 * k + 11 * n) % 6561 for n in range(40 + 4 * k)] for k in range(5)}
    codes |= {"closed": [n % 40 for n in range(700)], "tool": list(range(100, 140))}
    words = {
        name: spelled(spoken_ids(vocabulary, f"Hi {name}.", codes[name], ends=False), vocabulary) for name in codes
    }
    call = '<tts_end><tool_call>function\nring\n{"times": 2}</tool_call>'

    def wanted(request: dict[str, Any]) -> tuple[str, int | None, bool]:
        users = [message["content"] for message in request["messages"] if message["role"] == "user"]
        name = str(users[-1]).partition("I am ")[2].partition("!")[0]
        results = any(message["role"] in ("tool", "input") for message in request["messages"])
        return (call if name == "tool" and not results else words[name]), None, False

    rung: list[int] = []

    @tool
    def ring(times: int) -> str:
        """Ring the bell."""
        rung.append(times)
        return "It rang."

    cards = [*demo_voices()][:7]
    voices = {name: ClipVoice(card.clip.slice(0, 3.0), id=card.id) for name, card in zip(codes, cards, strict=True)}
    arrivals: list[str] = []
    async with door(vllm, wanted, PUBLISHED_IDS) as before:
        model = load(
            None,
            base_url=before.url,
            tokenizer=folder,
            token2wav=sound_service,
            dialect="vllm",
            progress_timeout_s=300.0,
        )
        model._server._known = await looked_up(vllm, folder)

        async def answer(name: str) -> list[Delta]:
            conversation = Conversation()
            conversation.add("user", f"I am {name}!")
            found: list[Delta] = []
            async with aclosing(model.generate(conversation, voice=voices[name])) as deltas:
                async for delta in deltas:
                    found.append(delta)
                    arrivals.append(name)
                    if name == "closed" and isinstance(delta, TokensDelta):
                        return found
            return found

        async def turn() -> Reply:
            agent = Agent(model, tools=[ring], options=GenerateOptions(speak=True))
            return await agent.session(voice=cards[-1]).run("I am tool!")

        turned, answers = await asyncio.gather(turn(), asyncio.gather(*map(answer, list(codes)[:6])))
        async with asyncio.timeout(120):  # on a busy machine
            while await asyncio.to_thread(running_requests, vllm):
                await asyncio.sleep(0.2)
        await model.aclose()
    here = SpeechDecoder(folder / "token2wav", device="cpu", steps=2)
    for name, deltas in zip(codes, answers, strict=False):
        text, spoken = said(deltas)
        assert list(spoken) == codes[name][: len(spoken)], name
        if name == "closed":
            assert 0 < len(spoken) < 700
            continue
        assert text == f"Hi {name}." and len(spoken) == len(codes[name])
        stream = here.stream(voices[name])
        expected = np.concatenate([stream.feed(spoken), stream.finish()])
        found = Audio.concat([delta.audio for delta in deltas if isinstance(delta, AudioDelta)]).samples
        assert len(found) == len(expected) and np.abs(found - expected).max() <= TOLERANCE, name
    assert rung == [2] and turned.text.endswith("Hi tool.") and turned.audio is not None
    assert sum(one != other for one, other in pairwise(arrivals)) > len(codes), "the streams were interleaved"


async def test_a_spoken_turn_with_a_tool_and_a_cut_connection(vllm: str, folder: Path) -> None:
    vocabulary = BpeVocabulary.load(str(folder / "tokenizer.json"))
    call = 'One.<tts_end><tool_call>function\nring\n{"times": 2}</tool_call>'
    spoken = spelled(spoken_ids(vocabulary, "It rang.", list(range(32)), ends=False), vocabulary)
    wanted = [(call, None, False), (spoken, None, False), (spoken, None, True), (spoken, None, False)]
    rung: list[int] = []

    @tool
    def ring(times: int) -> str:
        """Ring the bell."""
        rung.append(times)
        return "It rang."

    async with door(vllm, lambda _: wanted.pop(0), PUBLISHED_IDS) as before:
        model = load(None, base_url=before.url, tokenizer=folder, dialect="vllm", progress_timeout_s=300.0)
        model._server._known = await looked_up(vllm, folder)
        session = Agent(model, tools=[ring], options=GenerateOptions(speak=True)).session()
        reply = await session.run(noise(1.0, 0))
        assert rung == [2] and reply.text.replace("  ", " ").endswith("It rang.")
        with pytest.raises(BackendError):
            await session.run("and again?")
        assert (await session.run("are you there?")).text == "It rang."
        await model.aclose()
    assert IDS.tts_start == vocabulary.ids.tts_start


async def test_closing_an_answer_stops_vllm(vllm: str, folder: Path) -> None:
    model = served(vllm, folder)
    conversation = Conversation()
    conversation.add("user", "hello")
    generated = model.generate(conversation, options=GenerateOptions(max_tokens=3000, speak=False))
    await anext(generated)
    await generated.aclose()
    async with asyncio.timeout(120):  # on a busy machine
        while await asyncio.to_thread(running_requests, vllm):
            await asyncio.sleep(0.2)
    await model.aclose()


async def test_what_the_server_refuses_is_one_line(vllm: str, folder: Path) -> None:
    model = served(vllm, folder)
    conversation = Conversation()
    conversation.add("user", "long " * 2_000)
    with pytest.raises(BackendError, match="4096|context|maximum") as caught:
        _ = [delta async for delta in model.generate(conversation)]
    assert "\n" not in str(caught.value)
    await model.aclose()
    other = load("another", base_url=f"{vllm}/v1")
    with pytest.raises(BackendError, match="does not serve 'another'.*tiny"):
        _ = [delta async for delta in other.generate(conversation)]
    await other.aclose()
