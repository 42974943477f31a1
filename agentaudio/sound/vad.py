"""Voice activity detection: where in a sound someone speaks, by Silero's network."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from agentaudio.sound.audio import Audio
from agentaudio.sound.levels import from_dbfs, peak
from agentaudio.sound.silero import CONTEXT, FRAME, SileroStream

Samples = NDArray[np.float32]

SAMPLE_RATE_HZ = 16_000
LEAD_FRAMES = 10
BLOCK_FRAMES = 512  # frames between two calls of check_stop: 16 s
QUIETEST_PEAK, RAISED_PEAK = from_dbfs(-50), 0.3  # a clip that peaks between the two is raised to the second

STARTS_ABOVE, ENDS_BELOW = 0.5, 0.35
SHORTEST_SPEECH_S = 0.1
LONGEST_GAP_S = 0.3


class VoiceActivity:
    """Finds speech in whole sounds. Several threads may share one instance.

    margin_s: seconds that `trim` keeps before and after the speech

    Source: the Silero VAD network, version 6.2.3 (see assets/NOTICE).
    """

    def __init__(self, *, margin_s: float = 0.2) -> None:
        self.margin_s = margin_s

    def probabilities(self, audio: Audio, check_stop: Callable[[], None] = lambda: None) -> Samples:
        """Probability that each frame is speech: (ceil(n / 512),) float32 in [0, 1] for n samples at 16 kHz.

        check_stop: called before every 16 s of sound; what it raises ends the work

        The network first takes LEAD_FRAMES of silence, because it misses speech that a sound begins with.
        """
        stream = VoiceActivityStream()
        stream.push(np.zeros(LEAD_FRAMES * FRAME, np.float32))
        samples = audio.resample(SAMPLE_RATE_HZ).samples
        loudest = peak(samples)
        if QUIETEST_PEAK < loudest < RAISED_PEAK:
            samples = samples * np.float32(RAISED_PEAK / loudest)
        padded = np.concatenate([samples, np.zeros(-len(samples) % FRAME, np.float32)])
        found = [np.zeros(0, np.float32)]
        for start in range(0, len(padded), BLOCK_FRAMES * FRAME):
            check_stop()
            found.append(stream.push(padded[start : start + BLOCK_FRAMES * FRAME]))
        return np.concatenate(found)

    def speech(self, audio: Audio) -> list[tuple[float, float]]:
        """Stretches of speech, see `stretches`."""
        return stretches(self.probabilities(audio), audio.duration)

    def trim(self, audio: Audio) -> Audio:
        """The sound from the first to the last speech, with `margin_s` on both sides; empty without speech."""
        found = self.speech(audio)
        if not found:
            return Audio.silence(0.0, audio.sample_rate)
        start, end = found[0][0] - self.margin_s, found[-1][1] + self.margin_s
        return audio.slice(max(0.0, start), min(audio.duration, end))


def stretches(probabilities: Samples, duration_s: float) -> list[tuple[float, float]]:
    """Stretches of speech: (start, end) in seconds, in order.

    probabilities: (frames,) of 32 ms each, from `VoiceActivity.probabilities`
    duration_s: of the sound; no stretch ends after it

    A stretch begins where the probability reaches STARTS_ABOVE and ends where it falls below
    ENDS_BELOW. Stretches up to LONGEST_GAP_S apart are joined; those shorter than
    SHORTEST_SPEECH_S are dropped.
    """
    frame_s = FRAME / SAMPLE_RATE_HZ
    found: list[tuple[float, float]] = []
    start: int | None = None
    for index, probability in enumerate([*probabilities.tolist(), 0.0]):
        if start is None and probability >= STARTS_ABOVE:
            start = index
        elif start is not None and probability < ENDS_BELOW:
            found.append((start * frame_s, min(index * frame_s, duration_s)))
            start = None
    joined: list[tuple[float, float]] = []
    for begin, end in found:
        if joined and begin - joined[-1][1] <= LONGEST_GAP_S:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((begin, end))
    return [(begin, end) for begin, end in joined if end - begin >= SHORTEST_SPEECH_S]


class VoiceActivityStream:
    """Probabilities of speech for sound that arrives in chunks; any cut gives the same within 1e-4.

    Not thread-safe: one instance serves one stream. `PcmStream` brings other rates to 16 kHz.
    """

    def __init__(self) -> None:
        self._network = SileroStream()
        self._waiting = np.zeros(CONTEXT, np.float32)  # the context, then the samples of an incomplete frame

    def push(self, samples: Samples) -> Samples:
        """Take more samples; return the probabilities of the frames that are complete now: (frames,) float32.

        samples: (n,) float32, 16 kHz
        """
        waiting = np.concatenate([self._waiting, samples.astype(np.float32, copy=False)])
        frames = (len(waiting) - CONTEXT) // FRAME
        self._waiting = waiting[frames * FRAME :]
        if not frames:
            return np.zeros(0, np.float32)
        if frames == 1:
            return np.array([self._network.probability(waiting[: CONTEXT + FRAME])], np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(waiting, CONTEXT + FRAME)[: frames * FRAME : FRAME]
        return self._network.probabilities(windows)
