"""eSpeak NG in its own process: its speech, its errors, and the end of the process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from agentaudio.errors import OptionError
from agentaudio.model.embedded.hearing.pronunciation import arpabet
from agentaudio.model.embedded.speaking.espeak import Espeak
from agentaudio.model.embedded.speaking.espeak_worker import short_data_path
from agentaudio.sound.audio import Audio

pytest.importorskip("espeakng_loader", reason="the extra espeak is not installed")


@pytest.fixture(scope="module")
def synthesiser() -> Iterator[Espeak]:
    synthesiser = Espeak()
    yield synthesiser
    synthesiser.close()


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _gone(pid: int, within_s: float = 5.0) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if not _alive(pid):
            return True
        time.sleep(0.02)
    return False


def test_speaks_for_about_as_long_as_a_person_would(synthesiser: Espeak) -> None:
    audio = synthesiser.speak("The Great Wall of China was built by several dynasties.")
    assert audio.sample_rate == 22_050
    assert 2.0 < audio.duration < 5.0
    assert 0.1 < audio.peak <= 1.0


@pytest.mark.parametrize("text", ["", "   \n\t ", "\x00\x07\x1b", "<br/><p></p>"])
def test_empty_text_gives_empty_audio(synthesiser: Espeak, text: str) -> None:
    assert len(synthesiser.speak(text)) == 0


@pytest.mark.parametrize(
    "text",
    ["\ud800 half a character", "zero\x00byte", "<speak>[[h@l'oU]]</speak>", "你好 мир 🎻", "a" * 3000],
)
def test_hostile_text_is_spoken_or_skipped(synthesiser: Espeak, text: str) -> None:
    assert isinstance(synthesiser.speak(text), Audio)
    assert len(synthesiser.speak("Still here.")) > 0


def test_long_text_is_spoken_to_its_end(synthesiser: Espeak) -> None:
    sentence = "Honey bees dance to show the way. "
    once, often = synthesiser.speak(sentence), synthesiser.speak(sentence * 60)
    assert often.duration > 40 * once.duration


def test_a_faster_rate_is_shorter_and_an_impossible_one_refused(synthesiser: Espeak) -> None:
    text = "The moon is far away from the earth."
    assert synthesiser.speak(text, rate_wpm=260).duration < 0.8 * synthesiser.speak(text, rate_wpm=140).duration
    with pytest.raises(OptionError, match="0 words per minute"):
        synthesiser.speak(text, rate_wpm=0)


def test_wanted_pitch_moves_the_voice(synthesiser: Espeak) -> None:
    pytest.importorskip("pyworld", reason="the extra embedded is not installed")
    from agentaudio.model.timbre import WorldTimbre

    text = "Where are you going with our yellow umbrella, Mary?"
    low = WorldTimbre(synthesiser.speak(text, pitch_hz=85)).pitch_hz
    high = WorldTimbre(synthesiser.speak(text, pitch_hz=200)).pitch_hz
    assert low is not None and high is not None
    assert high > 1.5 * low


def test_threads_get_their_own_words(synthesiser: Espeak) -> None:
    texts = ["One.", "A rather longer sentence than the first one.", "Twenty three violins played."] * 4
    heard: dict[int, Audio] = {}

    def speak(number: int) -> None:
        heard[number] = synthesiser.speak(texts[number])

    threads = [threading.Thread(target=speak, args=(number,)) for number in range(len(texts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    durations = np.array([heard[number].duration for number in range(len(texts))]).reshape(4, 3)
    assert np.ptp(durations, axis=0).max() < 0.1
    assert durations[0, 0] < durations[0, 2] < durations[0, 1]


def test_killed_worker_is_replaced(synthesiser: Espeak) -> None:
    synthesiser.speak("before")
    first = synthesiser.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert len(synthesiser.speak("after")) > 0
    assert synthesiser.pid != first
    assert _gone(first)


def test_close_ends_the_worker_and_may_be_repeated() -> None:
    synthesiser = Espeak()
    synthesiser.speak("hello")
    pid = synthesiser.pid
    assert pid is not None
    synthesiser.close()
    synthesiser.close()
    assert _gone(pid)
    assert len(synthesiser.speak("again")) > 0
    synthesiser.close()


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_worker_leaves_with_its_parent_without_a_word(end: signal.Signals) -> None:
    program = (
        "import time\n"
        "from agentaudio.model.embedded.speaking.espeak import Espeak\n"
        "s = Espeak(); s.speak('hello'); print(s.pid, flush=True)\n"
        "try:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    pass\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as parent:
        assert parent.stdout is not None and parent.stderr is not None
        worker = int(parent.stdout.readline())
        os.kill(worker, signal.SIGINT)  # what Ctrl-C would send to the group
        time.sleep(0.1)
        assert _alive(worker)
        parent.send_signal(end)
        parent.wait(timeout=10)
        assert parent.stderr.read() == b""
    assert _gone(worker)


def test_words_outside_the_dictionary_are_pronounced(synthesiser: Espeak) -> None:
    sounds = synthesiser.phonemes(["Badaling", "guitar", ""])
    assert arpabet(sounds[0]) == ["B", "AE", "D", "EY", "L", "IH", "NG"]
    assert arpabet(sounds[1]) == ["G", "IH", "T", "AA", "R"]
    assert sounds[2] == []


def test_data_behind_a_long_path_is_reached_by_a_short_one(tmp_path: Path) -> None:
    import contextlib

    folder = tmp_path
    while len(str(folder)) < 230:
        folder = folder / ("x" * 40)
    folder.mkdir(parents=True)
    (folder / "phontab").write_text("data")
    with contextlib.ExitStack() as stack:
        short = Path(short_data_path(str(folder), stack))
        assert len(str(short)) < 120
        assert (short / "phontab").read_text() == "data"
    assert not short.exists()
