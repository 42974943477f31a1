"""Types and sizes of the tensors of a GGUF file, computed without reading one."""

from __future__ import annotations

import pytest

from agentaudio.errors import OptionError
from agentaudio.model.step_audio_2.llama.precision import (
    LAYER,
    OUTSIDE,
    WEIGHT_TYPES,
    WeightType,
    planned,
    tensor_type,
    total_bytes,
)

H, V, INNER, KV, LAYERS = 3584, 158_720, 18_944, 512, 28
SHAPES = {
    "input_layernorm.weight": (H,), "self_attn.q_proj.weight": (H, H), "self_attn.q_proj.bias": (H,),
    "self_attn.k_proj.weight": (KV, H), "self_attn.k_proj.bias": (KV,), "self_attn.v_proj.weight": (KV, H),
    "self_attn.v_proj.bias": (KV,), "self_attn.o_proj.weight": (H, H), "post_attention_layernorm.weight": (H,),
    "mlp.gate_proj.weight": (INNER, H), "mlp.up_proj.weight": (INNER, H), "mlp.down_proj.weight": (H, INNER),
}  # fmt: skip
PUBLISHED = {
    **{f"model.layers.{layer}.{name}": shape for layer in range(LAYERS) for name, shape in SHAPES.items()},
    "model.embed_tokens.weight": (V, H), "model.norm.weight": (H,), "lm_head.weight": (V, H),
    "encoder.conv1.weight": (1280, 128, 3),
}  # fmt: skip
"""Tensors of the published checkpoint; of the audio encoder only one."""


@pytest.mark.parametrize(
    ("weights", "gigabytes"), [("q4_k_m", 4.71), ("q8_0", 8.14), ("f16", 15.33), ("bf16", 15.33), ("f32", 30.65)]
)
def test_sizes_of_the_published_checkpoint(weights: WeightType, gigabytes: float) -> None:
    tensors = planned(PUBLISHED, LAYERS, weights)
    assert len(tensors) == len(OUTSIDE) + LAYERS * len(LAYER) == 339
    assert total_bytes(tensors) / 1e9 == pytest.approx(gigabytes, abs=0.005)
    assert {tensor.type for tensor in tensors if len(tensor.shape) == 1} == {"F32"}


def test_four_bits_keep_six_where_they_matter_most() -> None:
    types = {tensor.name: tensor.type for tensor in planned(PUBLISHED, LAYERS, "q4_k_m")}
    assert (types["output.weight"], types["token_embd.weight"]) == ("Q6_K", "Q4_K")
    six = [layer for layer in range(LAYERS) if types[f"blk.{layer}.ffn_down.weight"] == "Q6_K"]
    assert six == [0, 1, 2, 5, 8, 11, 14, 17, 20, 23, 24, 25, 26, 27]
    assert six == [layer for layer in range(LAYERS) if types[f"blk.{layer}.attn_v.weight"] == "Q6_K"]
    assert {types[f"blk.0.{name}.weight"] for name in ("attn_q", "attn_k", "attn_output", "ffn_up")} == {"Q4_K"}


@pytest.mark.parametrize(
    ("width", "expected"),
    [(256, {"q4_k_m": "Q4_K", "q8_0": "Q8_0"}), (96, {"q4_k_m": "Q5_0", "q8_0": "Q8_0"}), (40, {"q4_k_m": "F16"})],
)
def test_rows_that_are_no_whole_number_of_blocks_take_smaller_ones(width: int, expected: dict[str, str]) -> None:
    for weights in WEIGHT_TYPES:
        wanted = expected.get(weights, "F16" if width % 32 and weights == "q8_0" else None)
        if wanted is not None:
            assert tensor_type("blk.0.attn_q.weight", (8, width), 2, weights) == wanted


def test_an_unknown_precision_names_the_known_ones() -> None:
    with pytest.raises(OptionError, match="cannot be 'q3'; give one of: q4_k_m, q8_0, f16, bf16, f32"):
        planned(PUBLISHED, LAYERS, "q3")  # type: ignore[arg-type]
