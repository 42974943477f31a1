"""Sound on its way out: one stream that strict decoders read to the last sample, however it was cut."""

from __future__ import annotations

import io
import warnings

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.sounds import tone

from agentaudio.server import g711
from agentaudio.server.sound_formats import FORMATS, RATE_HZ, Format, Telephone, encoder, pieces, whole
from agentaudio.sound.audio import Audio

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    audioop = pytest.importorskip("audioop")  # the reference; in the standard library until 3.12


def streamed(format: Format, parts: list[Audio]) -> bytes:
    made = encoder(format)
    return b"".join([*(made.push(piece) for part in parts for piece in pieces(part)), made.finish()])


def by_ffmpeg(content: bytes) -> int:
    """Samples that FFmpeg decodes, strictly: any damage raises."""
    with av.open(io.BytesIO(content), "r", options={"err_detect": "explode"}) as file:
        assert len(file.streams) == 1
        frames = list(file.decode(audio=0))
        return int(sum(frame.samples for frame in frames) * RATE_HZ // frames[0].sample_rate)


@pytest.mark.parametrize("format", [format for format in FORMATS if format != "pcm"])
@pytest.mark.parametrize("is_stream", [True, False])
def test_two_decoders_read_one_sound_to_its_last_sample(format: Format, is_stream: bool) -> None:
    sentences = [tone(440, seconds, 16_000) for seconds in (1.0, 0.013, 2.5, 0.3)]
    expected = Audio.concat(sentences).resample(RATE_HZ)
    content = streamed(format, sentences) if is_stream else whole(Audio.concat(sentences), format)
    heard = Audio.load(content)
    assert heard.sample_rate == RATE_HZ
    padding = {"mp3": 1_700, "aac": 3_000}.get(format, 0)  # of the encoder, before and after
    assert 0 <= len(heard) - len(expected) <= padding
    assert 0 <= by_ffmpeg(content) - len(expected) <= padding
    end = heard.slice(expected.duration - 0.1, expected.duration)
    assert end.rms == pytest.approx(expected.slice(-0.1).rms, rel=0.1)  # the tone goes on to the end


def test_a_streamed_wav_has_one_header_of_unknown_size_and_nothing_behind_the_samples() -> None:
    content = streamed("wav", [tone(440, 0.5), tone(220, 0.5)])
    assert content[4:8] == content[40:44] == b"\xff" * 4
    assert content.count(b"RIFF") == 1
    assert content[44:] == streamed("pcm", [tone(440, 0.5), tone(220, 0.5)])
    complete = whole(tone(440, 0.5), "wav")
    assert (
        int.from_bytes(complete[40:44], "little") == len(complete) - 44 == int.from_bytes(complete[4:8], "little") - 36
    )


@pytest.mark.parametrize("format", FORMATS)
def test_an_answer_without_sound_is_an_empty_or_a_very_short_file(format: Format) -> None:
    content = streamed(format, [])
    if format != "pcm":
        assert by_ffmpeg(content) < RATE_HZ * 0.15 if format != "wav" else len(content) == 44


@given(st.binary(max_size=400).map(lambda content: content[: len(content) // 2 * 2]))
def test_g711_is_that_of_the_standard(pcm: bytes) -> None:
    law: g711.Law
    for law, to_codes, to_samples in (
        ("mu", audioop.lin2ulaw, audioop.ulaw2lin),
        ("a", audioop.lin2alaw, audioop.alaw2lin),
    ):
        mine, reference = g711.encode(pcm, law), to_codes(pcm, 2)
        error, its_error = (
            np.abs(np.frombuffer(to_samples(codes, 2), "<i2").astype(int) - np.frombuffer(pcm, "<i2"))
            for codes in (mine, reference)
        )
        assert (error <= its_error).all()
        assert g711.decode(mine, law) == to_samples(mine, 2)


def test_telephone_sound_comes_in_whole_frames_and_rests_in_silence() -> None:
    law: g711.Law
    for law, quiet in (("mu", 0xFF), ("a", 0xD5)):
        line = Telephone(law)
        parts = [line.push(Audio(piece.samples, 24_000)) for piece in tone(440, 1.0, 24_000).chunks(37)]
        parts.append(line.push(Audio.silence(1.0, 24_000)))
        parts.append(line.finish())
        assert all(len(part) % 160 == 0 for part in parts[:-1])
        assert sum(map(len, parts)) == 16_000
        codes = b"".join(parts)
        assert set(codes[9_000:]) == {quiet}
        samples = np.frombuffer(g711.decode(codes[:8_000], law), "<i2") / 32_768
        spectrum = 20 * np.log10(np.abs(np.fft.rfft(samples * np.hanning(8_000))) / (8_000 / 4) + 1e-12)
        spectrum[430:451] = -200
        assert spectrum.max() < -35 - 9.5  # the tone itself stands at -9.5 dB
