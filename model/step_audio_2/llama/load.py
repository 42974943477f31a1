"""Loads a checkpoint for llama.cpp, and converts it before if need be."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from agentaudio.errors import MissingExtra, OptionError

try:
    import torch
except ImportError as error:
    raise MissingExtra("Step-Audio 2", "local") from error

from agentaudio.model.step_audio_2.decoding.runtime import Runtime
from agentaudio.model.step_audio_2.decoding.schedule import check_rows
from agentaudio.model.step_audio_2.llama.memory import (
    Memory,
    check_context,
    check_fits,
    needed,
    positions_of,
    sound_bytes,
)
from agentaudio.model.step_audio_2.llama.precision import WeightType, planned
from agentaudio.model.step_audio_2.llama.store import converted_file, file_bytes, gguf_path
from agentaudio.model.step_audio_2.network.checkpoint import check_shapes, load_ears, weight_shapes
from agentaudio.model.step_audio_2.network.config import StepAudio2Config
from agentaudio.model.step_audio_2.tokens import Vocabulary

WEIGHTS: WeightType = "q4_k_m"


@dataclass(frozen=True, slots=True)
class LlamaOptions:
    """How to load; see `load` in `generate`. None leaves the choice to this module.

    device, dtype: of the audio encoder
    """

    weights: WeightType | None
    context: int | None
    max_rows: int | None
    threads: int | None
    gpu_layers: int | None
    device: str | torch.device
    dtype: str | torch.dtype
    pieces_together: bool


def check_memory_of(folder: Path, config: StepAudio2Config, options: LlamaOptions) -> Memory:
    """The memory that a checkpoint folder needs; nothing is loaded.

    Raises BackendError when there is too little and no GPU is asked for, OptionError for options out of range.
    """
    rows = 1 if options.max_rows is None else options.max_rows
    check_rows(rows)
    memory = needed(
        weight_shapes(folder),
        config,
        weights=options.weights or WEIGHTS,
        context=check_context(options.context, config),
        max_rows=rows,
        encoder_dtype=_dtype(config, options.dtype),
        sound=sound_bytes(folder),
    )
    if not options.gpu_layers:
        check_fits(memory, folder)
    return memory


def file_of(folder: Path, config: StepAudio2Config, options: LlamaOptions) -> tuple[Path, int]:
    """The GGUF file of a checkpoint folder, which may be yet to be made, and its size. Raises MissingExtra."""
    check_packages()
    weights = options.weights or WEIGHTS
    tensors = planned(weight_shapes(folder), config.text_config.num_hidden_layers, weights)
    return gguf_path(folder, weights), file_bytes(tensors)


def load_llama(folder: Path, config: StepAudio2Config, vocabulary: Vocabulary, options: LlamaOptions) -> Runtime:
    """Load a checkpoint folder. The first time, its language model is converted; see `llama.store`.

    Raises MissingExtra for a package that is missing, OptionError for options out of range, and BackendError for a
    checkpoint that is damaged or cannot be converted, and for too little memory or space on the disk.
    """
    check_packages()
    threads = max(1, (os.cpu_count() or 2) // 2) if options.threads is None else options.threads
    if threads < 1:
        raise OptionError(f"threads is {threads}; give 1 or more")
    if options.device == "auto":
        raise OptionError("device cannot be 'auto' with runtime=llama.cpp; give gpu_layers=-1 to use a GPU")
    check_shapes(folder, config)
    check_memory_of(folder, config, options)
    from agentaudio.model.step_audio_2.llama.context import Context
    from agentaudio.model.step_audio_2.llama.weights import LlamaWeights, sequences_for

    weights, rows = options.weights or WEIGHTS, options.max_rows or 1
    context = check_context(options.context, config)
    tensors = planned(weight_shapes(folder), config.text_config.num_hidden_layers, weights)
    file = converted_file(folder, config, tensors, weights, threads)
    config.pieces_together = options.pieces_together
    ears = load_ears(folder, config, _dtype(config, options.dtype), options.device)
    llama = Context(
        file,
        positions=positions_of(context, rows),
        sequences=sequences_for(rows),
        outputs=rows,
        threads=threads,
        gpu_layers=options.gpu_layers or 0,
        exact=weights == "f32",
    )
    at_once = "1 conversation at a time" if rows == 1 else f"{rows} conversations at a time"
    return LlamaWeights(
        llama, ears, vocabulary, context=context, max_rows=rows, decoding=f"llama.cpp, {weights}, {at_once}"
    )


def check_packages() -> None:
    """Raises MissingExtra when a package of the runtime is not installed."""
    if not (find_spec("llama_cpp") and find_spec("gguf")):
        raise MissingExtra("Step-Audio 2 by llama.cpp", "llama-cpp")


def _dtype(config: StepAudio2Config, wanted: str | torch.dtype) -> torch.dtype:
    """wanted: "auto" is the checkpoint's own"""
    chosen = config.dtype or config.text_config.dtype or torch.bfloat16 if wanted == "auto" else wanted
    return getattr(torch, chosen) if isinstance(chosen, str) else chosen
