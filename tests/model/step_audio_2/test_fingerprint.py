"""The published checkpoint is known by its files' sizes, which follow from the names and shapes of our model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the shapes are those of the model")
pytest.importorskip("transformers", reason="the model needs transformers")

from agentaudio.model.step_audio_2.fingerprint import FINGERPRINT, Fingerprint, Shard, shard_problems  # noqa: E402
from agentaudio.model.step_audio_2.network.config import StepAudio2Config  # noqa: E402
from agentaudio.model.step_audio_2.network.modeling import StepAudio2ForCausalLM  # noqa: E402

SHARD_BYTES = 5_000_000_000
"""Largest shard that the published checkpoint was saved with."""
ORDER = ("model.", "encoder.", "adapter.", "lm_head.")
"""In which the published code defines its modules."""
Shapes = dict[str, tuple[int, ...]]


@pytest.fixture(scope="module")
def shapes() -> Shapes:
    """Of the published size, without memory for it."""
    config = StepAudio2Config(
        text_config=FINGERPRINT.text_config, audio_encoder_config=FINGERPRINT.audio_encoder_config
    )
    with torch.device("meta"):
        found = {name: tuple(value.shape) for name, value in StepAudio2ForCausalLM(config).state_dict().items()}
    return {name: found[name] for start in ORDER for name in found if name.startswith(start)}


def size(shape: tuple[int, ...]) -> int:
    count = 2  # bytes of bfloat16
    for length in shape:
        count *= length
    return count


def file_bytes(shapes: Shapes) -> int:
    """Size of a safetensors file: 8 bytes of length, a header padded to 8 bytes, and the tensors by name."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name in sorted(shapes):
        begin, end = end, end + size(shapes[name])
        header[name] = {"dtype": "BF16", "shape": list(shapes[name]), "data_offsets": [begin, end]}
    return 8 + -(-len(json.dumps(header, separators=(",", ":"))) // 8) * 8 + end


def test_the_published_shards_have_the_names_and_shapes_of_our_model_to_the_byte(shapes: Shapes) -> None:
    shards: list[Shapes] = [{}]
    for name, shape in shapes.items():
        if sum(map(size, shards[-1].values())) + size(shape) > SHARD_BYTES:
            shards.append({})
        shards[-1][name] = shape
    assert len(shapes) == FINGERPRINT.tensors
    assert sum(map(size, shapes.values())) == FINGERPRINT.total_size
    made = [(file_bytes(shard), len(shard)) for shard in shards]
    assert made == [(shard.bytes, shard.tensors) for shard in FINGERPRINT.shards.values()]
    weight_map = {name: file for file, shard in zip(FINGERPRINT.shards, shards, strict=True) for name in shard}
    index = {"metadata": {"total_size": FINGERPRINT.total_size}, "weight_map": dict(sorted(weight_map.items()))}
    assert len(json.dumps(index, indent=2, sort_keys=True)) + 1 == FINGERPRINT.index_bytes


def test_a_shard_that_is_not_whole_is_named_with_its_sizes(tmp_path: Path) -> None:
    small = Fingerprint(
        "us/mini", "r1", 0, 2, 0, {"a.safetensors": Shard(10, 1), "b.safetensors": Shard(20, 1)}, {}, {}, {}
    )
    (tmp_path / "a.safetensors").write_bytes(bytes(10))
    (tmp_path / "b.safetensors").write_bytes(bytes(7))
    (problem,) = shard_problems(tmp_path, small)
    assert "b.safetensors has 7 of 20 bytes" in problem and "hf download us/mini" in problem
    (tmp_path / "b.safetensors").unlink()
    assert "b.safetensors is missing" in shard_problems(tmp_path, small)[0]
    (tmp_path / "b.safetensors").write_bytes(bytes(20))
    assert shard_problems(tmp_path, small) == []
