"""A small file of sound never becomes gigabytes: length, rate and channels are limited before it is decoded."""

from __future__ import annotations

import asyncio
import io
import resource
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from support import bombs
from support.sounds import tone

from agentaudio.errors import AudioError
from agentaudio.hearing import hear
from agentaudio.model.embedded.hearing.sphinx_pool import LONGEST_AUDIO_S
from agentaudio.model.scripted import Scripted
from agentaudio.sound import decode
from agentaudio.sound.audio import Audio
from agentaudio.workers.pool import SOUND

pytestmark = pytest.mark.hostile


def load(content: bytes, max_duration_s: float = 60) -> Audio:
    return asyncio.run(Audio.aload(content, max_duration_s=max_duration_s, setting="max_audio_s"))


@pytest.mark.parametrize("kind", bombs.sounds())
def test_hostile_sound_takes_neither_time_nor_memory(kind: str) -> None:
    content = bombs.sounds()[kind]()
    before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    try:
        sound = load(content)
    except AudioError as error:
        assert any(word in str(error) for word in ("limit", "truncated", "channels", "not a sound"))
    else:
        assert sound.duration <= 60
    assert time.perf_counter() - begun < 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("FLAC of five minutes at 655,350 Hz", r"lasts 300 s, and the limit is 60 s \(max_audio_s\)"),
        (
            "FLAC of eight channels",
            r"76,800,000 samples in 8 channels .* is 11,520,000 \(.*SAMPLES_PER_S",
        ),
        ("Opus of two minutes", r"lasts (more than )?\d+ s, and the limit is 60 s \(max_audio_s\)"),
    ],
)
def test_the_message_names_value_limit_and_setting(kind: str, problem: str) -> None:
    with pytest.raises(AudioError, match=problem):
        load(bombs.sounds()[kind]())


def test_the_limit_of_the_model_holds_before_its_input_is_decoded() -> None:
    model = Scripted(["yes"])
    content = bombs.silent(3_700, 8_000, 1, "FLAC", "PCM_16")
    with pytest.raises(AudioError, match=rf"limit is 3600 s \(max_audio_s of model {model.name!r}\)"):
        asyncio.run(hear(content, model))
    assert LONGEST_AUDIO_S <= 600


@pytest.mark.parametrize("format", [("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III"), ("OGG", "OPUS")])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_worker_process_decodes_what_this_process_would(
    format: tuple[str, str], channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = np.stack([tone(300 + 100 * n, 2.0, 48_000).samples for n in range(channels)], axis=1)
    file = io.BytesIO()
    soundfile.write(file, samples, 48_000, format=format[0], subtype=format[1])
    here = Audio.load(file.getvalue())
    monkeypatch.setattr(decode, "SMALL_BYTES", 0)
    apart = Audio.load(file.getvalue())
    assert SOUND.pids and apart == here == load(file.getvalue())


def test_sound_that_is_small_or_uncompressed_needs_no_process() -> None:
    SOUND.close()
    Audio.load(tone(300, 30.0, 16_000).to_bytes("flac"))
    Audio.load(tone(300, 30.0, 16_000).to_bytes("mp3"))
    Audio.load(tone(300, 300.0, 16_000).to_bytes("wav"))
    assert SOUND.pids == []


def test_a_long_compressed_sound_is_read_whole() -> None:
    sound = Audio.load(bombs.silent(900, 8_000, 2, "FLAC", "PCM_16"))
    assert (sound.duration, sound.sample_rate) == (900, 8_000)


@pytest.mark.parametrize(("seconds", "rate", "channels"), [(300, 655_350, 1), (3_500, 48_000, 1), (300, 192_000, 3)])
def test_a_model_with_a_limit_of_an_hour_hears_a_small_file_within_300_mb(
    seconds: int, rate: int, channels: int, tmp_path: Path
) -> None:
    path = tmp_path / "long.flac"
    path.write_bytes(bombs.silent(seconds, rate, channels, "FLAC", "PCM_16"))
    code = """
        import asyncio, resource, sys
        from pathlib import Path
        from agentaudio.errors import AudioError
        from agentaudio.hearing import hear
        from agentaudio.model.scripted import Scripted
        asyncio.run(hear(Path(sys.argv[2]), Scripted(["yes"])))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            asyncio.run(hear(Path(sys.argv[1]), Scripted(["yes"])))
        except AudioError as error:
            assert "is silent" in str(error)
        print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
    """
    short = tone(300, 30.0, 48_000).save(tmp_path / "short.flac")
    ran = subprocess.run([sys.executable, "-c", textwrap.dedent(code), path, short], capture_output=True, text=True)
    assert ran.stderr == "" and int(ran.stdout) < 300_000_000
