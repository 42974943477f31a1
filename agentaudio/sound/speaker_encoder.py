"""Speaker encoders: a clip becomes a speaker embedding; two of unit length are compared by dot product."""

from __future__ import annotations

import functools
import math
import os
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import VoiceError
from agentaudio.onnx import INSTALL_AGAIN, OnnxNetwork
from agentaudio.sound.audio import Audio
from agentaudio.sound.levels import frame_powers, from_dbfs, gain_to
from agentaudio.sound.mel import mel_filters

Samples = NDArray[np.float32]
Embedding = NDArray[np.float32]

SHIPPED = Path(__file__).parents[1] / "assets" / "speaker_encoder.onnx"

SAMPLE_RATE_HZ = 16_000
WINDOW = 400  # 25 ms
HOP = 160  # 10 ms
MEL_BANDS = 40
PARTIAL_FRAMES = 160  # 1.6 s, the length the network was trained on
PARTIAL_STEP_FRAMES = 77  # 1.3 partials a second, resemblyzer's rate
LEAST_PARTIAL_COVERAGE = 0.75
TARGET_LEVEL_DBFS = -30.0

SHORTEST_SPEECH_S = 0.5
SILENCE_FRAME = 480  # 30 ms
SILENCE_BELOW_MEAN_DB = 24.0


class SpeakerEncoder(Protocol):
    """Turns a clip into a speaker embedding.

    name: of the encoder and its version; embeddings of different names cannot be compared
    dim: the dimension of an embedding
    same_speaker_above: cosine above which two clips count as one speaker's
    """

    @property
    def name(self) -> str: ...

    @property
    def dim(self) -> int: ...

    @property
    def same_speaker_above(self) -> float: ...

    def encode(self, audio: Audio) -> Embedding:
        """(dim,) float32, unit length. Raises VoiceError for audio without enough speech."""
        ...


@runtime_checkable
class WindowedSpeakerEncoder(SpeakerEncoder, Protocol):
    """A speaker encoder whose embedding is the mean over short windows, which show whether one person speaks.

    one_speaker_above: cosine above which two clusters of a clip's windows count as one speaker's
    """

    @property
    def one_speaker_above(self) -> float: ...

    def encode_windows(self, audio: Audio) -> Embedding:
        """(windows, dim) float32, each of unit length, in order. Raises VoiceError as `encode` does."""
        ...


@runtime_checkable
class CalibratedSpeakerEncoder(SpeakerEncoder, Protocol):
    """A speaker encoder whose cosines were calibrated over telephone, room, codec and noise."""

    def same_speaker_probability(self, cosine: float, next_cosine: float) -> float:
        """Probability, 0 to 1, that a clip and the voice nearest to it are of one speaker.

        next_cosine: of the clip and the nearest voice of another speaker
        """
        ...


class EmbeddedSpeakerEncoder:
    """The voice encoder of resemblyzer 0.1.4, shipped with agentaudio and run by onnxruntime.

    2.9 MB, no torch, no download; onnxruntime is imported when the first clip is encoded. Cosines
    of one speaker are around 0.85-0.95, of two speakers around 0.5-0.65. One instance may serve
    several threads.

    path: another export of the same network; None takes the shipped one

    Source: Wan et al. 2018, "Generalized end-to-end loss for speaker verification", as implemented
    and trained by resemblyzer (see assets/NOTICE).
    """

    name = "resemblyzer-0.1.4"
    dim = 256
    # No two demo voices reach 0.84, and one pair 0.83. The two clusters of a clip's windows fall below 0.78 for 1 of 34
    # single voices, and for 94 of 100 pairs of joined clips (90 when the two take turns).
    same_speaker_above = 0.83
    one_speaker_above = 0.78
    # Fitted by benchmarks/voice_channels.py --fit on every second demo voice.
    _PER_COSINE, _PER_MARGIN, _BIAS = 13.98, 37.99, -12.86

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        # One thread: a recurrent network of this size gains nothing from more, and the caller's own would starve.
        self._network = OnnxNetwork(
            SHIPPED if path is None else path, "the embedded speaker encoder",
            inputs=((None, None, MEL_BANDS),), extra="embedded",
            remedy=INSTALL_AGAIN if path is None else "leave the path out to use the shipped one", threads=1,
        )  # fmt: skip

    def encode(self, audio: Audio) -> Embedding:
        """The speaker embedding of a clip.

        audio: any rate, at least SHORTEST_SPEECH_S of speech, better 3 s or more
        returns: (256,) float32, unit length, no negative components

        Raises VoiceError when the audio is silent or holds too little speech, BackendError
        naming the file when `path` is missing or another network, and MissingExtra without ONNX Runtime.
        """
        return _mean(self.encode_windows(audio))

    def encode_windows(self, audio: Audio) -> Embedding:
        """(windows, 256) float32 of unit length: the speaker in each 1.6 s of sound, 1.3 times a second.

        Parameters and errors are those of `encode`.
        """
        samples = audio.resample(SAMPLE_RATE_HZ).samples
        if audio.is_silent:
            raise VoiceError(
                f"this clip of {audio.duration:.1f} s is silent (peak {audio.peak:.1g} of 1.0); "
                "record it again with the microphone on"
            )
        # A constant offset adds to the power that levels and pauses are measured by.
        speech = trim_silence(normalise_level(samples - samples.mean(dtype=np.float64).astype(np.float32)))
        speech_s = len(speech) / SAMPLE_RATE_HZ
        if speech_s < SHORTEST_SPEECH_S:
            raise VoiceError(
                f"this clip of {audio.duration:.2f} s holds {speech_s:.2f} s of sound, but a voice needs at "
                f"least {SHORTEST_SPEECH_S} s; give a longer one, best 3 to 10 s of one person speaking"
            )
        return self._windows(speech)

    def same_speaker_probability(self, cosine: float, next_cosine: float) -> float:
        """As `CalibratedSpeakerEncoder` says; a logistic function of the cosine and its lead over the next."""
        margin = cosine - next_cosine
        return 1 / (1 + math.exp(-(self._PER_COSINE * cosine + self._PER_MARGIN * margin + self._BIAS)))

    def encode_prepared(self, speech: Samples) -> Embedding:
        """As `encode`, for speech that was levelled and trimmed already.

        speech: (samples,) float32, 16 kHz
        returns: (256,) float32: the mean over windows of 1.6 s, normalised to unit length
        """
        return _mean(self._windows(speech))

    def _windows(self, speech: Samples) -> Embedding:
        starts = _partial_starts(len(speech))
        needed = (starts[-1] + PARTIAL_FRAMES) * HOP
        mel = mel_spectrogram(np.pad(speech, (0, max(0, needed - len(speech)))))
        batch = np.stack([mel[start : start + PARTIAL_FRAMES] for start in starts])
        (windows,) = self._network.run(batch)
        lengths = np.linalg.norm(windows, axis=1, keepdims=True)
        if not np.isfinite(lengths).all() or not lengths.all():
            raise VoiceError(
                f"the encoder found no voice in {len(speech) / SAMPLE_RATE_HZ:.1f} s of sound; "
                "give a clip of one person speaking"
            )
        return np.asarray(windows / lengths, np.float32)


def _mean(windows: Embedding) -> Embedding:
    mean = windows.mean(axis=0, dtype=np.float64)
    return np.asarray(mean / np.linalg.norm(mean), np.float32)


def normalise_level(samples: Samples) -> Samples:
    """Raise a quiet clip to -30 dBFS (root mean square); louder clips are unchanged.

    samples: (samples,) float32, not all zero; returns the same shape and type
    Source: resemblyzer 0.1.4, audio.py, normalize_volume with increase_only.
    """
    return (samples * max(1.0, gain_to(from_dbfs(TARGET_LEVEL_DBFS), samples))).astype(np.float32)


def trim_silence(samples: Samples) -> Samples:
    """Remove long pauses; short ones between words stay.

    A frame of 30 ms is kept when it is at most 24 dB below the mean power of the clip. As in
    resemblyzer the decision is smoothed over 8 frames and widened by 3 on each side. The level
    threshold replaces its WebRTC voice detector, which needs another compiled library; embeddings of
    the demo voices keep a cosine of 0.989 or more with resemblyzer's own.

    samples: (samples,) float32, 16 kHz; returns (fewer samples,) float32
    """
    frames = samples[: len(samples) // SILENCE_FRAME * SILENCE_FRAME].reshape(-1, SILENCE_FRAME)
    if not len(frames):
        return samples[:0]
    power = frame_powers(samples, SILENCE_FRAME)
    sound = power > power.mean() * 10 ** (-SILENCE_BELOW_MEAN_DB / 10)
    smooth = np.convolve(sound, np.full(8, 1 / 8))[4 : 4 + len(sound)] > 0.5
    kept = np.convolve(smooth, np.ones(7))[3 : 3 + len(smooth)] > 0.5
    return frames[kept].reshape(-1)


def mel_spectrogram(samples: Samples) -> Samples:
    """Mel power spectrogram (no logarithm), as resemblyzer's encoder expects it.

    samples: (samples,) float32 in [-1, 1], 16 kHz
    returns: (1 + samples // 160, 40) float32; frames are 25 ms of Hann window, centred, 10 ms apart
    Source: resemblyzer 0.1.4, audio.py, wav_to_mel_spectrogram, which calls librosa's melspectrogram
    with its defaults (power 2, zero padding by half a window, Slaney's mel scale and norm).
    """
    padded = np.pad(samples, WINDOW // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    power = np.abs(np.fft.rfft(frames * _hann(), axis=1)) ** 2
    return (power @ mel_filters(MEL_BANDS, WINDOW, SAMPLE_RATE_HZ).T).astype(np.float32)


@functools.cache
def _hann() -> Samples:
    # Periodic: np.hanning is symmetric, so one sample more is made and dropped.
    return np.hanning(WINDOW + 1)[:-1].astype(np.float32)


def _partial_starts(samples: int) -> list[int]:
    """First frames of the partials; the last one may reach beyond the end by a quarter."""
    frames = -(-(samples + 1) // HOP)
    starts = list(range(0, max(1, frames - PARTIAL_FRAMES + PARTIAL_STEP_FRAMES + 1), PARTIAL_STEP_FRAMES))
    covered = (samples / HOP - starts[-1]) / PARTIAL_FRAMES
    if covered < LEAST_PARTIAL_COVERAGE and len(starts) > 1:
        starts.pop()
    return starts
