"""What the audio encoder sees: log-mel spectrograms of 25 s pieces of 16 kHz sound, whole or while it arrives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import AudioError
from agentaudio.model.step_audio_2.network.resample import ResampleStream, resample
from agentaudio.sound.audio import Audio
from agentaudio.sound.mel import mel_filters

Float = NDArray[np.float32]

SAMPLE_RATE = 16_000
PIECE_SAMPLES = 400_000
"""25 s: longer sound is cut, and every piece is an audio of its own in the prompt."""
N_MELS = 128
HOP = 160
WINDOW = 400
PADDING = 479
"""Zeros that the reference appends to every piece."""
FLOOR = 1e-10
DYNAMIC_RANGE = 8.0
"""Decades below the loudest bin of the piece at which everything quieter is cut off."""


def frame_count(samples: int) -> int:
    """Log-mel frames of a piece of so many 16 kHz samples (1 to 400,000)."""
    return (samples + PADDING) // HOP


def encoder_length(frames: int) -> int:
    """Rows of the encoder's output that belong to a piece of so many frames; the last 2 frames do not count."""
    return max(frames - 1, 0) // 2 // 2


def token_count(frames: int) -> int:
    """How many `<audio_patch>` a piece of so many log-mel frames takes in the prompt; 0 below 5 frames (12.5 a second).

    The vLLM fork counts `token_count(frames + 2)`, which is sometimes one more.
    """
    return (encoder_length(frames) - 1) // 2 + 1


def log_mel(samples: Float) -> Float:
    """Log-mel spectrogram of one piece, as the Step-Audio 2 encoder expects it.

    samples: (n,) float, 16 kHz mono in [-1, 1], 1 <= n <= 400,000. Silence is sound: every value is -1.5.
    returns: (128, (n + 479) // 160) float32; hop 10 ms

    Raises AudioError for no samples, too many, NaN or infinity.
    Source: Step-Audio2 utils.py, log_mel_spectrogram (Whisper's, with 128 bands), computed in float64.
    """
    stream = FeatureStream()
    if len(samples) > PIECE_SAMPLES:
        raise AudioError(f"{len(samples)} samples are more than one piece of {PIECE_SAMPLES}; use `features`")
    done = stream.push(samples)
    return (done or stream.finish())[0]


def features(audio: Audio) -> list[Float]:
    """The log-mels of all 25 s pieces of a sound at any rate: each (128, frames) float32.

    Resampled as the reference does; channels were already mixed by `Audio` (the reference takes the first).
    Raises AudioError for a sound without samples.
    """
    samples = audio.samples
    if not len(samples):
        raise AudioError("the sound holds no samples; record it again")
    if audio.sample_rate != SAMPLE_RATE:
        samples = resample(samples, audio.sample_rate, SAMPLE_RATE)
    return [log_mel(samples[start : start + PIECE_SAMPLES]) for start in range(0, len(samples), PIECE_SAMPLES)]


@dataclass(frozen=True, slots=True)
class FeatureBatch:
    """Pieces padded with zeros to the longest, as `StepAudio2ForCausalLM` takes them.

    input_features: (pieces, 128, frames) float32; feature_lengths: (pieces,) int64, frames of each
    """

    input_features: Float
    feature_lengths: NDArray[np.int64]


def batch(pieces: Sequence[Float]) -> FeatureBatch:
    """Stack log-mels of unequal length. No pieces give arrays of no rows."""
    lengths = np.array([piece.shape[1] for piece in pieces], np.int64)
    stacked = np.zeros((len(pieces), N_MELS, int(lengths.max(initial=0))), np.float32)
    for row, piece in zip(stacked, pieces, strict=True):
        row[:, : piece.shape[1]] = piece
    return FeatureBatch(stacked, lengths)


class FeatureStream:
    """Log-mels computed while sound is still arriving; however it is cut, the pieces are those of `features`.

    sample_rate: of the sound that is pushed

    Every frame is transformed as soon as its 25 ms are there. Only the cut at 8 decades below the
    loudest bin has to wait for the end of the piece; it is a maximum over numbers that are ready.
    """

    def __init__(self, sample_rate: int = SAMPLE_RATE) -> None:
        self._resampler = ResampleStream(sample_rate, SAMPLE_RATE)
        self._piece = _Piece()
        self._pieces = 0

    def push(self, samples: Float) -> list[Float]:
        """Take (n,) float samples more. Gives the pieces that became whole, each (128, 2502) float32.

        Raises AudioError for NaN, infinity or more than one channel.
        """
        return self._take(self._resampler.push(samples))

    def finish(self) -> list[Float]:
        """The pieces at the end of the sound, mostly one. Nothing may be pushed afterwards.

        Raises AudioError when no samples ever came.
        """
        done = self._take(self._resampler.finish())
        if self._piece.received:
            done.append(self._piece.finish())
            self._pieces += 1
        if not self._pieces:
            raise AudioError("the sound holds no samples; record it again")
        return done

    @property
    def frames(self) -> int:
        """Frames of the unfinished piece that are already transformed."""
        return self._piece.frames

    def _take(self, samples: Float) -> list[Float]:
        done = []
        while len(samples):
            part, samples = np.split(samples, [PIECE_SAMPLES - self._piece.received])
            self._piece.push(part)
            if self._piece.received == PIECE_SAMPLES:
                done.append(self._piece.finish())
                self._pieces += 1
                self._piece = _Piece()
        return done


class _Piece:
    """One piece on its way. Frame t looks at samples 160 t - 200 to 160 t + 199; before the first, the sound is
    mirrored."""

    def __init__(self) -> None:
        self.received = 0
        self.frames = 0
        self._spectra: list[NDArray[np.float64]] = []
        self._waiting = np.zeros(0, np.float64)
        self._mirrored = False

    def push(self, samples: NDArray[np.float32] | NDArray[np.float64]) -> None:
        self.received += len(samples)
        self._append(samples)

    def finish(self) -> Float:
        # The reference mirrors the right end as well, but all that is mirrored there is padding.
        self._append(np.zeros(PADDING + WINDOW // 2))
        decades = np.concatenate(self._spectra)[: frame_count(self.received)].T
        scaled: Float = ((np.maximum(decades, decades.max() - DYNAMIC_RANGE) + 4.0) / 4.0).astype(np.float32)
        return scaled

    def _append(self, samples: NDArray[np.float32] | NDArray[np.float64]) -> None:
        self._waiting = np.concatenate([self._waiting, samples])
        if not self._mirrored:
            if len(self._waiting) <= WINDOW // 2:
                return
            self._waiting = np.concatenate([self._waiting[WINDOW // 2 : 0 : -1], self._waiting])
            self._mirrored = True
        ready = (len(self._waiting) - WINDOW) // HOP + 1
        if ready > 0:
            frames = np.lib.stride_tricks.sliding_window_view(self._waiting, WINDOW)[: ready * HOP : HOP]
            self._spectra.append(_decades(frames))
            self.frames += ready
            self._waiting = self._waiting[ready * HOP :]


def _decades(frames: NDArray[np.float64]) -> NDArray[np.float64]:
    """(t, 400) samples to (t, 128) log10 of mel energy, before the cut."""
    spectrum = np.fft.rfft(frames * _hann(), axis=1)
    energy = (spectrum.real**2 + spectrum.imag**2) @ mel_filters(N_MELS, WINDOW, SAMPLE_RATE).T.astype(np.float64)
    return np.log10(np.maximum(energy, FLOOR))


@cache
def _hann() -> NDArray[np.float64]:
    window: NDArray[np.float64] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    return window
