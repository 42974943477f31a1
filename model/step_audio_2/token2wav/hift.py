"""HiFT, the vocoder: from mel to waveform by a pitch predictor, a harmonic source and an inverse STFT."""

from __future__ import annotations

import math

from agentaudio.errors import MissingExtra

try:
    import torch
    from torch import Tensor, nn
    from torch.nn import functional
except ImportError as error:
    raise MissingExtra("Step-Audio 2's vocoder", "local") from error

from agentaudio.model.step_audio_2.token2wav.fourier import BINS, istft, stft
from agentaudio.model.step_audio_2.token2wav.source import HarmonicSource

MEL_BANDS = 80

_RATES = (8, 5, 3)
_KERNELS = (16, 11, 7)
_BLOCK_KERNELS = (3, 7, 11)
_SOURCE_KERNELS = (7, 7, 11)
_DILATIONS = (1, 3, 5)
_SLOPE = 0.1
_LAST_SLOPE = 0.01
"""PyTorch's default, which the reference uses for its last activation."""
_LOUDEST_BIN = 100.0
_LIMIT = 0.99


class PitchPredictor(nn.Module):
    """From mel to fundamental frequency, for each frame."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        widths = [MEL_BANDS, *[channels] * 5]
        layers: list[nn.Module] = []
        for inputs, outputs in zip(widths, widths[1:], strict=False):
            layers += [nn.Conv1d(inputs, outputs, 3, padding=1), nn.ELU()]
        self.condnet = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels, 1)

    def forward(self, mel: Tensor) -> Tensor:
        """mel: (1, 80, T). Returns (1, T) in Hz, 0 or more."""
        pitch: Tensor = self.classifier(self.condnet(mel).transpose(1, 2)).squeeze(-1).abs()
        return pitch


class _Snake(nn.Module):
    """x + sin^2(a x) / a, periodic on top of the identity (Ziyin et al. 2020, arXiv:2006.08195)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        alpha = self.alpha[:, None]
        return x + torch.sin(alpha * x) ** 2 / (alpha + 1e-9)


class _ResidualBlock(nn.Module):
    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(
            nn.Conv1d(channels, channels, kernel, dilation=d, padding=d * (kernel - 1) // 2) for d in _DILATIONS
        )
        self.convs2 = nn.ModuleList(nn.Conv1d(channels, channels, kernel, padding=kernel // 2) for _ in _DILATIONS)
        self.activations1 = nn.ModuleList(_Snake(channels) for _ in _DILATIONS)
        self.activations2 = nn.ModuleList(_Snake(channels) for _ in _DILATIONS)

    def forward(self, x: Tensor) -> Tensor:
        layers = zip(self.activations1, self.convs1, self.activations2, self.convs2, strict=True)
        for snake1, conv1, snake2, conv2 in layers:
            x = x + conv2(snake2(conv1(snake1(x))))
        return x


class HiFT(nn.Module):
    """From mel at 50 Hz to sound at 24 kHz, in float32: half precision makes phase errors audible.

    channels: of the first layer, 512 in the published checkpoint
    pitch_channels: of the pitch predictor, 512 in the published checkpoint
    It has no state between calls.

    Source: HiFTNet (Li et al. 2023, arXiv:2309.09493) as in the reference's hifigan.py.
    """

    def __init__(self, channels: int = 512, pitch_channels: int = 512) -> None:
        super().__init__()
        widths = [channels // 2**k for k in range(len(_RATES) + 1)]
        self.f0_predictor = PitchPredictor(pitch_channels)
        self.m_source = HarmonicSource()
        self.conv_pre = nn.Conv1d(MEL_BANDS, channels, 7, padding=3)
        self.ups = nn.ModuleList(
            nn.ConvTranspose1d(widths[k], widths[k + 1], kernel, rate, padding=(kernel - rate) // 2)
            for k, (kernel, rate) in enumerate(zip(_KERNELS, _RATES, strict=True))
        )
        self.source_downs = nn.ModuleList()
        for k, width in enumerate(widths[1:]):
            # The source's STFT has the rate of the last stage; earlier stages downsample it to theirs.
            stride = math.prod(_RATES[k + 1 :])
            kernel = 2 * stride if stride > 1 else 1
            self.source_downs.append(nn.Conv1d(2 * BINS, width, kernel, stride, padding=stride // 2))
        self.source_resblocks = nn.ModuleList(
            _ResidualBlock(width, kernel) for width, kernel in zip(widths[1:], _SOURCE_KERNELS, strict=True)
        )
        self.resblocks = nn.ModuleList(
            _ResidualBlock(width, kernel) for width in widths[1:] for kernel in _BLOCK_KERNELS
        )
        self.conv_post = nn.Conv1d(widths[-1], 2 * BINS, 7, padding=3)

    def forward(self, mel: Tensor, noise: Tensor) -> Tensor:
        """The sound of a whole utterance.

        mel: (1, 80, T) float32, natural log; noise: (480 T, 9) float32, standard normal
        returns: (1, 480 T) float32 in [-0.99, 0.99]
        """
        f0 = self.f0_predictor(mel)
        return self.decode(mel, self.m_source(f0, self.m_source.phases(f0), noise))

    def decode(self, mel: Tensor, source: Tensor) -> Tensor:
        """mel: (1, 80, T) float32; source: (1, 1, 480 T) float32. Returns (1, 480 T) in [-0.99, 0.99]."""
        spectrum = stft(source[:, 0])
        x = self.conv_pre(mel)
        for k, (up, down) in enumerate(zip(self.ups, self.source_downs, strict=True)):
            x = up(functional.leaky_relu(x, _SLOPE))
            if k == len(self.ups) - 1:
                x = functional.pad(x, (1, 0), mode="reflect")
            x = x + self.source_resblocks[k](down(spectrum))
            blocks = self.resblocks[len(_BLOCK_KERNELS) * k : len(_BLOCK_KERNELS) * (k + 1)]
            x = torch.stack([block(x) for block in blocks]).mean(0)
        x = self.conv_post(functional.leaky_relu(x, _LAST_SLOPE))
        magnitude, phase = torch.exp(x[:, :BINS]).clamp(max=_LOUDEST_BIN), torch.sin(x[:, BINS:])
        wave = istft(magnitude * phase.cos(), magnitude * phase.sin())
        return wave.clamp(-_LIMIT, _LIMIT)
