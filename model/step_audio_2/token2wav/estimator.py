"""The diffusion transformer of the flow: the velocity of a noisy mel on its way to speech."""

from __future__ import annotations

import math

from agentaudio.errors import MissingExtra

try:
    import torch
    from torch import Tensor, nn
    from torch.nn import functional
except ImportError as error:
    raise MissingExtra("Step-Audio 2's speech decoder", "local") from error

from agentaudio.model.step_audio_2.token2wav.config import EstimatorConfig

_MODULATION_EPS = 1e-6
_FREQUENCIES = 128
_MEMORY = 2
"""Frames before a chunk that each convolution reads."""


class _TimeEmbedding(nn.Module):
    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(2 * _FREQUENCIES, hidden), nn.SiLU(), nn.Linear(hidden, hidden))

    def forward(self, t: Tensor) -> Tensor:
        """t: (n,) float32 in [0, 1]. Returns (n, hidden)."""
        order = torch.arange(_FREQUENCIES, device=t.device, dtype=torch.float32)
        angle = 1000 * t[:, None] * torch.exp(order * (-math.log(10_000) / _FREQUENCIES))
        wave = torch.cat((angle.cos(), angle.sin()), -1)
        out: Tensor = self.mlp(wave.to(self.mlp[0].weight.dtype))
        return out


class _Attention(nn.Module):
    def __init__(self, config: EstimatorConfig) -> None:
        super().__init__()
        self.heads = config.num_heads
        inner = config.num_heads * config.head_dim
        self.to_q = nn.Linear(config.hidden_size, inner)
        self.to_k = nn.Linear(config.hidden_size, inner)
        self.to_v = nn.Linear(config.hidden_size, inner)
        self.q_norm = nn.LayerNorm(config.head_dim)
        self.k_norm = nn.LayerNorm(config.head_dim)
        self.proj = nn.Linear(inner, config.hidden_size)

    def forward(self, x: Tensor, past: Tensor | None, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """x: (batch, T, hidden); past: (batch, heads, m, 2 * head_dim). New keys precede the old.

        mask: (batch, 1, 1, T + m) bool, the keys that count; None for all
        """
        query, key, value = (
            part(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (self.to_q, self.to_k, self.to_v)
        )
        keys = torch.cat((self.k_norm(key), value), -1)
        if past is not None:
            keys = torch.cat((keys, past), -2)
        key, value = keys.chunk(2, -1)
        mixed = functional.scaled_dot_product_attention(self.q_norm(query), key, value, attn_mask=mask)
        return self.proj(mixed.transpose(1, 2).flatten(2)), keys


class _CausalConvolution(nn.Module):
    """Two causal convolutions. Their keys in `block` are those of the checkpoint."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.block = nn.ModuleDict({
            "1": nn.Conv1d(hidden, hidden, _MEMORY + 1),
            "3": nn.LayerNorm(hidden),
            "6": nn.Conv1d(hidden, hidden, _MEMORY + 1),
        })  # fmt: skip

    def forward(self, x: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """x: (batch, T, hidden); memory: (batch, 2 * hidden, 2), the last inputs of both. Returns new ones of both."""
        before, between = memory.chunk(2, 1)
        first = torch.cat((before, x.transpose(1, 2)), -1)
        inner = functional.mish(self.block["3"](self.block["1"](first).transpose(1, 2)))
        second = torch.cat((between, inner.transpose(1, 2)), -1)
        out = self.block["6"](second).transpose(1, 2)
        return out, torch.cat((first[..., -_MEMORY:], second[..., -_MEMORY:]), 1)


class _FeedForward(nn.Module):
    def __init__(self, hidden: int, inner: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(hidden, inner)
        self.fc2 = nn.Linear(inner, hidden)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(functional.gelu(self.fc1(x), approximate="tanh"))
        return out


class DiTBlock(nn.Module):
    """Attention, convolution and feed-forward, scaled and gated by the flow's time (adaLN-zero, arXiv:2212.09748)."""

    def __init__(self, config: EstimatorConfig) -> None:
        super().__init__()
        hidden = config.hidden_size
        self.attn = _Attention(config)
        self.conv = _CausalConvolution(hidden)
        self.mlp = _FeedForward(hidden, int(hidden * config.mlp_ratio))
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(hidden, 9 * hidden))

    def forward(
        self, x: Tensor, modulation: Tensor, past: Tensor | None, memory: Tensor, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """x: (batch, T, hidden); modulation: (1, 1, 9 * hidden), the output of `adaLN_modulation` for a time.

        returns: like x, the new keys (see `_Attention`), the new memory (see `_CausalConvolution`)
        """
        shift_a, scale_a, gate_a, shift_m, scale_m, gate_m, shift_c, scale_c, gate_c = modulation.chunk(9, -1)
        mixed, keys = self.attn(_modulated(x, shift_a, scale_a), past, mask)
        x = x + gate_a * mixed
        mixed, memory = self.conv(_modulated(x, shift_c, scale_c), memory)
        x = x + gate_c * mixed
        x = x + gate_m * self.mlp(_modulated(x, shift_m, scale_m))
        return x, keys, memory


class _FinalLayer(nn.Module):
    def __init__(self, config: EstimatorConfig) -> None:
        super().__init__()
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(config.hidden_size, 2 * config.hidden_size))
        self.linear = nn.Linear(config.hidden_size, config.out_channels)

    def forward(self, x: Tensor, modulation: Tensor) -> Tensor:
        out: Tensor = self.linear(_modulated(x, *modulation.chunk(2, -1)))
        return out


def _modulated(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    return functional.layer_norm(x, x.shape[-1:], eps=_MODULATION_EPS) * (1 + scale) + shift


class Estimator(nn.Module):
    """The velocity of a mel at a time of the flow. There are no position embeddings; its convolutions are causal.

    Source: the reference's decoder_dit.DiT.
    """

    def __init__(self, config: EstimatorConfig) -> None:
        super().__init__()
        self.config = config
        self.t_embedder = _TimeEmbedding(config.hidden_size)
        self.in_proj = nn.Linear(config.in_channels, config.hidden_size)
        self.blocks = nn.ModuleList(DiTBlock(config) for _ in range(config.depth))
        self.final_layer = _FinalLayer(config)

    def modulations(self, times: Tensor) -> Tensor:
        """Scales, shifts and gates of all layers for all steps; they depend on the times alone.

        times: (steps,) float32
        returns: (steps, 1, 1, (9 * depth + 2) * hidden)
        """
        embedded = self.t_embedder(times)
        layers = [*self.blocks, self.final_layer]
        return torch.cat([layer.adaLN_modulation(embedded) for layer in layers], -1)[:, None, None]

    def start(self, batch: int) -> tuple[Tensor, Tensor]:
        """`past` and `memory` before the first frame: (depth, batch, heads, 0, 2 * head_dim) and zeros."""
        config, weight = self.config, self.in_proj.weight
        past = weight.new_zeros(config.depth, batch, config.num_heads, 0, 2 * config.head_dim)
        return past, weight.new_zeros(config.depth, batch, 2 * config.hidden_size, _MEMORY)

    def forward(
        self, x: Tensor, modulation: Tensor, past: Tensor | None, memory: Tensor, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None, Tensor]:
        """Evaluate the velocity once.

        x: (batch, T, in_channels): noisy mel, encoded tokens, speaker, known mel
        modulation: (1, 1, ...), one of `modulations`
        past: (depth, batch, heads, m, 2 * head_dim), newest frames first; None if no frames come
            before or after these
        memory: (depth, batch, 2 * hidden, 2)
        mask: (batch, 1, 1, T + m) bool, the frames that count, newest first; None for all
        returns: velocity (batch, T, out_channels), past with m + T frames, memory
        """
        hidden = self.config.hidden_size
        x = self.in_proj(x)
        keys, memories = [], []
        for k, block in enumerate(self.blocks):
            inner = modulation[..., 9 * hidden * k : 9 * hidden * (k + 1)]
            x, after, behind = block(x, inner, None if past is None else past[k], memory[k], mask)
            keys.append(after)
            memories.append(behind)
        velocity = self.final_layer(x, modulation[..., 9 * hidden * len(self.blocks) :])
        return velocity, None if past is None else torch.stack(keys), torch.stack(memories)
