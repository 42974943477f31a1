"""Sound files in memory to mono samples, in this process and within a `Budget`."""

from __future__ import annotations

import functools
import io
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import AudioError
from agentaudio.sound.joined import Sound, sounds_in
from agentaudio.sound.mixing import Mixer
from agentaudio.sound.resample import resample

_BLOCK_SAMPLES = 2**18
_LOSSLESS = ("WAV", "FLAC", "AIFF", "W64", "CAF")  # as libsndfile names them
_PLAIN_STARTS = (b"RIFF", b"FORM", b"RF64", b"riff", b"caff", b".snd")
_TIMED = ("mov", "asf")  # FFmpeg's readers of formats that state how long a sound is
_SPARE_S, _SPARE_SHARE = 0.3, 0.02  # what such a statement may be wrong by
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
    channel: the only one that is kept, from 0; None mixes all
    """

    duration_s: float
    samples: int
    setting: str
    highest_rate: int | None = None
    channel: int | None = None

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

    Sounds that were joined in the file are all read; a sound of a lower rate is resampled to the highest.

    Raises AudioError when it is truncated, not a sound file, above the budget, or becomes less than it promises.
    """
    try:
        parts: list[Decoded] = []
        sounds = sounds_in(content, name)
        for sound in sounds:
            if sound.reader is not None and sound.reader != sounds[0].reader:
                raise AudioError(f"{name} is joined from sounds of different formats; convert them first")
            before_s = sum(len(part.samples) / part.sample_rate for part in parts)
            parts.append(_decoded(sound, name, budget, before_s))
        if len(parts) == 1:
            return parts[0]
        rate = max(part.sample_rate for part in parts)
        return Decoded(np.concatenate([resample(part.samples, part.sample_rate, rate) for part in parts]), rate)
    except AudioError as error:
        if name in str(error):
            raise
        raise AudioError(f"{name}: {error}") from None


def _decoded(sound: Sound, name: str, budget: Budget, before_s: float) -> Decoded:
    """before_s: seconds of the sounds before it in the same file"""
    mixed = _by_libsndfile if sound.reader is None else _by_ffmpeg
    mixer = mixed(sound, name, budget, before_s, budget.channel)
    if budget.channel is None and (channel := mixer.channel_instead) is not None:
        mixer = mixed(sound, name, budget, before_s, channel)
    found = Decoded(mixer.end(), mixer.sample_rate)
    duration_s = len(found.samples) / found.sample_rate
    if duration_s < sound.least_s:
        raise AudioError(
            f"{name} is damaged: {duration_s:.1f} s of at least {sound.least_s:.1f} s can be read; copy it again"
        )
    return found


def _by_libsndfile(sound: Sound, name: str, budget: Budget, before_s: float, channel: int | None = None) -> Mixer:
    import soundfile

    try:
        with _sound_file()(sound.content) as file:
            claimed, lossless = file.frames, file.format in _LOSSLESS
            before = round(before_s * file.samplerate)
            if claimed < _UNKNOWN:
                budget.check(name, before + claimed, file.samplerate, file.channels)
            mixer = Mixer(file.samplerate, file.channels, highest_rate=budget.highest_rate, channel=channel)
            size = max(1, _BLOCK_SAMPLES // file.channels)
            while len(block := file.read(size, dtype="float32", always_2d=True)):
                mixer.push(block)
                budget.check(name, before + mixer.frames, file.samplerate, file.channels, at_least=True)
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


def _by_ffmpeg(sound: Sound, name: str, budget: Budget, before_s: float, channel: int | None = None) -> Mixer:
    import av

    mixer: Mixer | None = None
    promised_s = 0.0
    try:
        # The reader is named, so that content cannot choose another one, such as a playlist.
        with av.open(io.BytesIO(sound.content), "r", format=sound.reader) as container:
            if not container.streams.audio:
                raise AudioError(f"{name} has no audio track")
            stream = container.streams.audio[0]
            if sound.reader in _TIMED and stream.duration is not None and stream.time_base is not None:
                promised_s = float(stream.duration * stream.time_base)
            rate = stream.rate
            before = round(before_s * rate)
            to_float = av.AudioResampler(format="fltp", rate=rate)
            for frame in container.decode(audio=0):
                for plain in to_float.resample(frame):
                    block: NDArray[Any] = plain.to_ndarray().astype(np.float32).T
                    mixer = mixer or Mixer(rate, block.shape[1], highest_rate=budget.highest_rate, channel=channel)
                    mixer.push(block)
                    budget.check(name, before + mixer.frames, rate, block.shape[1], at_least=True)
    except AudioError:
        raise
    except (av.FFmpegError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError) as error:
        # Damaged headers reach PyAV as rates of None or 0 and as other layouts in the middle.
        raise AudioError(f"{name} is not a sound file that can be read ({error}); use WAV or FLAC") from None
    if mixer is None:
        raise AudioError(f"{name} holds no sound; record it again")
    if mixer.frames / rate < promised_s - max(_SPARE_S, _SPARE_SHARE * promised_s):
        raise AudioError(
            f"{name} is truncated: {mixer.frames / rate:.1f} of {promised_s:.1f} s can be read; copy it again"
        )
    return mixer
