"""Recognition with the real weights of Whisper."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import pytest
from support.ear import request, whisper_folder, words

from agentaudio.demo.run import questions_folder
from agentaudio.errors import AudioError, BackendError, OptionError
from agentaudio.model.whisper.recogniser import WhisperRecogniser, load
from agentaudio.sound.audio import Audio

pytestmark = pytest.mark.neural


@pytest.fixture(scope="module")
async def base() -> AsyncIterator[WhisperRecogniser]:
    recogniser = WhisperRecogniser(whisper_folder("base"))
    yield recogniser
    await recogniser.aclose()


@pytest.fixture(scope="module")
async def english() -> AsyncIterator[WhisperRecogniser]:
    recogniser = WhisperRecogniser(whisper_folder("tiny.en"))
    yield recogniser
    await recogniser.aclose()


async def test_recognises_a_request(base: WhisperRecogniser) -> None:
    audio, said = request(0)
    heard = await base.recognise(audio)
    assert words(heard.text) == words(said)
    assert heard.language == "en" and heard.final
    assert heard.confidence is not None and 0.7 < heard.confidence <= 1


async def test_a_model_for_english_alone_recognises_it(english: WhisperRecogniser) -> None:
    audio, said = request(0)
    heard = await english.recognise(audio)
    assert words(heard.text) == words(said) and heard.language == "en"
    assert english.languages == ("en",)
    with pytest.raises(OptionError, match="English only; for 'de-AT' load another size"):
        await english.recognise(audio, language="de-AT")


@pytest.mark.parametrize("rate", [8_000, 44_100])
async def test_recognises_sound_of_any_rate(base: WhisperRecogniser, rate: int) -> None:
    heard = await base.recognise(request(0)[0].resample(rate))
    assert heard.text.lower().startswith("please tell me about the great wall")


async def test_a_language_can_be_given(base: WhisperRecogniser) -> None:
    audio, said = request(0)
    assert len(base.languages) == 99 and {"en", "zh", "jv"} <= set(base.languages)
    assert words((await base.recognise(audio, language="en-GB")).text) == words(said)
    assert (await base.recognise(audio, language="de")).language == "de"
    with pytest.raises(OptionError, match="does not recognise the language 'tlh'"):
        await base.recognise(audio, language="tlh")


async def test_long_sound_is_recognised_whole(base: WhisperRecogniser) -> None:
    """Longer than two windows of Whisper, with pauses of 0.5 to 4 s and noise between the sentences."""
    noise = np.random.default_rng(0)
    parts, said = [], []
    for number in range(0, 60, 3):
        audio, text = request(number)
        pause = noise.standard_normal(round(noise.uniform(0.5, 4) * 16_000)) * 1e-3
        parts += [audio, Audio(pause, 16_000)]
        said.append(text)
    sound = Audio.concat(parts)
    assert sound.duration > 65
    heard = words((await base.recognise(sound, language="en")).text).split()
    expected = words(" ".join(said)).split()
    assert jiwer.wer(" ".join(expected), " ".join(heard)) < 0.2
    assert abs(len(heard) - len(expected)) < 0.05 * len(expected)


async def test_a_sound_without_samples_is_refused(base: WhisperRecogniser) -> None:
    with pytest.raises(AudioError, match="no samples"):
        await base.recognise(Audio.silence(0, 16_000))


async def test_a_sound_that_is_too_long_is_refused(base: WhisperRecogniser) -> None:
    with pytest.raises(AudioError, match="3601 s is too long to recognise; the limit is 3600 s"):
        await base.recognise(Audio.silence(3601, 1000))


async def test_several_sounds_are_recognised_at_the_same_time(base: WhisperRecogniser) -> None:
    asked = [request(number) for number in (0, 1, 6, 7)]
    alone = [await base.recognise(audio) for audio, _ in asked]
    assert await asyncio.gather(*(base.recognise(audio) for audio, _ in asked)) == alone


async def test_the_event_loop_goes_on_meanwhile(base: WhisperRecogniser) -> None:
    work = asyncio.ensure_future(base.recognise(request(0)[0]))
    turns = 0
    while not work.done():
        await asyncio.sleep(0.002)
        turns += 1
    assert turns > 20


async def test_cancelling_stops_the_work(base: WhisperRecogniser) -> None:
    """Both threads are free again long before two such sounds could be recognised."""
    long = Audio.concat([request(0)[0]] * 60)
    tasks = [asyncio.ensure_future(base.recognise(long)) for _ in range(4)]
    await asyncio.sleep(0.5)
    for task in tasks:
        task.cancel()
    assert all(isinstance(one, asyncio.CancelledError) for one in await asyncio.gather(*tasks, return_exceptions=True))
    before = time.process_time()
    heard = await base.recognise(request(0)[0])
    assert words(heard.text) == words(request(0)[1])
    assert time.process_time() - before < 15


async def test_a_closed_recogniser_refuses_and_closes_again() -> None:
    recogniser = WhisperRecogniser(whisper_folder("tiny.en"))
    await recogniser.aclose()
    await recogniser.aclose()
    with pytest.raises(BackendError, match="closed"):
        await recogniser.recognise(Audio.silence(1, 16_000))


async def test_loads_by_size_and_by_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = whisper_folder("tiny.en")
    (tmp_path / "tiny.en").mkdir()  # has nothing to do with the model
    monkeypatch.chdir(tmp_path)
    for argument in ("tiny.en", str(folder)):
        recogniser = load(argument, threads=1, beam=2, language="en")
        assert recogniser.languages == ("en",)
        await recogniser.aclose()


def test_unknown_sizes_and_folders_are_named(tmp_path: Path) -> None:
    pytest.importorskip("ctranslate2", reason="the extra embedded is not installed")
    with pytest.raises(BackendError, match=r"no Whisper 'bass': did you mean 'base'\?.* or give a folder"):
        load("bass")
    with pytest.raises(BackendError, match="there is no folder /no/where"):
        load("/no/where")
    with pytest.raises(BackendError, match="model.bin and config.json and tokenizer.json missing"):
        load(str(tmp_path))


async def test_damaged_files_are_named(tmp_path: Path) -> None:
    source = whisper_folder("tiny.en")
    for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
        (tmp_path / name).write_bytes((source / name).read_bytes())
    (tmp_path / "model.bin").write_bytes((source / "model.bin").read_bytes()[:1000])
    recogniser = load(str(tmp_path))
    with pytest.raises(BackendError, match="cannot be loaded as a Whisper model"):
        await recogniser.warm_up()
    await recogniser.aclose()
    (tmp_path / "tokenizer.json").write_text('{"added_tokens": [{"id": 3, "content": "<|endoftext|>"}]}')
    with pytest.raises(BackendError, match="is not Whisper's, it has no <|startoftranscript|>"):
        load(str(tmp_path))
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(BackendError, match="cannot read .*tokenizer.json"):
        load(str(tmp_path))


@pytest.mark.parametrize("options", [{"threads": 0}, {"beam": 0}, {"beam": 99}])
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="give a whole number from 1"):
        WhisperRecogniser(Path("unused"), **options)


async def test_a_question_ends_with_one_mark() -> None:
    recogniser = WhisperRecogniser(whisper_folder("base"), threads=1)
    found = await recogniser.recognise(Audio.load(questions_folder() / "national-museum.flac"))
    assert found.text == "When is the National Museum open today?"
    await recogniser.aclose()
