"""`EchoGuard`: takes the agent's own sound, as it comes back through the microphone, out of the user's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agentaudio.live.echo_match import BLOCK, DELAYS, SCRATCH, SILENT, EchoMatch

Samples = NDArray[np.float32]
Spectra = NDArray[np.complex64]

STEP = 0.6
BETTER = 0.9
BETTER_THAN_NONE = 0.6
BETTER_FOR = 3
"""The adapted filter replaces the one in use when it leaves less than these shares of what that leaves and of what the
microphone holds, for so many blocks. Fewer blocks, and it replaces it by chance while only the user speaks."""
WORSE = 4.0
"""An adapted filter that leaves this many times more than the microphone holds is thrown away."""
ADDS = 2.0
"""A filter that leaves this many times more than the microphone holds is not used: the echo has another path now."""
LEAK = 0.25
"""Where no more than this share of the estimated echo is left, what is left counts as echo, not as the user."""
SETTLED = 0.2
"""Share of the echo's power that is left by a filter that has settled."""
SMOOTHING = 0.05
INAUDIBLE = 1e-7
"""Power of a block that no voice detector hears: -70 dBFS."""
WITHOUT_ECHO = 250
"""Blocks of the loudspeaker's sound without an echo after which the user is taken to wear a headset: 5 s."""
SILENCED = np.float32(0.05)
"""Gain of sound that counts as echo."""

_BINS = BLOCK + 1
_LATER = STEP * (-1.0) ** np.arange(_BINS, dtype=np.float32)
"""Moves a spectrum by BLOCK samples, from the first half of its window to the second; times STEP."""
_SILENCE = np.zeros(BLOCK, np.float32)
_NOTHING = np.zeros(0, np.float32)


class EchoGuard:
    """An adaptive filter learns how the loudspeaker sounds in the microphone, and its estimate is subtracted.

    Two filters: one adapts all the time, and is copied to the one in use whenever it does better, so that a user who
    talks over the agent spoils only the first. What little echo is left is silenced. Until the filter has settled, in
    the first second of the agent's sound, the microphone is silenced where it correlates with the loudspeaker.

    It needs the loudspeaker's sound within 20 ms of when it is played, and an echo path that is linear: loudspeakers
    that distort, and microphones whose gain follows the level, leave more than it takes out.

    Source: the block frequency-domain filter of J.-S. Soo and K. K. Pang, "Multidelay block frequency domain adaptive
    filter", IEEE Trans. ASSP 38(2), 1990; two filters after K. Ochiai et al., "Echo canceler with two echo path
    models", IEEE Trans. Communications 25(6), 1977.
    """

    def __init__(self) -> None:
        self._mic = _NOTHING
        self._speaker = _NOTHING
        self._match = EchoMatch()
        self._filters = np.zeros((2, DELAYS, _BINS), np.complex64)
        self._used, self._adapted = self._filters
        self._constrained = 0  # the partition whose gradient is constrained next
        self._echo_power = self._left_power = 0.0  # smoothed: of the estimated echo, and of what is left there
        self._better = 0
        self._has_learnt = False  # the filter in use is not zero
        self._quiet_blocks = DELAYS
        self._without_echo = 0  # blocks of the loudspeaker's sound since an echo was found

    @property
    def is_settled(self) -> bool:
        """Whether the filter has learnt the path of the echo."""
        return self._left_power < SETTLED * self._echo_power

    def push(self, mic: Samples, speaker: Samples | None, *, inaudible: float = 0.0) -> Samples:
        """Take sound of the microphone and what the loudspeaker played in the same time; returns the user's sound.

        mic, speaker: (n,) float32 at 16 kHz; None where nothing was played
        inaudible: power of sound in which nobody is listened for; once no echo was found for long, none is searched for
            there
        returns: (m,) float32 in [-1, 1], in whole blocks: as many samples have come out as went in, but for less than
            BLOCK
        """
        if speaker is None:
            if self._quiet_blocks >= DELAYS and len(mic) == BLOCK and not len(self._mic):
                self._match.push_silence(mic)
                return mic
            speaker = np.zeros(len(mic), np.float32)
        if len(self._mic):
            mic, speaker = np.concatenate([self._mic, mic]), np.concatenate([self._speaker, speaker])
        count = len(mic) // BLOCK
        self._mic, self._speaker = mic[count * BLOCK :], speaker[count * BLOCK :]
        blocks = [slice(at, at + BLOCK) for at in range(0, count * BLOCK, BLOCK)]
        out = [self._block(mic[block], speaker[block], inaudible) for block in blocks]
        return out[0] if count == 1 else np.concatenate(out) if out else _NOTHING

    def _block(self, mic: Samples, speaker: Samples, inaudible: float) -> Samples:
        self._quiet_blocks = 0 if _power(speaker) > SILENT else self._quiet_blocks + 1
        if self._quiet_blocks >= DELAYS:  # no echo can be left: nothing to do, and nothing to learn
            self._match.push_silence(mic)
            return mic
        self._match.push(mic, speaker)
        heard = _power(mic) + SILENT
        least = max(INAUDIBLE, inaudible) if self._without_echo >= WITHOUT_ECHO else INAUDIBLE
        if not self._has_learnt and heard < least:
            self._without_echo += 1
            return mic
        played = self._match.played
        if self._has_learnt:
            products = np.multiply(self._filters, played, out=SCRATCH.products)
            echo, tried_echo = np.fft.irfft(products.sum(axis=1))[:, BLOCK:]
        else:  # the filter in use is zero
            product = np.multiply(self._adapted, played, out=SCRATCH.product)
            echo, tried_echo = _SILENCE, np.fft.irfft(product.sum(axis=0))[BLOCK:]
        left: Samples = mic - echo
        other: Samples = mic - tried_echo
        kept, tried = _power(left) + SILENT, _power(other) + SILENT
        self._adapt(played, other)
        self._choose(heard, kept, tried)
        if kept > ADDS * heard:
            return mic
        expected = _power(echo)
        if expected > SILENT and kept < expected:  # otherwise it is the user's sound that is left
            self._echo_power += SMOOTHING * (expected - self._echo_power)
            self._left_power += SMOOTHING * (kept - self._left_power)
        if kept < LEAK * expected or (kept > INAUDIBLE and not self.is_settled and self._is_echo()):
            left *= SILENCED
        return np.clip(left, -1.0, 1.0, out=left)

    def _is_echo(self) -> bool:
        """Whether what the microphone holds is mostly the loudspeaker's sound."""
        is_echo = self._match.correlates()
        self._without_echo = 0 if is_echo else self._without_echo + 1
        return is_echo

    def _adapt(self, played: Spectra, left: Samples) -> None:
        error = np.fft.rfft(left, 2 * BLOCK)
        error *= _LATER
        power = self._match.power
        power += 1e-3 / _BINS * float(power.sum()) + 1e-6
        error /= power
        gradient = np.conj(played, out=SCRATCH.product)
        gradient *= error
        self._adapted += gradient
        # A partition's filter is BLOCK samples long. Two of them at a time are cut to that, which is enough.
        places = [self._constrained, (self._constrained + DELAYS // 2) % DELAYS]
        responses = np.fft.irfft(self._adapted[places])
        responses[:, BLOCK:] = 0
        self._adapted[places] = np.fft.rfft(responses)
        self._constrained = (self._constrained + 1) % DELAYS

    def _choose(self, heard: float, kept: float, tried: float) -> None:
        if tried > WORSE * heard:
            self._adapted[:] = self._used if kept <= WORSE * heard else 0
            self._better = 0
            return
        self._better = self._better + 1 if tried < BETTER * kept and tried < BETTER_THAN_NONE * heard else 0
        if self._better >= BETTER_FOR:
            self._used[:] = self._adapted
            self._has_learnt = True


def _power(sound: Samples) -> float:
    """Mean square."""
    return float(sound @ sound) / len(sound)
