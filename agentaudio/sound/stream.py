"""`PcmStream`: sound that arrives in chunks, converted to one sample rate without seams."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import AudioError
from agentaudio.sound.audio import Audio
from agentaudio.sound.prompt_resampler import PromptResampler, is_simple
from agentaudio.sound.resample import Resampler, check_rate

Chunk = Audio | bytes | bytearray | memoryview | NDArray[np.floating] | NDArray[np.integer]

_NOTHING = np.zeros(0, np.float32)


class PcmStream:
    """Converts a stream of mono sound to one rate. All chunks out, joined, equal the whole converted at once.

    sample_rate: of the sound that comes out
    from_hz: of raw chunks (bytes and arrays); None accepts only `Audio`, which knows its rate
    prompt: let sound of rates with a simple ratio, such as 24 and 16 kHz, leave within 6 ms, by `PromptResampler`; it
        differs then from that of `Audio.resample` by what the filters differ, which nobody hears

    However the input is cut into chunks, empty ones and half samples included, the samples that
    come out are the same, bit by bit, as those of `Audio.resample` on the whole: n samples in give
    floor(n * sample_rate / from_hz + 1/2) out. Equal rates pass through at once. Otherwise soxr works
    in blocks: sound leaves within 60 ms of its arrival, or 180 ms when a rate is below 16 kHz.

    An `Audio` may have any rate. When the rate changes, what came before is converted to its end first.

    Not thread-safe: one instance serves one stream.
    Raises AudioError for a rate out of range.
    """

    def __init__(self, sample_rate: int, *, from_hz: int | None = None, prompt: bool = False) -> None:
        check_rate(sample_rate)
        if from_hz is not None:
            check_rate(from_hz)
        self.sample_rate = int(sample_rate)
        self._nothing = Audio(_NOTHING, self.sample_rate)
        self._from_hz, self._prompt = from_hz, prompt
        self.reset()

    def reset(self) -> None:
        """Drop what has not come out yet and begin a new stream."""
        self._half = b""  # the first byte of a 16-bit sample whose second has not arrived
        self._rate: int | None = None  # of the sound in the resampler
        self._resampler: Resampler | PromptResampler | None = None
        self._finished = False

    def push(self, chunk: Chunk) -> Audio:
        """Take the next chunk; return the sound that is final now, at `sample_rate`; it may be empty.

        chunk: `Audio` of any rate; bytes of little-endian signed 16-bit samples, cut anywhere; or
            (n,) samples as `Audio` takes them, float in [-1, 1] or integers

        Raises AudioError after `finish`, for raw chunks without `from_hz`, for an array or Audio
        between two halves of a sample, and for samples that `Audio` refuses. The stream is then as
        before the call.
        """
        if self._finished:
            raise AudioError("this stream is finished; call reset() to begin a new one")
        sound, half = self._whole_samples(chunk)
        self._half = half
        if not len(sound):
            return self._nothing
        rest = _NOTHING
        if sound.sample_rate != self._rate:
            rest = self._flushed()
            self._rate = sound.sample_rate
            self._resampler = self._converter(sound.sample_rate)
        if self._rate == self.sample_rate and not len(rest):
            return sound
        assert self._resampler is not None
        ready = self._resampler.push(sound.samples)
        if len(rest) or ready.dtype != np.float32:
            return Audio(np.concatenate([rest, ready]), self.sample_rate)
        return Audio.of_sound(ready, self.sample_rate)

    def finish(self) -> Audio:
        """End the stream and return the rest of the sound. Only `reset` may be called afterwards.

        Raises AudioError when the stream is finished already, or when the bytes end in half a
        sample; in the second case the stream goes on, and the missing byte may still be pushed.
        """
        if self._finished:
            raise AudioError("this stream is finished; call reset() to begin a new one")
        if self._half:
            raise AudioError("the stream ends in half a 16-bit sample; push the missing byte, or reset()")
        rest = self._flushed()
        self._finished = True
        return Audio(rest, self.sample_rate)

    def _whole_samples(self, chunk: Chunk) -> tuple[Audio, bytes]:
        """The chunk as Audio, and the byte of a sample that is not complete."""
        if isinstance(chunk, bytes | bytearray | memoryview):
            content = self._half + bytes(chunk)
            cut = len(content) - len(content) % 2
            return Audio.from_pcm16(content[:cut], self._raw_rate()), content[cut:]
        if not isinstance(chunk, Audio) and np.ndim(chunk) != 1:
            raise AudioError(f"a chunk of shape {np.shape(chunk)} is not one channel of sound; give (n,) samples")
        sound = chunk if isinstance(chunk, Audio) else Audio(chunk, self._raw_rate())
        if self._half and len(sound):
            raise AudioError("half a 16-bit sample came before this chunk; push its second byte first")
        return sound, self._half

    def _converter(self, rate: int) -> Resampler | PromptResampler:
        if self._prompt and rate != self.sample_rate and is_simple(rate, self.sample_rate):
            return PromptResampler(rate, self.sample_rate)
        return Resampler(rate, self.sample_rate)

    def _raw_rate(self) -> int:
        if self._from_hz is None:
            raise AudioError("raw samples do not tell their rate; give PcmStream(..., from_hz=...), or push Audio")
        return self._from_hz

    def _flushed(self) -> NDArray[np.float32]:
        return _NOTHING if self._resampler is None else self._resampler.push(_NOTHING, last=True)
