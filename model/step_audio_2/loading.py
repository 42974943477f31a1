"""Loads a checkpoint into the runtime that is asked for."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from agentaudio.errors import MissingExtra, OptionError, did_you_mean

try:
    import torch
except ImportError as error:
    raise MissingExtra("Step-Audio 2", "local") from error

from agentaudio.model.generation.placement import chosen_device, chosen_dtype
from agentaudio.model.step_audio_2.decoding.runtime import Runtime
from agentaudio.model.step_audio_2.decoding.schedule import MAX_ROWS
from agentaudio.model.step_audio_2.decoding.weights import Weights
from agentaudio.model.step_audio_2.llama.load import LlamaOptions, load_llama
from agentaudio.model.step_audio_2.llama.precision import WeightType
from agentaudio.model.step_audio_2.memory import check_memory
from agentaudio.model.step_audio_2.network.checkpoint import load_checkpoint, read_config
from agentaudio.model.step_audio_2.speech_decoder import SpeechDecoder
from agentaudio.model.step_audio_2.tokens import BpeVocabulary

RuntimeName = Literal["torch", "llama.cpp"]


@dataclass(frozen=True, slots=True)
class Placing:
    """How to load; see `StepAudio2.load`. None leaves the choice to the runtime.

    runtime, device, dtype, pieces_together: for both runtimes
    quantization_config, compiled: for torch
    weights, context, threads, gpu_layers: for llama.cpp
    """

    runtime: RuntimeName = "torch"
    device: str | torch.device | None = None
    dtype: str | torch.dtype | None = None
    pieces_together: bool = False
    max_rows: int | None = None
    quantization_config: Any = None
    compiled: bool | None = None
    weights: WeightType | None = None
    context: int | None = None
    threads: int | None = None
    gpu_layers: int | None = None

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Names of all options."""
        return tuple(field.name for field in fields(cls))

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Placing:
        """Raises OptionError for an option that there is not, or that the runtime does not have."""
        for name in options:
            if name not in cls.names():
                raise OptionError(f"there is no option {name!r}; {did_you_mean(name, cls.names())}")
        placing = cls(**options)
        placing.check()
        return placing

    def check(self) -> None:
        """Raises OptionError for an option that the runtime does not have."""
        foreign = {
            "torch": ("weights", "context", "threads", "gpu_layers"),
            "llama.cpp": ("quantization_config", "compiled"),
        }
        if self.runtime not in foreign:
            raise OptionError(f"there is no runtime {self.runtime!r}; give one of: {', '.join(foreign)}")
        for name in foreign[self.runtime]:
            if getattr(self, name) is not None:
                other = next(one for one in foreign if one != self.runtime)
                raise OptionError(
                    f"{name} is an option of runtime={other}, and the runtime is {self.runtime}; leave it out, or give "
                    f"runtime={other}"
                )

    def for_llama(self) -> LlamaOptions:
        """The options of llama.cpp. Raises OptionError for an unavailable device or dtype."""
        device = chosen_device(self.device)
        return LlamaOptions(
            weights=self.weights,
            context=self.context,
            max_rows=self.max_rows,
            threads=self.threads,
            gpu_layers=self.gpu_layers,
            device=device,
            dtype=chosen_dtype(self.dtype, device),
            pieces_together=self.pieces_together,
        )


def load_runtime(folder: Path, placing: Placing) -> Runtime:
    """Load the language model and the audio encoder of a checkpoint folder. Raises what `StepAudio2.load` does."""
    # Small files come first: they should not fail after gigabytes were read.
    config = read_config(folder)
    vocabulary = BpeVocabulary.load(str(folder / "tokenizer.json"))
    if placing.runtime == "llama.cpp":
        return load_llama(folder, config, vocabulary, placing.for_llama())
    placed = chosen_device(placing.device)
    options: dict[str, Any] = {"dtype": chosen_dtype(placing.dtype, placed)}
    if placing.quantization_config is not None:
        options |= {"quantization_config": placing.quantization_config, "device_map": placed}
    elif placed == "auto":
        options["device_map"] = placed
    elif str(placed) != "cpu" and find_spec("accelerate"):
        # Loads straight to the device, without a copy in the host's memory.
        options["device_map"] = {"": placed}
    if placing.quantization_config is None and placed != "auto":
        check_memory(folder, config, options["dtype"], placed)
    model = load_checkpoint(folder, **options)
    if "device_map" not in options:
        model.to(placed)  # type: ignore[arg-type, unused-ignore]
    model.config.pieces_together = placing.pieces_together
    # PyTorch's Metal backend allows one thread at a time.
    device_lock = threading.Lock() if model.device.type == "mps" else contextlib.nullcontext()
    rows = MAX_ROWS if placing.max_rows is None else placing.max_rows
    return Weights(model, vocabulary, device_lock, compiled=placing.compiled, max_rows=rows)


def load_speech(folder: Path, placing: Placing) -> SpeechDecoder | None:
    """The speech decoder in the folder's `token2wav`; None where there is none."""
    if not (folder / "token2wav").is_dir():
        return None
    placed = chosen_device(placing.device)
    place = str(placed) if str(placed).startswith("cuda") else None if placed == "auto" else "cpu"
    return SpeechDecoder(folder / "token2wav", device=place, dtype=speech_dtype(place), compiled=bool(placing.compiled))


def speech_dtype(place: str | None) -> str:
    """Precision of the flow: float16 on a GPU, where its mel differs from that of float32 by 0.01 dB.

    place: as for SpeechDecoder
    """
    on_gpu = torch.cuda.is_available() if place is None else place.startswith("cuda")
    return "float16" if on_gpu else "float32"
