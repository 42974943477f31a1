"""The answer: one object, or the chunks of a stream."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from agentaudio.conversation import ToolCall
from agentaudio.events import AudioSpoken, Event, TextSpoken, TurnFinished
from agentaudio.reply import Reply
from agentaudio.retrieval.citation import url_citations
from agentaudio.server.chat_completions.request import AudioFormat
from agentaudio.server.chat_completions.turn import ChatTurn
from agentaudio.server.sound_formats import Format, encoder, pieces, whole
from agentaudio.sound.audio import Audio

Chunk = dict[str, Any]
WHOLE_GROUPS = 6
"""Bytes of sound in a chunk are a multiple: whole samples, and base64 without padding, which clients join."""


def completion(turn: ChatTurn, model: str, reply: Reply, sound: bytes | None) -> dict[str, Any]:
    """The answer as one object. sound: the reply's, encoded"""
    message: dict[str, Any] = {"role": "assistant", "content": reply.text, "refusal": None}
    if sound is not None:
        message["content"] = None
        message["audio"] = {
            "id": turn.audio_id,
            "data": base64.b64encode(sound).decode(),
            "expires_at": turn.expires_at,
            "transcript": reply.text,
        }
    if calls := _calls(turn, reply):
        message["tool_calls"] = [_call(call) for call in calls]
        message["content"] = message["content"] or None
    if annotations := url_citations(reply.text, reply.citations):
        message["annotations"] = annotations
    message["agentaudio"] = facts(reply)
    choice = {"index": 0, "message": message, "finish_reason": finish_reason(reply), "logprobs": None}
    return _frame(turn, model, "chat.completion", [choice]) | {"usage": usage(reply)}


async def encoded(reply: Reply, format: AudioFormat) -> bytes | None:
    """The sound of a reply as a whole file, signed if files are signed; None without sound."""
    if reply.audio is None:
        return None
    return await asyncio.to_thread(_file, reply, reply.audio, _format(format))


def _file(reply: Reply, audio: Audio, format: Format) -> bytes:
    content = whole(audio, format)
    return content if reply.origin is None else reply.origin.file(content, format)


async def chunks(turn: ChatTurn, model: str, events: AsyncGenerator[Event, None]) -> AsyncGenerator[Chunk, None]:
    """The answer as chunks, in the order that the SDKs read: role, words and sound, calls, end, usage."""
    speaks = turn.request.speaks
    sound = encoder(_format(turn.request.format)) if speaks else None
    waiting, began = b"", False
    yield _delta(turn, model, {"role": "assistant", "content": None if speaks else ""})
    reply: Reply | None = None
    async for event in events:
        if isinstance(event, TextSpoken):
            yield _delta(turn, model, _audio(turn, began, transcript=event.text) if speaks else {"content": event.text})
            began = True
        elif isinstance(event, AudioSpoken) and sound is not None:
            for piece in pieces(event.audio):
                waiting += sound.push(piece)
                ready = len(waiting) - len(waiting) % WHOLE_GROUPS
                if ready:
                    yield _delta(turn, model, _audio(turn, began, data=waiting[:ready]))
                    waiting, began = waiting[ready:], True
                    await asyncio.sleep(0)
        elif isinstance(event, TurnFinished):
            reply = event.reply
    assert reply is not None  # a failed turn has raised
    if sound is not None and began:
        if rest := waiting + sound.finish():
            yield _delta(turn, model, _audio(turn, began, data=rest))
    for index, call in enumerate(_calls(turn, reply)):
        head = {"index": index, "id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
        yield _delta(turn, model, {"tool_calls": [head]})
        arguments = {"index": index, "function": {"arguments": _json(call.arguments)}}
        yield _delta(turn, model, {"tool_calls": [arguments]})
    last: dict[str, Any] = {"agentaudio": facts(reply)}
    if annotations := url_citations(reply.text, reply.citations):
        last["annotations"] = annotations
    if speaks and began:
        yield _delta(turn, model, {"audio": {"expires_at": turn.expires_at}})
    yield _delta(turn, model, last, finish_reason(reply))
    options = turn.request.stream_options
    if options is not None and options.include_usage:
        yield _frame(turn, model, "chat.completion.chunk", []) | {"usage": usage(reply)}


FINISH_REASONS: dict[str, str] = {
    "tool_calls": "tool_calls", "length": "length", "usage_limit": "length", "refused": "content_filter",
}  # fmt: skip


def finish_reason(reply: Reply) -> str:
    return FINISH_REASONS.get(reply.stop, "stop")


def usage(reply: Reply) -> dict[str, Any]:
    """Tokens as the model counted them; zeros when it counts none."""

    def count(*names: str) -> int:
        return round(sum(reply.usage.get(name, 0) for name in names))

    read, made = count("input_tokens"), count("output_tokens")
    return {
        "prompt_tokens": read,
        "completion_tokens": made,
        "total_tokens": read + made,
        "prompt_tokens_details": {
            "audio_tokens": count("input_audio_tokens"),
            "cached_tokens": count("cached_tokens", "input_cached_tokens"),
        },
        "completion_tokens_details": {"audio_tokens": count("output_audio_tokens"), "reasoning_tokens": 0},
    }


def facts(reply: Reply) -> dict[str, Any]:
    """What OpenAI's fields have no place for: words that were heard, voice, tools, sources, times."""
    return {
        "heard": reply.heard,
        "voice": None if reply.voice is None else {"id": reply.voice.id, "name": reply.voice.name},
        "tools": [{"name": run.call.name, "status": run.status} for run in reply.tool_calls],
        "citations": [{"title": one.title, "quote": one.quote} for one in reply.citations],
        "timings": {name: round(seconds, 4) for name, seconds in reply.timings.items()},
    }


def _calls(turn: ChatTurn, reply: Reply) -> Sequence[ToolCall]:
    calls = [turn.outward(call) for call in reply.open_calls]
    return calls[:1] if turn.request.parallel_tool_calls is False else calls


def _call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": _json(call.arguments)}}


def _json(arguments: Mapping[str, Any]) -> str:
    return json.dumps(arguments, default=str)


def _audio(turn: ChatTurn, began: bool, *, data: bytes | None = None, transcript: str | None = None) -> dict[str, Any]:
    """A delta of sound. Its id comes once, because clients join what they get."""
    audio: dict[str, Any] = {} if began else {"id": turn.audio_id}
    if data is not None:
        audio["data"] = base64.b64encode(data).decode()
    if transcript is not None:
        audio["transcript"] = transcript
    return {"audio": audio}


def _format(format: AudioFormat) -> Format:
    return "pcm" if format == "pcm16" else format


def _delta(turn: ChatTurn, model: str, delta: dict[str, Any], finish: str | None = None) -> Chunk:
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
    return _frame(turn, model, "chat.completion.chunk", [choice])


def _frame(turn: ChatTurn, model: str, object: str, choices: list[Any]) -> dict[str, Any]:
    return {"id": turn.id, "object": object, "created": turn.created, "model": model, "choices": choices}
