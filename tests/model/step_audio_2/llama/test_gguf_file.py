"""GGUF files hold what the checkpoint holds, and are made once, whole or not at all."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the model needs torch")
pytest.importorskip("transformers", reason="the model needs transformers")
gguf = pytest.importorskip("gguf", reason="writes GGUF files")

from agentaudio.errors import BackendError  # noqa: E402
from agentaudio.model.step_audio_2.init_tiny import init_tiny  # noqa: E402
from agentaudio.model.step_audio_2.llama.convert import write_gguf  # noqa: E402
from agentaudio.model.step_audio_2.llama.precision import WeightType, planned  # noqa: E402
from agentaudio.model.step_audio_2.llama.quantise import converted  # noqa: E402
from agentaudio.model.step_audio_2.llama.store import converted_file, fingerprint, gguf_path  # noqa: E402
from agentaudio.model.step_audio_2.network.checkpoint import Tensors, read_config, weight_shapes  # noqa: E402
from agentaudio.model.step_audio_2.tokens import PUBLISHED_IDS, TokenIds  # noqa: E402

LAYERS = 2
NUMPY = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


def plan(folder: Path, weights: WeightType) -> Any:
    return planned(weight_shapes(folder), LAYERS, weights)


def make(folder: Path, weights: WeightType) -> Path:
    return converted_file(folder, read_config(folder), plan(folder, weights), weights, 1)


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AGENTAUDIO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


@pytest.mark.parametrize(("weights", "shards"), [("f32", 1), ("f16", 3), ("bf16", 1)])
def test_every_tensor_is_read_back(tmp_path: Path, folder: Path, weights: WeightType, shards: int) -> None:
    made = folder if shards == 1 else init_tiny(tmp_path / "parts", shards=shards)
    path = tmp_path / "tiny.gguf"
    written: list[int] = []
    write_gguf(path, made, read_config(made), plan(made, weights), weights, progress=written.append)
    reader = gguf.GGUFReader(path)
    found = {tensor.name: tensor for tensor in reader.tensors}
    with Tensors(made) as source:
        for tensor in plan(made, weights):
            there = found.pop(tensor.name)
            assert there.tensor_type.name == tensor.type and there.n_bytes == tensor.nbytes
            assert tuple(reversed(there.shape.tolist())) == tensor.shape
            expected = source.get(tensor.source).to(NUMPY[tensor.type]).contiguous().view(torch.uint8).numpy()
            assert there.data.tobytes() == expected.tobytes(), tensor.name
    assert not found and written[-1] == sum(tensor.nbytes for tensor in plan(made, weights))


def test_the_description_is_that_of_the_checkpoint(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "tiny.gguf"
    config = read_config(folder)
    write_gguf(path, folder, config, plan(folder, "bf16"), "bf16")
    fields = {name: field.contents() for name, field in gguf.GGUFReader(path).fields.items()}
    text, ids = config.text_config, TokenIds()
    assert fields["general.architecture"] == "qwen2" and fields["qwen2.rope.freq_base"] == 1e6
    assert fields["qwen2.embedding_length"] == text.hidden_size
    assert fields["qwen2.attention.head_count_kv"] == text.num_key_value_heads
    assert fields["qwen2.context_length"] == text.max_position_embeddings
    tokens, kinds = fields["tokenizer.ggml.tokens"], fields["tokenizer.ggml.token_type"]
    assert len(tokens) == len(kinds) == text.vocab_size
    assert all(tokens[number] == name for name, number in PUBLISHED_IDS.items())
    assert (kinds[ids.eot], kinds[ids.tool_call], kinds[0], kinds[-1]) == (3, 4, 1, 5)
    assert fields["tokenizer.ggml.eos_token_id"] == ids.eot


@pytest.mark.usefixtures("own_cache")
def test_a_file_is_made_once_and_announced(copy: Path, own_cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        path = make(copy, "bf16")
        made = path.stat()
        assert make(copy, "bf16") == path == gguf_path(copy, "bf16") and path.is_relative_to(own_cache)
    assert path.stat() == made
    first, second = [record.getMessage() for record in caplog.records]
    assert re.search(r", once: 26\.4 MB in bf16, about \d+ (s|min), to ", first) and str(path) in first
    assert second.startswith("converted in ")
    assert {one.name for one in path.parent.iterdir()} == {"bf16.gguf", "lock"}


@pytest.mark.usefixtures("own_cache")
def test_another_checkpoint_has_another_file(copy: Path, folder: Path, tmp_path: Path) -> None:
    here = fingerprint(copy)
    # What was copied with its times is the same checkpoint.
    moved = Path(shutil.copytree(copy, tmp_path / "moved"))
    assert fingerprint(moved) == here == fingerprint(folder)
    weights = moved / "model.safetensors"
    with weights.open("r+b") as file:  # the same size, and another weight
        file.seek(-1, os.SEEK_END)
        file.write(b"\x3f")
    assert fingerprint(moved) != here
    config = json.loads((copy / "config.json").read_text())
    config["text_config"]["rope_theta"] = 10_000.0
    (copy / "config.json").write_text(json.dumps(config))
    assert fingerprint(copy) != here


def test_what_fails_leaves_no_file(copy: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop_at = 3

    def fail(*arguments: Any) -> Any:
        nonlocal stop_at
        stop_at -= 1
        if not stop_at:
            raise BackendError("the power went off")
        return converted(*arguments)

    with monkeypatch.context() as context, pytest.raises(BackendError, match="cannot be converted .*the power"):
        context.setattr("agentaudio.model.step_audio_2.llama.convert.converted", fail)
        make(copy, "f16")
    path = gguf_path(copy, "f16")
    assert [one.name for one in path.parent.iterdir()] == ["lock"]
    # A process that was killed leaves a part behind, which the next one clears away.
    (path.parent / ".0123.tmp").write_bytes(b"GGUF")
    assert make(copy, "f16").exists()
    assert {one.name for one in path.parent.iterdir()} == {"f16.gguf", "lock"}


def test_too_little_space_is_said_before(copy: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(copy)._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(BackendError, match=r"f16\.gguf takes 2\d\.\d MB, and its disk has 1\.0 MB left"):
        make(copy, "f16")
    assert [one.name for one in gguf_path(copy, "f16").parent.iterdir()] == ["lock"]


def test_weights_that_no_file_can_hold_are_refused() -> None:
    def rows(*values: float) -> Any:
        return lambda begin, end: torch.tensor([values])[begin:end]

    with pytest.raises(BackendError, match="too large for f16; give weights=bf16"):
        converted(rows(1.0, 70_000.0), (1, 2), "F16", 1)
    with pytest.raises(BackendError, match="not finite"):
        converted(rows(1.0, np.nan), (1, 2), "F32", 1)


def test_scaled_positions_are_refused(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    config["text_config"]["rope_scaling"] = {"rope_type": "linear", "factor": 2.0}
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(BackendError, match="scales positions .'linear'.*runtime=torch"):
        make(copy, "bf16")


@pytest.mark.parametrize("content", ['{"model": {"vocab": []}}', '{"model": {"vocab": {"a": 999999}}}', "{"])
def test_a_tokenizer_of_another_kind_is_named(copy: Path, own_cache: Path, content: str) -> None:
    (copy / "tokenizer.json").write_text(content)
    with pytest.raises(BackendError, match=r"tokenizer\.json is not the byte-level BPE tokenizer of 158,720 tokens"):
        make(copy, "bf16")
