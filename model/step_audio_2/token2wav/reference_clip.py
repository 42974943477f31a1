"""A recording made ready to be a timbre prompt: speech found, silence trimmed, cut at a pause, level set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import VoiceError
from agentaudio.sound.audio import Audio
from agentaudio.sound.levels import frame_powers, from_dbfs, rms
from agentaudio.sound.vad import FRAME, SAMPLE_RATE_HZ, VoiceActivity

Float = NDArray[np.float32]
Stretch = tuple[float, float]

SHORTEST_S, LONGEST_S = 2.0, 30.0
SEARCHED_S = 300.0
"""Speech that begins later than that is not found: an hour would take a minute to search."""
MARGIN_S = 0.1
"""Left before the first and after the last speech, and counted as speech: its edges are found late."""

SURELY, PERHAPS = 0.5, 0.1
"""Probabilities of speech. A whisper reaches 0.5 here and there and stays above 0.1; noise stays below 0.05."""
EVIDENCE_S = 0.3
LONGEST_GAP_S = 0.3

LEVEL_DBFS = -23.0
"""EBU R 128's programme loudness, taken as root mean square over the speech; the K-weighting would
change that of a voice by about 1 dB."""
HIGHEST_PEAK = 0.99

CLIPPED_RUN = 3
CLIPPED_SHARE = 0.0005
"""Of samples that lie in runs of three at the peak. None of the unclipped demo voices has any; 6 dB of
overload leave 0.001 to 0.2."""


@dataclass(frozen=True, slots=True)
class ReferenceClip:
    """audio: 2 to 30 s of speech at the rate it was recorded in; warnings: what is doubtful about it."""

    audio: Audio
    warnings: tuple[str, ...] = ()


def prepare(clip: Audio, longest_s: float = LONGEST_S) -> ReferenceClip:
    """Make a recording ready to be a prompt.

    clip: any rate and length; of a recording longer than SEARCHED_S, only that much is looked at
    longest_s: what is longer is cut in the quietest place of its second half

    The speech is set to LEVEL_DBFS, less where its peaks would clip. The recording is warned about
    when it was clipped before, and when it is cut.
    Raises VoiceError for silence, for sound without speech, and for less than SHORTEST_S of speech.
    """
    if clip.is_silent:
        raise VoiceError(f"this clip of {clip.duration:.1f} s is silent; record it again with the microphone on")
    recorded_s, clip = clip.duration, clip.slice(0, SEARCHED_S)
    stretches = _speech(clip)
    if not stretches:
        raise VoiceError(
            f"nobody speaks in this clip of {clip.duration:.1f} s, or the noise is louder; "
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
    """How much of a sound was cut off at its peak: the share of samples in flat runs there, 0 to 1.

    samples: (n,) float32; a clipped recording made quieter still has its flat tops
    """
    magnitude = np.abs(samples)
    at_peak = magnitude >= 0.999 * magnitude.max(initial=np.finfo(np.float32).tiny)
    if len(at_peak) < CLIPPED_RUN:
        return 0.0
    return float(np.lib.stride_tricks.sliding_window_view(at_peak, CLIPPED_RUN).all(axis=1).mean())


def _speech(clip: Audio) -> list[Stretch]:
    """When someone speaks, in seconds; empty without EVIDENCE_S of speech that is surely some."""
    probabilities = VoiceActivity().probabilities(clip)
    frame_s = FRAME / SAMPLE_RATE_HZ
    if np.count_nonzero(probabilities >= SURELY) * frame_s < EVIDENCE_S:
        return []
    joined: list[Stretch] = []
    for index in np.flatnonzero(probabilities >= PERHAPS):
        start, end = index * frame_s, min((index + 1) * frame_s, clip.duration)
        if joined and start - joined[-1][1] <= LONGEST_GAP_S:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return [(start, end) for start, end in joined if end - start >= EVIDENCE_S]


def _quietest(audio: Audio, after_s: float, before_s: float) -> float:
    """The instant in the middle of the quietest 200 ms between two instants, the last of several."""
    hop = max(1, audio.sample_rate // 100)
    power = frame_powers(audio.slice(after_s, before_s).samples, hop)
    smooth = np.convolve(power, np.full(20, 1 / 20), mode="valid")
    last = len(smooth) - 1 - int(smooth[::-1].argmin())
    return after_s + (last + 10) * hop / audio.sample_rate


def _levelled(audio: Audio, speech: Float) -> Audio:
    gain = min(from_dbfs(LEVEL_DBFS) / rms(speech), HIGHEST_PEAK / audio.peak)
    return Audio(audio.samples * np.float32(gain), audio.sample_rate)


def two_speakers(embeddings: Sequence[Float], same_speaker_above: float) -> bool:
    """Whether the windows of a clip fall into two voices.

    embeddings: of windows of one clip, (dim,) each, of any length
    same_speaker_above: cosine from which two embeddings count as one speaker's

    The two windows that differ most gather those nearer to them than to the other; the clip has
    two speakers when both groups hold two windows or more and the cosine of their means is below
    the threshold. A single odd window (a cough, a pause) makes no speaker.
    """
    if len(embeddings) < 4:
        return False
    units = np.stack([e / max(float(np.linalg.norm(e)), 1e-12) for e in embeddings])
    cosines = units @ units.T
    seeds = np.unravel_index(cosines.argmin(), cosines.shape)
    first = cosines[seeds[0]] >= cosines[seeds[1]]
    for _ in range(4):
        if not 2 <= first.sum() <= len(units) - 2:
            return False
        means = np.stack([units[first].mean(axis=0), units[~first].mean(axis=0)])
        means /= np.linalg.norm(means, axis=1, keepdims=True)
        nearer = units @ means.T
        first = nearer[:, 0] >= nearer[:, 1]
    return bool(means[0] @ means[1] < same_speaker_above)
