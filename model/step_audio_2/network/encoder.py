"""The audio encoder of Step-Audio 2, shaped like Whisper's, and the adaptor between it and the language model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentaudio.errors import AudioError, MissingExtra

try:
    import torch
    from torch import Tensor, nn
    from torch.nn import functional
    from transformers import GradientCheckpointingLayer
except ImportError as error:
    raise MissingExtra("Step-Audio 2", "local") from error

if TYPE_CHECKING:  # the plug-in for vLLM runs with versions of transformers for which the module has no class
    from agentaudio.model.step_audio_2.network.config import StepAudio2AudioConfig

MASKED = -1e10
ADAPTER_WIDTH = 2048
"""Hidden width of the adaptor, a constant in the reference code."""
NORM_EPS = 1e-5


class AudioAttention(nn.Module):
    """Self-attention of all frames to all unmasked frames."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """x: (batch, time, width); bias: (batch, 1, 1, time), added to the scores. Returns like x."""
        query, key, value = (
            part(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (self.query, self.key, self.value)
        )
        # The reference scales query and key; in half precision, scaling the scores rounds differently.
        scale = query.shape[-1] ** -0.25
        mixed = functional.scaled_dot_product_attention(query * scale, key * scale, value, attn_mask=bias, scale=1.0)
        out: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return out


class AudioBlock(GradientCheckpointingLayer):
    """One pre-norm transformer block."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attn = AudioAttention(width, heads)
        self.attn_ln = nn.LayerNorm(width, eps=NORM_EPS)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.mlp_ln = nn.LayerNorm(width, eps=NORM_EPS)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """x: (batch, time, width); bias: (batch, 1, 1, time), added to the scores. Returns like x."""
        x = x + self.attn(self.attn_ln(x), bias)
        mixed: Tensor = x + self.mlp(self.mlp_ln(x))
        return mixed


class AudioEncoder(nn.Module):
    """Log-mels at 100 Hz to hidden frames at 25 Hz.

    Source: Step-Audio2's AudioEncoder (Whisper's, with average pooling behind its blocks).
    """

    def __init__(self, config: StepAudio2AudioConfig) -> None:
        super().__init__()
        width = config.n_audio_state
        self.conv1 = nn.Conv1d(config.n_mels, width, kernel_size=3, padding=1)
        self.conv2 = nn.Conv1d(width, width, kernel_size=3, stride=2, padding=1)
        self.positional_embedding = nn.Embedding(config.n_audio_ctx, width)
        self.blocks = nn.ModuleList(AudioBlock(width, config.n_audio_head) for _ in range(config.n_audio_layer))
        self.after_norm = nn.LayerNorm(width, eps=NORM_EPS)

    def forward(self, mel: Tensor, lengths: Tensor) -> Tensor:
        """Encode a padded batch.

        mel: (batch, n_mels, T), padded with zeros; lengths: (batch,) ints, frames of each less 2
        returns: (batch, ((T + 1) // 2) // 2, width); the first ((length + 1) // 2) // 2 rows of an
            item are valid. The last of them also depends on the padding, as in the reference.

        Raises AudioError for more than 2 * n_audio_ctx frames.
        """
        longest = 2 * self.positional_embedding.num_embeddings
        if mel.shape[-1] > longest:
            raise AudioError(f"a piece of {mel.shape[-1]} log-mel frames is too long; cut it to at most {longest}")
        x = functional.gelu(self.conv1(mel.to(self.conv1.weight.dtype)))
        x = functional.gelu(self.conv2(x)).transpose(1, 2)
        bias = self._bias(lengths, mel.shape[-1]).to(x.device)
        # In float16, -1e10 would be -inf, so the smallest finite number replaces it.
        bias = bias.clamp(min=torch.finfo(x.dtype).min).to(x.dtype)
        x = x + self.positional_embedding.weight[: x.shape[1]]
        for block in self.blocks:
            x = block(x, bias)
        pooled = functional.avg_pool1d(x.transpose(1, 2), kernel_size=2, stride=2).transpose(1, 2)
        normed: Tensor = self.after_norm(pooled)
        return normed

    @staticmethod
    def _bias(lengths: Tensor, frames: int) -> Tensor:
        return torch.where(attended(lengths, frames), 0.0, MASKED)[:, None, None, :]


def attended(lengths: Tensor, frames: int) -> Tensor:
    """Which frames after the second convolution are unmasked. As in the reference, it depends on the padding.

    lengths: (batch,) ints, frames of each item less 2; frames: T of the padded batch
    returns: (batch, (T + 1) // 2) bool
    """
    positions = 2 * torch.arange((frames + 1) // 2, device=lengths.device) + (frames % 2 == 0)
    return positions < lengths[:, None]


class Adaptor(nn.Module):
    """Hidden frames at 25 Hz to rows for the language model at 12.5 Hz."""

    def __init__(self, config: StepAudio2AudioConfig) -> None:
        super().__init__()
        width = config.n_audio_state
        self.conv = (
            None
            if config.adapter_stride == -1
            else nn.Conv1d(width, width, config.kernel_size, stride=config.adapter_stride, padding=1)
        )
        self.linear1 = nn.Linear(width, ADAPTER_WIDTH)
        self.linear2 = nn.Linear(ADAPTER_WIDTH, config.llm_dim)

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, time, width). Returns (batch, (time - 1) // 2 + 1, llm_dim) with the usual stride of 2."""
        if self.conv is not None:
            x = functional.gelu(self.conv(x.transpose(1, 2))).transpose(1, 2)
        rows: Tensor = self.linear2(functional.relu(self.linear1(x)))
        return rows
