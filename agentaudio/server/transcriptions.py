"""`POST /v1/audio/transcriptions`: the words of a sound file."""

from __future__ import annotations

import math
import zlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from agentaudio.server.begun import begun
from agentaudio.server.bodies import Json, SoundReader
from agentaudio.server.errors import ApiError
from agentaudio.server.forms import read_form
from agentaudio.server.openapi import form_body
from agentaudio.server.sse import Fact, event_stream
from agentaudio.server.state import Held, RequestCaller, State
from agentaudio.server.transcript import Line, transcribed

router = APIRouter(tags=["audio"])

FORMATS = ("json", "text", "verbose_json", "srt", "vtt")
_TEXTS = {
    "model": 200,
    "language": 35,
    "response_format": 20,
    "stream": 5,
    "prompt": 10_000,
    "temperature": 20,
    "timestamp_granularities[]": 20,
}


@router.post(
    "/v1/audio/transcriptions", response_class=Response, openapi_extra=form_body(_TEXTS, ("file",), required=("file",))
)
async def create_transcription(request: Request, state: State, caller: RequestCaller, held: Held) -> Response:
    """Write down what is said in a sound file. A form: `file`, and if wanted `response_format` (json, text,
    verbose_json, srt, vtt), `language`, `stream`. Other fields are taken and have no effect."""
    held.enter_context(state.answer(caller))
    form = await read_form(request, texts=_TEXTS, files=("file",))
    format = form.text("response_format") or "json"
    if format not in FORMATS:
        raise ApiError(
            400, f"response_format is one of {', '.join(FORMATS)}", param="response_format", code="unsupported_value"
        )  # fmt: skip
    if form.text("timestamp_granularities[]") == "word":
        raise ApiError(
            400, "there are no times of single words; ask for segments", param="timestamp_granularities",
            code="unsupported_value",
        )  # fmt: skip
    if not state.agent.model.capabilities.hears:
        raise ApiError(400, "this model does not hear", code="unsupported_value", param="model")
    if "file" not in form.files:
        raise ApiError(400, "file is missing", param="file", code="missing_required_parameter")
    audio = (await SoundReader(state, caller).file(form.files["file"], None, "file")).audio
    lines = transcribed(state.agent.model, audio, form.text("language") or None)
    if form.text("stream").lower() in ("true", "1"):
        return event_stream(await begun(_events(lines, audio.duration), held, after=1))
    async with aclosing(lines):
        return _response([line async for line in lines], format, audio.duration)


async def _events(lines: AsyncGenerator[Line, None], duration_s: float) -> AsyncGenerator[Fact, None]:
    text = ""
    async with aclosing(lines):
        async for line in lines:
            text += line.text
            yield {"type": "transcript.text.delta", "delta": line.text}
    yield {"type": "transcript.text.done", "text": text, "usage": _usage(duration_s)}


def _response(lines: Sequence[Line], format: str, duration_s: float) -> Response:
    text = "".join(line.text for line in lines)
    if format == "text":
        return PlainTextResponse(f"{text}\n")
    if format == "srt":
        return PlainTextResponse(_subtitles(lines, ","), media_type="application/x-subrip")
    if format == "vtt":
        return PlainTextResponse(f"WEBVTT\n\n{_subtitles(lines, '.', numbered=False)}", media_type="text/vtt")
    body: dict[str, Any] = {"text": text, "usage": _usage(duration_s)}
    if format == "verbose_json":
        body |= {
            "task": "transcribe",
            "language": next((line.language for line in lines if line.language), ""),
            "duration": round(duration_s, 3),
            "segments": [_segment(number, line) for number, line in enumerate(lines)],
        }
    return Json(body)


def _segment(number: int, line: Line) -> dict[str, Any]:
    """As Whisper's users know it; what is not known here has the value that means nothing special."""
    content = line.text.encode("utf-8", "replace")
    return {
        "id": number,
        "seek": 0,
        "start": round(line.start, 3),
        "end": round(line.end, 3),
        "text": line.text,
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": 0.0 if line.confidence is None else round(math.log(max(line.confidence, 1e-6)), 4),
        "compression_ratio": round(len(content) / len(zlib.compress(content)), 4),
        "no_speech_prob": 0.0,
    }


def _subtitles(lines: Sequence[Line], point: str, *, numbered: bool = True) -> str:
    blocks = []
    for number, line in enumerate(lines, 1):
        head = f"{number}\n" if numbered else ""
        words = line.text.strip().replace("-->", "->")
        blocks.append(f"{head}{_clock(line.start, point)} --> {_clock(line.end, point)}\n{words}\n")
    return "\n".join(blocks)


def _clock(seconds: float, point: str) -> str:
    ms = round(seconds * 1000)
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}{point}{ms % 1000:03}"


def _usage(duration_s: float) -> dict[str, Any]:
    return {"type": "duration", "seconds": math.ceil(duration_s)}
