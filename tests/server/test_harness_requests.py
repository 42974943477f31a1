"""Requests of the harnesses evalscope and lmms-eval, as they were recorded, replayed against a real server.

The bodies were sent to a server that noted them: by evalscope 1.14.1 (`OpenAICompatibleAPI`, with a sample of its
LibriSpeech adapter, streamed and not) and by lmms-eval 0.7.3 (its chat model `openai` and its model `gpt4o_audio`).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from openai import OpenAI
from support.rehearsed import Rehearsed
from support.server import KEY, Running, running_server
from support.sounds import tone

from agentaudio.agent import Agent
from agentaudio.conversation import AudioPart, TextPart

MODEL = Rehearsed()
SOUND = base64.b64encode(tone(300, 1).to_bytes("wav")).decode()
PROMPT = {"type": "text", "text": "Please recognize the speech and only output the recognized content:"}
INPUT_AUDIO = {"type": "input_audio", "input_audio": {"data": SOUND, "format": "wav"}}
AUDIO_URL = {"type": "audio_url", "audio_url": {"url": f"data:audio/wav;base64,{SOUND}"}}


def body(*content: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"model": "agentaudio", "messages": [{"role": "user", "content": list(content)}], **fields}


EVALSCOPE = body(PROMPT, INPUT_AUDIO, temperature=0.0)
LMMS_EVAL = body(AUDIO_URL, PROMPT, max_tokens=256, temperature=0)
LMMS_EVAL_AUDIO = body(INPUT_AUDIO, PROMPT, max_tokens=256, modalities=["text"], temperature=0, top_p=0.95)
STREAMED = {**EVALSCOPE, "stream": True, "stream_options": {"include_usage": True}}


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running_server(Agent(MODEL)) as running:
        yield running


@pytest.mark.parametrize(
    ("request_body", "parts"),
    [
        pytest.param(EVALSCOPE, [TextPart, AudioPart], id="evalscope"),
        pytest.param(LMMS_EVAL, [AudioPart, TextPart], id="lmms-eval"),
        pytest.param(LMMS_EVAL_AUDIO, [AudioPart, TextPart], id="lmms-eval-gpt4o_audio"),
    ],
)
def test_a_recorded_request_gets_plain_text_and_usage(
    server: Running, request_body: dict[str, Any], parts: list[type]
) -> None:
    sent = {"Authorization": f"Bearer {KEY}"}
    answer = httpx2.post(f"{server.url}/v1/chat/completions", json=request_body, headers=sent, timeout=30)
    assert answer.status_code == 200, answer.text
    choice, usage = answer.json()["choices"][0], answer.json()["usage"]
    assert (choice["finish_reason"], choice["message"]["role"]) == ("stop", "assistant")
    assert choice["message"]["content"].startswith("You said") and "a sound" in choice["message"]["content"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    given = MODEL.given[-1]
    assert given.conversation.last_user is not None
    assert [type(part) for part in given.conversation.last_user.parts] == parts
    assert (given.options.temperature, given.options.speak) == (0.0, False)


def test_a_recorded_stream_is_read_as_evalscope_reads_it(server: Running) -> None:
    with OpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0) as client:
        text, usage = "", None
        for chunk in client.chat.completions.create(**STREAMED):
            text += "".join(choice.delta.content or "" for choice in chunk.choices)
            usage = chunk.usage or usage
    assert text.startswith("You said") and text.endswith("a sound")
    assert usage is not None and usage.completion_tokens == 7
