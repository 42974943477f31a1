"""`Audio` becomes sound files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.sounds import tone

from agentaudio.errors import AudioError
from agentaudio.sound.audio import Audio


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".opus", ".mp3"])
def test_saved_sound_is_heard_again(tmp_path: Path, suffix: str) -> None:
    original = tone(440, 1.5, 24_000)
    again = Audio.load(original.save(tmp_path / f"sound{suffix}"), sample_rate=24_000)
    n = min(len(original), len(again))
    assert abs(again.duration - original.duration) < 0.1
    correlation = max(
        float(np.corrcoef(original.samples[2000 : n - 4000], again.samples[2000 + lag : n - 4000 + lag])[0, 1])
        for lag in range(0, 2000, 1)
    )
    assert correlation > 0.99


def test_nothing_is_left_when_a_place_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "occupied").write_text("a file where a folder should be")
    with pytest.raises(AudioError, match="cannot write"):
        tone().save(tmp_path / "occupied" / "a.wav")
    with pytest.raises(AudioError, match="use one of: .flac"):
        tone().save(tmp_path / "a.doc")
    assert [path.name for path in tmp_path.iterdir()] == ["occupied"]


def test_a_full_disk_leaves_the_old_file_and_no_partial_one(tmp_path: Path) -> None:
    # A limit on the size of files stands in for the full disk: the kernel refuses the write midway.
    tone(duration_s=0.1).save(tmp_path / "a.wav")
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from agentaudio.sound.audio import Audio\nfrom agentaudio.errors import AudioError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))\n"
        f"try: Audio.silence(5, 16000).save({str(tmp_path / 'a.wav')!r})\n"
        "except AudioError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "cannot write" in done.stdout and "too large" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]
    assert Audio.load(tmp_path / "a.wav").duration == pytest.approx(0.1)
