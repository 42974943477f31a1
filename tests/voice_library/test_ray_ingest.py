"""Ingest on a Ray cluster of several processes on this machine. Skipped without the extra `scale`."""

from __future__ import annotations

import importlib.util
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from agentaudio.errors import MissingExtra
from agentaudio.sound.audio import Audio
from agentaudio.sound.speaker_encoder import EmbeddedSpeakerEncoder
from agentaudio.voice_library.library import VoiceLibrary, demo_voices
from agentaudio.voice_library.ray_ingest import ingest_with_ray

without = importlib.util.find_spec("ray") is None
needs_ray = pytest.mark.skipif(without, reason="needs ray: pip install 'agentaudio[scale]'")


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    folder = tmp_path / "recordings"
    folder.mkdir()
    for number, voice in zip(range(12), demo_voices(), strict=False):
        voice.clip.save(folder / f"voice-{number}.flac")
    (folder / "noise.wav").write_bytes(b"RIFF, but no sound")
    return folder


@pytest.fixture
def cluster() -> Iterator[None]:
    import ray

    root = str(Path(__file__).parents[2])
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, runtime_env={"env_vars": {"PYTHONPATH": root}})
    yield
    ray.shutdown()


@pytest.mark.skipif(not without, reason="ray is installed")
def test_the_extra_is_named(tmp_path: Path) -> None:
    library = VoiceLibrary.create(tmp_path / "library")
    with pytest.raises(MissingExtra, match=r"agentaudio\[scale\]"):
        ingest_with_ray(library, tmp_path, encoder=EmbeddedSpeakerEncoder)


@needs_ray
@pytest.mark.filterwarnings("ignore")
def test_a_worker_that_is_killed_loses_nothing_and_a_second_run_adds_nothing(
    tmp_path: Path, recordings: Path, cluster: None
) -> None:
    library = VoiceLibrary.create(tmp_path / "library", encoder=EmbeddedSpeakerEncoder())
    killed = tmp_path / "killed"

    def encoder() -> EmbeddedSpeakerEncoder:
        # Made in the worker, after its library is open: the third clip that the first worker meets kills it.
        class Mortal(EmbeddedSpeakerEncoder):
            met = 0

            def encode_windows(self, audio: Audio) -> np.ndarray:
                self.met += 1
                if self.met == 3 and not killed.exists():
                    killed.write_text(str(os.getpid()))
                    os.kill(os.getpid(), signal.SIGKILL)
                return super().encode_windows(audio)

        return Mortal()

    report = ingest_with_ray(library, recordings, encoder=encoder, workers=2)
    assert killed.exists() and int(killed.read_text()) != os.getpid()
    assert len(report.added) == len(library) == 12
    assert [note.file for note in report.refused] and "noise" in report.refused[0].file
    assert len(library.select(embedded=True)) == 12
    again = ingest_with_ray(library, recordings, encoder=encoder, workers=2)
    assert again.added == [] and len(again.skipped) == 12 and len(library) == 12
