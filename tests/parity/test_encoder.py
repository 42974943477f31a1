"""The audio encoder and the adaptor against the reference vectors, including its padding."""

from __future__ import annotations

from typing import Any

import pytest
from support.step_audio_2_vectors import Tensors, Vectors

torch = pytest.importorskip("torch", reason="the model needs torch")
pytest.importorskip("transformers", reason="the model needs transformers")

from agentaudio.model.step_audio_2.network.config import StepAudio2AudioConfig  # noqa: E402
from agentaudio.model.step_audio_2.network.encoder import Adaptor, AudioEncoder, attended  # noqa: E402
from agentaudio.model.step_audio_2.network.features import encoder_length, token_count  # noqa: E402

NAME = "02_encoder_adapter.safetensors"


@pytest.fixture
def vectors(request: pytest.FixtureRequest) -> Vectors:
    return Vectors.chosen(request.config)


def built(vectors: Vectors, tensors: Tensors) -> tuple[Any, Any]:
    settings = vectors.entry(NAME)["config"]
    config = StepAudio2AudioConfig(
        n_mels=settings["n_mels"],
        n_audio_ctx=settings["n_ctx"],
        n_audio_state=settings["n_state"],
        n_audio_head=settings["n_head"],
        n_audio_layer=settings["n_layer"],
        llm_dim=settings["llm_dim"],
        kernel_size=settings["kernel_size"],
        adapter_stride=settings["stride"],
    )
    parts: tuple[Any, Any] = AudioEncoder(config), Adaptor(config)
    for part, prefix in zip(parts, ("weights/encoder.", "weights/adapter."), strict=True):
        weights = {k.removeprefix(prefix): torch.tensor(v) for k, v in tensors.items() if k.startswith(prefix)}
        part.eval().load_state_dict(weights)
    return parts


@torch.no_grad()  # type: ignore[untyped-decorator, unused-ignore]
def test_encoder_and_adaptor(vectors: Vectors) -> None:
    tensors = vectors.tensors(NAME)
    encoder, adaptor = built(vectors, tensors)
    seen: dict[str, Any] = {}
    encoder.conv2.register_forward_hook(lambda _, __, out: seen.update(conv2_out_before_gelu=out))
    for k, block in enumerate(encoder.blocks):
        block.register_forward_hook(lambda _, __, out, k=k: seen.update({f"block_{k}_out": out}))
    cases = [key.removesuffix("/mel") for key in tensors if key.endswith("/mel")]
    assert cases
    for case in cases:
        mel, lengths = (torch.tensor(tensors[f"{case}/{part}"]) for part in ("mel", "wav_lens"))
        hidden = encoder(mel, lengths)
        rows = adaptor(hidden)
        keep = attended(lengths, mel.shape[-1])
        assert keep.int().tolist() == tensors[f"{case}/valid_after_conv2"].tolist(), case
        for inner, value in seen.items():
            if f"{case}/{inner}" in tensors:
                vectors.check(NAME, f"{case}/{inner}", value, tensors[f"{case}/{inner}"])
        for item, length in enumerate(lengths.tolist()):
            counts = {"encoder": encoder_length(length + 2), "feat": token_count(length + 2)}
            for kind, output, key in (("encoder", hidden, "encoder_out"), ("feat", rows, "adapter_out")):
                valid = counts[kind]
                assert valid == tensors[f"{case}/{kind}_lens"][item], case
                expected = tensors[f"{case}/{key}"][item, :valid]
                vectors.check(NAME, f"{case}/{key} {item}", output[item, :valid], expected)


@torch.no_grad()  # type: ignore[untyped-decorator, unused-ignore]
def test_norms_on_tiny_activations(vectors: Vectors) -> None:
    tensors = vectors.tensors(NAME)
    encoder, _ = built(vectors, tensors)
    block = encoder.blocks[0](torch.tensor(tensors["unit/block_0_in"]), torch.zeros(1, 1, 1, 1))
    vectors.check(NAME, "unit/block_0_out", block, tensors["unit/block_0_out"])
    norm = encoder.after_norm(torch.tensor(tensors["unit/after_norm_in"]))
    vectors.check(NAME, "unit/after_norm_out", norm, tensors["unit/after_norm_out"])
