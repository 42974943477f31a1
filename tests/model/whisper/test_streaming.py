"""Recognition of sound that arrives in pieces."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import jiwer
import pytest
from support.ear import request, whisper_folder, words

from agentaudio.errors import AudioError
from agentaudio.model.parts import Recognition
from agentaudio.model.whisper.recogniser import WhisperRecogniser
from agentaudio.model.whisper.streaming import Agreement
from agentaudio.sound.audio import Audio

pytestmark = pytest.mark.neural


@pytest.fixture(scope="module")
async def ear() -> AsyncIterator[WhisperRecogniser]:
    recogniser = WhisperRecogniser(whisper_folder("tiny.en"))
    await recogniser.warm_up()
    yield recogniser
    await recogniser.aclose()


async def arriving(audio: Audio, *, piece_ms: float = 100, every_s: float = 0.02) -> AsyncIterator[Audio]:
    for piece in audio.chunks(piece_ms):
        yield piece
        await asyncio.sleep(every_s)


async def test_partials_come_before_the_end_and_the_whole_comes_last(ear: WhisperRecogniser) -> None:
    said = [request(number) for number in (0, 1, 2)]
    sound = Audio.concat([audio for audio, _ in said])
    heard = [one async for one in ear.stream(arriving(sound, every_s=0.1))]
    assert len(heard) >= 2
    assert [one.final for one in heard] == [False] * (len(heard) - 1) + [True]
    assert words(heard[-1].text) == words((await ear.recognise(sound)).text)


async def test_pieces_of_any_size_and_rate_give_the_whole(ear: WhisperRecogniser) -> None:
    audio, _ = request(0)
    whole = await ear.recognise(audio)
    for rate, piece_ms in ((8_000, 10), (48_000, 333), (16_000, 1e6)):
        pieces = arriving(audio.resample(rate), piece_ms=piece_ms, every_s=0)
        last = [one async for one in ear.stream(pieces)][-1]
        assert last.final and words(last.text)[:30] == words(whole.text)[:30]


async def test_a_minute_is_recognised_in_pieces_without_loss(ear: WhisperRecogniser) -> None:
    sound = Audio.concat(
        [part for number in range(0, 50, 3) for part in (request(number)[0], Audio.silence(0.6, 16_000))]
    )
    assert sound.duration > 50
    whole = await ear.recognise(sound)
    streamed = [one async for one in ear.stream(arriving(sound, piece_ms=2000, every_s=0.1))][-1]
    # The detector's frames begin elsewhere in each piece, so that single words may differ.
    assert jiwer.wer(words(whole.text), words(streamed.text)) < 0.05


async def test_closing_the_stream_stops_it(ear: WhisperRecogniser) -> None:
    async def endless() -> AsyncIterator[Audio]:
        while True:
            yield request(0)[0]
            await asyncio.sleep(0.01)

    before = asyncio.all_tasks()
    async with contextlib.aclosing(ear.stream(endless())) as heard:
        first = await anext(heard)
    assert not first.final and first.text
    assert asyncio.all_tasks() == before


async def test_an_error_of_the_sound_reaches_the_reader(ear: WhisperRecogniser) -> None:
    async def broken() -> AsyncIterator[Audio]:
        yield request(0)[0]
        raise AudioError("the microphone is gone")

    with pytest.raises(AudioError, match="the microphone is gone"):
        _ = [one async for one in ear.stream(broken())]


async def test_an_empty_stream_is_refused_and_silence_is_no_words(ear: WhisperRecogniser) -> None:
    with pytest.raises(AudioError, match="no samples"):
        _ = [one async for one in ear.stream(arriving(Audio.silence(0, 16_000)))]
    silence = arriving(Audio.silence(20, 16_000), piece_ms=500, every_s=0)
    assert [one async for one in ear.stream(silence)] == [Recognition("")]


def test_words_that_two_partials_agree_on_stay() -> None:
    agreement = Agreement()
    assert agreement.push("the great") == "the great"
    assert agreement.push("The great wall of") == "The great wall of"
    assert agreement.push("A grey wall of China") == "The great wall of China"
    assert agreement.push("A grey wall of China is") == "The great wall of China is"
    assert agreement.push("Oh") == "The great wall of China"


def test_partials_of_text_without_blanks_agree_by_characters() -> None:
    agreement = Agreement()
    agreement.push("中国长")
    agreement.push("中国长城")
    assert agreement.push("钟国长城有多长") == "中国长城有多长"
