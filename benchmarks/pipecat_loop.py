"""The loop of Pipecat with parts that take no time, as a server for `benchmarks/server.py --pipecat PYTHON`.

    python -m venv .venvs/pipecat-loop
    .venvs/pipecat-loop/bin/pip install "pipecat-ai[silero,websocket]==1.14.0" uvicorn uvloop
    .venvs/pipecat-loop/bin/python benchmarks/pipecat_loop.py

Its WebSocket transport, its Silero voice detector with the settings that it comes with, and a processor in the place of
recogniser, model and speech: it answers when the user has stopped speaking, and is interrupted when the user speaks.
Frames are raw 16-bit samples: 16 kHz in, 24 kHz out. Text messages: "ask" is answered with sound, others come back.
"""

from __future__ import annotations

import json
import math
import socket
import struct
from typing import Any

import uvicorn
from fastapi import FastAPI, WebSocket
from loguru import logger
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    InputTransportMessageFrame,
    OutputAudioRawFrame,
    OutputTransportMessageUrgentFrame,
    TTSAudioRawFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.audio.vad_processor import VADProcessor
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.serializers.base_serializer import FrameSerializer
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport
from pipecat.workers.runner import WorkerRunner
from sockets import run

IN_HZ, OUT_HZ = 16_000, 24_000
ANSWER_S, LONG_S = 1.8, 60.0
TONE = b"".join(struct.pack("<h", round(6000 * math.sin(2 * math.pi * 300 * n / OUT_HZ))) for n in range(OUT_HZ // 5))

app = FastAPI()
logger.remove()


class Raw(FrameSerializer):
    """Samples as binary messages, everything else as JSON."""

    async def serialize(self, frame: Frame) -> str | bytes | None:
        if isinstance(frame, OutputAudioRawFrame):
            return bytes(frame.audio)
        return json.dumps(frame.message) if isinstance(frame, OutputTransportMessageUrgentFrame) else None

    async def deserialize(self, data: str | bytes) -> Frame | None:
        if isinstance(data, bytes):
            return InputAudioRawFrame(audio=data, sample_rate=IN_HZ, num_channels=1)
        return InputTransportMessageFrame(message=json.loads(data))


class Instant(FrameProcessor):
    """Recogniser, model and speech that take no time."""

    def __init__(self) -> None:
        super().__init__()
        self.heard_s = 0.0

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        match frame:
            case InputAudioRawFrame(audio=audio):
                self.heard_s += len(audio) / (2 * IN_HZ)
            case VADUserStartedSpeakingFrame() if direction == FrameDirection.DOWNSTREAM:
                await self.broadcast_interruption()
                await self.push_frame(OutputTransportMessageUrgentFrame(message={"type": "speech_started"}))
            case VADUserStoppedSpeakingFrame() if direction == FrameDirection.DOWNSTREAM:
                await self._say(ANSWER_S)
            case InputTransportMessageFrame(message={"type": "ask", **rest}):
                await self._say(LONG_S if rest.get("long") else ANSWER_S)
            case InputTransportMessageFrame(message=message):
                await self.push_frame(OutputTransportMessageUrgentFrame(message={**message, "heard_s": self.heard_s}))
            case _:
                await self.push_frame(frame, direction)

    async def _say(self, seconds: float) -> None:
        for _ in range(round(5 * seconds)):
            await self.push_frame(TTSAudioRawFrame(audio=TONE, sample_rate=OUT_HZ, num_channels=1))


@app.websocket("/")
async def talk(connection: WebSocket) -> None:
    await connection.accept()
    params = FastAPIWebsocketParams(
        audio_in_enabled=True, audio_out_enabled=True, audio_in_sample_rate=IN_HZ, audio_out_sample_rate=OUT_HZ,
        serializer=Raw(),
    )  # fmt: skip
    transport = FastAPIWebsocketTransport(websocket=connection, params=params)
    pipeline = Pipeline(
        [transport.input(), VADProcessor(vad_analyzer=SileroVADAnalyzer()), Instant(), transport.output()]
    )
    worker = PipelineWorker(
        pipeline, params=PipelineParams(audio_in_sample_rate=IN_HZ, audio_out_sample_rate=OUT_HZ),
        cancel_on_idle_timeout=False,
    )  # fmt: skip
    runner = WorkerRunner(handle_sigint=False)

    @transport.event_handler("on_client_disconnected")
    async def _(*_: Any) -> None:
        await worker.cancel()

    await runner.add_workers(worker)
    await runner.run()


async def main() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="critical", ws_per_message_deflate=False)
    print(f"serving on :{listening.getsockname()[1]}", flush=True)
    await uvicorn.Server(config).serve(sockets=[listening])


if __name__ == "__main__":
    run(main())
