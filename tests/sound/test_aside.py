"""Sound of earlier turns lies in a file without a name: equal, and out of memory."""

from __future__ import annotations

import gc
import os
import pickle
import tempfile
from pathlib import Path

import numpy as np
import pytest

from agentaudio import Agent, Audio
from agentaudio.conversation import AudioPart, SpeechPart
from agentaudio.model.scripted import Scripted
from agentaudio.setup import RECENT_TURNS
from agentaudio.sound.aside import AsideAudio, SoundsAside

RATE = 16_000


def noise(seconds: float, seed: int = 0) -> Audio:
    return Audio(0.1 * np.random.default_rng(seed).standard_normal(round(seconds * RATE)).astype(np.float32), RATE)


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_a_sound_comes_back_as_it_was() -> None:
    aside = SoundsAside()
    sounds = [noise(0.5, 1), noise(2.0, 2), Audio(noise(1.0, 3).samples, 24_000)]
    put = [aside.put(sound) for sound in sounds]
    for sound, moved in zip(sounds, put, strict=True):
        assert isinstance(moved, AsideAudio)
        assert moved == sound and hash(moved) == hash(sound) and moved.sha256 == sound.sha256
        assert (len(moved), moved.duration, moved.sample_rate) == (len(sound), sound.duration, sound.sample_rate)
        assert moved.slice(0.1, 0.3) == sound.slice(0.1, 0.3)
        assert pickle.loads(pickle.dumps(moved)) == sound
        with pytest.raises(ValueError, match="read-only"):
            moved.samples[0] = 0
        assert aside.put(moved) is moved


def test_the_file_has_no_name_and_ends_with_its_last_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    gc.collect()
    before = open_files()
    moved = SoundsAside().put(noise(1.0))
    assert open_files() == before + 1 and not list(tmp_path.iterdir())
    assert moved == noise(1.0)
    del moved
    gc.collect()
    assert open_files() == before


def test_without_a_disk_sound_stays_in_memory_and_the_log_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    aside, sound = SoundsAside(), noise(1.0)
    assert aside.put(sound) is sound and aside.put(sound) is sound
    assert [record.message for record in caplog.records] == [
        "sound of earlier turns stays in memory: No such file or directory"
    ]


async def test_a_session_holds_the_sound_of_its_latest_turns_in_memory() -> None:
    agent = Agent(Scripted(["It is nine o'clock in Tokyo."], loop=True))
    session = agent.session(plays=False)
    turns = RECENT_TURNS + 4
    said = [noise(1.0, number) for number in range(turns)]
    for sound in said:
        await session.run(sound)
    users = [part.audio for message in session.conversation for part in message.parts if isinstance(part, AudioPart)]
    answers = [part.audio for message in session.conversation for part in message.parts if isinstance(part, SpeechPart)]
    assert users == said and len(answers) == turns
    for sounds in (users, answers):
        assert [isinstance(sound, AsideAudio) for sound in sounds] == [True] * 4 + [False] * RECENT_TURNS
