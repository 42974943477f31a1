"""The sizes of the flow decoder, read from `flow.yaml` as data. Its tags name classes, which are not instantiated."""

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
"""Samples of one mel frame of 20 ms."""
TOKEN_FRAMES = 2
"""Mel frames of one speech token."""
TOKEN_SAMPLES = TOKEN_FRAMES * FRAME_SAMPLES
"""Samples of one speech token of 40 ms."""

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
    """The diffusion transformer that estimates the velocity of a noisy mel."""

    in_channels: int = 320
    out_channels: int = 80
    mlp_ratio: float = 4.0
    depth: int = 16
    num_heads: int = 8
    head_dim: int = 64
    hidden_size: int = 512


@dataclass(frozen=True)
class FlowConfig:
    """The part of `flow.yaml` that inference needs. The defaults are those of the published checkpoint.

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
            raise BackendError(f"{path} is not a flow.yaml: it is larger than {_LONGEST_FILE} bytes; {_AGAIN}")
        try:
            # A SafeLoader that turns all tags into plain mappings.
            document = yaml.load(content, _PlainLoader)
        except Exception as error:
            # For invalid input, its constructors also raise KeyError, AttributeError and others.
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise BackendError(f"{path} is corrupt: it cannot be read as YAML ({reason}); {_AGAIN}") from None
        try:
            return cls.from_dict(document.get("flow", document) if isinstance(document, dict) else {})
        except BackendError as error:
            raise BackendError(f"{path}: {error}; {_AGAIN}") from None

    @classmethod
    def from_dict(cls, content: Any) -> FlowConfig:
        """From the content of `flow.yaml`. Raises BackendError when it does not describe this decoder."""
        if not isinstance(content, dict) or not isinstance(content.get("encoder"), dict):
            raise BackendError("it does not describe a flow with an encoder and a decoder")
        decoder = content.get("decoder")
        if not isinstance(decoder, dict) or not isinstance(decoder.get("estimator"), dict):
            raise BackendError("it does not describe a flow with an encoder and a decoder")
        for part, name, only in _FIXED:
            value = {"flow": content, "encoder": content["encoder"]}[part].get(name, only)
            if value != only:
                raise BackendError(f"{name} is {value!r}, but only {only!r} is supported")
        config = cls(
            encoder=EncoderConfig(**_known(EncoderConfig, content["encoder"])),
            estimator=EstimatorConfig(**_known(EstimatorConfig, decoder["estimator"])),
            **_known(cls, content | {"inference_cfg_rate": decoder.get("inference_cfg_rate", cls.inference_cfg_rate)}),
        )
        config._refuse_contradictions()
        return config

    def _refuse_contradictions(self) -> None:
        encoder, estimator = self.encoder, self.estimator
        if encoder.output_size % encoder.attention_heads or encoder.output_size % 2:
            raise BackendError(
                f"a width of {encoder.output_size} is odd, or not a multiple of {encoder.attention_heads} heads"
            )
        if encoder.input_size != self.input_size:
            raise BackendError(
                f"input_size is {self.input_size} for the flow, but {encoder.input_size} for its encoder"
            )
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


def _known(kind: type, content: dict[str, Any]) -> dict[str, Any]:
    """The fields of a dataclass in a mapping. Raises BackendError for a value that is not a size or a ratio."""
    values: dict[str, Any] = {}
    for one in dataclasses.fields(kind):
        if one.name not in content or one.name in ("encoder", "estimator"):
            continue
        value = content[one.name]
        kinds, least = (int, 1) if one.type == "int" else (int | float, 0)
        most = _MOST_BLOCKS if one.name in ("num_blocks", "num_up_blocks", "depth") else _LARGEST_SIZE
        if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value <= most:
            raise BackendError(f"{one.name} is {value!r}, which is out of range")
        values[one.name] = value
    return values


class _PlainLoader(yaml.SafeLoader):
    """Reads all tags as plain values, and refuses aliases, by which a small file could expand to a large value."""

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
