"""Which files count as sound, by name and by their first bytes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.sounds import tone

from agentaudio.errors import AudioError
from agentaudio.sound.audio import Audio
from agentaudio.sound.formats import SOUND_SUFFIXES, WRITABLE, has_sound_suffix, starts_like_sound


@pytest.mark.parametrize("suffix", WRITABLE)
def test_written_files_are_recognised_and_read(suffix: str) -> None:
    content = tone(duration_s=0.5).to_bytes(suffix)
    assert suffix in SOUND_SUFFIXES
    assert starts_like_sound(content) or suffix == ".mp3"  # libsndfile's MP3 begins without a tag
    assert Audio.load(content).duration == pytest.approx(0.5, abs=0.1)


def test_names_are_recognised_in_any_case() -> None:
    assert has_sound_suffix("Song.WAV") and has_sound_suffix(Path("a/b.webm")) and has_sound_suffix("x.oga")
    assert not any(has_sound_suffix(name) for name in ("notes.txt", "wav", ".wav", "a.wav/b", ""))


@pytest.mark.parametrize("content", [b"", b"RIF", b"Dear Sir", b"%PDF-1.7", "Grüße".encode()])
def test_text_does_not_start_like_sound(content: bytes) -> None:
    assert not starts_like_sound(content)
    with pytest.raises(AudioError):
        Audio.load(content)


def test_asking_for_a_suffix_loads_no_sound_library() -> None:
    code = "import agentaudio.sound.formats, sys; print({'numpy', 'soundfile', 'soxr'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"
