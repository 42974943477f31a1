"""Sound files in memory to mono samples, in this process and within a `Budget`."""

from __future__ import annotations

import functools
import io
import struct
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import AudioError
from agentaudio.sound.formats import is_container, is_read_by_libsndfile
from agentaudio.sound.mixing import Mixer

_BLOCK_SAMPLES = 2**18
_LOSSLESS = ("WAV", "FLAC", "AIFF", "W64", "CAF")  # as libsndfile names them
_PLAIN_STARTS = (b"RIFF", b"FORM", b"RF64", b"riff", b"caff", b".snd")
_UNKNOWN = 2**62  # frames that libsndfile claims for a stream of unknown length


class Decoded(NamedTuple):
    """What a file holds.

    samples: (n,) float32, finite and at most `levels.LOUDEST_PEAK`
    sample_rate: samples per second
    """

    samples: NDArray[np.float32]
    sample_rate: int


class OverBudget(AudioError):
    """The file becomes more than its Budget."""


class Budget(NamedTuple):
    """The most that a file may become.

    duration_s: seconds
    samples: frames times channels
    setting: that limits the duration, for error messages
    highest_rate: a higher rate becomes this one while it is read; None keeps any
    """

    duration_s: float
    samples: int
    setting: str
    highest_rate: int | None = None

    def check(self, name: str, frames: int, rate: int, channels: int, *, at_least: bool = False) -> None:
        """Raise OverBudget when a file has too much. at_least: there is more than `frames`."""
        more = "more than " if at_least else ""
        if frames > self.duration_s * rate:
            raise OverBudget(
                f"{name} lasts {more}{frames / max(rate, 1):.0f} s, and the limit is {self.duration_s:.0f} s "
                f"({self.setting}); cut it first"
            )
        if frames * channels > self.samples:
            raise OverBudget(
                f"{name} has {more}{frames * channels:,} samples in {channels} channels at {rate} Hz, and the limit "
                f"for {self.duration_s:.0f} s is {self.samples:,} (agentaudio.sound.decode.SAMPLES_PER_S); "
                "use a lower rate, or one channel"
            )


def read(content: bytes | bytearray, name: str, budget: Budget) -> Decoded:
    """Decode a sound file block by block, mixed and resampled; what its header claims is checked first.

    Raises AudioError when it is truncated, not a sound file or above the budget.
    """
    _refuse_truncated_wav(content, name)
    try:
        mixer = _mixed(content, name, budget)
        if (channel := mixer.channel_instead) is not None:
            mixer = _mixed(content, name, budget, channel)
        return Decoded(mixer.end(), mixer.sample_rate)
    except AudioError as error:
        if name in str(error):
            raise
        raise AudioError(f"{name}: {error}") from None


def _mixed(content: bytes | bytearray, name: str, budget: Budget, channel: int | None = None) -> Mixer:
    import soundfile

    if is_container(content[:12]):
        return _mixed_container(content, name, budget, channel)
    if not is_read_by_libsndfile(content[:12]):
        raise AudioError(f"{name} is not a sound file that can be read (unknown format); use WAV or FLAC")
    try:
        with _sound_file()(content) as file:
            claimed, lossless = file.frames, file.format in _LOSSLESS
            if claimed < _UNKNOWN:
                budget.check(name, claimed, file.samplerate, file.channels)
            mixer = Mixer(file.samplerate, file.channels, highest_rate=budget.highest_rate, channel=channel)
            size = max(1, _BLOCK_SAMPLES // file.channels)
            while len(block := file.read(size, dtype="float32", always_2d=True)):
                mixer.push(block)
                budget.check(name, mixer.frames, file.samplerate, file.channels, at_least=True)
    except soundfile.LibsndfileError as error:
        reason = error.error_string.rstrip(".").lower()
        raise AudioError(f"{name} is not a sound file that can be read ({reason}); use WAV or FLAC") from None
    if lossless and mixer.frames < claimed < _UNKNOWN:
        raise AudioError(f"{name} is truncated: it holds {mixer.frames} of {claimed} frames; copy it again")
    return mixer


@functools.cache
def _sound_file() -> Any:
    """A class of open sound files in memory. Made once, because soundfile is imported on first use."""
    import soundfile

    class Bytes(io.BytesIO):
        def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
            # libsndfile follows the offsets of a damaged header, and an exception in its callback is printed.
            target = offset + (0, self.tell(), len(self.getbuffer()))[whence]
            return self.tell() if target < 0 else super().seek(target)

    class SoundFile(soundfile.SoundFile):  # type: ignore[misc]
        def __init__(self, content: bytes | bytearray) -> None:
            super().__init__(Bytes(content))

        def seekable(self) -> bool:
            # Otherwise it seeks after each read, which fails at the end of a FLAC of unknown length.
            return False

    return SoundFile


def is_uncompressed(content: bytes) -> bool:
    """Whether a file stores each sample, so that decoding takes at most four times its size."""
    import soundfile

    if not content.startswith(_PLAIN_STARTS):
        return False
    try:
        with _sound_file()(content) as file:
            subtype: str = file.subtype
            return subtype.startswith("PCM_") or subtype in ("FLOAT", "DOUBLE", "ULAW", "ALAW")
    except soundfile.LibsndfileError:
        return False


def _refuse_truncated_wav(content: bytes | bytearray, name: str) -> None:
    # libsndfile reads what is left of a truncated WAV without an error, and words would go missing.
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        return
    position = 12
    while position + 8 <= len(content):
        chunk, size = content[position : position + 4], struct.unpack_from("<I", content, position + 4)[0]
        if chunk == b"data":
            held = len(content) - position - 8
            streamed = size in (0, 0xFFFFFFFF) or size >= 0x7FFFF000  # written before the length was known
            if held < size and not streamed:
                raise AudioError(f"{name} is truncated: it holds {held} of {size} bytes; copy it again")
            return
        position += 8 + size + size % 2
    raise AudioError(f"{name} is truncated: it ends before the sound that its header announces; copy it again")


def _mixed_container(content: bytes | bytearray, name: str, budget: Budget, channel: int | None) -> Mixer:
    import av

    mixer: Mixer | None = None
    try:
        with av.open(io.BytesIO(content), "r") as container:
            if not container.streams.audio:
                raise AudioError(f"{name} has no audio track")
            rate = container.streams.audio[0].rate
            to_float = av.AudioResampler(format="fltp", rate=rate)
            for frame in container.decode(audio=0):
                for plain in to_float.resample(frame):
                    block: NDArray[Any] = plain.to_ndarray().astype(np.float32).T
                    mixer = mixer or Mixer(rate, block.shape[1], highest_rate=budget.highest_rate, channel=channel)
                    mixer.push(block)
                    budget.check(name, mixer.frames, rate, block.shape[1], at_least=True)
    except AudioError:
        raise
    except (av.FFmpegError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError) as error:
        # Damaged headers reach PyAV as rates of None or 0 and as other layouts in the middle.
        raise AudioError(f"{name} is not a sound file that can be read ({error}); use WAV or FLAC") from None
    if mixer is None:
        raise AudioError(f"{name} holds no sound; record it again")
    return mixer
