"""Pydantic AI: its realtime session, and its agent over chat completions.

A session's voice is chosen when it begins, so the program changes it by a second session that goes on with the history.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from importlib.metadata import version
from typing import Any

from pydantic_ai import Agent, BinaryContent
from pydantic_ai.messages import (
    RealtimeInputSpeechEndEvent,
    RealtimeInputSpeechStartEvent,
    RealtimeSessionErrorEvent,
    RealtimeTurnCompleteEvent,
)
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.realtime import RealtimeSession
from pydantic_ai.realtime.openai import OpenAIRealtimeModel
from spoken_conversation import Job, Loudspeaker, Microphone, Record, converse, report, working


def agent_of(job: Job, record: Record) -> Agent:
    model = OpenAIChatModel("agent", provider=OpenAIProvider(base_url=job.base_url, api_key=job.key))
    return Agent(model, tools=[record.opening_hours])


async def realtime(job: Job) -> dict[str, Any]:
    microphone, loudspeaker, record = Microphone(), Loudspeaker(), Record()
    agent = agent_of(job, record)
    model = OpenAIRealtimeModel("gpt-realtime", provider=OpenAIProvider(base_url=job.base_url, api_key=job.key))
    sessions: list[RealtimeSession] = []

    async with AsyncExitStack() as opened:

        async def speak() -> None:
            async for frame in microphone.frames():
                await sessions[-1].send_audio(frame)

        async def open_session(**settings: Any) -> None:
            history = sessions[-1].all_messages() if sessions else None
            made = agent.realtime(model, model_settings=settings, message_history=history)
            session = await opened.enter_async_context(made.session(handle_barge_in=True))
            await opened.enter_async_context(working(record, play(session), listen(session), write(session)))
            sessions.append(session)

        async def play(session: RealtimeSession) -> None:
            async for chunk in session.stream_audio():
                loudspeaker.push(chunk)
                await loudspeaker.room()  # what is taken from the stream counts as played

        async def write(session: RealtimeSession) -> None:
            latest, user = -1, dict[int, int]()
            async for update in session.stream_transcripts(delta=True):
                if update.speaker == "assistant":
                    record.words.append(update.delta if update.index == latest else f" {update.delta}")
                    latest = update.index
                elif update.index in user:
                    record.heard[user[update.index]] = update.transcript
                else:
                    user[update.index] = len(record.heard)
                    record.heard.append(update.transcript)

        async def listen(session: RealtimeSession) -> None:
            async for event in session:
                if isinstance(event, RealtimeInputSpeechStartEvent):
                    loudspeaker.clear()
                elif isinstance(event, RealtimeInputSpeechEndEvent | RealtimeTurnCompleteEvent):
                    record.busy = isinstance(event, RealtimeInputSpeechEndEvent)
                elif isinstance(event, RealtimeSessionErrorEvent):
                    record.errors.append(event.message)

        await open_session()
        async with working(record, speak()):
            return await converse(job, microphone, loudspeaker, record, lambda voice: open_session(openai_voice=voice))


async def chat(job: Job) -> dict[str, Any]:
    """A spoken question; the agent calls its tool, and answers with its result. Pydantic AI asks for no sound here."""
    record = Record()
    asked = BinaryContent(job.file("museum").read_bytes(), media_type="audio/wav")
    done = await agent_of(job, record).run([asked])
    return {"calls": record.calls, "answer": {"words": done.output}}


TASKS: dict[str, Callable[[Job], Any]] = {"realtime": realtime, "chat": chat}

if __name__ == "__main__":
    job = Job.read()
    report(asyncio.run(TASKS[job.task](job)), version("pydantic-ai-slim"))
