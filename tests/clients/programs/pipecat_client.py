"""Pipecat: a pipeline with its OpenAI Realtime service, and its OpenAI services of speech and hearing."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from loguru import logger
from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMRunFrame,
    LLMUpdateSettingsFrame,
    OutputAudioRawFrame,
    StartFrame,
    TTSSpeakFrame,
    TTSTextFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.llm_service import FunctionCallParams
from pipecat.services.openai.llm import OpenAILLMService
from pipecat.services.openai.realtime.events import (
    AudioConfiguration,
    AudioInput,
    AudioOutput,
    InputAudioTranscription,
    SessionProperties,
)
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService, OpenAIRealtimeLLMSettings
from pipecat.services.openai.tts import OpenAITTSService
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.workers.runner import WorkerRunner
from spoken_conversation import (
    PATIENCE,
    QUIET_S,
    RATE_HZ,
    Job,
    Loudspeaker,
    Microphone,
    Record,
    converse,
    report,
    until,
    working,
)

PARAMS = TransportParams(audio_in_enabled=True, audio_out_enabled=True, audio_out_10ms_chunks=2)

SPEECH_WITHIN_S = 5.0 * PATIENCE
"""Of silence, after which Pipecat takes an utterance as ended; by default 3 s, also before its first sound."""


class Ears(BaseInputTransport):
    """The microphone, as a pipeline's input."""

    def __init__(self, microphone: Microphone) -> None:
        super().__init__(PARAMS)
        self._microphone = microphone

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)
        self.create_task(self._listen())

    async def _listen(self) -> None:
        async for frame in self._microphone.frames():
            await self.push_audio_frame(InputAudioRawFrame(frame, RATE_HZ, 1))


class Mouth(BaseOutputTransport):
    """The loudspeaker, as a pipeline's output."""

    def __init__(self, loudspeaker: Loudspeaker, record: Record) -> None:
        super().__init__(PARAMS)
        self._loudspeaker, self._record = loudspeaker, record

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        self._loudspeaker.push(frame.audio)
        await self._loudspeaker.room()
        return True

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, InterruptionFrame):
            self._loudspeaker.clear()
        elif isinstance(frame, TTSTextFrame):
            self._record.words.append(frame.text)
        elif isinstance(frame, LLMFullResponseStartFrame | LLMFullResponseEndFrame):
            self._record.words.append(" ")
            self._record.busy = isinstance(frame, LLMFullResponseStartFrame)


def with_tool(service: Any, record: Record, question: str) -> LLMContext:
    """A context that begins with a question, and offers the tool that the service may then call."""

    async def opening_hours(params: FunctionCallParams) -> None:
        await params.result_callback(record.opening_hours(**params.arguments))

    service.register_function("opening_hours", opening_hours)
    tool = FunctionSchema("opening_hours", "When a museum is open.", {"museum": {"type": "string"}}, ["museum"])
    return LLMContext([{"role": "user", "content": question}], ToolsSchema(standard_tools=[tool]))


@asynccontextmanager
async def running(record: Record, *parts: Any) -> AsyncGenerator[PipelineWorker, None]:
    """A pipeline that runs until the block ends."""
    params = PipelineParams(audio_in_sample_rate=RATE_HZ, audio_out_sample_rate=RATE_HZ)
    worker = PipelineWorker(Pipeline(list(parts)), params=params)

    @worker.event_handler("on_pipeline_error")
    async def failed(_: Any, frame: ErrorFrame) -> None:
        record.errors.append(frame.error)

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    task = asyncio.create_task(runner.run())
    try:
        yield worker
    finally:
        await worker.cancel()
        await task


async def spoken(record: Record, loudspeaker: Loudspeaker) -> None:
    """Hear what the agent says until it is quiet."""
    async with working(record, loudspeaker.play()):
        await until(lambda: loudspeaker.heard_s > 0, "sound")
        await until(lambda: not record.busy and loudspeaker.quiet_s > QUIET_S, "its end")


async def realtime(job: Job) -> dict[str, Any]:
    microphone, loudspeaker, record = Microphone(), Loudspeaker(), Record()
    listening = AudioInput(transcription=InputAudioTranscription())
    service = OpenAIRealtimeLLMService(
        api_key=job.key, base_url=job.realtime_url,
        settings=OpenAIRealtimeLLMSettings(
            session_properties=SessionProperties(audio=AudioConfiguration(input=listening))
        ),
    )  # fmt: skip
    both = LLMContextAggregatorPair(with_tool(service, record, "Say hello."))

    @both.user().event_handler("on_user_turn_message_added")
    async def added(_: Any, message: Any) -> None:
        record.heard.append(message.content)

    mouth = Mouth(loudspeaker, record)
    async with running(record, Ears(microphone), both.user(), service, mouth, both.assistant()) as worker:

        async def change_voice(voice: str) -> None:
            properties = SessionProperties(
                audio=AudioConfiguration(input=listening, output=AudioOutput(voice=voice))
            )  # fmt: skip
            await worker.queue_frame(
                LLMUpdateSettingsFrame(delta=OpenAIRealtimeLLMSettings(session_properties=properties))
            )

        await worker.queue_frame(LLMRunFrame())
        await spoken(record, loudspeaker)
        loudspeaker.take()
        record.take_words()
        return await converse(job, microphone, loudspeaker, record, change_voice)


async def chat(job: Job) -> dict[str, Any]:
    """A written question to the chat service, whose answer the speech service says."""
    loudspeaker, record = Loudspeaker(), Record()
    service = OpenAILLMService(api_key=job.key, base_url=job.base_url)
    voice = OpenAITTSService(api_key=job.key, base_url=job.base_url, stop_frame_timeout_s=SPEECH_WITHIN_S)
    both = LLMContextAggregatorPair(with_tool(service, record, "When is the national museum open today?"))
    async with running(record, both.user(), service, voice, Mouth(loudspeaker, record), both.assistant()) as worker:
        await worker.queue_frame(LLMRunFrame())
        await spoken(record, loudspeaker)
    assert record.errors == []
    answer = {"words": record.take_words(), "sound": job.keep("answer", loudspeaker.take())}
    return {"calls": record.calls, "answer": answer}


async def speech(job: Job) -> dict[str, Any]:
    """The same words in two voices. The server gives OpenAI's name "shimmer" a voice of its library."""
    words, found, record = "The museum is open for visitors the whole day.", {}, Record()
    for name, voice in (("answer", "alloy"), ("voice", "shimmer")):
        loudspeaker = Loudspeaker()
        service = OpenAITTSService(
            api_key=job.key, base_url=job.base_url, settings=OpenAITTSService.Settings(voice=voice),
            stop_frame_timeout_s=SPEECH_WITHIN_S,
        )  # fmt: skip
        async with running(record, service, Mouth(loudspeaker, record)) as worker:
            await worker.queue_frame(TTSSpeakFrame(words))
            await spoken(record, loudspeaker)
        found[name] = {"words": words, "sound": job.keep(name, loudspeaker.take())}
    assert record.errors == []
    return found


TASKS: dict[str, Callable[[Job], Any]] = {"realtime": realtime, "chat": chat, "speech": speech}

if __name__ == "__main__":
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    job = Job.read()
    report(asyncio.run(TASKS[job.task](job)), version("pipecat-ai"))
