"""Servers of Step-Audio 2 for tests: vLLM with the plug-in, StepFun's build and vLLM-Omni, byte by byte."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentaudio.model.speech_lm import ReferenceVoice
from agentaudio.model.step_audio_2.language.interleave import interleave
from agentaudio.model.step_audio_2.language.segments import spelled
from agentaudio.model.step_audio_2.token2wav.chunks import Schedule
from agentaudio.model.step_audio_2.tokens import TokenIds, Vocabulary
from support.openai_server import DONE, ChatServer, Reply, Request, event

IDS = TokenIds()
JSON = {"content-type": "application/json"}


def spoken_ids(vocabulary: Vocabulary, text: str, codes: Sequence[int], *, ends: bool = True) -> list[int]:
    """A spoken answer after `<tts_start>`, as the model generates it."""
    return [*interleave(vocabulary.encode(text), codes)[1:], *([IDS.eot] if ends else [])]


def call_ids(vocabulary: Vocabulary, name: str, arguments: Mapping[str, Any]) -> list[int]:
    return [IDS.tool_call, *vocabulary.encode(f"function\n{name}\n{json.dumps(arguments)}"), IDS.tool_call_end]


def vllm_chunks(
    vocabulary: Vocabulary,
    ids: Sequence[int],
    *,
    finish: str = "stop",
    at_once: int = 3,
    with_ids: bool = True,
    calls: Iterable[tuple[str, str]] = (),
    prompt: Sequence[int] = (IDS.bot, 115),
) -> list[bytes]:
    """An answer as vLLM streams it: some tokens in each chunk, with their ids if they were asked for.

    calls: what the tool parser has found; it keeps their text back
    """
    chunks = [_chunk({"role": "assistant", "content": ""}, prompt=list(prompt) if with_ids else None)]
    calling = False
    for start in range(0, len(ids), at_once):
        piece = list(ids[start : start + at_once])
        shown = []
        for number in piece:
            calling = calling or (bool(calls) and number == IDS.tool_call)
            shown += [] if calling or number == IDS.eot else [number]
            calling = calling and number != IDS.tool_call_end
        chunks.append(_chunk({"content": spelled(shown, vocabulary)}, token_ids=piece if with_ids else None))
    for index, (name, arguments) in enumerate(calls):
        call = {"index": index, "id": f"chatcmpl-tool-{index}", "type": "function"}
        chunks.append(_chunk({"tool_calls": [{**call, "function": {"name": name, "arguments": arguments}}]}))
    chunks.append(_chunk({"content": ""}, finish))
    usage = {"prompt_tokens": 40, "completion_tokens": len(ids), "total_tokens": 40 + len(ids)}
    return [*chunks, event({"id": "chatcmpl-1", "choices": [], "usage": usage}), DONE]


def stepfun_chunks(
    text: str, codes: Sequence[int], *, after: str = "", calls: Iterable[tuple[str, str]] = (), finish: str = "stop"
) -> list[bytes]:
    """A spoken answer as StepFun's build streams it: all fields in each delta, null or empty ones included."""
    chunks = [_chunk({"role": "assistant", "content": "", "tool_calls": [], "tts_content": None})]
    for k in range(max(len(text), -(-len(codes) // 4))):
        audio = "".join(f"<audio_{code}>" for code in codes[4 * k : 4 * k + 4])
        speech = {"tts_text": text[k : k + 1], "tts_audio": audio}
        chunks.append(_chunk({"content": "", "tool_calls": [], "tts_content": speech}))
    if after:
        chunks.append(_chunk({"content": after, "tool_calls": [], "tts_content": None}))
    for index, (name, arguments) in enumerate(calls):
        head = {"index": index, "id": f"call-{index}", "type": "function", "function": {"name": name}}
        chunks.append(_chunk({"content": None, "tool_calls": [head]}))
        rest = {"index": index, "function": {"arguments": arguments}}
        chunks.append(_chunk({"content": None, "tool_calls": [rest]}))
    return [*chunks, _chunk({"content": "", "tool_calls": [], "tts_content": None}, finish), DONE]


def omni_chunks(text: str, pcm: bytes) -> list[bytes]:
    """Words, then a choice of its own with a WAV file and an empty transcript."""
    header = b"RIFF\xff\xff\xff\xffWAVEfmt " + (16).to_bytes(4, "little") + b"\x01\x00\x01\x00"
    header += (24_000).to_bytes(4, "little") + (48_000).to_bytes(4, "little") + b"\x02\x00\x10\x00data\xff\xff\xff\xff"
    audio = {"id": "audio-1", "data": base64.b64encode(header + pcm).decode(), "transcript": "", "expires_at": 1}
    sound = {"index": 1, "delta": {"role": "assistant", "content": None, "audio": audio}, "finish_reason": "stop"}
    return [
        _chunk({"role": "assistant", "content": text}),
        _chunk({"content": ""}, "stop"),
        event({"id": "1", "choices": [sound]}),
        DONE,
    ]


def _chunk(
    delta: Mapping[str, Any],
    finish: str | None = None,
    *,
    token_ids: list[int] | None = None,
    prompt: list[int] | None = None,
) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    if token_ids is not None:
        choice["token_ids"] = token_ids
    whole = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "mini", "choices": [choice]}
    return event(whole if prompt is None else {**whole, "prompt_token_ids": prompt})


@dataclass
class Surroundings:
    """What a server answers besides chat completions. tokens: of the probe of its vocabulary; None for no such path"""

    models: Sequence[str] = ("mini",)
    tokens: Sequence[int] | None = (IDS.tts_start, IDS.audio_0, IDS.audio_0 + 6560, IDS.eot)
    kind: str = "vllm"
    asked: list[Request] = field(default_factory=list)

    def reply(self, request: Request) -> Reply | None:
        """None for a chat request."""
        if request.path.endswith("/chat/completions"):
            self.asked.append(request)
            return None
        if request.path == "/v1/models":
            data = [{"id": name, "object": "model", "owned_by": "vllm", "max_model_len": 4096} for name in self.models]
            return _json({"object": "list", "data": data})
        if request.path == "/tokenize" and self.tokens is not None:
            return _json({"count": len(self.tokens), "max_model_len": 4096, "tokens": list(self.tokens)})
        if request.path == "/openapi.json":
            fields: dict[str, Any] = {"messages": {}, **({} if self.kind == "stepfun" else {"return_token_ids": {}})}
            paths: dict[str, Any] = {
                "/v1/chat/completions": {},
                **({"/v1/audio/voices": {}} if self.kind == "vllm-omni" else {}),
            }
            request_schema = {"ChatCompletionRequest": {"properties": fields}}
            return _json({"paths": paths, "components": {"schemas": request_schema}})
        return Reply([b'{"detail":"Not Found"}'], status=404, headers=JSON)


def surround(server: ChatServer, *replies: Reply | list[bytes], **facts: Any) -> Surroundings:
    """Have a ChatServer be a server of Step-Audio 2, whose chat answers are these, the last one for ever."""
    around = Surroundings(**facts)
    left = [reply if isinstance(reply, Reply) else Reply(reply) for reply in replies]

    def script(request: Request) -> Reply:
        return around.reply(request) or (left.pop(0) if len(left) > 1 else left[0])

    server.script = script
    return around


def _json(content: Any) -> Reply:
    return Reply([json.dumps(content).encode()], headers=JSON)


class Tones:
    """Makes a tone of each speech token at once, where there is no torch. fails: in place of the first sound"""

    sample_rate_hz = 24_000
    ahead = 3

    def __init__(self, fails: Exception | None = None) -> None:
        self.fails = fails
        self.voices: list[str | None] = []
        self.closed = 0

    def prepare(self, voice: ReferenceVoice | None = None) -> None:
        from agentaudio.errors import ConsentError

        if voice is not None and (why := voice.permit.refusal()) is not None:
            raise ConsentError(f"voice {voice.id!r}: {why}")

    def stream(self, voice: ReferenceVoice | None = None, *, seed: int = 0) -> _Tone:
        self.prepare(voice)
        self.voices.append(None if voice is None else voice.id)
        return _Tone(self)

    def warm_up(self) -> None:
        pass

    def close(self) -> None:
        self.closed += 1


class _Tone:
    ahead = 3

    def __init__(self, maker: Tones) -> None:
        self._maker = maker
        self._schedule = Schedule(ahead=self.ahead)
        self._given = 0

    def feed(self, tokens: Any) -> NDArray[np.float32]:
        if self._maker.fails is not None:
            raise self._maker.fails
        return self._more(self._schedule.feed(np.size(tokens)))

    def finish(self) -> NDArray[np.float32]:
        return self._more(self._schedule.finish())

    def close(self) -> None:
        pass

    def _more(self, total: int) -> NDArray[np.float32]:
        places = np.arange(self._given, total)
        self._given = total
        return (0.2 * np.sin(places * 2 * np.pi * 200 / 24_000)).astype(np.float32)


Scripted = Callable[[Request], Reply]
