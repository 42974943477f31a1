"""The sizes of the flow decoder, read from `flow.yaml` as data: its tags name classes, and none is ever built."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentaudio.errors import BackendError, MissingExtra

try:
    import yaml  # type: ignore[import-untyped, unused-ignore]
except ImportError as error:
    raise MissingExtra("Step-Audio 2's speech decoder", "local") from error

SAMPLE_RATE = 24_000
FRAME_SAMPLES = 480
"""Samples of one mel frame, which is 20 ms."""
TOKEN_FRAMES = 2
TOKEN_SAMPLES = TOKEN_FRAMES * FRAME_SAMPLES
"""Samples of one speech token, which is 40 ms."""

_LONGEST_FILE = 65_536
_LARGEST_SIZE = 65_536
_MOST_BLOCKS = 256
_AGAIN = "download it again"


@dataclass(frozen=True)
class EncoderConfig:
    """The conformer that turns tokens at 25 Hz into frames at 50 Hz."""

    input_size: int = 512
    output_size: int = 512
    pre_lookahead_len: int = 3
    num_blocks: int = 6
    num_up_blocks: int = 4
    attention_heads: int = 8
    linear_units: int = 2048


@dataclass(frozen=True)
class EstimatorConfig:
    """The diffusion transformer that says which way a noisy mel should move."""

    in_channels: int = 320
    out_channels: int = 80
    mlp_ratio: float = 4.0
    depth: int = 16
    num_heads: int = 8
    head_dim: int = 64
    hidden_size: int = 512


@dataclass(frozen=True)
class FlowConfig:
    """Everything `flow.yaml` says that inference needs; the defaults are the published checkpoint's.

    vocab_size: speech tokens; output_size: mel bands; inference_cfg_rate: strength of the
    classifier-free guidance
    """

    input_size: int = 512
    output_size: int = 80
    spk_embed_dim: int = 192
    vocab_size: int = 6561
    inference_cfg_rate: float = 0.7
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    estimator: EstimatorConfig = field(default_factory=EstimatorConfig)

    @classmethod
    def read(cls, path: Path) -> FlowConfig:
        """Read `flow.yaml`. Raises BackendError naming the file when it is missing, broken or of another model."""
        try:
            with path.open("rb") as file:
                content = file.read(_LONGEST_FILE + 1)
        except FileNotFoundError:
            raise BackendError(f"{path} is missing; {_AGAIN}") from None
        except OSError as error:
            raise BackendError(f"cannot read {path}: {error.strerror}; check its permissions") from None
        if len(content) > _LONGEST_FILE:
            raise BackendError(f"{path} is no flow.yaml: it is larger than {_LONGEST_FILE} bytes; {_AGAIN}")
        try:
            # The loader is a SafeLoader that makes plain mappings of every tag.
            told = yaml.load(content, _PlainLoader)
        except Exception as error:
            # Its constructors meet nonsense with KeyError, AttributeError and others besides YAMLError.
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise BackendError(f"{path} is corrupt: it is not YAML that can be read ({reason}); {_AGAIN}") from None
        try:
            return cls.from_dict(told.get("flow", told) if isinstance(told, dict) else {})
        except BackendError as error:
            raise BackendError(f"{path}: {error}; {_AGAIN}") from None

    @classmethod
    def from_dict(cls, told: Any) -> FlowConfig:
        """From the nested mapping that `flow.yaml` holds. Raises BackendError for one that cannot be this decoder's."""
        if not isinstance(told, dict) or not isinstance(told.get("encoder"), dict):
            raise BackendError("it does not describe a flow with an encoder and a decoder")
        decoder = told.get("decoder")
        if not isinstance(decoder, dict) or not isinstance(decoder.get("estimator"), dict):
            raise BackendError("it does not describe a flow with an encoder and a decoder")
        for part, name, only in _FIXED:
            value = {"flow": told, "encoder": told["encoder"]}[part].get(name, only)
            if value != only:
                raise BackendError(f"{name} is {value!r} but only {only!r} is known")
        config = cls(
            encoder=EncoderConfig(**_known(EncoderConfig, told["encoder"])),
            estimator=EstimatorConfig(**_known(EstimatorConfig, decoder["estimator"])),
            **_known(cls, told | {"inference_cfg_rate": decoder.get("inference_cfg_rate", cls.inference_cfg_rate)}),
        )
        config._refuse_contradictions()
        return config

    def _refuse_contradictions(self) -> None:
        encoder, estimator = self.encoder, self.estimator
        if encoder.output_size % encoder.attention_heads or encoder.output_size % 2:
            raise BackendError(
                f"a width of {encoder.output_size} cannot be shared by {encoder.attention_heads} attention heads"
            )
        if encoder.input_size != self.input_size:
            raise BackendError(f"input_size is {self.input_size} in one place and {encoder.input_size} in another")
        if estimator.out_channels != self.output_size or estimator.in_channels != 4 * self.output_size:
            raise BackendError(
                f"an estimator from {estimator.in_channels} to {estimator.out_channels} channels "
                f"does not fit a mel of {self.output_size} bands"
            )


_FIXED = (
    ("flow", "output_type", "mel"),
    ("encoder", "input_layer", "linear"),
    ("encoder", "pos_enc_layer_type", "rel_pos_espnet"),
    ("encoder", "selfattention_layer_type", "rel_selfattn"),
    ("encoder", "key_bias", True),
    ("encoder", "normalize_before", True),
    ("encoder", "up_stride", TOKEN_FRAMES),
    ("encoder", "up_scale_factor", TOKEN_FRAMES),
)


def _known(kind: type, told: dict[str, Any]) -> dict[str, Any]:
    """The fields of a dataclass that a mapping tells, each checked to be a size or a ratio."""
    values: dict[str, Any] = {}
    for one in dataclasses.fields(kind):
        if one.name not in told or one.name in ("encoder", "estimator"):
            continue
        value = told[one.name]
        kinds, least = (int, 1) if one.type == "int" else (int | float, 0)
        most = _MOST_BLOCKS if one.name in ("num_blocks", "num_up_blocks", "depth") else _LARGEST_SIZE
        if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value <= most:
            raise BackendError(f"{one.name} is {value!r}, which it cannot be")
        values[one.name] = value
    return values


class _PlainLoader(yaml.SafeLoader):
    """Every tag is inert, and nothing may be said twice by reference: that is how small files become large."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it uses aliases")
        return super().compose_node(parent, index)

    def plain(self, _: str, node: Any) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self.construct_mapping(node, deep=True)
        if isinstance(node, yaml.SequenceNode):
            return self.construct_sequence(node, deep=True)
        return self.construct_scalar(node)


_PlainLoader.add_multi_constructor("!", _PlainLoader.plain)
_PlainLoader.add_multi_constructor("tag:", _PlainLoader.plain)
