"""Sound files of every kind, whole and broken, become `Audio` or an AudioError."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import share
from support.sounds import tone, wav

from agentaudio.errors import AudioError, MissingExtra
from agentaudio.sound import decode
from agentaudio.sound.audio import Audio
from agentaudio.sound.decode import MAX_DURATION_S


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


def _claiming_ten_hours() -> bytes:
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", 1_000, 1, format="FLAC") as file:
        for _ in range(MAX_DURATION_S // 100 + 1):
            file.write(np.zeros(100_000, np.float32))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"", "is empty", id="nothing"),
        pytest.param(b"this is a letter, not a sound", "not a sound file", id="text"),
        pytest.param(wav(tone().samples, 16_000)[:-1000], "truncated", id="cut in the samples"),
        pytest.param(wav(tone().samples, 16_000)[:40], "truncated", id="cut in the header"),
        pytest.param(wav(tone().samples, 16_000, format="FLAC")[:4000], "FLAC", id="cut FLAC"),
        pytest.param(os.urandom(4096), "not a sound file", id="random bytes"),
        pytest.param(wav(np.array([0.0, np.nan]), 16_000, "FLOAT"), "NaN", id="NaN"),
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
    with pytest.raises(AudioError, match=r"lasts 3700 s, .* 3600 s \(agentaudio.sound.decode.MAX_DURATION_S\)"):
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


def test_a_wav_written_by_a_stream_that_knew_no_length_is_read() -> None:
    content = bytearray(wav(tone().samples, 16_000))
    position = content.index(b"data") + 4
    content[position : position + 4] = struct.pack("<I", 0xFFFFFFFF)
    assert Audio.load(bytes(content)).duration == pytest.approx(1)


@given(
    st.binary(max_size=300), st.sampled_from([b"", b"RIFF\x24\0\0\0WAVE", b"fLaC", b"OggS", b"ID3", b"\x1aE\xdf\xa3"])
)
@settings(max_examples=share(200))
def test_arbitrary_bytes_are_sound_or_our_error(content: bytes, magic: bytes) -> None:
    try:
        audio = Audio.load(magic + content)
    except (AudioError, MissingExtra):  # a container needs an extra
        return
    assert np.isfinite(audio.samples).all()


@given(st.integers(0, 3244))
@settings(max_examples=share(80))
def test_a_wav_cut_anywhere_is_refused(length: int) -> None:
    content = wav(tone(duration_s=0.1).samples, 16_000)
    assert len(content) == 3244
    if length == len(content):
        Audio.load(content)
        return
    with pytest.raises(AudioError):
        Audio.load(content[:length])


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("in_worker", [False, True])
def test_a_rate_above_the_highest_is_resampled_while_the_file_is_read(
    channels: int, in_worker: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = np.stack([tone(300 + n, 9.0, 96_000).samples for n in range(channels)], axis=1)
    content = wav(samples, 96_000, format="FLAC")
    whole = Audio.load(content)
    monkeypatch.setattr(decode, "SMALL_BYTES", 0 if in_worker else 10_000_000)
    assert whole.sample_rate == 96_000
    assert Audio.load(content, highest_rate=16_000) == Audio.load(content, sample_rate=16_000) == whole.resample(16_000)
    assert Audio.load(content, highest_rate=192_000) == whole
    assert Audio.load(content, highest_rate=48_000, sample_rate=96_000).sample_rate == 96_000


def test_channels_that_cancel_late_in_a_long_file_are_not_lost() -> None:
    voice = tone(300, 20.0, 48_000).samples.copy()
    voice[:100_000] = 0
    sound = Audio.load(wav(np.stack([voice, -voice], axis=1), 48_000))
    np.testing.assert_allclose(sound.samples, voice, atol=1e-3)


def test_a_file_of_more_than_32_channels_or_wrong_samples_is_named() -> None:
    with pytest.raises(AudioError, match=r"bytes: 33 channels in the file; give 1 to 32"):
        Audio.load(wav(np.zeros((10, 33)), 8_000))
    with pytest.raises(AudioError, match=r"bytes: float samples reach 9, but full scale is 1.0"):
        Audio.load(wav(np.full(10, 9.0), 8_000, "FLOAT"))


def test_a_flac_of_unknown_length_is_read_to_its_end() -> None:
    content = bytearray(wav(tone(300, 2.0, 48_000).samples, 48_000, format="FLAC"))
    (word,) = struct.unpack_from(">Q", content, 18)  # the 36 bits of frames in STREAMINFO (RFC 9639, 8.2)
    struct.pack_into(">Q", content, 18, word & ~(2**36 - 1))
    assert Audio.load(bytes(content)) == Audio.load(wav(tone(300, 2.0, 48_000).samples, 48_000, format="FLAC"))


OTHER_FORMATS = ["VOC", "NIST", "IRCAM", "PAF", "SVX", "PVF", "MAT4", "MAT5", "AVR", "HTK", "MPC2K", "SDS", "WVE"]


@pytest.mark.parametrize("format", OTHER_FORMATS)
def test_only_the_documented_formats_are_parsed(format: str, capfd: pytest.CaptureFixture[str]) -> None:
    content = wav(tone(duration_s=0.1).samples, 8_000, "ALAW" if format == "WVE" else "PCM_16", format)
    for broken in (content, content[:-7], content[:60] + bytes(50) + content[60:]):
        with pytest.raises(AudioError, match="unknown format"):
            Audio.load(broken)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("format", "subtype"),
    [("CAF", "PCM_16"), ("AU", "ULAW"), ("W64", "PCM_16"), ("RF64", "PCM_16"), ("AIFF", "FLOAT"), ("WAVEX", "PCM_24"),
     ("MP3", "MPEG_LAYER_III")],
)  # fmt: skip
def test_the_known_formats_are_read(format: str, subtype: str) -> None:
    assert Audio.load(wav(tone().samples, 16_000, subtype, format)).duration == pytest.approx(1.0, abs=0.15)


def test_offsets_before_the_beginning_of_a_file_are_an_error_and_print_nothing(
    capfd: pytest.CaptureFixture[str],
) -> None:
    content = wav(tone().samples, 16_000, format="AIFF").replace(b"SSND", b"\xffSND")
    with pytest.raises(AudioError, match="not a sound file"):
        Audio.load(content)
    assert capfd.readouterr() == ("", "")
