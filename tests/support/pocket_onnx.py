"""Exports of random checkpoints of Pocket TTS in the layout of KevinAHM/pocket-tts-onnx, from the package's modules."""

from __future__ import annotations

import contextlib
import json
import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from support.pocket_tts import packaged_config

CAPACITY = 1000


def lsd_config() -> dict[str, Any]:
    """The configuration of English of April 2026, with fewer and narrower layers."""
    config = packaged_config("english_2026-04")
    config["flow_lm"]["transformer"] |= {"d_model": 64, "num_heads": 2, "num_layers": 2}
    config["flow_lm"]["flow"] |= {"dim": 32, "depth": 2}
    config["flow_lm"]["lookup_table"] |= {"dim": 64}
    mimi = config["mimi"]
    mimi["outer_dim"] = mimi["quantizer"]["output_dimension"] = 64
    mimi["seanet"] |= {"n_filters": 8, "dimension": 64}
    mimi["transformer"] |= {
        "d_model": 64, "num_heads": 2, "num_layers": 1, "dim_feedforward": 64, "input_dimension": 64,
        "output_dimensions": [64],
    }  # fmt: skip
    return config


def write_bundle(checkpoint: Path, folder: Path) -> Path:
    """Export a checkpoint with config.yaml, in float32."""
    from pocket_tts import TTSModel
    from pocket_tts.modules.stateful_module import init_states

    folder.mkdir()
    config = folder / "config.yaml"
    text = (checkpoint / "config.yaml").read_text("utf-8")
    config.write_text(f"weights_path: {checkpoint / 'model.safetensors'}\n{text}", "utf-8")
    model = TTSModel.load_model(config=config)
    config.unlink()
    (folder / "tokenizer.json").write_bytes((checkpoint / "tokenizer.json").read_bytes())
    lm, mimi = model.flow_lm, model.mimi
    np.save(folder / "bos_before_voice.npy", lm.bos_before_voice.detach().numpy())
    flow_state = init_states(lm, 1, CAPACITY)
    mimi_state = init_states(mimi, 1, CAPACITY * 16)
    manifests = {
        "flow_lm_state_manifest": _manifest(flow_state),
        "mimi_state_manifest": _manifest(mimi_state),
    }
    description = manifests | {
        "bundle_name": "english_2026-04", "language": "english_2026-04", "schema_version": 2, "sample_rate": 24_000,
        "frame_rate": 12.5, "samples_per_frame": 1920, "latent_dim": lm.ldim, "conditioning_dim": lm.dim,
        "max_token_per_chunk": 50, "tokenizer_file": "tokenizer.json", "insert_bos_before_voice": True,
        "bos_before_voice_file": "bos_before_voice.npy",
    }  # fmt: skip
    (folder / "bundle.json").write_text(json.dumps(description), "utf-8")
    with _traceable(), torch.no_grad():
        _export(_Encoder(model), folder / "mimi_encoder.onnx", {"audio": torch.zeros(1, 1, 1920 * 3)}, ["latents"],
                {"audio": [2], "latents": [1]})  # fmt: skip
        _export(lm.conditioner, folder / "text_conditioner.onnx", {"token_ids": torch.zeros(1, 5, dtype=torch.long)},
                ["embeddings"], {"token_ids": [1], "embeddings": [1]})  # fmt: skip
        _export(lm.flow_net, folder / "flow_lm_flow.onnx", {
            "c": torch.zeros(1, lm.dim), "s": torch.zeros(1, 1), "t": torch.ones(1, 1), "x": torch.zeros(1, lm.ldim),
        }, ["flow_dir"], {})  # fmt: skip
        latent = torch.zeros(1, 2, lm.ldim)
        inputs = {"sequence": torch.zeros(1, 1, lm.ldim), "text_embeddings": torch.zeros(1, 4, lm.dim)}
        _export_stateful(_Main(model, flow_state), folder / "flow_lm_main.onnx", inputs, flow_state,
                         ["conditioning", "eos_logit"], {"sequence": [1], "text_embeddings": [1]})  # fmt: skip
        _export_stateful(_Decoder(model, mimi_state), folder / "mimi_decoder.onnx", {"latent": latent},
                         mimi_state, ["audio_frame"], {"latent": [1], "audio_frame": [2]})  # fmt: skip
    return folder


class _Stateful(nn.Module):  # type: ignore[misc]
    """Takes the tensors of a state one by one, and returns them behind its result."""

    def __init__(self, model: Any, state: dict[str, dict[str, torch.Tensor]]) -> None:
        super().__init__()
        self.model = model
        self.places = [(module, key) for module, tensors in state.items() for key in tensors]

    def nested(self, tensors: tuple[torch.Tensor, ...]) -> dict[str, dict[str, torch.Tensor]]:
        state: dict[str, dict[str, torch.Tensor]] = {}
        for (module, key), tensor in zip(self.places, tensors, strict=True):
            state.setdefault(module, {})[key] = tensor + 0 if tensor.dtype != torch.bool else tensor
        return state

    def flat(self, state: dict[str, dict[str, torch.Tensor]], steps: Any) -> tuple[torch.Tensor, ...]:
        return tuple(
            state[module][key] + steps if key == "offset" else state[module][key] for module, key in self.places
        )


class _Main(_Stateful):
    def forward(self, sequence: torch.Tensor, text_embeddings: torch.Tensor, *tensors: torch.Tensor) -> Any:
        lm, state = self.model.flow_lm, self.nested(tensors)
        given = torch.where(torch.isnan(sequence), lm.bos_emb, sequence)
        out = lm.backbone(lm.input_linear(given), text_embeddings, given, model_state=state)[:, -1]
        return (out, lm.out_eos(out), *self.flat(state, sequence.shape[1] + text_embeddings.shape[1]))


class _Decoder(_Stateful):
    def forward(self, latent: torch.Tensor, *tensors: torch.Tensor) -> Any:
        state = self.nested(tensors)
        mimi, lm = self.model.mimi, self.model.flow_lm
        sound = mimi.decode_from_latent(latent * lm.emb_std + lm.emb_mean, state)
        steps = int(mimi.encoder_frame_rate / mimi.frame_rate)
        return (sound, *self.flat(state, latent.shape[1] * steps))


class _Encoder(nn.Module):  # type: ignore[misc]
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, audio: torch.Tensor) -> torch.Tensor:
        frames = (audio.shape[2] + 1919) // 1920
        padded = torch.cat([audio, torch.zeros(1, 1, 1920)], dim=2)[:, :, : frames * 1920]
        found: torch.Tensor = self.model._encode_audio(padded)
        return found


@contextlib.contextmanager
def _traceable() -> Iterator[None]:
    """The cache of the attention without Python numbers, which a trace would keep as they are."""
    from pocket_tts.models import mimi
    from pocket_tts.modules import attention, mlp

    def append(self: Any, k: torch.Tensor, v: torch.Tensor, state: Any) -> Any:
        if state is None:
            return original(self, k, v, state)
        places = state["offset"][0] + torch.arange(k.shape[1])
        index = places.view(1, 1, -1, 1, 1).expand(2, 1, -1, k.shape[2], k.shape[3])
        state["cache"] = state["cache"].scatter(2, index, torch.stack([k, v]))
        valid = state["cache"][:, :, : state["offset"][0] + k.shape[1]]
        k_all, v_all = valid[0].permute(0, 2, 1, 3), valid[1].permute(0, 2, 1, 3)
        return k_all, v_all, torch.arange(k_all.shape[2]).view(1, -1), state["offset"]

    def mask(t: Any, context: int | None, device: torch.device) -> torch.Tensor:
        places = torch.arange(t).view(1, -1)
        return attention._build_attention_mask(places, places, context)

    def norm(x: torch.Tensor, alpha: torch.Tensor, eps: float) -> torch.Tensor:
        centred = x - x.mean(dim=-1, keepdim=True)  # the exporter cannot write `var`
        return x * alpha * torch.rsqrt(eps + (centred * centred).sum(dim=-1, keepdim=True) / (x.shape[-1] - 1))

    patches = {
        (attention._LinearKVCacheBackend, "append_and_get"): append,
        (attention, "_cached_causal_mask"): mask,
        (mlp, "_rms_norm"): norm,
        (mimi, "pad_for_conv1d"): lambda x, *_: x,  # `_Encoder` has padded it
    }
    originals = {(place, name): getattr(place, name) for place, name in patches}
    original = originals[attention._LinearKVCacheBackend, "append_and_get"]
    for (place, name), patch in patches.items():
        setattr(place, name, patch)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the tracer, about numbers that it keeps
            yield
    finally:
        for (place, name), before in originals.items():
            setattr(place, name, before)


def _export_stateful(
    module: _Stateful, path: Path, inputs: dict[str, torch.Tensor], state: Any, outputs: list[str],
    varying: dict[str, list[int]],
) -> None:  # fmt: skip
    tensors = [torch.nan_to_num(state[name][key]) for name, key in module.places]
    names = [f"state_{place}" for place in range(len(tensors))]
    _export(
        module, path, inputs | dict(zip(names, tensors, strict=True)), [*outputs, *(f"out_{n}" for n in names)], varying
    )


def _export(
    module: nn.Module, path: Path, inputs: dict[str, torch.Tensor], outputs: list[str], varying: dict[str, list[int]]
) -> None:
    axes = {name: {axis: f"{name}_{axis}" for axis in places} for name, places in varying.items()}
    torch.onnx.export(
        module.eval(), tuple(inputs.values()), str(path), input_names=list(inputs), output_names=outputs,
        dynamic_axes=axes, opset_version=17, dynamo=False, do_constant_folding=False,
    )  # fmt: skip


def _manifest(state: dict[str, dict[str, torch.Tensor]]) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    for module, tensors in state.items():
        for key, tensor in tensors.items():
            fill = "nan" if tensor.is_floating_point() and bool(tensor.isnan().any()) else "zeros"
            if tensor.dtype == torch.bool:
                fill = "ones"
            place = len(entries)
            entries.append({
                "index": place, "input_name": f"state_{place}", "output_name": f"out_state_{place}", "module": module,
                "key": key, "shape": list(tensor.shape), "fill": fill,
                "dtype": str(tensor.dtype).removeprefix("torch."),
            })  # fmt: skip
    assert all(math.prod(entry["shape"]) < 1 << 24 for entry in entries)
    return entries
