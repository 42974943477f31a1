"""openai-agents: its realtime runner, its agents over chat completions, and its models of speech and hearing."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
import openai
from agents import Agent, OpenAIChatCompletionsModel, Runner, function_tool, set_tracing_disabled
from agents.realtime import RealtimeAgent, RealtimePlaybackTracker, RealtimeRunner
from agents.realtime.model_inputs import RealtimeModelSendSessionUpdate
from agents.voice import AudioInput, STTModelSettings, TTSModelSettings
from agents.voice.models.openai_stt import OpenAISTTModel
from agents.voice.models.openai_tts import OpenAITTSModel
from spoken_conversation import Job, Loudspeaker, Microphone, Record, converse, report, working


async def realtime(job: Job) -> dict[str, Any]:
    microphone, loudspeaker, record = Microphone(), Loudspeaker(), Record()
    agent = RealtimeAgent(name="guide", tools=[function_tool(record.opening_hours)])
    tracker = RealtimePlaybackTracker()
    session = await RealtimeRunner(agent).run(
        model_config={"url": f"{job.realtime_url}?model=agent", "api_key": job.key, "playback_tracker": tracker}
    )
    async with session:

        async def speak() -> None:
            async for frame in microphone.frames():
                await session.send_audio(frame)

        async def listen() -> None:
            async for event in session:
                if event.type == "audio":
                    loudspeaker.push(event.audio.data, partial(tracker.on_play_bytes, event.item_id, 0))
                elif event.type == "audio_interrupted":
                    loudspeaker.clear()
                    tracker.on_interrupted()
                elif event.type == "error":
                    record.errors.append(str(event.error))
                elif event.type == "raw_model_event":
                    data = event.data
                    if data.type == "transcript_delta":
                        record.words.append(data.delta)
                    elif data.type == "input_audio_transcription_completed":
                        record.heard.append(data.transcript)
                    elif data.type == "raw_server_event":
                        record.server_event(data.data)

        async def change_voice(voice: str) -> None:
            await session.model.send_event(RealtimeModelSendSessionUpdate(session_settings={"voice": voice}))

        async with working(record, speak(), listen()):
            return await converse(job, microphone, loudspeaker, record, change_voice)


async def chat(job: Job) -> dict[str, Any]:
    """A spoken question; the agent calls its tool and answers with its result in text."""
    record = Record()
    client = openai.AsyncOpenAI(base_url=job.base_url, api_key=job.key)
    agent = Agent(
        name="guide", model=OpenAIChatCompletionsModel("agent", client), tools=[function_tool(record.opening_hours)]
    )  # fmt: skip
    data = base64.b64encode(job.file("museum").read_bytes()).decode()
    part = {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}
    done = await Runner.run(agent, [{"role": "user", "content": [part]}])
    return {"calls": record.calls, "answer": {"words": done.final_output}}


async def speech(job: Job) -> dict[str, Any]:
    client = openai.AsyncOpenAI(base_url=job.base_url, api_key=job.key)
    words = "The museum is open for visitors the whole day."
    found = {}
    for name, voice in (("answer", "ash"), ("voice", job.voice)):
        model = OpenAITTSModel("gpt-4o-mini-tts", client)
        settings = TTSModelSettings(voice=voice)
        pcm = b"".join([chunk async for chunk in model.run(words, settings)])
        found[name] = {"words": words, "sound": job.keep(name, pcm)}
    return found


async def transcription(job: Job) -> dict[str, Any]:
    client = openai.AsyncOpenAI(base_url=job.base_url, api_key=job.key)
    samples = np.frombuffer(job.sound("museum"), np.int16)
    model = OpenAISTTModel("gpt-4o-transcribe", client)
    whole = await model.transcribe(AudioInput(buffer=samples), STTModelSettings(), False, False)
    return {"whole": whole}


TASKS: dict[str, Callable[[Job], Any]] = {
    "realtime": realtime, "chat": chat, "speech": speech, "transcription": transcription,
}  # fmt: skip

if __name__ == "__main__":
    set_tracing_disabled(True)
    job = Job.read()
    report(asyncio.run(TASKS[job.task](job)), version("openai-agents"))
