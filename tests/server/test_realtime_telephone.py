"""Telephone sound (G.711) over the Realtime protocol, in and out, against a real server."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import Literal

import numpy as np
import pytest
from support.realtime_client import Client, question, realtime_client
from support.server import Running, running_server
from support.sounds import tone

from agentaudio import Agent, Audio
from agentaudio.conversation import Conversation, ToolSpec
from agentaudio.model.scripted import Scripted
from agentaudio.model.speech_lm import AudioDelta, Delta, End, GenerateOptions, Heard, ReferenceVoice, TextDelta
from agentaudio.sound.g711 import decode_g711, encode_g711

Law = Literal["mu", "a"]
TYPES: dict[Law, str] = {"mu": "audio/pcmu", "a": "audio/pcma"}
SILENT: dict[Law, tuple[int, ...]] = {"mu": (0xFF, 0x7F), "a": (0xD5, 0x55)}
PIECE = 160
"""Bytes of 20 ms."""


class Tones(Scripted):
    """Says a tone of 440 Hz in pieces of 70 ms, at 24 kHz, or silence."""

    def __init__(self) -> None:
        super().__init__(["unused"])

    async def generate(
        self,
        conversation: Conversation,
        *,
        tools: Sequence[ToolSpec] = (),
        voice: ReferenceVoice | None = None,
        options: GenerateOptions = GenerateOptions(),
    ) -> AsyncGenerator[Delta, None]:
        asked = conversation.messages[-1].parts[-1]
        words = getattr(asked, "text", "")
        if not words:
            yield Heard("a sound")
        yield TextDelta("Listen. ")
        sound = Audio.silence(1.01, 24_000) if "silence" in words else tone(440, 2.51, 24_000)
        for number, piece in enumerate(sound.chunks(70)):
            if "paused" in words and number % 12 == 11:
                await asyncio.sleep(0.4)
            yield AudioDelta(piece)
        yield End()


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running_server(Agent(Tones())) as running:
        yield running


async def set_up(client: Client, law: Law) -> None:
    form = {"type": TYPES[law]}
    session = await client.update(audio={"input": {"format": form, "turn_detection": None}, "output": {"format": form}})
    assert session["audio"]["output"]["format"] == form


async def spoken(client: Client, words: str) -> list[bytes]:
    await client.write(words)
    response = await client.responded()
    deltas = client.of("response.output_audio.delta")
    return [base64.b64decode(one["delta"]) for one in deltas if one["response_id"] == response["id"]]


@pytest.mark.parametrize("words", ["a tone", "a paused tone"])
@pytest.mark.parametrize("law", ["mu", "a"])
async def test_a_tone_comes_in_whole_pieces_and_without_lines_of_the_piece_rate(
    server: Running, law: Law, words: str
) -> None:
    async with realtime_client(server.port) as client:
        await set_up(client, law)
        pieces = await spoken(client, words)
    assert [len(piece) % PIECE for piece in pieces[:-1]] == [0] * (len(pieces) - 1)
    samples = decode_g711(b"".join(pieces), law)
    assert len(samples) == round(2.51 * 8_000)
    inner = samples[400:-400]
    level = np.abs(np.fft.rfft(inner * np.hanning(len(inner))))
    hz = np.fft.rfftfreq(len(inner), 1 / 8_000)
    decibels = 20 * np.log10(level / level.max() + 1e-12)
    assert abs(hz[level.argmax()] - 440) < 1
    for rate_hz in (50.0, 1 / 0.07, 10.0, 5.0):  # of telephone pieces, the model's pieces, and deltas
        lines = np.arange(rate_hz, 4_000, rate_hz)
        away = lines[np.abs(lines - 440) > 8]
        worst = max(decibels[np.abs(hz - line) < 0.5].max() for line in away)
        assert worst < -35, (rate_hz, worst)


@pytest.mark.parametrize("law", ["mu", "a"])
async def test_silence_has_the_byte_of_silence(server: Running, law: Law) -> None:
    async with realtime_client(server.port) as client:
        await set_up(client, law)
        got = b"".join(await spoken(client, "silence"))
    assert len(got) == 8_080 and set(got) <= set(SILENT[law])


async def test_nothing_of_an_interrupted_answer_is_in_the_next_one(server: Running) -> None:
    async with realtime_client(server.port) as client:
        await set_up(client, "mu")
        await client.write("a paused tone")
        await client.send("response.create")
        await client.until("response.output_audio.delta")
        await client.send("response.cancel")
        cancelled = (await client.until("response.done"))["response"]
        got = b"".join(await spoken(client, "silence"))
        assert (cancelled["status"], cancelled["status_details"]["reason"]) == ("cancelled", "client_cancelled")
        assert set(got) <= set(SILENT["mu"]) and len(got) == 8_080


@pytest.mark.parametrize("law", ["mu", "a"])
async def test_telephone_sound_of_the_user_is_heard_however_it_is_cut(server: Running, law: Law) -> None:
    sound = question(rate=8_000)
    content = encode_g711(sound.samples, law)
    async with realtime_client(server.port) as client:
        await set_up(client, law)
        for start in range(0, len(content), 133):
            piece = base64.b64encode(content[start : start + 133]).decode()
            await client.send("input_audio_buffer.append", audio=piece)
        await client.send("input_audio_buffer.commit")
        item_id = (await client.until("input_audio_buffer.committed"))["item_id"]
        await client.send("conversation.item.retrieve", item_id=item_id)
        part = (await client.until("conversation.item.retrieved"))["item"]["content"][0]
    kept = decode_g711(base64.b64decode(part["audio"]), law)
    assert len(kept) == len(sound)
    assert np.corrcoef(kept, sound.samples)[0, 1] > 0.99
