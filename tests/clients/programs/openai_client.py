"""The openai SDK: chat completions, speech, transcriptions, voices, and the Realtime API."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import openai
from spoken_conversation import HOURS, Job, Loudspeaker, Microphone, Record, converse, report, working

PARAMETERS: dict[str, object] = {"type": "object", "properties": {"museum": {"type": "string"}}, "required": ["museum"]}
ABOUT = "When a museum is open."


async def realtime(job: Job) -> dict[str, Any]:
    microphone, loudspeaker, record = Microphone(), Loudspeaker(), Record()
    client = openai.AsyncOpenAI(base_url=job.base_url, api_key=job.key)
    async with client, client.realtime.connect(model="gpt-realtime") as connection:
        await connection.session.update(
            session={
                "type": "realtime",
                "tools": [
                    {"type": "function", "name": "opening_hours", "description": ABOUT, "parameters": PARAMETERS}
                ],
                "audio": {"input": {"transcription": {"model": "gpt-4o-mini-transcribe"}}},
            }
        )

        async def speak() -> None:
            async for frame in microphone.frames():
                await connection.input_audio_buffer.append(audio=base64.b64encode(frame).decode())

        async def listen() -> None:
            async for event in connection:
                record.server_event(event.model_dump())
                if event.type == "response.output_audio.delta":
                    loudspeaker.push(base64.b64decode(event.delta))
                elif event.type == "response.output_audio_transcript.delta":
                    record.words.append(event.delta)
                elif event.type == "conversation.item.input_audio_transcription.completed":
                    record.heard.append(event.transcript)
                elif event.type == "input_audio_buffer.speech_started":
                    loudspeaker.clear()
                elif event.type == "response.function_call_arguments.done":
                    output = record.opening_hours(**json.loads(event.arguments))
                    await connection.conversation.item.create(
                        item={"type": "function_call_output", "call_id": event.call_id, "output": output}
                    )
                    await connection.response.create()
                elif event.type == "error":
                    record.errors.append(event.error.message)

        async def change_voice(voice: str) -> None:
            await connection.session.update(session={"type": "realtime", "audio": {"output": {"voice": voice}}})

        async with working(record, speak(), listen()):
            return await converse(job, microphone, loudspeaker, record, change_voice)


async def chat(job: Job) -> dict[str, Any]:
    """A spoken question, the call of the client's tool, the spoken answer; then a streamed answer in another voice."""
    client = openai.AsyncOpenAI(base_url=job.base_url, api_key=job.key)
    data = base64.b64encode(job.file("museum").read_bytes()).decode()
    asked: Any = {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}]}
    messages: list[Any] = [asked]
    tools: Any = [
        {"type": "function", "function": {"name": "opening_hours", "description": ABOUT, "parameters": PARAMETERS}}
    ]
    spoken: Any = {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}, "tools": tools}
    first = (await client.chat.completions.create(model="agent", messages=messages, **spoken)).choices[0]
    calls = first.message.tool_calls or []
    messages += [
        {"role": "assistant", "tool_calls": [call.model_dump() for call in calls]},
        *({"role": "tool", "tool_call_id": call.id, "content": HOURS} for call in calls),
    ]
    second = (await client.chat.completions.create(model="agent", messages=messages, **spoken)).choices[0]
    audio = second.message.audio
    assert audio is not None, second
    answer = Path(job.folder) / "answer.wav"
    answer.write_bytes(base64.b64decode(audio.data))
    messages += [
        {"role": "assistant", "audio": {"id": audio.id}},
        {"role": "user", "content": "How far away is the moon?"},
    ]
    spoken["audio"] = {"voice": job.voice, "format": "pcm16"}
    words, pcm, usage = "", b"", None
    stream = await client.chat.completions.create(
        model="agent", messages=messages, stream=True, stream_options={"include_usage": True}, **spoken
    )
    async for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            piece = choice.delta.audio
            if piece is not None:
                words += piece.transcript or ""
                pcm += base64.b64decode(piece.data or "")
    await client.close()
    return {
        "finish": first.finish_reason,
        "calls": [json.loads(call.function.arguments) for call in calls if call.type == "function"],
        "answer": {"words": audio.transcript, "sound": str(answer)},
        "voice": {"words": words, "sound": job.keep("chat", pcm)},
        "usage": usage is not None,
    }


async def speech(job: Job) -> dict[str, Any]:
    """The same words in two voices, one whole and one as events."""
    client = openai.AsyncOpenAI(base_url=job.base_url, api_key=job.key)
    words = "The museum is open for visitors the whole day."
    whole = Path(job.folder) / "whole.wav"
    async with client.audio.speech.with_streaming_response.create(
        model="agent", voice="alloy", input=words, response_format="wav"
    ) as response:
        await response.stream_to_file(whole)
    streamed = await client.audio.speech.create(
        model="agent", voice=job.voice, input=words, response_format="pcm", stream_format="sse"
    )
    pcm, kinds = b"", []
    async for line in streamed.response.aiter_lines():
        if line.startswith("data: {"):
            event = json.loads(line.removeprefix("data: "))
            kinds.append(event["type"])
            pcm += base64.b64decode(event.get("audio", ""))
    await client.close()
    return {
        "answer": {"words": words, "sound": str(whole)},
        "voice": {"words": words, "sound": job.keep("events", pcm)},
        "last": kinds[-1],
    }


async def transcription(job: Job) -> dict[str, Any]:
    client = openai.AsyncOpenAI(base_url=job.base_url, api_key=job.key)
    file = job.file("museum")
    whole = await client.audio.transcriptions.create(model="whisper-1", file=file)
    stream = await client.audio.transcriptions.create(model="whisper-1", file=file, stream=True)
    streamed = ""
    async for event in stream:
        if event.type == "transcript.text.done":
            streamed = event.text
    verbose = await client.audio.transcriptions.create(model="whisper-1", file=file, response_format="verbose_json")
    await client.close()
    return {
        "whole": whole.text,
        "streamed": streamed,
        "duration": verbose.duration,
        "segments": len(verbose.segments or []),
    }


async def voices(job: Job) -> dict[str, Any]:
    """Lend a voice by a spoken consent, speak in it, and take it back; and find one by its description."""
    client = openai.AsyncOpenAI(base_url=job.base_url, api_key=job.key)
    found: Any = await client.get("/audio/voices", cast_to=object, options={"params": {"q": job.voice, "limit": 3}})
    consent = await client.audio.voice_consents.create(name="Ann", language="en", recording=job.file("consent"))
    voice = await client.audio.voices.create(name="Ann's voice", audio_sample=job.file("sample"), consent=consent.id)
    file = Path(job.folder) / "lent.wav"
    spoken = await client.audio.speech.create(
        model="agent", voice={"id": voice.id}, input="This is my own voice.", response_format="wav"
    )
    spoken.write_to_file(file)
    consents = [one.id async for one in client.audio.voice_consents.list()]
    deleted = await client.audio.voices.delete(voice.id)
    try:
        await client.audio.speech.create(model="agent", voice={"id": voice.id}, input="No more.")
        refused = None
    except openai.NotFoundError as error:
        refused = error.code
    await client.close()
    return {
        "found": [one["id"] for one in found["data"]],
        "listed": consents == [consent.id],
        "answer": {"words": "This is my own voice.", "sound": str(file)},
        "deleted": deleted.deleted,
        "refused": refused,
    }


TASKS = {"realtime": realtime, "chat": chat, "speech": speech, "transcription": transcription, "voices": voices}

if __name__ == "__main__":
    job = Job.read()
    report(asyncio.run(TASKS[job.task](job)), openai.__version__)
