"""The transcript of a recording of which only a part is kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from agentaudio.sound.audio import Audio
from agentaudio.voice_library.ingest import ingest
from agentaudio.voice_library.library import VoiceLibrary, demo_voices


def test_a_transcript_is_kept_with_the_whole_speech_and_dropped_with_a_part(tmp_path: Path) -> None:
    clip = demo_voices().get("marcus").clip
    rate = clip.sample_rate
    pause = Audio(np.zeros(rate), rate)
    Audio.concat([clip, pause] * 6).save(tmp_path / "long.wav")
    Audio.concat([clip, *[pause] * 15]).save(tmp_path / "quiet.wav")
    clip.save(tmp_path / "whole.wav")
    (tmp_path / "all.csv").write_text("file,transcript\nlong.wav,many words\nquiet.wav,these words\nwhole.wav,words\n")
    library = VoiceLibrary.create(tmp_path / "library")
    report = ingest(library, tmp_path / "all.csv")
    assert [voice.transcript for voice in library] in (["", "these words", "words"], ["", "these words"])
    assert any("transcript was dropped" in note.what for note in report.flagged)
