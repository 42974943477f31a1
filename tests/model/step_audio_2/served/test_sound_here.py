"""Step-Audio 2 on a server, whose speech tokens become sound in this process, by the tiny decoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the decoder needs torch")

from support.openai_server import chat_server  # noqa: E402
from support.step_audio_2_server import spoken_ids, surround, vllm_chunks  # noqa: E402

from agentaudio import Agent  # noqa: E402
from agentaudio.model.step_audio_2.served.load import load  # noqa: E402
from agentaudio.model.step_audio_2.speech_decoder import SpeechDecoder  # noqa: E402
from agentaudio.model.step_audio_2.tokens import BpeVocabulary  # noqa: E402
from agentaudio.voice_library.library import demo_voices  # noqa: E402


async def test_an_answer_is_spoken_in_the_voice_of_the_session(folder: Path, vocabulary: BpeVocabulary) -> None:
    codes = [(31 * n) % 6561 for n in range(30)]
    async with chat_server() as server:
        surround(server, vllm_chunks(vocabulary, spoken_ids(vocabulary, "Good day.", codes)))
        model = load(None, base_url=server.url, token2wav=str(folder), device="cpu")
        async with Agent(model, voices="demo") as agent:
            reply = await agent.run("hello", voice="gina")
    assert reply.text == "Good day." and reply.voice is not None and reply.voice.id == "gina"
    here = SpeechDecoder(folder / "token2wav", device="cpu").stream(demo_voices().get("gina"))
    expected = np.concatenate([here.feed(codes), here.finish()])
    assert reply.audio is not None and np.array_equal(reply.audio.samples, expected)
