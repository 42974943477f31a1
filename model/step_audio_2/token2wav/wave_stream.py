"""Runs the vocoder on a mel that arrives in pieces: overlapping windows, continuous excitation, cross-faded seams."""

from __future__ import annotations

from agentaudio.errors import MissingExtra

try:
    import torch
    from torch import Tensor
except ImportError as error:
    raise MissingExtra("Step-Audio 2's vocoder", "local") from error

from agentaudio.model.step_audio_2.token2wav.chunks import OVERLAP_FRAMES
from agentaudio.model.step_audio_2.token2wav.config import FRAME_SAMPLES
from agentaudio.model.step_audio_2.token2wav.hift import MEL_BANDS, HiFT
from agentaudio.model.step_audio_2.token2wav.noise import Noise
from agentaudio.model.step_audio_2.token2wav.source import HARMONICS


class WaveStream:
    """The vocoder's state for one utterance: 8 frames of the past.

    noise: rows of `source.NOISE_WIDTH`, one for each frame of the utterance
    reference: imitate the published decoder. Its excitation starts at phase 0 in each window, and so
        jumps at the seams; its Hamming cross-fade adds up to 1.08. Otherwise phases continue, and the
        weights of the cross-fade add up to 1.
    """

    def __init__(self, vocoder: HiFT, noise: Noise, *, reference: bool = False) -> None:
        weight = vocoder.conv_pre.weight
        self._vocoder = vocoder
        self._noise = noise
        self._reference = reference
        self._frames = 0
        self._mel = weight.new_zeros(1, MEL_BANDS, 0)
        self._phase = torch.zeros(1, HARMONICS, 1, dtype=torch.float64, device=weight.device)
        self._source = weight.new_zeros(1, 1, 0)
        self._speech = weight.new_zeros(1, 0)

    def push(self, mel: Tensor) -> Tensor:
        """Take the next frames. Returns the samples that are now final.

        mel: (1, 80, T) float32, T >= 1
        returns: (n,) float32 in [-0.99, 0.99]; including those of `flush`, 480 for each frame
        """
        window, source = self.begin(mel)
        return self.end(window, source, self._vocoder.decode(window, source))

    def begin(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """What the vocoder decodes for the next frames: its mel (1, 80, T + shared) and source, for `HiFT.decode`.

        `end` must follow, with what was decoded.
        """
        window = torch.cat((self._mel, mel), -1)
        return window, self._excitation(window, self._mel.shape[-1])

    def end(self, window: Tensor, source: Tensor, wave: Tensor) -> Tensor:
        """The samples that are now final; see `push`. wave: (1, 480 * (T + shared)), the decoded window"""
        shared = self._mel.shape[-1]
        if shared:
            wave = torch.cat((self._faded(wave[:, : FRAME_SAMPLES * shared]), wave[:, FRAME_SAMPLES * shared :]), -1)
        kept = min(OVERLAP_FRAMES, window.shape[-1])
        self._frames += window.shape[-1] - shared
        # Copies, because a view would keep its whole window in memory.
        self._mel = window[..., -kept:].clone()
        self._source = source[..., -FRAME_SAMPLES * kept :].clone()
        self._speech = wave[:, -FRAME_SAMPLES * kept :].clone()
        return wave[0, : -FRAME_SAMPLES * kept]

    def flush(self) -> Tensor:
        """The samples held back, when no frames follow: (n,) float32."""
        return self._speech[0]

    @property
    def nbytes(self) -> int:
        """Bytes of the state."""
        return sum(one.nbytes for one in (self._mel, self._phase, self._source, self._speech))

    def _excitation(self, window: Tensor, shared: int) -> Tensor:
        """(1, 1, 480 T). Where it overlaps the previous window, it repeats that window's excitation."""
        vocoder, frames = self._vocoder, window.shape[-1]
        f0 = vocoder.f0_predictor(window)
        phases = vocoder.m_source.phases(f0)
        known = FRAME_SAMPLES * shared
        if shared and not self._reference:
            phases = phases + (self._phase - phases[..., shared - 1 : shared])
            # The phase of the last half frame depends on a pitch that has only now arrived.
            known -= FRAME_SAMPLES // 2
        noise = self._noise.rows(self._frames - shared, frames).to(window.device)
        source: Tensor = vocoder.m_source(f0, phases, noise.view(-1, HARMONICS))
        self._phase = phases[..., -1:] % 1.0
        return torch.cat((self._source[..., :known], source[..., known:]), -1)

    def _faded(self, new: Tensor) -> Tensor:
        """Cross-fade from the samples held back to the new ones."""
        place = torch.arange(2 * new.shape[-1], device=new.device, dtype=torch.float64)
        if self._reference:
            window = 0.54 - 0.46 * torch.cos(2 * torch.pi * place / (len(place) - 1))
        else:
            window = torch.sin(torch.pi * (place + 0.5) / len(place)) ** 2
        rise, fall = window.float().chunk(2)
        return new * rise + self._speech * fall
