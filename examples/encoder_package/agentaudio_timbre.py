"""A speaker encoder in an installable package. The entry point in pyproject.toml gives it its name."""

import numpy as np

from agentaudio import Audio
from agentaudio.errors import OptionError, VoiceError
from agentaudio.sound.mel import mel_filters

RATE, WINDOW = 16_000, 512


class TimbreEncoder:
    """The mean spectrum of a clip in mel bands: enough to keep a whisper from a shout, too little to know people by."""

    name = "timbre-1"  # stored with the embeddings; change it whenever they change
    dim = 40
    same_speaker_above = 0.98

    def __init__(self, argument: str) -> None:
        if argument:
            raise OptionError(f"the encoder timbre takes no argument, and was given {argument!r}")

    def encode(self, audio: Audio) -> np.ndarray:
        """(40,) float32 of unit length. Raises VoiceError for a clip shorter than a window."""
        samples = audio.resample(RATE).samples
        if len(samples) < WINDOW:
            raise VoiceError(f"a clip of {audio.duration:.2f} s has no spectrum; give 1 s or more")
        frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[:: WINDOW // 2] * np.hanning(WINDOW)
        power = (np.abs(np.fft.rfft(frames)) ** 2 @ mel_filters(self.dim, WINDOW, RATE).T).mean(axis=0)
        levels = np.log(power + 1e-9)
        levels -= levels.mean()
        return np.asarray(levels / max(1e-9, np.linalg.norm(levels)), np.float32)
