"""One decoding step equals the model of transformers, without repeated keys and without second copies of weights."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the model needs torch")
pytest.importorskip("transformers", reason="the model needs transformers")

from support.step_audio_2_tiny import fresh  # noqa: E402
from transformers import DynamicCache  # noqa: E402
from transformers.models.qwen2.modeling_qwen2 import repeat_kv  # noqa: E402

from agentaudio.model.step_audio_2.network.one_token import (  # noqa: E402
    SPLIT,
    TokenLayer,
    joined,
    one_query_attention,
    split_attention,
)


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("length", [SPLIT, 4 * SPLIT])
def test_attention_equals_that_over_repeated_keys(rows: int, length: int) -> None:
    torch.manual_seed(0)
    query = torch.randn(rows, 12, 16)
    keys, values = torch.randn(2, rows, 4, length, 16)
    mask = torch.arange(length) <= torch.tensor([[length - 5], [0], [SPLIT // 2]])[:rows, :, None, None]
    expected = torch.nn.functional.scaled_dot_product_attention(
        query[:, :, None], repeat_kv(keys, 3), repeat_kv(values, 3), attn_mask=mask
    )[:, :, 0]
    torch.testing.assert_close(one_query_attention(query, keys, values, mask), expected)
    split = split_attention(query.unflatten(1, (4, 3)), keys, values, mask)
    torch.testing.assert_close(split.flatten(1, 2), expected)


def test_one_step_equals_the_layers_of_transformers() -> None:
    model = fresh()
    ids = torch.tensor([[5, 60, 7, 9, 11]])
    with torch.no_grad():
        expected = model(ids).logits[0, -1]
        cache = DynamicCache()
        model(ids[:, :-1], past_key_values=cache, use_cache=True)
        x, positions = model.model.embed_tokens(ids[0, -1:]), torch.tensor([4])
        rotation = model.model.rotary_emb(x[:, None], positions[:, None])
        for layer, kept in zip(model.model.layers, cache.layers, strict=True):
            keys, values = (torch.cat((one, torch.zeros_like(one[:, :, :1])), 2) for one in (kept.keys, kept.values))
            x = TokenLayer(layer)(x, rotation, positions, keys, values, torch.ones(1, 1, 1, 5, dtype=torch.bool))
        actual = model.lm_head(model.model.norm(x))[0]
        # The layers still work by themselves, on the joined weights.
        torch.testing.assert_close(model(ids).logits[0, -1], expected)
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-5)


def test_joined_projections_share_their_weights() -> None:
    parts = [torch.nn.Linear(8, size) for size in (6, 2, 2)]
    before = [part.weight.clone() for part in parts]
    whole: Any = joined(*parts)
    x = torch.randn(3, 8)
    torch.testing.assert_close(whole(x), torch.cat([part(x) for part in parts], -1))
    for part, weight in zip(parts, before, strict=True):
        assert torch.equal(part.weight, weight)
        assert part.weight.untyped_storage().data_ptr() == whole.weight.untyped_storage().data_ptr()


def test_projections_of_other_kinds_are_run_one_by_one() -> None:
    Quantized: Any = type("Quantized", (torch.nn.Linear,), {})
    hooked: Any = torch.nn.Linear(8, 2)
    hooked._hf_hook = object()
    for other in (Quantized(8, 2), hooked):
        parts = [torch.nn.Linear(8, 6), other]
        weights = [part.weight for part in parts]
        x = torch.randn(3, 8)
        torch.testing.assert_close(joined(*parts)(x), torch.cat([part(x) for part in parts], -1))
        assert all(part.weight is weight for part, weight in zip(parts, weights, strict=True))
