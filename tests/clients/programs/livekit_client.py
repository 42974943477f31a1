"""LiveKit Agents: a session with the Realtime model of its OpenAI plugin, and the plugin's LLM, TTS and STT."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from importlib.metadata import version
from typing import Any

from livekit import rtc
from livekit.agents import Agent, AgentSession
from livekit.agents.llm import FunctionTool, function_tool
from livekit.agents.utils import http_context
from livekit.agents.voice.io import AudioInput, AudioOutput, AudioOutputCapabilities
from livekit.plugins import openai
from spoken_conversation import RATE_HZ, Job, Loudspeaker, Microphone, Record, converse, report, working


class Ears(AudioInput):
    """The microphone, as a session's input."""

    def __init__(self, microphone: Microphone) -> None:
        super().__init__(label="microphone")
        self._frames = microphone.frames()

    def __aiter__(self) -> AsyncIterator[rtc.AudioFrame]:
        return self

    async def __anext__(self) -> rtc.AudioFrame:
        frame = await anext(self._frames)
        return rtc.AudioFrame(frame, RATE_HZ, 1, len(frame) // 2)


class Mouth(AudioOutput):
    """The loudspeaker, as a session's output. It reports how much of each segment was played."""

    def __init__(self, loudspeaker: Loudspeaker) -> None:
        super().__init__(label="loudspeaker", capabilities=AudioOutputCapabilities(pause=False), sample_rate=RATE_HZ)
        self._loudspeaker = loudspeaker
        self._played = 0
        self._ending: asyncio.Task[None] | None = None

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        self._loudspeaker.push(bytes(frame.data), self._count)

    def flush(self) -> None:
        super().flush()
        self._ending = asyncio.create_task(self._to_the_end())

    def clear_buffer(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
        self._loudspeaker.clear()
        self._finish(interrupted=True)

    async def _to_the_end(self) -> None:
        await self._loudspeaker.room(0.0)
        self._finish(interrupted=False)

    def _finish(self, *, interrupted: bool) -> None:
        if self._pending_playback_count:
            self.on_playback_finished(playback_position=self._played / (2 * RATE_HZ), interrupted=interrupted)
        self._played = 0

    def _count(self, pcm: bytes) -> None:
        self._played += len(pcm)


def tool_of(record: Record) -> FunctionTool:
    async def opening_hours(museum: str) -> str:
        """When a museum is open."""
        return record.opening_hours(museum)

    return function_tool(opening_hours)


async def realtime(job: Job) -> dict[str, Any]:
    microphone, loudspeaker, record = Microphone(), Loudspeaker(), Record()
    model = openai.realtime.RealtimeModel(base_url=job.base_url, api_key=job.key, model="gpt-realtime")
    session: AgentSession[None] = AgentSession(llm=model, aec_warmup_duration=None)
    session.input.audio, session.output.audio = Ears(microphone), Mouth(loudspeaker)

    @session.on("conversation_item_added")
    def added(event: Any) -> None:
        if getattr(event.item, "role", None) == "assistant":
            record.words.append(f" {event.item.text_content}")

    @session.on("user_input_transcribed")
    def transcribed(event: Any) -> None:
        if event.is_final:
            record.heard.append(event.transcript)

    @session.on("agent_state_changed")
    def changed(event: Any) -> None:
        record.busy = event.new_state in ("thinking", "speaking")

    @session.on("error")
    def failed(event: Any) -> None:
        record.errors.append(str(event.error))

    async def change_voice(voice: str) -> None:
        model.update_options(voice=voice)

    await session.start(Agent(instructions="", tools=[tool_of(record)]), record=False)
    async with working(record):
        try:
            return await converse(job, microphone, loudspeaker, record, change_voice)
        finally:
            await session.aclose()


async def chat(job: Job) -> dict[str, Any]:
    """A written question; the call of the tool comes back to this program, which answers it."""
    record = Record()
    model = openai.LLM(model="agent", base_url=job.base_url, api_key=job.key)
    session: AgentSession[None] = AgentSession(llm=model)
    async with session:
        await session.start(Agent(instructions="", tools=[tool_of(record)]), record=False)
        done = await session.run(user_input="When is the national museum open today?")
        words = [item.text_content for item in session.history.items if getattr(item, "role", "") == "assistant"]
    assert done.done()
    return {"calls": record.calls, "answer": {"words": words[-1]}}


async def speech(job: Job) -> dict[str, Any]:
    words, found = "The museum is open for visitors the whole day.", {}
    for name, voice in (("answer", "ash"), ("voice", job.voice)):
        async with openai.TTS(voice=voice, base_url=job.base_url, api_key=job.key) as tts:
            async with tts.synthesize(words) as stream:
                frames = [event.frame async for event in stream]
        assert {frame.sample_rate for frame in frames} == {RATE_HZ}
        found[name] = {"words": words, "sound": job.keep(name, b"".join(bytes(frame.data) for frame in frames))}
    return found


async def transcription(job: Job) -> dict[str, Any]:
    pcm = job.sound("museum")
    async with openai.STT(base_url=job.base_url, api_key=job.key) as stt:
        event = await stt.recognize(rtc.AudioFrame(pcm, RATE_HZ, 1, len(pcm) // 2))
    return {"whole": event.alternatives[0].text}


TASKS: dict[str, Callable[[Job], Any]] = {
    "realtime": realtime, "chat": chat, "speech": speech, "transcription": transcription,
}  # fmt: skip


async def main() -> None:
    job = Job.read()
    async with http_context.open():
        report(await TASKS[job.task](job), version("livekit-plugins-openai"))


if __name__ == "__main__":
    asyncio.run(main())
