"""The conformer encoder: from speech tokens at 25 Hz to frames at 50 Hz, with relative positions and look-ahead."""

from __future__ import annotations

import math
from dataclasses import dataclass

from agentaudio.errors import MissingExtra

try:
    import torch
    from torch import Tensor, nn
    from torch.nn import functional
except ImportError as error:
    raise MissingExtra("Step-Audio 2's speech decoder", "local") from error

from agentaudio.model.step_audio_2.token2wav.config import TOKEN_FRAMES, EncoderConfig

_BLOCK_EPS = 1e-12
_LOOKAHEAD_MEMORY = 2
_UPSAMPLER_MEMORY = 2 * TOKEN_FRAMES


@dataclass(frozen=True)
class EncoderState:
    """The encoder's state after the tokens before a chunk. Its tensors are never modified.

    lookahead: (1, width, 2), last inputs of the second look-ahead convolution
    upsampler: (1, width, 4), last inputs of the upsampling convolution
    token_keys: keys and values of each block at 25 Hz, (1, heads, tokens, 2 * head size)
    frame_keys: the same of each block at 50 Hz, (1, heads, 2 * tokens, 2 * head size)
    """

    lookahead: Tensor
    upsampler: Tensor
    token_keys: tuple[Tensor, ...]
    frame_keys: tuple[Tensor, ...]

    def bounded(self, first: int, last: int) -> EncoderState:
        """Keep only the `first` and the `last` tokens.

        Scores depend on the distance in the kept sequence, so the two parts become neighbours, and no
        distance exceeds `first + last`.
        """
        return EncoderState(
            lookahead=self.lookahead,
            upsampler=self.upsampler,
            token_keys=tuple(_ends(keys, first, last) for keys in self.token_keys),
            frame_keys=tuple(_ends(keys, TOKEN_FRAMES * first, TOKEN_FRAMES * last) for keys in self.frame_keys),
        )


def _ends(keys: Tensor, first: int, last: int) -> Tensor:
    if keys.shape[-2] <= first + last:
        return keys
    return torch.cat((keys[..., :first, :], keys[..., keys.shape[-2] - last :, :]), -2)


class RelativeAttention(nn.Module):
    """Attention whose scores depend on content and distance (Dai et al. 2019, arXiv:1901.02860)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.linear_q = nn.Linear(width, width)
        self.linear_k = nn.Linear(width, width)
        self.linear_v = nn.Linear(width, width)
        self.linear_out = nn.Linear(width, width)
        self.linear_pos = nn.Linear(width, width, bias=False)
        self.pos_bias_u = nn.Parameter(torch.zeros(heads, width // heads))
        self.pos_bias_v = nn.Parameter(torch.zeros(heads, width // heads))

    def forward(self, x: Tensor, positions: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """x: (1, T, width); past: (1, heads, t, 2 * head size); positions: (t + 2 T - 1, width), see `distances`.

        returns: like x, and past with the T new frames after the old ones
        """
        query, key, value = (self._split(part(x)) for part in (self.linear_q, self.linear_k, self.linear_v))
        keys = torch.cat((past, torch.cat((key, value), -1)), -2)
        key, value = keys.chunk(2, -1)
        distance = self._split(self.linear_pos(positions)[None])
        u, v = self.pos_bias_u[:, None], self.pos_bias_v[:, None]
        by_distance = (query + v) @ distance.transpose(-1, -2)
        bias = _by_key(by_distance, key.shape[-2]) * key.shape[-1] ** -0.5
        mixed = functional.scaled_dot_product_attention(query + u, key, value, attn_mask=bias)
        return self.linear_out(mixed.transpose(1, 2).flatten(2)), keys

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


def _by_key(scores: Tensor, keys: int) -> Tensor:
    """(..., T, keys + T - 1) by descending distance to (..., T, keys) by key.

    Row i starts T - 1 - i places from the left. In the flattened rows, each one place longer, these
    starts are keys + T - 1 places apart, from T - 1 on.
    """
    queries, width = scores.shape[-2:]
    flat = functional.pad(scores, (0, 1)).flatten(-2)
    return flat[..., queries - 1 : queries - 1 + queries * width].unflatten(-1, (queries, width))[..., :keys]


def distances(past: int, new: int, like: Tensor) -> Tensor:
    """Sine and cosine of the distances between query and key, from past + new - 1 down to 1 - new.

    like: (..., width), which gives width, dtype and device
    returns: (past + 2 new - 1, width); even columns sin, odd ones cos (Vaswani et al. 2017)
    """
    width = like.shape[-1]
    distance = torch.arange(past + new - 1, -new, -1, device=like.device, dtype=torch.float32)
    rate = torch.exp(torch.arange(0, width, 2, device=like.device, dtype=torch.float32) * (-math.log(10_000) / width))
    angle = distance[:, None] * rate
    return torch.stack((angle.sin(), angle.cos()), -1).flatten(1).to(like.dtype)


class _FeedForward(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.w_1 = nn.Linear(width, hidden)
        self.w_2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.w_2(functional.silu(self.w_1(x)))
        return out


class ConformerBlock(nn.Module):
    """A pre-norm block of attention and feed-forward; as in the checkpoint, it has no convolution."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        width = config.output_size
        self.self_attn = RelativeAttention(width, config.attention_heads)
        self.feed_forward = _FeedForward(width, config.linear_units)
        self.norm_mha = nn.LayerNorm(width, eps=_BLOCK_EPS)
        self.norm_ff = nn.LayerNorm(width, eps=_BLOCK_EPS)

    def forward(self, x: Tensor, positions: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """As `RelativeAttention.forward`."""
        mixed, keys = self.self_attn(self.norm_mha(x), positions, past)
        x = x + mixed
        return x + self.feed_forward(self.norm_ff(x)), keys


class _Embedding(nn.Module):
    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.out = nn.Sequential(nn.Linear(inputs, width), nn.LayerNorm(width))

    def forward(self, x: Tensor) -> Tensor:
        scaled: Tensor = self.out(x) * self.out[0].out_features ** 0.5
        return scaled


class _Lookahead(nn.Module):
    def __init__(self, width: int, ahead: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(width, width, ahead + 1)
        self.conv2 = nn.Conv1d(width, width, _LOOKAHEAD_MEMORY + 1)

    def forward(self, x: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """x: (1, n + ahead, width). Returns (1, n, width) and the new memory."""
        seen = torch.cat((memory, functional.leaky_relu(self.conv1(x.transpose(1, 2)))), -1)
        out = self.conv2(seen).transpose(1, 2)
        return out + x[:, : out.shape[1]], seen[..., -_LOOKAHEAD_MEMORY:]


class _Upsampler(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(width, width, _UPSAMPLER_MEMORY + 1)

    def forward(self, x: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """x: (1, n, width). Returns (1, width, 2 n) and the new memory."""
        seen = torch.cat((memory, x.transpose(1, 2).repeat_interleave(TOKEN_FRAMES, -1)), -1)
        return self.conv(seen), seen[..., -_UPSAMPLER_MEMORY:]


class ConformerEncoder(nn.Module):
    """Embedded tokens at 25 Hz to hidden frames at 50 Hz, whole or chunk by chunk.

    A chunk attends to everything before it and to all of itself, so one chunk gives the offline encoder.

    Source: the reference's UpsampleConformerEncoderV2.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        width = config.output_size
        self.ahead = config.pre_lookahead_len
        self.embed = _Embedding(config.input_size, width)
        self.pre_lookahead_layer = _Lookahead(width, self.ahead)
        self.encoders = nn.ModuleList(ConformerBlock(config) for _ in range(config.num_blocks))
        self.up_layer = _Upsampler(width)
        self.up_embed = _Embedding(width, width)
        self.up_encoders = nn.ModuleList(ConformerBlock(config) for _ in range(config.num_up_blocks))
        self.after_norm = nn.LayerNorm(width)

    def start(self) -> EncoderState:
        """The state before the first token."""
        weight = self.up_layer.conv.weight
        heads, size = self.encoders[0].self_attn.pos_bias_u.shape
        nothing = weight.new_zeros(1, heads, 0, 2 * size)
        return EncoderState(
            lookahead=weight.new_zeros(1, weight.shape[0], _LOOKAHEAD_MEMORY),
            upsampler=weight.new_zeros(1, weight.shape[0], _UPSAMPLER_MEMORY),
            token_keys=(nothing,) * len(self.encoders),
            frame_keys=(nothing,) * len(self.up_encoders),
        )

    def forward(self, x: Tensor, state: EncoderState, last: bool) -> tuple[Tensor, EncoderState]:
        """x: (1, n + ahead, input_size), or (1, n, input_size) for the last chunk.

        returns: (1, 2 n, width) and the state after the n tokens
        """
        x = self.embed(x)
        if last:
            x = functional.pad(x, (0, 0, 0, self.ahead))
        x, lookahead = self.pre_lookahead_layer(x, state.lookahead)
        x, token_keys = _through(self.encoders, x, state.token_keys)
        x, upsampler = self.up_layer(x, state.upsampler)
        x, frame_keys = _through(self.up_encoders, self.up_embed(x.transpose(1, 2)), state.frame_keys)
        return self.after_norm(x), EncoderState(lookahead, upsampler, token_keys, frame_keys)


def _through(blocks: nn.ModuleList, x: Tensor, past: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
    positions = distances(past[0].shape[-2], x.shape[1], x)
    keys = []
    for block, before in zip(blocks, past, strict=True):
        x, after = block(x, positions, before)
        keys.append(after)
    return x, tuple(keys)
