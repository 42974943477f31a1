"""`ready_clip`: find the speech in a recording, trim, shorten and level it for a voice state."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import VoiceError
from agentaudio.sound.audio import Audio
from agentaudio.sound.levels import frame_powers, from_dbfs, rms
from agentaudio.sound.silero import FRAME
from agentaudio.sound.vad import SAMPLE_RATE_HZ, VoiceActivity

Float = NDArray[np.float32]
Stretch = tuple[float, float]

SHORTEST_S, LONGEST_S = 2.0, 30.0
SEARCHED_S = 300.0
"""Only this much of a recording is searched for speech: an hour would take a minute."""
MARGIN_S = 0.1
"""Kept before the first and after the last speech, and counted as speech, because onsets are detected late."""

CERTAIN, POSSIBLE = 0.5, 0.1
"""Probabilities of speech. A whisper reaches 0.5 at times and stays above 0.1; noise stays below 0.05."""
EVIDENCE_S = 0.3
LONGEST_GAP_S = 0.3

LEVEL_DBFS = -23.0
"""EBU R 128's programme loudness, taken as the root mean square of the speech; K-weighting would change
that of a voice by about 1 dB."""
HIGHEST_PEAK = 0.99

CLIPPED_RUN = 3
CLIPPED_SHARE = 0.0005
"""Share of samples in runs of three or more at the peak. Unclipped demo voices have 0; 6 dB of overload
give 0.001 to 0.2."""


@dataclass(frozen=True, slots=True)
class ReferenceClip:
    """audio: 2 to 30 s of speech, at the rate of the recording; warnings: problems of the recording."""

    audio: Audio
    warnings: tuple[str, ...] = ()


def ready_clip(clip: Audio, longest_s: float = LONGEST_S) -> ReferenceClip:
    """The part of a recording that a voice state is made of.

    clip: any rate and length; only its first SEARCHED_S are searched
    longest_s: a longer part is cut at the quietest place between half of this and this

    The speech is levelled to LEVEL_DBFS, or lower where its peaks would clip. There is a warning when
    the recording is clipped, and when it is shortened.
    Raises VoiceError for silence, for sound without speech, and for less than SHORTEST_S of speech.
    """
    if clip.is_silent:
        raise VoiceError(f"this clip of {clip.duration:.1f} s is silent; record it again with the microphone on")
    recorded_s, clip = clip.duration, clip.slice(0, SEARCHED_S)
    stretches = _speech(clip)
    if not stretches:
        raise VoiceError(
            f"no speech was found in this clip of {clip.duration:.1f} s, or noise covers it; "
            "record one person speaking in a quiet room"
        )
    spoken_s = sum(end - start for start, end in stretches) + 2 * MARGIN_S
    if spoken_s < SHORTEST_S:
        raise VoiceError(
            f"this clip holds {spoken_s:.2f} s of speech, but a voice needs at least {SHORTEST_S:.0f} s; "
            "give a longer one, best 5 to 15 s of one person speaking"
        )
    warnings = []
    share = clipped_share(clip.samples)
    if share > CLIPPED_SHARE:
        warnings.append(
            f"the recording is clipped ({share:.1%} of its samples stand at the peak), so the voice will sound harsh; "
            "record it again at a lower level"
        )
    speech = np.concatenate([clip.slice(*stretch).samples for stretch in stretches])
    trimmed = clip.slice(max(0.0, stretches[0][0] - MARGIN_S), min(clip.duration, stretches[-1][1] + MARGIN_S))
    if trimmed.duration > longest_s:
        trimmed = trimmed.slice(0, _quietest(trimmed, longest_s / 2, longest_s))
        warnings.append(f"only the first {trimmed.duration:.1f} s of {recorded_s:.1f} s are used")
    return ReferenceClip(_levelled(trimmed, speech), tuple(warnings))


def clipped_share(samples: Float) -> float:
    """The share of samples in flat runs at the peak, 0 to 1: high when the sound was clipped.

    samples: (n,) float32; clipping is found in a recording that was made quieter afterwards, too
    """
    magnitude = np.abs(samples)
    at_peak = magnitude >= 0.999 * magnitude.max(initial=np.finfo(np.float32).tiny)
    if len(at_peak) < CLIPPED_RUN:
        return 0.0
    return float(np.lib.stride_tricks.sliding_window_view(at_peak, CLIPPED_RUN).all(axis=1).mean())


def _speech(clip: Audio) -> list[Stretch]:
    """Stretches of speech, in seconds; none when less than EVIDENCE_S is certainly speech."""
    probabilities = VoiceActivity().probabilities(clip)
    frame_s = FRAME / SAMPLE_RATE_HZ
    if np.count_nonzero(probabilities >= CERTAIN) * frame_s < EVIDENCE_S:
        return []
    joined: list[Stretch] = []
    for index in np.flatnonzero(probabilities >= POSSIBLE):
        start, end = index * frame_s, min((index + 1) * frame_s, clip.duration)
        if joined and start - joined[-1][1] <= LONGEST_GAP_S:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return [(start, end) for start, end in joined if end - start >= EVIDENCE_S]


def _quietest(audio: Audio, after_s: float, before_s: float) -> float:
    """The middle of the quietest 200 ms between two instants, in seconds; the last one of equals."""
    hop = max(1, audio.sample_rate // 100)
    power = frame_powers(audio.slice(after_s, before_s).samples, hop)
    smooth = np.convolve(power, np.full(20, 1 / 20), mode="valid")
    last = len(smooth) - 1 - int(smooth[::-1].argmin())
    return after_s + (last + 10) * hop / audio.sample_rate


def _levelled(audio: Audio, speech: Float) -> Audio:
    gain = min(from_dbfs(LEVEL_DBFS) / rms(speech), HIGHEST_PEAK / audio.peak)
    return Audio(audio.samples * np.float32(gain), audio.sample_rate)
