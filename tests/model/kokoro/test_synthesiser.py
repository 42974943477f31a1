"""Kokoro with its real weights: what is said is heard, in one rate, level and with the right pauses."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator

import pytest
from support.weights import weights_folder

from agentaudio.errors import OptionError
from agentaudio.model.kokoro.synthesiser import KokoroSynthesiser, load
from agentaudio.model.whisper.recogniser import WhisperRecogniser
from agentaudio.sound.audio import Audio
from agentaudio.sound.loudness import loudness

pytest.importorskip("onnxruntime", reason="the extra embedded is not installed")
pytest.importorskip("ctranslate2", reason="the extra embedded is not installed")

pytestmark = pytest.mark.neural

TEXT = "Mars is the fourth planet, and it has two small moons. They are very small."


@pytest.fixture(scope="module")
def kokoro() -> KokoroSynthesiser:
    weights_folder("misaki")
    weights_folder("kokoro")
    return load(None)


@pytest.fixture(scope="module")
def ear() -> WhisperRecogniser:
    return WhisperRecogniser(weights_folder("whisper-base"), threads=1)


async def arriving(text: str, read: list[str]) -> AsyncGenerator[str, None]:
    for word in text.split(" "):
        read.append(word)
        yield word + " "


async def test_a_text_is_spoken_phrase_by_phrase_and_heard_right(
    kokoro: KokoroSynthesiser, ear: WhisperRecogniser
) -> None:
    read: list[str] = []
    state = await kokoro.prepare(None)
    sounds: list[Audio] = []
    async with contextlib.aclosing(kokoro.speak(arriving(TEXT, read), state)) as speech:
        async for sound in speech:
            if not sounds:
                assert " ".join(read) == "Mars is the fourth planet, and it"
            sounds.append(sound)
    assert {sound.sample_rate for sound in sounds} == {24_000}
    levels = [loudness(sound.samples, sound.sample_rate) for sound in sounds]
    assert max(levels) - min(levels) < 2
    heard = await ear.recognise(Audio.concat(sounds), language="en")
    assert heard.text.replace(",", "") == TEXT.replace(",", "")


async def test_chinese_is_spoken_in_a_chinese_style_and_heard_right(
    kokoro: KokoroSynthesiser, ear: WhisperRecogniser
) -> None:
    pytest.importorskip("pypinyin", reason="the extra chinese is not installed")
    text = "今天下午北京的天气怎么样？"
    sounds = [sound async for sound in kokoro.speak(arriving(text, []), await kokoro.prepare(None))]
    assert "zh" in kokoro.languages
    assert (await ear.recognise(Audio.concat(sounds), language="zh")).text.rstrip("?？") == text[:-1]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("再说一遍", "zh"),
        ("你能说中文吗", "zh"),
        ("现在几点了", "zh"),
        ("Never mind.", "en"),
        ("Call my mother.", "en"),
    ],
)
async def test_the_language_of_a_second_of_speech_is_found(
    kokoro: KokoroSynthesiser, ear: WhisperRecogniser, text: str, language: str
) -> None:
    if language == "zh":
        pytest.importorskip("pypinyin", reason="the extra chinese is not installed")
    sound = kokoro.say(text, await kokoro.prepare(None), language)
    assert 0.5 < sound.duration < 1.5
    heard = await ear.recognise(sound)
    assert (heard.language or "en") == language
    assert heard.text.rstrip("。?？. ").casefold() == text.rstrip(".").casefold()


@pytest.mark.parametrize("text", ["", " \n ", "..."])
async def test_nothing_to_say_is_no_sound(kokoro: KokoroSynthesiser, text: str) -> None:
    state = await kokoro.prepare(None)
    assert [sound async for sound in kokoro.speak(arriving(text, []), state) if len(sound)] == []


def test_unknown_styles_and_wrong_options_are_refused() -> None:
    weights_folder("misaki")
    weights_folder("kokoro")
    with pytest.raises(OptionError, match="no style 'af_hart'; did you mean 'af_heart'"):
        load("af_hart")
    with pytest.raises(OptionError, match="a speed of 3 cannot be spoken; give 0.5 to 2"):
        load(None, speed=3.0)
    with pytest.raises(OptionError, match="threads is 0"):
        load(None, threads=0)
