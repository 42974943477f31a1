"""Sound in and out of `Audio`."""

from __future__ import annotations

import io
import os
import pickle
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from support.sounds import tone

from agentaudio.errors import AudioError
from agentaudio.sound.audio import MAX_DURATION_S, Audio


def wav(samples: np.ndarray, rate: int, subtype: str = "PCM_16", format: str = "WAV") -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, subtype=subtype, format=format)
    return buffer.getvalue()


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


@pytest.mark.parametrize("rate", [8_000, 22_050, 96_000])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_any_rate_and_sample_format_is_read(rate: int, subtype: str) -> None:
    sound = tone(300, 0.5, rate)
    again = Audio.load(wav(sound.samples, rate, subtype))
    assert again.sample_rate == rate
    np.testing.assert_allclose(again.samples, sound.samples, atol=0.01)


def test_it_loads_from_path_bytes_file_object_and_itself(tmp_path: Path) -> None:
    path = tone().save(tmp_path / "a.wav")
    from_path = Audio.load(str(path))
    with path.open("rb") as file:
        assert Audio.load(file) == from_path
    assert Audio.load(path.read_bytes()) == from_path == Audio.load(from_path) == Audio.load(path)


@pytest.mark.parametrize("channels", [2, 6])
@pytest.mark.parametrize("speaking", [0, 1])
def test_sound_on_any_one_channel_is_heard(channels: int, speaking: int) -> None:
    samples = np.zeros((16_000, channels), np.float32)
    samples[:, speaking] = tone().samples
    assert Audio.load(wav(samples, 16_000)).peak == pytest.approx(0.3 / channels, rel=0.01)


def test_channels_of_opposite_polarity_do_not_cancel_to_silence() -> None:
    voice = tone().samples
    assert Audio(np.stack([voice, -voice], axis=1), 16_000).peak == pytest.approx(0.3, rel=0.01)


def test_the_shorter_axis_is_the_channels_unless_told() -> None:
    frames = np.zeros((2, 100), np.float32)
    assert len(Audio(frames, 8_000)) == 100
    assert len(Audio(frames.T, 8_000)) == 100
    assert len(Audio(np.zeros((1, 2), np.float32), 8_000, channels_first=False)) == 1


@pytest.mark.parametrize(("dtype", "full"), [(np.int16, 2**15), (np.int32, 2**31), (np.int8, 2**7)])
def test_integers_are_scaled_by_their_range(dtype: type, full: int) -> None:
    assert Audio(np.array([-full, 0, full // 2], dtype), 8_000).samples.tolist() == [-1.0, 0.0, 0.5]


def test_unsigned_bytes_have_their_zero_in_the_middle() -> None:
    assert Audio(np.array([0, 128, 192], np.uint8), 8_000).samples.tolist() == [-1.0, 0.0, 0.5]


def test_it_does_not_change_when_the_array_behind_it_does() -> None:
    array = np.zeros(10, np.float32)
    audio = Audio(array, 8_000)
    array[:] = 1
    assert audio.peak == 0
    with pytest.raises(ValueError, match="read-only"):
        audio.samples[0] = 1


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (np.array([0, np.nan, np.inf], np.float32), "2 of 3 samples are NaN"),
        (np.array([0.0, 20_000.0]), "full scale is 1.0"),
        (np.zeros((3, 3, 3), np.float32), "shape (3, 3, 3)"),
        (np.zeros((100, 50), np.float32), "50 channels"),
        (np.array(["a"]), "not sound"),
        (np.array([1j]), "not sound"),
        (np.array([True]), "not sound"),
    ],
)
def test_arrays_that_are_no_sound_are_refused(samples: np.ndarray, words: str) -> None:
    with pytest.raises(AudioError) as caught:
        Audio(samples, 16_000)
    assert words in str(caught.value)


@pytest.mark.parametrize("rate", [0, -1, 16_000.5, 10**9])
def test_impossible_sample_rates_are_refused(rate: float) -> None:
    with pytest.raises(AudioError, match="sample rate"):
        Audio(np.zeros(4, np.float32), rate)  # type: ignore[arg-type]


def _claiming_ten_hours() -> bytes:
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", 1_000, 1, format="FLAC") as file:
        for _ in range(MAX_DURATION_S // 100 + 1):
            file.write(np.zeros(100_000, np.float32))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"this is a letter, not a sound", "not a sound file"),
        (wav(tone().samples, 16_000)[:-1000], "truncated"),
        (wav(tone().samples, 16_000)[:40], "truncated"),
        (wav(tone().samples, 16_000, format="FLAC")[:4000], "FLAC"),
        (os.urandom(4096), "not a sound file"),
        (wav(np.array([0.0, np.nan]), 16_000, "FLOAT"), "NaN"),
    ],
)
def test_broken_files_are_refused_in_one_line(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "broken.wav"
    path.write_bytes(content)
    with pytest.raises(AudioError) as caught:
        Audio.load(path)
    message = str(caught.value)
    assert "broken.wav" in message and "\n" not in message
    assert words in message or words == "FLAC"


def test_a_small_file_cannot_claim_hours_of_sound() -> None:
    content = _claiming_ten_hours()
    assert len(content) < 200_000
    with pytest.raises(AudioError, match="62 minutes long; the limit is 60"):
        Audio.load(content)


def test_missing_files_folders_and_text_mode_are_named(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="no such file: .*nothing.wav"):
        Audio.load(tmp_path / "nothing.wav")
    with pytest.raises(AudioError, match="is a folder"):
        Audio.load(tmp_path)
    with pytest.raises(AudioError, match="'rb'"):
        Audio.load(io.StringIO("text"))  # type: ignore[arg-type]
    with pytest.raises(AudioError, match="cannot load sound from int"):
        Audio.load(7)  # type: ignore[arg-type]


def test_webm_and_mp4_are_read_through_containers() -> None:
    av = pytest.importorskip("av", reason="needs the extra 'containers'")
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="webm") as container:
        stream = container.add_stream("libopus", rate=48_000, layout="stereo")
        frame = av.AudioFrame.from_ndarray(
            np.repeat(tone(440, 1, 48_000).samples[None], 2, axis=0), format="fltp", layout="stereo"
        )
        frame.sample_rate = 48_000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    audio = Audio.load(buffer.getvalue())
    assert audio.sample_rate == 48_000
    assert audio.duration == pytest.approx(1, abs=0.1)
    assert audio.peak == pytest.approx(0.3, abs=0.05)
    with pytest.raises(AudioError, match="not a sound file"):
        Audio.load(buffer.getvalue()[:100])


def test_nothing_is_left_when_a_place_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "occupied").write_text("a file where a folder should be")
    with pytest.raises(AudioError, match="cannot write"):
        tone().save(tmp_path / "occupied" / "a.wav")
    with pytest.raises(AudioError, match="use one of: .flac"):
        tone().save(tmp_path / "a.doc")
    assert [path.name for path in tmp_path.iterdir()] == ["occupied"]


def test_a_full_disk_leaves_the_old_file_and_no_half_one(tmp_path: Path) -> None:
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


def test_a_wav_written_by_a_stream_that_knew_no_length_is_read() -> None:
    content = bytearray(wav(tone().samples, 16_000))
    position = content.index(b"data") + 4
    content[position : position + 4] = struct.pack("<I", 0xFFFFFFFF)
    assert Audio.load(bytes(content)).duration == pytest.approx(1)


def test_slices_count_in_seconds() -> None:
    audio = tone(duration_s=2)
    assert audio.slice(0.5, 1.5).duration == pytest.approx(1)
    assert audio.slice(-0.25).duration == pytest.approx(0.25)
    assert audio.slice(5).duration == 0


def test_it_can_be_pickled_compared_and_hashed() -> None:
    audio = tone()
    assert pickle.loads(pickle.dumps(audio)) == audio
    assert len({audio, tone(), tone(330)}) == 2


samples = arrays(np.float32, st.integers(0, 3000), elements=st.floats(-1, 1, width=32))
rates = st.sampled_from([8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000])


@given(samples, rates, rates)
@settings(max_examples=60)
def test_resampling_keeps_the_duration_and_never_explodes(x: np.ndarray, rate: int, target: int) -> None:
    resampled = Audio(x, rate).resample(target)
    assert resampled.sample_rate == target
    assert abs(resampled.duration - len(x) / rate) <= 1 / rate + 1 / target
    assert resampled.peak < 4


@given(samples, rates, st.floats(1, 2000))
@settings(max_examples=60)
def test_chunks_joined_are_the_whole(x: np.ndarray, rate: int, chunk_ms: float) -> None:
    audio = Audio(x, rate)
    pieces = list(audio.chunks(chunk_ms))
    if len(x):
        assert Audio.concat(pieces) == audio
    else:
        assert pieces == []


@given(samples, rates)
@settings(max_examples=60)
def test_sixteen_bit_pcm_and_wav_round_trip_within_half_a_step(x: np.ndarray, rate: int) -> None:
    audio = Audio(x, rate)
    for again in (Audio.from_pcm16(audio.to_pcm16(), rate), Audio.load(audio.to_bytes("wav"))):
        assert len(again) == len(audio)
        np.testing.assert_allclose(again.samples, x, atol=1.01 / 32768)


@given(
    st.binary(max_size=300), st.sampled_from([b"", b"RIFF\x24\0\0\0WAVE", b"fLaC", b"OggS", b"ID3", b"\x1aE\xdf\xa3"])
)
@settings(max_examples=200)
def test_arbitrary_bytes_are_sound_or_our_error(content: bytes, magic: bytes) -> None:
    try:
        audio = Audio.load(magic + content)
    except AudioError:
        return
    assert np.isfinite(audio.samples).all()


@given(st.integers(0, 3244))
@settings(max_examples=80)
def test_a_wav_cut_anywhere_is_refused(length: int) -> None:
    content = wav(tone(duration_s=0.1).samples, 16_000)
    assert len(content) == 3244
    if length == len(content):
        Audio.load(content)
        return
    with pytest.raises(AudioError):
        Audio.load(content[:length])
