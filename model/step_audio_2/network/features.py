"""Log-mel spectrograms for the audio encoder, of 25 s pieces of 16 kHz sound, whole or as it arrives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import AudioError
from agentaudio.model.step_audio_2.network.resample import ResampleStream, resample
from agentaudio.sound.audio import Audio
from agentaudio.sound.mel import mel_decades

Float = NDArray[np.float32]

SAMPLE_RATE = 16_000
PIECE_SAMPLES = 400_000
"""25 s. Longer sound is cut into pieces, each of which is an audio of its own in the prompt."""
N_MELS = 128
HOP = 160
WINDOW = 400
PADDING = 479
"""Zeros that the reference appends to each piece."""
DYNAMIC_RANGE = 8.0
"""Decades below the loudest bin of the piece; quieter bins are raised to this floor."""


def frame_count(samples: int) -> int:
    """Number of log-mel frames of a piece of `samples` samples at 16 kHz (1 to 400,000)."""
    return (samples + PADDING) // HOP


def encoder_length(frames: int) -> int:
    """Number of valid rows in the encoder's output for a piece of `frames` frames, without its last 2 frames."""
    return max(frames - 1, 0) // 2 // 2


def token_count(frames: int) -> int:
    """Number of `<audio_patch>` for a piece of `frames` log-mel frames: 12.5 per second, 0 below 5 frames.

    The vLLM fork counts `token_count(frames + 2)`, which is sometimes one more.
    """
    return (encoder_length(frames) - 1) // 2 + 1


def log_mel(samples: Float) -> Float:
    """Log-mel spectrogram of one piece, as the Step-Audio 2 encoder expects it.

    samples: (n,) float, 16 kHz mono in [-1, 1], 1 <= n <= 400,000
    returns: (128, (n + 479) // 160) float32; hop 10 ms. All values are -1.5 for digital silence.

    Raises AudioError for no samples, too many, NaN or infinity.
    Source: Step-Audio2 utils.py, log_mel_spectrogram (Whisper's, with 128 bands), computed in float64.
    """
    stream = FeatureStream()
    if len(samples) > PIECE_SAMPLES:
        raise AudioError(f"{len(samples)} samples are more than the {PIECE_SAMPLES} of one piece; use `features`")
    done = stream.push(samples)
    return (done or stream.finish())[0]


def features(audio: Audio) -> list[Float]:
    """The log-mels of all 25 s pieces of a sound at any rate: each (128, frames) float32.

    Resampled as in the reference. `Audio` has already mixed the channels; the reference takes the first.
    Raises AudioError for a sound without samples.
    """
    samples = at_16_khz(audio)
    if not len(samples):
        raise AudioError("the sound holds no samples; record it again")
    return [log_mel(samples[start : start + PIECE_SAMPLES]) for start in range(0, len(samples), PIECE_SAMPLES)]


def at_16_khz(audio: Audio) -> Float:
    """The samples of a sound, (n,) float32, resampled as in the reference."""
    if audio.sample_rate == SAMPLE_RATE or not len(audio):
        return audio.samples
    return resample(audio.samples, audio.sample_rate, SAMPLE_RATE)


@dataclass(frozen=True, slots=True)
class FeatureBatch:
    """Pieces padded with zeros to the longest, the input of `StepAudio2ForCausalLM`.

    input_features: (pieces, 128, frames) float32; feature_lengths: (pieces,) int64, frames of each
    """

    input_features: Float
    feature_lengths: NDArray[np.int64]


def batch(pieces: Sequence[Float]) -> FeatureBatch:
    """Stack log-mels of different lengths. Without pieces, the arrays have no rows."""
    lengths = np.array([piece.shape[1] for piece in pieces], np.int64)
    stacked = np.zeros((len(pieces), N_MELS, int(lengths.max(initial=0))), np.float32)
    for row, piece in zip(stacked, pieces, strict=True):
        row[:, : piece.shape[1]] = piece
    return FeatureBatch(stacked, lengths)


def _scaled(decades: NDArray[np.float64]) -> Float:
    """From the log10 energies of a piece, (frames, 128), to its log-mel, (128, frames) float32."""
    scaled: Float = ((np.maximum(decades.T, decades.max() - DYNAMIC_RANGE) + 4.0) / 4.0).astype(np.float32)
    return scaled


class FeatureStream:
    """Log-mels of sound that arrives in chunks; the pieces equal those of `features`, however it is cut.

    sample_rate: of the sound that is pushed

    Each frame is transformed once its 25 ms have arrived. Only the floor, 8 decades below the loudest
    bin, waits for the end of the piece.
    """

    def __init__(self, sample_rate: int = SAMPLE_RATE) -> None:
        self._resampler = ResampleStream(sample_rate, SAMPLE_RATE)
        self._piece = Piece()
        self._pieces = 0

    def push(self, samples: Float) -> list[Float]:
        """Take the next (n,) float samples. Returns the pieces that are now complete, (128, 2502) float32 each.

        Raises AudioError for NaN, infinity or more than one channel, and after `finish`.
        """
        return self._take(self._resampler.push(samples))

    def finish(self) -> list[Float]:
        """The last pieces, usually one.

        Raises AudioError when there were no samples, and when called twice.
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
        """Number of frames of the unfinished piece that are already transformed."""
        return self._piece.frames

    def _take(self, samples: Float) -> list[Float]:
        done = []
        while len(samples):
            part, samples = np.split(samples, [PIECE_SAMPLES - self._piece.received])
            self._piece.push(part)
            if self._piece.received == PIECE_SAMPLES:
                done.append(self._piece.finish())
                self._pieces += 1
                self._piece = Piece()
        return done


class Piece:
    """The log-mel of one piece as it arrives. Frame t covers samples 160 t - 200 to 160 t + 199; the sound is mirrored
    before its first sample.

    received: samples so far, of which the user of this class gives at most PIECE_SAMPLES
    frames: that are transformed
    """

    def __init__(self) -> None:
        self.received = 0
        self.frames = 0
        self._spectra: list[NDArray[np.float64]] = []
        self._waiting = np.zeros(0, np.float64)
        self._mirrored = False

    def push(self, samples: NDArray[np.float32] | NDArray[np.float64]) -> None:
        """Take the next (n,) samples."""
        self.received += len(samples)
        self._append(samples)

    def finish(self) -> Float:
        """The log-mel of what has arrived, (128, frames) float32. Nothing may be pushed afterwards."""
        # The reference mirrors the right end too, where there is only padding.
        self._append(np.zeros(PADDING + WINDOW // 2))
        return _scaled(np.concatenate(self._spectra)[: frame_count(self.received)])

    def finish_as(self, samples: Float, same: int) -> Float:
        """The log-mel of a piece of which the first `same` samples are those that arrived here, (128, frames) float32.

        samples: (n,) float, all of that piece; n from 1 to PIECE_SAMPLES

        Only frames that see other samples or the end are transformed. More may be pushed afterwards.
        """
        same = min(same, self.received, len(samples))
        # Before 201 samples the first frames are not complete, as they see the mirrored beginning.
        known = min(self.frames, (same - WINDOW // 2) // HOP + 1) if same > WINDOW // 2 else 0
        begin = HOP * known - WINDOW // 2
        rest = np.concatenate([samples[max(begin, 0) :], np.zeros(PADDING + WINDOW // 2)])
        if begin < 0:
            rest = np.concatenate([rest[WINDOW // 2 : 0 : -1], rest])[HOP * known :]
        frames = np.lib.stride_tricks.sliding_window_view(rest, WINDOW)[::HOP][: frame_count(len(samples)) - known]
        decades = np.concatenate(self._spectra)[:known] if known else np.zeros((0, N_MELS))
        return _scaled(np.concatenate([decades, mel_decades(frames, N_MELS, SAMPLE_RATE)]))

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
            self._spectra.append(mel_decades(frames, N_MELS, SAMPLE_RATE))
            self.frames += ready
            self._waiting = self._waiting[ready * HOP :]
