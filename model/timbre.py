"""`WorldTimbre`: move speech towards the timbre of a reference voice with the WORLD vocoder.

Pitch, vocal tract length and spectral averages of the speech are moved to those of the reference, and
each spectrum is blended with the reference's nearest one. It changes a voice, but does not clone one.

WORLD: Morise, Yokomori, Ozawa, "WORLD: a vocoder-based high-quality speech synthesis system",
IEICE Trans. Inf. & Syst. E99-D (2016). Mean and variance of the cepstrum: Stylianou, Cappe, Moulines,
"Continuous probabilistic transform for voice conversion", IEEE TSAP 6 (1998), section I.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import MissingExtra, VoiceError
from agentaudio.model.speech_lm import ReferenceVoice
from agentaudio.sound.audio import Audio
from agentaudio.sound.levels import gain_to

Doubles = NDArray[np.float64]

SAMPLE_RATE_HZ = 16_000
FRAME_MS = 5.0
FFT_SIZE = 1024
CEPSTRUM = 32
"""Mel-cepstral coefficients of a spectral envelope; the first is its level."""

LOWEST_F0_HZ, HIGHEST_F0_HZ = 60.0, 500.0
SHORTEST_REFERENCE_S = 0.5
"""Voiced speech that a reference must contain."""
LONGEST_REFERENCE_S = 20.0

WHISPER_BELOW = 0.15
"""Share of voiced frames below which a reference counts as whispered."""

BLEND = 0.4
"""Weight of the reference's nearest spectrum: more is nearer to the voice but less intelligible."""

WARPS = np.linspace(0.8, 1.25, 19)
WARPS_NOT = np.ones(1)
SPEECH_RMS = 0.08
LOUDEST_PEAK = 0.95
_ACTIVE_WITHIN = 8.0  # natural log of power: 35 dB below the loudest frame


class TimbreTransfer(Protocol):
    """Makes speech sound like another voice. It is a VoiceState: see agentaudio.model.voice_states."""

    @property
    def pitch_hz(self) -> float | None:
        """Median fundamental frequency of the voice, to which the speech should be close; None for a whisper."""

    @property
    def nbytes(self) -> int:
        """The memory that it takes, in bytes."""

    def apply(self, speech: Audio) -> Audio:
        """The same words in the other voice.

        speech: any rate
        """


class OwnTimbre:
    """The timbre of the synthesiser itself: speech is not changed."""

    pitch_hz = None
    nbytes = 0

    def apply(self, speech: Audio) -> Audio:
        return speech


@dataclass(frozen=True, slots=True)
class _Analysis:
    """f0: (frames,) Hz, 0 where unvoiced; cepstrum: (frames, CEPSTRUM)."""

    f0: Doubles
    cepstrum: Doubles

    @property
    def voiced(self) -> NDArray[np.bool_]:
        return self.f0 > 0

    @property
    def active(self) -> NDArray[np.bool_]:
        """(frames,) bool: within 35 dB of the loudest frame."""
        level = self.cepstrum[:, 0]
        return np.asarray(level > level.max() - _ACTIVE_WITHIN)

    @property
    def whispered(self) -> bool:
        return bool(self.voiced.sum() < WHISPER_BELOW * self.active.sum())

    @property
    def typical(self) -> NDArray[np.bool_]:
        """(frames,) bool: the frames whose spectra are averaged: voiced ones, or for a whisper all active ones."""
        return self.active if self.whispered else self.voiced & self.active


class WorldTimbre:
    """The timbre of one reference voice. Thread-safe.

    reference: a few seconds of the voice, without noise or reverberation

    Raises VoiceError when the reference holds less than SHORTEST_REFERENCE_S of voiced speech;
    MissingExtra without the extra `embedded`.
    """

    def __init__(self, reference: Audio) -> None:
        if reference.is_silent:
            raise VoiceError("the reference is silent; choose a clip of one person speaking")
        target = _Sampled.of(reference.slice(0.0, LONGEST_REFERENCE_S)).analysis()
        speech_s = float(target.typical.sum()) * FRAME_MS / 1000
        if speech_s < SHORTEST_REFERENCE_S:
            raise VoiceError(
                f"the reference of {reference.duration:.1f} s holds {speech_s:.2f} s of voice; "
                f"it needs {SHORTEST_REFERENCE_S} s or more, so record or choose a longer one"
            )
        self._log_f0 = None if target.whispered else np.log(target.f0[target.voiced])
        self._frames = target.cepstrum[target.typical]
        self._mean, self._deviation = self._frames.mean(0), self._frames.std(0) + 1e-6

    @property
    def nbytes(self) -> int:
        """The memory that its arrays take, in bytes."""
        return self._frames.nbytes + (0 if self._log_f0 is None else self._log_f0.nbytes)

    @property
    def pitch_hz(self) -> float | None:
        """Median fundamental frequency of the reference; None for a whisper."""
        return None if self._log_f0 is None else float(np.exp(np.median(self._log_f0)))

    def source_of(self, speech: Audio, *, warps: bool = True) -> SourceVoice:
        """Statistics of the voice that speaks in `speech`, to move other sound of that voice by them.

        warps: whether its formants are moved; False for a voice whose vocal tract is about as long as the reference's

        Raises VoiceError when `speech` holds no voice.
        """
        analysis = _Sampled.of(speech).analysis()
        if speech.is_silent or not analysis.voiced.any():
            raise VoiceError(f"this speech of {speech.duration:.1f} s holds no voice; give a sentence")
        return SourceVoice.of(analysis, self._mean, WARPS if warps else WARPS_NOT)

    def apply(self, speech: Audio, source: SourceVoice | None = None) -> Audio:
        """The words of `speech` in the reference's timbre, 16 kHz, about -22 dBFS.

        source: statistics of the voice in `speech`; None takes them from `speech`, a sentence or more

        Sound without voiced frames is only resampled.
        """
        import pyworld

        sampled = _Sampled.of(speech)
        analysis = sampled.analysis()
        if not analysis.voiced.any():
            return speech.resample(SAMPLE_RATE_HZ)
        if source is None:
            source = SourceVoice.of(analysis, self._mean)
        cepstrum = source.warped(analysis.cepstrum)
        level = cepstrum[:, 0].copy()
        cepstrum = (cepstrum - source.mean) / source.deviation * self._deviation + self._mean
        cepstrum = self._blended(cepstrum)
        cepstrum[:, 0] = level
        f0 = self._melody(analysis, source)
        bins = len(analysis.f0), FFT_SIZE // 2 + 1
        aperiodicity = np.ones(bins) if self._log_f0 is None else sampled.aperiodicity()
        coded = np.ascontiguousarray(cepstrum)
        envelope = pyworld.decode_spectral_envelope(coded, SAMPLE_RATE_HZ, FFT_SIZE)
        return _levelled(pyworld.synthesize(f0, envelope, aperiodicity, SAMPLE_RATE_HZ, FRAME_MS))

    def _melody(self, analysis: _Analysis, source: SourceVoice) -> Doubles:
        if self._log_f0 is None:
            return np.zeros_like(analysis.f0)
        log_f0 = np.log(np.maximum(analysis.f0, 1.0))
        moved = (log_f0 - source.log_f0_mean) / source.log_f0_deviation * self._log_f0.std() + self._log_f0.mean()
        f0 = np.clip(np.exp(moved), LOWEST_F0_HZ, HIGHEST_F0_HZ)
        return np.where(analysis.voiced, f0, 0.0)

    def _blended(self, cepstrum: Doubles) -> Doubles:
        # Mahalanobis distance with a diagonal covariance, without the level.
        mine = cepstrum[:, 1:] / self._deviation[1:]
        theirs = self._frames[:, 1:] / self._deviation[1:]
        distance = (theirs**2).sum(1)[None, :] - 2 * mine @ theirs.T
        nearest = self._frames[distance.argmin(1)]
        return np.asarray((1 - BLEND) * cepstrum + BLEND * nearest)


class WorldTimbreMaker:
    """Makes the timbres that synthesisers keep in memory; see StateMaker."""

    model = "world"
    version = "1"
    """Increase it whenever the same clip gives another WorldTimbre."""

    def make(self, voice: ReferenceVoice) -> WorldTimbre:
        return WorldTimbre(voice.clip)


@dataclass(frozen=True, slots=True)
class SourceVoice:
    """Statistics of the voice that is moved, after the frequency warp that brings it nearest to the target.

    warp: factor of the frequency axis, one of WARPS
    mean, deviation: (CEPSTRUM,) float64, of its voiced frames
    """

    warp: float
    mean: Doubles
    deviation: Doubles
    log_f0_mean: float
    log_f0_deviation: float

    @classmethod
    def of(cls, analysis: _Analysis, target_mean: Doubles, warps: Doubles = WARPS) -> SourceVoice:
        typical = analysis.cepstrum[analysis.voiced & analysis.active]
        distances = [np.square((typical @ _warp_matrix(float(warp))).mean(0) - target_mean)[1:].sum() for warp in warps]
        warp = float(warps[int(np.argmin(distances))])
        warped = typical @ _warp_matrix(warp)
        log_f0 = np.log(analysis.f0[analysis.voiced])
        return cls(warp, warped.mean(0), warped.std(0) + 1e-6, float(log_f0.mean()), float(log_f0.std() + 1e-2))

    def warped(self, cepstrum: Doubles) -> Doubles:
        return cepstrum @ _warp_matrix(self.warp)


@functools.cache
def _warp_matrix(factor: float) -> Doubles:
    """(CEPSTRUM, CEPSTRUM): the linear map of cepstra that stretches the frequency axis of their envelopes.

    factor: above 1 it moves formants up, as a shorter vocal tract does
    """
    import pyworld

    unit = np.ascontiguousarray(np.eye(CEPSTRUM))
    log_envelope = np.log(pyworld.decode_spectral_envelope(unit, SAMPLE_RATE_HZ, FFT_SIZE))
    flat = np.log(pyworld.decode_spectral_envelope(np.zeros((1, CEPSTRUM)), SAMPLE_RATE_HZ, FFT_SIZE))
    bins = np.arange(FFT_SIZE // 2 + 1, dtype=np.float64)
    stretched = np.stack([np.interp(bins / factor, bins, row) for row in log_envelope - flat])
    coded = pyworld.code_spectral_envelope(np.exp(stretched + flat), SAMPLE_RATE_HZ, CEPSTRUM)
    origin = pyworld.code_spectral_envelope(np.exp(flat), SAMPLE_RATE_HZ, CEPSTRUM)
    return np.asarray(coded - origin)


@dataclass(frozen=True, slots=True)
class _Sampled:
    """wave: (samples,) float64 at SAMPLE_RATE_HZ, FFT_SIZE or more; times: (frames,) s, one each FRAME_MS."""

    wave: Doubles
    f0: Doubles
    times: Doubles

    @classmethod
    def of(cls, audio: Audio) -> _Sampled:
        try:
            import pyworld
        except ImportError:
            raise MissingExtra("transferring a timbre", "embedded") from None
        wave = audio.resample(SAMPLE_RATE_HZ).samples.astype(np.float64)
        # Digital silence has no envelope: inaudible noise (-100 dBFS) keeps the logarithms finite.
        wave = wave + 1e-5 * np.random.default_rng(0).standard_normal(max(len(wave), FFT_SIZE))[: len(wave)]
        if len(wave) < FFT_SIZE:
            wave = np.pad(wave, (0, FFT_SIZE - len(wave)))
        f0, times = pyworld.dio(
            wave, SAMPLE_RATE_HZ, f0_floor=LOWEST_F0_HZ, f0_ceil=HIGHEST_F0_HZ, frame_period=FRAME_MS
        )
        return cls(wave, pyworld.stonemask(wave, f0, times, SAMPLE_RATE_HZ), times)

    def analysis(self) -> _Analysis:
        import pyworld

        envelope = pyworld.cheaptrick(self.wave, self.f0, self.times, SAMPLE_RATE_HZ, fft_size=FFT_SIZE)
        return _Analysis(self.f0, pyworld.code_spectral_envelope(envelope, SAMPLE_RATE_HZ, CEPSTRUM))

    def aperiodicity(self) -> Doubles:
        """(frames, bins). Only the speech that is moved needs it.

        It takes longer than the rest and varies slowly, so it is measured in every second frame and holds for the
        next one too; where only one of the two is voiced, that one is measured.
        """
        import pyworld

        f0, times = self.f0, self.times
        found = np.ones((len(f0), FFT_SIZE // 2 + 1))
        first = np.arange(0, len(f0), 2)
        second = np.minimum(first + 1, len(f0) - 1)
        chosen = np.where(f0[first] > 0, first, second)
        measured = pyworld.d4c(self.wave, f0[chosen], times[chosen], SAMPLE_RATE_HZ, fft_size=FFT_SIZE)
        voiced = f0 > 0
        for place in (first, second):
            found[place[voiced[place]]] = measured[voiced[place]]
        return found


def _levelled(wave: Doubles) -> Audio:
    wave = np.nan_to_num(wave)
    loud = np.abs(wave) > 0.1 * np.abs(wave).max(initial=1e-9)
    gain = gain_to(SPEECH_RMS * 1.6, wave[loud], highest_peak=LOUDEST_PEAK)
    return Audio((wave * gain).astype(np.float32), SAMPLE_RATE_HZ)
