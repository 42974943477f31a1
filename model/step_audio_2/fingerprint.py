"""What is known of the published files of Step-Audio 2 mini: sizes and numbers of tensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple


class Shard(NamedTuple):
    """Size of a file, and how many tensors it holds."""

    bytes: int
    tensors: int


@dataclass(frozen=True)
class Fingerprint:
    """A published checkpoint.

    repository, revision: on the Hugging Face hub
    total_size, tensors: of all shards; bytes of the tensors alone
    index_bytes: size of model.safetensors.index.json
    shards: by file name
    token2wav: number of tensors by file name
    text_config, audio_encoder_config: the sizes in config.json
    """

    repository: str
    revision: str
    total_size: int
    tensors: int
    index_bytes: int
    shards: Mapping[str, Shard]
    token2wav: Mapping[str, int]
    text_config: Mapping[str, Any]
    audio_encoder_config: Mapping[str, Any]

    def has_shape_of(self, config: Any) -> bool:
        """Whether a StepAudio2Config has the published sizes."""
        return all(
            getattr(getattr(config, part), name) == value
            for part in ("text_config", "audio_encoder_config")
            for name, value in getattr(self, part).items()
        )


def _read() -> Fingerprint:
    data = json.loads(files("agentaudio.model.step_audio_2").joinpath("assets/fingerprint.json").read_text("utf-8"))
    return Fingerprint(**data | {"shards": {name: Shard(**shard) for name, shard in data["shards"].items()}})


FINGERPRINT = _read()


def shard_problems(folder: Path, known: Fingerprint = FINGERPRINT) -> list[str]:
    """What differs from the published shards, each in one line with its remedy."""
    again = f"`hf download {known.repository} --local-dir {folder}` goes on where the download stopped"
    problems = []
    for name, (expected, _) in known.shards.items():
        path = folder / name
        found = path.stat().st_size if path.is_file() else None
        if found is None:
            problems.append(f"{path} is missing; {again}")
        elif found < expected:
            problems.append(f"{path} has {found:,} of {expected:,} bytes; {again}")
        elif found > expected:
            problems.append(
                f"{path} has {found:,} bytes, and the published file {expected:,}: it is of another checkpoint; "
                "delete it, then download it again"
            )
    return problems
