"""A small speech decoder of random weights in the official layout: tests and CI run the real code on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agentaudio.errors import MissingExtra

try:
    import torch
    import yaml  # type: ignore[import-untyped, unused-ignore]
    from torch import Tensor
except ImportError as error:
    raise MissingExtra("Step-Audio 2's speech decoder", "local") from error

from agentaudio.model.step_audio_2.token2wav.config import FlowConfig
from agentaudio.model.step_audio_2.token2wav.flow import Flow
from agentaudio.model.step_audio_2.token2wav.hift import HiFT

TINY: Mapping[str, Any] = {
    "input_size": 32,
    "encoder": {"input_size": 32, "output_size": 32, "num_blocks": 2, "num_up_blocks": 2,
                "attention_heads": 4, "linear_units": 48},
    "decoder": {"estimator": {"depth": 3, "num_heads": 2, "head_dim": 16, "hidden_size": 24, "mlp_ratio": 2.0}},
}  # fmt: skip
TINY_CHANNELS = 32, 24
"""Channels of the vocoder and of its pitch predictor."""

_CLASSES = {
    "flow": "cosyvoice2.flow.flow.CausalMaskedDiffWithXvec",
    "encoder": "cosyvoice2.transformer.upsample_encoder_v2.UpsampleConformerEncoderV2",
    "decoder": "cosyvoice2.flow.flow_matching.CausalConditionalCFM",
    "estimator": "cosyvoice2.flow.decoder_dit.DiT",
}
_PITCH_HZ = 150.0
_QUIET = 0.2
_PLAIN = ("source_downs.", "f0_predictor.classifier.", "m_source.")


def write_tiny_token2wav(
    folder: str | Path,
    *,
    seed: int = 0,
    flow: Mapping[str, Any] = TINY,
    channels: tuple[int, int] = TINY_CHANNELS,
) -> Path:
    """Write `flow.yaml`, `flow.pt` and `hift.pt` that load like the published ones and hum: 2 MB by default.

    folder: created if missing; files of the same names are replaced
    seed: equal seeds give equal weights
    flow: sizes, nested as in flow.yaml; those of the published checkpoint where absent
    channels: of the vocoder and of its pitch predictor
    returns: the folder

    Raises BackendError for an invalid combination of sizes.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    config = FlowConfig.from_dict(flow)
    (folder / "flow.yaml").write_text(flow_yaml(config), encoding="utf-8")
    torch.save(random_flow(config, seed).state_dict(), folder / "flow.pt")
    torch.save(with_weight_norm(random_hift(*channels, seed=seed).state_dict()), folder / "hift.pt")
    return folder


def random_flow(config: FlowConfig, seed: int = 0) -> Flow:
    """A flow of random weights, for inference. It does not change torch's random state."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        flow = Flow(config)
    flow.eval().requires_grad_(False)
    return flow


def random_hift(channels: int, pitch_channels: int, *, seed: int = 0) -> HiFT:
    """A vocoder of random weights, for inference, that hums near 150 Hz. It does not change torch's random state."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        vocoder = HiFT(channels, pitch_channels)
    vocoder.eval().requires_grad_(False)
    vocoder.f0_predictor.classifier.bias.fill_(_PITCH_HZ)
    # Audible, but never at the limit, where clipping would hide errors.
    vocoder.conv_post.weight.mul_(_QUIET)
    return vocoder


def with_weight_norm(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The vocoder's weights as in the checkpoint, with convolutions split into gain and direction."""
    split = {}
    for name, value in weights.items():
        if value.ndim == 3 and not name.startswith(_PLAIN):
            whole = name.removesuffix(".weight") + ".parametrizations.weight.original"
            split[f"{whole}0"] = torch.linalg.vector_norm(value, dim=(1, 2), keepdim=True)
            split[f"{whole}1"] = value
        else:
            split[name] = value
    return split


def flow_yaml(config: FlowConfig) -> str:
    """The text of a `flow.yaml`, including its tags."""
    flow = asdict(config)
    rate, encoder, estimator = (flow.pop(name) for name in ("inference_cfg_rate", "encoder", "estimator"))
    encoder |= {"input_layer": "linear", "up_stride": 2, "up_scale_factor": 2, "key_bias": True}
    encoder |= {"pos_enc_layer_type": "rel_pos_espnet", "selfattention_layer_type": "rel_selfattn"}
    decoder = {"inference_cfg_rate": rate, "estimator": estimator}
    text: str = yaml.safe_dump({"flow": flow | {"output_type": "mel", "encoder": encoder, "decoder": decoder}})
    for name, made in _CLASSES.items():
        text = text.replace(f"{name}:\n", f"{name}: !new:{made}\n")
    return text
