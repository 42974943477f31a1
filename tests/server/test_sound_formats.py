"""Sound on its way out: one stream that strict decoders read to the last sample, however it was cut."""

from __future__ import annotations

import io

import av
import pytest
from support.sounds import tone

from agentaudio.server.sound_formats import FORMATS, RATE_HZ, Format, encoder, pieces, whole
from agentaudio.sound.audio import Audio


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
