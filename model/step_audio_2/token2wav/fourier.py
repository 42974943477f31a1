"""The short Fourier transforms of the vocoder, as matrix products: no library to plan, and nothing the host waits for.

So a GPU can record them in a CUDA graph, which `torch.istft` prevents: it looks whether windows overlap enough.
"""

from __future__ import annotations

import math
from functools import cache

from agentaudio.errors import MissingExtra

try:
    import torch
    from torch import Tensor
    from torch.nn import functional
except ImportError as error:
    raise MissingExtra("Step-Audio 2's vocoder", "local") from error

SIZE, HOP = 16, 4
BINS = SIZE // 2 + 1


def stft(wave: Tensor) -> Tensor:
    """Real parts of all bins, then imaginary parts: (batch, 18, n // 4 + 1) float32.

    wave: (batch, n) float32, n >= 9; it is mirrored at its ends, and a periodic Hann window of 16 samples is applied

    Source: what torch.stft(wave, 16, 4, window=hann_window(16)) returns.
    """
    frames = functional.pad(wave[:, None], (SIZE // 2, SIZE // 2), mode="reflect")[:, 0].unfold(-1, SIZE, HOP)
    return (frames @ _matrices(wave.device)[0]).transpose(1, 2)


def istft(real: Tensor, imaginary: Tensor) -> Tensor:
    """The inverse: (batch, 4 (m - 1)) float32 of two (batch, 9, m), by least squares where windows overlap.

    Source: what torch.istft(complex, 16, 4, window=hann_window(16)) returns; Griffin and Lim 1984.
    """
    _, inverse, squares = _matrices(real.device)
    frames = torch.cat((real, imaginary), 1).transpose(1, 2) @ inverse
    count = frames.shape[1]
    length = SIZE + HOP * (count - 1)

    def added(parts: Tensor) -> Tensor:
        return functional.fold(parts.transpose(1, 2), (1, length), (1, SIZE), stride=(1, HOP))[:, 0, 0]

    whole = added(frames) / added(squares.expand(1, count, SIZE)).clamp(min=1e-11)
    return whole[:, SIZE // 2 : length - SIZE // 2]


@cache
def _matrices(device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Window and transform (16, 18), inverse and window (18, 16), and the squares of the window (16,)."""
    place = torch.arange(SIZE, dtype=torch.float64)
    window = torch.hann_window(SIZE, dtype=torch.float64)
    angle = 2 * math.pi / SIZE * place[:, None] * torch.arange(BINS)
    forward = window[:, None] * torch.cat((angle.cos(), -angle.sin()), 1)
    weight = torch.full((BINS,), 2.0, dtype=torch.float64)
    weight[0] = weight[-1] = 1.0  # the other bins stand for their mirror images too
    inverse = torch.cat((weight * angle.cos(), -weight * angle.sin()), 1).T / SIZE * window
    # Made once for each device, also while a thread records gradients or none.
    with torch.inference_mode(False):
        forward, inverse, squares = (one.float().to(device) for one in (forward, inverse, window.square()))
    return forward, inverse, squares
