"""The excitation of the vocoder: a sine with harmonics where the sound is voiced, noise elsewhere."""

from __future__ import annotations

from agentaudio.errors import MissingExtra

try:
    import torch
    from torch import Tensor, nn
    from torch.nn import functional
except ImportError as error:
    raise MissingExtra("Step-Audio 2's vocoder", "local") from error

from agentaudio.model.step_audio_2.token2wav.config import FRAME_SAMPLES, SAMPLE_RATE

HARMONICS = 9
"""The fundamental and eight harmonics above it."""
NOISE_WIDTH = FRAME_SAMPLES * HARMONICS
"""Noise values for one frame."""

_SINE_AMPLITUDE = 0.1
_VOICED_NOISE = 0.003
_UNVOICED_NOISE = _SINE_AMPLITUDE / 3
_LOWEST_PITCH_HZ = 10


class HarmonicSource(nn.Module):
    """The source of the neural source-filter model (Wang et al. 2019, arXiv:1904.12088), without random phases.

    Phases are in cycles and accumulate in float64, because float32 becomes too coarse within seconds.
    Frames are 20 ms; the phase of a frame is that of its middle.
    """

    def __init__(self) -> None:
        super().__init__()
        self.l_linear = nn.Linear(HARMONICS, 1)

    @staticmethod
    def phases(f0: Tensor) -> Tensor:
        """f0: (1, T) in Hz. Returns (1, 9, T) float64 in cycles, which are 0 half a frame before the first frame."""
        order = torch.arange(1, HARMONICS + 1, device=f0.device, dtype=torch.float64)[:, None]
        advance = (order * f0[:, None].double() / SAMPLE_RATE) % 1.0
        return (FRAME_SAMPLES * advance).cumsum(-1)

    @staticmethod
    def sines(phases: Tensor) -> Tensor:
        """phases: (1, 9, T). Returns (1, 9, 480 T) float32 in [-0.1, 0.1]. The phase is constant before the middle of
        the first frame and after that of the last."""
        fine = functional.interpolate(phases, scale_factor=FRAME_SAMPLES, mode="linear")
        return (_SINE_AMPLITUDE * torch.sin(2 * torch.pi * fine)).float()

    @staticmethod
    def voiced(f0: Tensor) -> Tensor:
        """f0: (1, T) in Hz. Returns (1, 1, 480 T) bool."""
        return (f0 > _LOWEST_PITCH_HZ)[:, None].repeat_interleave(FRAME_SAMPLES, -1)

    def forward(self, f0: Tensor, phases: Tensor, noise: Tensor) -> Tensor:
        """f0: (1, T) in Hz; phases: (1, 9, T); noise: (480 T, 9) float32, standard normal.

        returns: (1, 1, 480 T) float32 in [-1, 1]
        """
        voiced = self.voiced(f0)
        level = torch.where(voiced, _VOICED_NOISE, _UNVOICED_NOISE)
        waves = self.sines(phases) * voiced + level * noise.T[None]
        return torch.tanh(self.l_linear(waves.transpose(1, 2))).transpose(1, 2)
