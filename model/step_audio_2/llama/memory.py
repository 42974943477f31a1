"""The memory that a checkpoint needs with llama.cpp, computed from shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agentaudio.errors import BackendError, MissingExtra, OptionError
from agentaudio.model.step_audio_2.llama.precision import WeightType, planned, total_bytes
from agentaudio.model.step_audio_2.memory import free_bytes, gigabytes
from agentaudio.model.step_audio_2.network.config import StepAudio2Config

try:
    import torch
except ImportError as error:
    raise MissingExtra("Step-Audio 2", "local") from error

SOUND_FILES = ("flow.pt", "hift.pt")
"""Weights of token2wav that are in memory while it speaks."""
LEAST_CONTEXT = 1024
"""Positions for a short exchange with tools."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that a checkpoint needs.

    weights: of the language model
    states: keys and values of all positions
    encoder: of the audio encoder and its adaptor
    sound: of token2wav
    positions: for which states are reserved
    """

    weights: int
    states: int
    encoder: int
    sound: int
    positions: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.states + self.encoder + self.sound

    @property
    def line(self) -> str:
        """In words, such as for `agentaudio doctor`."""
        return (
            f"{gigabytes(self.total)} in all: weights {gigabytes(self.weights)}, keys and values "
            f"{gigabytes(self.states)} for {self.positions:,} positions, audio encoder {gigabytes(self.encoder)}, "
            f"token2wav {gigabytes(self.sound)}"
        )


def needed(
    shapes: Mapping[str, tuple[int, ...]],
    config: StepAudio2Config,
    *,
    weights: WeightType,
    context: int,
    max_rows: int,
    encoder_dtype: torch.dtype,
    sound: int,
) -> Memory:
    """The memory for a checkpoint. Besides, llama.cpp and torch need some 100 MB for what is between layers.

    shapes: of the tensors in the checkpoint, by name
    context: positions of each of `max_rows` conversations
    sound: bytes of token2wav

    Raises OptionError for an unknown precision.
    """
    text = config.text_config
    tensors = planned(shapes, text.num_hidden_layers, weights)
    kept = {tensor.source for tensor in tensors}
    heard = sum(torch.Size(shape).numel() for name, shape in shapes.items() if name not in kept)
    width = int(text.num_key_value_heads) * (int(text.hidden_size) // int(text.num_attention_heads))
    positions = positions_of(context, max_rows)
    return Memory(
        weights=total_bytes(tensors),
        states=2 * int(text.num_hidden_layers) * width * (4 if weights == "f32" else 2) * positions,
        encoder=heard * encoder_dtype.itemsize,
        sound=sound,
        positions=positions,
    )


def positions_of(context: int, max_rows: int) -> int:
    """Cells of llama.cpp for so many conversations; it rounds up to 256."""
    return -(-context * max_rows // 256) * 256


def sound_bytes(folder: Path) -> int:
    """Bytes of token2wav in a checkpoint folder."""
    paths = (folder / "token2wav" / name for name in SOUND_FILES)
    return sum(path.stat().st_size for path in paths if path.is_file())


def check_context(context: int | None, config: StepAudio2Config) -> int:
    """The context; None for the model's limit. Raises OptionError for one that is too small or beyond that limit."""
    most = int(config.text_config.max_position_embeddings)
    if context is None:
        return most
    if not min(LEAST_CONTEXT, most) <= context <= most:
        raise OptionError(f"context is {context}; give {LEAST_CONTEXT} to {most}, the model's limit")
    return context


def check_fits(memory: Memory, folder: Path) -> None:
    """Raises BackendError, before anything is converted or loaded, when the memory is too little."""
    free = free_bytes("cpu")
    if free is not None and free < memory.total:
        raise BackendError(
            f"{folder} needs {memory.line}; and {gigabytes(free)} are free. Close other programs, or give fewer bits "
            "(weights=q4_k_m) or a smaller context (context=8192)"
        )
