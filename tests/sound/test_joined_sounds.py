"""No sound is lost in silence: files joined end to end, tags before a file, sound in other containers, cut files."""

from __future__ import annotations

import io
import itertools
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import share
from support.sounds import tone, wav

from agentaudio.errors import AudioError
from agentaudio.sound import decode
from agentaudio.sound.audio import Audio
from agentaudio.sound.formats import is_container, kind_of, sound_start
from agentaudio.sound.mpeg import joined_sounds, mpeg_frame
from agentaudio.sound.ogg import chains

KINDS = ["mp3", "ogg", "opus", "flac", "wav"]


def id3(size: int, fill: bytes = b"\0") -> bytes:
    return b"ID3\x04\0\0" + bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0)) + (fill * size)[:size]


def id3v1() -> bytes:
    return b"TAG" + b"title".ljust(125, b"\0")


def sung(frequency: float, duration_s: float, rate: int = 24_000) -> Audio:
    return tone(frequency, duration_s, rate)


def pitches(audio: Audio, seconds: list[float]) -> list[float]:
    """The loudest frequency around some instants."""
    found = []
    for at in seconds:
        piece = audio.slice(at - 0.1, at + 0.1)
        spectrum = np.abs(np.fft.rfft(piece.samples * np.hanning(len(piece))))
        found.append(float(spectrum.argmax()) * piece.sample_rate / len(piece))
    return found


def undescribed(mp3: bytes) -> bytes:
    """An MP3 without the frame that describes the others, as servers stream it."""
    frame = mpeg_frame(mp3, 0)
    assert frame is not None and (b"Xing" in mp3[: frame.size] or b"Info" in mp3[: frame.size])
    return mp3[frame.size :]


def stored(format: str, sound: Audio) -> bytes:
    written = io.BytesIO()
    soundfile.write(written, sound.samples, sound.sample_rate, format=format)
    return written.getvalue()


FORMATS = ["WAV", "AIFF", "AU", "CAF", "W64", "RF64", "OGG", "MP3", "FLAC"]


@pytest.mark.parametrize("first", FORMATS)
def test_sounds_of_different_formats_are_read_whole_or_refused(first: str) -> None:
    """A FLAC does not say where it ends: what follows it is refused."""
    sounds = [stored(first, sung(400, 0.7))], [stored(second, sung(700, 0.7)) for second in FORMATS]
    for between in (b"", id3(300), bytes(4000)):
        for (a,), b in itertools.product(sounds[:1], sounds[1]):
            try:
                audio = Audio.load(a + between + b)
            except AudioError as error:
                assert first == "FLAC" and "cannot" not in str(error)[:20]
                continue
            assert audio.duration == pytest.approx(1.4, abs=0.1)
            assert pitches(audio, [0.35, 1.05]) == pytest.approx([400, 700], abs=12)


@pytest.mark.parametrize("inner", ["WAV", "AIFF"])
@pytest.mark.parametrize("outer", ["MP3", "OGG", "WAV", "CAF"])
def test_a_sound_between_two_of_another_format_is_read(outer: str, inner: str) -> None:
    content = [stored(outer, sung(400, 0.7)), stored(inner, sung(700, 0.7)), stored(outer, sung(1000, 0.7))]
    assert Audio.load(b"".join(content)).duration == pytest.approx(2.1, abs=0.15)


@pytest.mark.parametrize("outer", ["MP3", "OGG", "WAV", "CAF"])
def test_a_flac_at_the_end_is_read_and_what_follows_it_is_refused(outer: str) -> None:
    content = [stored(outer, sung(400, 0.7)), stored("FLAC", sung(700, 0.7)), stored(outer, sung(1000, 0.7))]
    assert Audio.load(b"".join(content[:2])).duration == pytest.approx(1.4, abs=0.15)
    with pytest.raises(AudioError, match="flac decoder lost sync"):
        Audio.load(b"".join(content))


@pytest.mark.parametrize("format", [one for one in FORMATS if one != "FLAC"])
def test_bytes_behind_a_sound_that_are_none_change_nothing(format: str) -> None:
    content, noise = stored(format, sung(400, 0.7)), np.random.default_rng(5).bytes(30_000)
    alone = Audio.load(content)
    for tail in (noise, b"PK\3\4" + noise[:500], id3v1(), b"\xff\xfb\x90\x64" + bytes(900)):
        assert Audio.load(content + tail).duration == pytest.approx(alone.duration, abs=0.06)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", [2, 5])
def test_every_part_of_a_joined_file_is_read_in_order(kind: str, number: int) -> None:
    tones = [300.0 + 150 * n for n in range(number)]
    content = b"".join(sung(frequency, 0.7).to_bytes(kind) for frequency in tones)
    audio = Audio.load(content)
    assert audio.duration == pytest.approx(0.7 * number, abs=0.03 * number)
    assert pitches(audio, [0.35 + 0.7 * n for n in range(number)]) == pytest.approx(tones, abs=12)


@pytest.mark.parametrize("kind", KINDS)
def test_parts_of_other_rates_and_channels_are_read(kind: str) -> None:
    other = io.BytesIO()
    container, subtype = {"mp3": ("MP3", None), "ogg": ("OGG", "VORBIS"), "opus": ("OGG", "OPUS"),
                          "flac": ("FLAC", None), "wav": ("WAV", None)}[kind]  # fmt: skip
    stereo = np.repeat(sung(700, 1.0, 48_000).samples[:, None], 2, axis=1)
    soundfile.write(other, stereo, 48_000, format=container, subtype=subtype)
    audio = Audio.load(sung(400, 1.0).to_bytes(kind) + other.getvalue())
    assert audio.sample_rate == 48_000 and audio.duration == pytest.approx(2.0, abs=0.08)
    assert pitches(audio, [0.5, 1.5]) == pytest.approx([400, 700], abs=12)


@pytest.mark.parametrize(
    "between", [b"", id3v1(), id3(40_000), id3v1() + id3(333), bytes(5_000), b"\xff" * 50 + b"junk" * 900]
)
@pytest.mark.parametrize("described", list(itertools.product([True, False], repeat=2)))
def test_mp3_parts_are_read_whatever_stands_between_them(between: bytes, described: tuple[bool, bool]) -> None:
    parts = [sung(frequency, 1.0).to_bytes("mp3") for frequency in (400, 700)]
    parts = [part if kept else undescribed(part) for part, kept in zip(parts, described, strict=True)]
    audio = Audio.load(between.join(parts) + id3v1())
    assert audio.duration == pytest.approx(2.0, abs=0.15)
    assert pitches(audio, [0.5, 1.55]) == pytest.approx([400, 700], abs=12)


@pytest.mark.parametrize("kind", KINDS + ["aiff"])
@pytest.mark.parametrize(
    "before", [id3(10), id3(3_001, b"RIFF"), id3(50) + id3(60), id3(20) + bytes(4_000), bytes(100)]
)
def test_a_tag_before_a_file_costs_nothing(kind: str, before: bytes) -> None:
    sound = sung(500, 1.0)
    content = wav(sound.samples, 24_000, format="AIFF") if kind == "aiff" else sound.to_bytes(kind)
    assert Audio.load(before + content) == Audio.load(content)
    assert sound_start(before + content) == len(before) and kind_of(content) is not None


def in_wav(content: bytes, tag: int, *, size: int | None = None) -> bytes:
    form = struct.pack("<HHIIHHHHIHHH", tag, 1, 24_000, 8_000, 1, 0, 12, 1, 2, 144, 1, 0)
    data = struct.pack("<I", len(content) if size is None else size) + content
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + b"fact" + struct.pack("<II", 4, 24_000) + b"data" + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


@pytest.mark.parametrize("tag", [0x55, 0x50])
@pytest.mark.parametrize("size", [None, 0, 0xFFFFFFFF])
def test_mp3_in_wav_is_read(tag: int, size: int | None) -> None:
    sound = sung(500, 1.5)
    audio = Audio.load(in_wav(sound.to_bytes("mp3"), tag, size=size))
    assert audio.duration == pytest.approx(1.5, abs=0.05) and pitches(audio, [0.7]) == pytest.approx([500], abs=6)


@pytest.mark.parametrize("size", [0, 0x7FFFFFFF, 0x7FFFF000, 0xFFFFFFFF, 0xFFFFFFFF - 36])
@pytest.mark.parametrize("kind", ["PCM_16", "PCM_24", "FLOAT"])
def test_a_streamed_wav_is_read_to_its_end(size: int, kind: str) -> None:
    whole = wav(sung(500, 1.0).samples, 24_000, kind)
    data = whole.index(b"data")
    streamed = whole[:4] + struct.pack("<I", size) + whole[8 : data + 4] + struct.pack("<I", size) + whole[data + 8 :]
    assert Audio.load(streamed) == Audio.load(whole)
    twice = Audio.load(streamed + streamed)
    assert twice.duration == pytest.approx(2.0) and np.array_equal(twice.samples[24_000:], Audio.load(whole).samples)


def test_an_empty_wav_stays_empty() -> None:
    empty = wav(np.zeros(0, np.float32), 16_000)
    assert len(Audio.load(empty)) == 0
    assert len(Audio.load(empty + b"LIST" + struct.pack("<I", 4) + b"INFO")) == 0
    assert Audio.load(empty + wav(tone().samples, 16_000)).duration == pytest.approx(1.0)


def encoded(format: str, codec: str, rate: int, duration_s: float, frequency: float = 500) -> bytes:
    av = pytest.importorskip("av", reason="needs the extra 'containers'")
    if codec not in av.codecs_available:
        pytest.skip(f"this FFmpeg does not write {codec}")
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=format) as container:
        try:
            stream = container.add_stream(codec, rate=rate, layout="mono")
        except ValueError:
            pytest.skip(f"this FFmpeg does not write {codec}")
        stream.bit_rate = 48_000
        samples = tone(frequency, duration_s, rate).samples[None]
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.sample_rate, frame.pts = rate, 0
        fitting = av.AudioResampler(
            format=stream.format, layout="mono", rate=rate, frame_size=stream.frame_size or 1024
        )
        for piece in [*fitting.resample(frame), *fitting.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("format", "codec", "rate"),
    [("adts", "aac", 44_100), ("adts", "aac", 16_000), ("asf", "wmav2", 44_100),
     ("wav", "ac3", 48_000), ("wav", "wmav2", 44_100),
     ("ogg", "libspeex", 16_000), ("mp4", "aac", 48_000), ("matroska", "aac", 48_000), ("3gp", "aac", 48_000),
     ("amr", "libopencore_amrnb", 8_000), ("mp2", "mp2", 44_100), ("mp3", "libmp3lame", 22_050)],
)  # fmt: skip
def test_content_decides_how_a_file_is_read(format: str, codec: str, rate: int, tmp_path: Path) -> None:
    content = encoded(format, codec, rate, 1.5)
    path = tmp_path / "sound.wav"  # whatever the name says
    path.write_bytes(id3(77) + content)
    audio = Audio.load(path)
    assert audio.duration == pytest.approx(1.5, abs=0.15) and pitches(audio, [0.7]) == pytest.approx([500], abs=8)


AMR_SILENCE = b"#!AMR\n" + (b"\x3c" + bytes(31)) * 50
"""A second of AMR at 12.2 kbit/s (RFC 4867, section 5)."""


def test_amr_is_read_also_when_it_is_joined() -> None:
    pytest.importorskip("av", reason="needs the extra 'containers'")
    assert is_container(AMR_SILENCE)
    assert Audio.load(AMR_SILENCE).duration == pytest.approx(1.0, abs=0.03)
    assert Audio.load(AMR_SILENCE * 3).duration == pytest.approx(3.0, abs=0.1)


def test_joined_adts_is_read_whole() -> None:
    content = encoded("adts", "aac", 32_000, 1.0) + encoded("adts", "aac", 32_000, 1.0, 800)
    assert pitches(Audio.load(content), [0.5, 1.6]) == pytest.approx([500, 800], abs=12)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("kind", ["mp3", "ogg", "opus", "flac", "wav"])
def test_a_file_that_was_cut_is_refused(kind: str, share: float) -> None:
    content = sung(500, 4.0).to_bytes(kind)
    with pytest.raises(AudioError):
        Audio.load(content[: int(share * len(content))])


def test_a_cut_mp4_is_refused() -> None:
    content = encoded("mp4", "aac", 48_000, 4.0)
    index = content.index(b"moov") - 4
    (size,) = struct.unpack_from(">I", content, index)
    begin = content.index(b"mdat") + 4
    if index < begin:
        pytest.skip("this FFmpeg writes the index first")
    with pytest.raises(AudioError):
        Audio.load(content[:begin] + content[begin:index][: (index - begin) // 2] + content[index : index + size])


def test_pages_that_are_missing_in_the_middle_are_noticed() -> None:
    content = sung(500, 20.0).to_bytes("ogg")
    starts = [at for at in range(len(content)) if content.startswith(b"OggS", at)]
    assert len(starts) > 6
    middle = len(starts) // 2
    with pytest.raises(AudioError, match=r"is damaged: .* can be read; copy it again"):
        Audio.load(content[: starts[middle]] + content[starts[middle + 2] :])


def test_more_sounds_than_anyone_joins_are_refused() -> None:
    with pytest.raises(AudioError, match="joined from 1,001 sounds, more than 1,000"):
        Audio.load(wav(np.zeros(8, np.float32), 8_000) * 1_001)


def test_the_limit_holds_for_all_parts_together(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in KINDS:
        content = sung(500, 1.0).to_bytes(kind) * 4
        assert Audio.load(content, max_duration_s=4.5).duration > 3.9
        with pytest.raises(AudioError, match="the limit is 3 s"):
            Audio.load(content, max_duration_s=3.2)
        monkeypatch.setattr(decode, "SMALL_BYTES", 0)  # in a worker process
        with pytest.raises(AudioError, match="the limit is 3 s"):
            Audio.load(content, max_duration_s=3.2)
        monkeypatch.undo()


def test_attributes_that_macos_keeps_are_named() -> None:
    with pytest.raises(AudioError, match="attributes that macOS keeps of another file"):
        Audio.load(b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X" + bytes(4_000))


FRAGMENTS = [b"\xff\xfb\x90\x00", b"\xff\xf3\x40\xc4", b"TAG", b"ID3\4\0\0\0\0\0\1", b"OggS\0\2", bytes(40), b"\xff",
             b"OggS" + bytes(22) + b"\1\4", b"Info\0\0\0\1", bytes(413)]  # fmt: skip


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=30))
@settings(max_examples=share(150))
def test_any_frames_and_pages_are_followed_to_the_end(pieces: list[bytes]) -> None:
    content = b"".join(pieces)
    sounds = joined_sounds(content)
    assert sum(len(piece) for sound in sounds for piece in sound.pieces) <= len(content)
    assert all(len(sound.pieces) == sound.frames for sound in sounds)
    found, _ = chains(content)
    assert all(0 <= one.start < one.end <= len(content) for one in found)
