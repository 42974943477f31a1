"""The language model on one new token in each row: joined projections, and attention that reads each key once."""

from __future__ import annotations

from collections.abc import Sequence

from agentaudio.errors import MissingExtra

try:
    import torch
    from torch import Tensor, nn
    from torch.nn import functional
except ImportError as error:
    raise MissingExtra("Step-Audio 2", "local") from error

SPLIT = 256
"""Positions of the cache that one part of the attention of a GPU sums over."""
_GPUS = ("cuda", "meta")
"""Devices with many multiprocessors. Meta tensors stand for those of a GPU where its work is counted."""


class TokenLayer(nn.Module):
    """A decoder layer of Qwen2 for one new token in each row.

    layer: of transformers; the two share their weights. Matrices with the same input are joined, so that one
        kernel reads them: the layer's own projections become views of the joined matrix, and memory stays as it was.
        Projections that are quantized or have hooks are left as they are.
    """

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        attention, mlp = layer.self_attn, layer.mlp
        self.head_size: int = attention.head_dim
        self.norm = layer.input_layernorm
        self.query_key_value = joined(attention.q_proj, attention.k_proj, attention.v_proj)
        self.out = attention.o_proj
        self.mlp_norm = layer.post_attention_layernorm
        self.gate_up = joined(mlp.gate_proj, mlp.up_proj)
        self.activation = mlp.act_fn
        self.down = mlp.down_proj

    def forward(
        self,
        x: Tensor,
        rotation: tuple[Tensor, Tensor],
        positions: Tensor,
        keys: Tensor,
        values: Tensor,
        mask: Tensor,
    ) -> Tensor:
        """Write the new token's key and value into the cache, and attend to all that the mask allows.

        x: (rows, hidden)
        rotation: cosine and sine of the rotary embedding at `positions`, (rows, 1, head_size) each
        positions: (rows,) int64, where the new keys and values are written
        keys, values: (rows, key heads, length, head_size) each, changed in place
        mask: (rows, 1, 1, length) bool, True for the positions to attend to
        returns: like x
        """
        row, key_heads = torch.arange(len(x), device=x.device), keys.shape[1]
        heads = self.query_key_value(self.norm(x)).unflatten(-1, (-1, self.head_size))
        query, key, value = heads.split((heads.shape[1] - 2 * key_heads, key_heads, key_heads), 1)
        keys[row, :, positions] = _rotated(key, rotation)
        values[row, :, positions] = value
        x = x + self.out(one_query_attention(_rotated(query, rotation), keys, values, mask).flatten(1))
        gate, up = self.gate_up(self.mlp_norm(x)).chunk(2, -1)
        out: Tensor = x + self.down(self.activation(gate) * up)
        return out


def joined(*parts: nn.Module) -> nn.Module:
    """A module whose output is the outputs of `parts`, side by side in the last dimension.

    Plain linear layers become one, and their weights become views of its weight.
    """
    if any(type(part) is not nn.Linear or hasattr(part, "_hf_hook") for part in parts):
        return _SideBySide(parts)
    whole = nn.Linear(1, 1, bias=False, device="meta")
    for name in ("weight", "bias"):
        kept = [getattr(part, name) for part in parts]
        if kept[0] is None:
            continue
        together = torch.cat([one.detach() for one in kept])
        setattr(whole, name, nn.Parameter(together, requires_grad=False))
        for part, view in zip(parts, together.split([len(one) for one in kept]), strict=True):
            setattr(part, name, nn.Parameter(view, requires_grad=False))
    whole.out_features, whole.in_features = whole.weight.shape
    return whole


class _SideBySide(nn.Module):
    def __init__(self, parts: Sequence[nn.Module]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([part(x) for part in self.parts], -1)


def one_query_attention(query: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    """Grouped-query attention for one query in each row. Keys and values are not repeated for the heads of a group.

    query: (rows, heads, size)
    keys, values: (rows, key heads, length, size) each; heads are a multiple of key heads
    mask: (rows, 1, 1, length) bool, True for the positions to attend to
    returns: (rows, heads, size)
    """
    # The heads of a group take the place of positions, as the queries of one sequence do.
    packed = query.unflatten(1, (keys.shape[1], -1))
    if query.device.type in _GPUS and keys.shape[2] % SPLIT == 0:
        mixed = split_attention(packed, keys, values, mask)
    else:
        mixed = functional.scaled_dot_product_attention(packed, keys, values, attn_mask=mask)
    return mixed.flatten(1, 2)


def split_attention(query: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    """Attention in parts of SPLIT positions, which the multiprocessors of a GPU work on at once.

    The kernels behind `scaled_dot_product_attention` give each row and key head one multiprocessor, which at long
    contexts would leave nearly all of them idle.

    query: (rows, key heads, group, size); keys, values: contiguous, see `one_query_attention`
    returns: like query

    Source: Flash-Decoding (Dao et al. 2023), with the softmax over all parts at once.
    """
    rows, heads, group, size = query.shape
    scores = _products((query * size**-0.5).flatten(0, 1), keys.flatten(0, 1).mT).view(rows, heads, group, -1)
    weights = (
        scores.masked_fill(~mask, -torch.inf).softmax(-1).to(values.dtype).unflatten(-1, (-1, SPLIT)).transpose(2, 3)
    )
    parts = weights.flatten(0, 2) @ values.unflatten(2, (-1, SPLIT)).flatten(0, 2)
    return parts.view(rows, heads, -1, group, size).float().sum(2).to(query.dtype)


def _products(left: Tensor, right: Tensor) -> Tensor:
    """Batched matrix product in float32, whose half-precision inputs are not copied on a GPU."""
    if left.device.type in _GPUS and left.dtype != torch.float32:
        return torch.bmm(left, right, out_dtype=torch.float32)
    return left.float() @ right.float()


def _rotated(heads: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    """Rotary position embedding (Su et al. 2021, arXiv:2104.09864), in halves. heads: (rows, n, size)"""
    cosine, sine = rotation
    first, second = heads.chunk(2, -1)
    return heads * cosine + torch.cat((-second, first), -1) * sine
