"""Which type each tensor of a GGUF file has, and how many bytes that takes. Nothing is read here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from agentaudio.errors import OptionError

WeightType = Literal["q4_k_m", "q8_0", "f16", "bf16", "f32"]
WEIGHT_TYPES: tuple[WeightType, ...] = get_args(WeightType)
TensorType = Literal["F32", "F16", "BF16", "Q8_0", "Q5_0", "Q4_K", "Q6_K"]

BLOCKS: Mapping[TensorType, tuple[int, int]] = {
    "F32": (1, 4), "F16": (1, 2), "BF16": (1, 2), "Q8_0": (32, 34), "Q5_0": (32, 22), "Q4_K": (256, 144),
    "Q6_K": (256, 210),
}  # fmt: skip
"""Weights in a block, and bytes of it. Source: llama.cpp, ggml-common.h."""
_PLAIN: Mapping[WeightType, TensorType] = {"q8_0": "Q8_0", "f16": "F16", "bf16": "BF16", "f32": "F32"}

LAYER = {
    "input_layernorm.weight": "attn_norm.weight",
    "self_attn.q_proj.weight": "attn_q.weight",
    "self_attn.q_proj.bias": "attn_q.bias",
    "self_attn.k_proj.weight": "attn_k.weight",
    "self_attn.k_proj.bias": "attn_k.bias",
    "self_attn.v_proj.weight": "attn_v.weight",
    "self_attn.v_proj.bias": "attn_v.bias",
    "self_attn.o_proj.weight": "attn_output.weight",
    "post_attention_layernorm.weight": "ffn_norm.weight",
    "mlp.gate_proj.weight": "ffn_gate.weight",
    "mlp.up_proj.weight": "ffn_up.weight",
    "mlp.down_proj.weight": "ffn_down.weight",
}
"""Names of a layer's tensors in the checkpoint, and in a GGUF file of the architecture qwen2."""
OUTSIDE = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}


@dataclass(frozen=True, slots=True)
class Planned:
    """A tensor of a GGUF file.

    source: its name in the checkpoint
    shape: rows and columns, or the length
    """

    name: str
    source: str
    shape: tuple[int, ...]
    type: TensorType

    @property
    def nbytes(self) -> int:
        """Bytes in the file, and in memory."""
        weights, size = BLOCKS[self.type]
        return math.prod(self.shape) // weights * size


def planned(shapes: Mapping[str, tuple[int, ...]], layers: int, weights: WeightType) -> list[Planned]:
    """All tensors of the language model, in the order of the file. The audio encoder stays in the checkpoint.

    shapes: of the tensors in the checkpoint, by name

    Raises OptionError for an unknown precision.
    """
    if weights not in WEIGHT_TYPES:
        raise OptionError(f"weights cannot be {weights!r}; give one of: {', '.join(WEIGHT_TYPES)}")
    names = dict(OUTSIDE)
    for layer in range(layers):
        names |= {f"model.layers.{layer}.{ours}": f"blk.{layer}.{theirs}" for ours, theirs in LAYER.items()}
    return [
        Planned(name, source, shapes[source], tensor_type(name, shapes[source], layers, weights))
        for source, name in names.items()
    ]


def tensor_type(name: str, shape: tuple[int, ...], layers: int, weights: WeightType) -> TensorType:
    """The type of one tensor. Norms and biases always have 32 bits.

    Source: llama.cpp, llama-quant.cpp; the tests compare with its own quantization to the byte.
    """
    if len(shape) == 1:
        return "F32"
    wanted = _mixed(name, layers) if weights == "q4_k_m" else _PLAIN[weights]
    if name == "output.weight" and shape[-1] % BLOCKS[wanted][0]:
        wanted = "Q8_0"
    smaller: Mapping[TensorType, TensorType] = {"Q4_K": "Q5_0", "Q6_K": "Q8_0"}
    if shape[-1] % BLOCKS[wanted][0]:
        wanted = smaller.get(wanted, wanted)
    return "F16" if shape[-1] % BLOCKS[wanted][0] else wanted


def _mixed(name: str, layers: int) -> TensorType:
    """4 bits for most weights, and 6 where they matter most: the output, and some values and down-projections."""
    if name == "output.weight":
        return "Q6_K"
    if name.endswith(("attn_v.weight", "ffn_down.weight")):
        layer = int(name.split(".")[1])
        first, last = layers // 8, 7 * layers // 8
        if layer < first or layer >= last or (layer - first) % 3 == 2:
            return "Q6_K"
    return "Q4_K"


def total_bytes(tensors: Iterable[Planned]) -> int:
    """Bytes of all tensors."""
    return sum(tensor.nbytes for tensor in tensors)
