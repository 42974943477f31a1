"""The excitation of the vocoder: a sine and its harmonics where there is a pitch, noise where there is none."""

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
"""The fundamental and eight above it."""
NOISE_WIDTH = FRAME_SAMPLES * HARMONICS
"""Numbers of noise that one frame takes."""

_SINE_AMPLITUDE = 0.1
_VOICED_NOISE = 0.003
_UNVOICED_NOISE = _SINE_AMPLITUDE / 3
_LOWEST_PITCH_HZ = 10


class HarmonicSource(nn.Module):
    """The neural source-filter's source (Wang et al. 2019, arXiv:1904.12088), without a random phase.

    Phases are in cycles and float64: in float32 they lose a thousandth of the amplitude within a
    second. Frames are 20 ms, and a frame's phase is that of its middle.
    """

    def __init__(self) -> None:
        super().__init__()
        self.l_linear = nn.Linear(HARMONICS, 1)

    @staticmethod
    def phases(f0: Tensor) -> Tensor:
        """f0: (1, T) in Hz. Returns (1, 9, T) float64, counted from half a frame before the first."""
        order = torch.arange(1, HARMONICS + 1, device=f0.device, dtype=torch.float64)[:, None]
        advance = (order * f0[:, None].double() / SAMPLE_RATE) % 1.0
        return (FRAME_SAMPLES * advance).cumsum(-1)

    @staticmethod
    def sines(phases: Tensor) -> Tensor:
        """phases: (1, 9, T). Returns (1, 9, 480 T) float32 in [-0.1, 0.1]; phase stands still before the first
        middle and behind the last."""
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
