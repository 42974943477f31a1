"""Loads a checkpoint folder. It is checked before any weights are read, so that errors name the faulty file."""

from __future__ import annotations

import copy
import json
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from agentaudio.errors import AgentAudioError, BackendError, MissingExtra

try:
    import torch
    from safetensors import safe_open
    from transformers import AutoConfig
except ImportError as error:
    raise MissingExtra("Step-Audio 2", "local") from error

from agentaudio.model.step_audio_2.network.config import StepAudio2Config
from agentaudio.model.step_audio_2.network.encoder import Ears
from agentaudio.model.step_audio_2.network.modeling import StepAudio2ForCausalLM

DOWNLOAD_AGAIN = "download it again"
INDEX, SINGLE = "model.safetensors.index.json", "model.safetensors"
Shapes = dict[str, tuple[int, ...]]


def load_checkpoint(folder: str | os.PathLike[str], **options: Any) -> StepAudio2ForCausalLM:
    """Load a Step-Audio 2 checkpoint from a local folder, in evaluation mode.

    options: for `from_pretrained`: `dtype` (default "auto", the checkpoint's own), `device_map`
        ("cuda", "auto", ...; needs accelerate), `quantization_config`, `attn_implementation`. With
        `BitsAndBytesConfig(load_in_4bit=True)` mini takes about 7.5 GB and fits a card of 12 GB. The
        decoder's layers are quantized; the vocabulary, the audio encoder and the adaptor are not,
        unless the configuration has a list of modules to skip.

    The files are memory-mapped, so memory never holds the weights twice.
    Raises BackendError naming the file and the remedy when a file is missing, cut short, corrupt, or
    of another model.
    """
    folder = Path(folder)
    config = read_config(folder)
    shapes = weight_shapes(folder)
    if not hasattr(config, "quantization_config"):
        _compare(folder, config, shapes)
    options.setdefault("dtype", "auto")
    if "quantization_config" in options:
        options["quantization_config"] = _skip_audio(options["quantization_config"])
    try:
        model: StepAudio2ForCausalLM = StepAudio2ForCausalLM.from_pretrained(
            folder, config=config, local_files_only=True, **options
        )
    except AgentAudioError:
        raise
    except Exception as error:
        raise BackendError(f"the weights in {folder} do not load: {error}") from error
    model.eval()
    return model


def load_ears(folder: Path, config: StepAudio2Config, dtype: torch.dtype, device: str | torch.device) -> Ears:
    """Load the audio encoder and the adaptor alone, in evaluation mode; see `load_checkpoint`."""
    with torch.device("meta"):
        ears = Ears(config)
    state: dict[str, torch.Tensor] = {}
    with Tensors(folder) as tensors:
        for name in ears.state_dict():
            state[name] = tensors.get(name).to(device=device, dtype=dtype)
    ears.load_state_dict(state, assign=True)
    ears.eval()
    return ears


class Tensors:
    """The tensors of a checkpoint folder, which are memory-mapped; used in a `with` block.

    Raises BackendError naming the file when one does not open or lacks a tensor.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._where = weight_files(folder)
        self._files: dict[str, Any] = {}
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.clear()
        self._opened.close()

    def get(self, name: str) -> torch.Tensor:
        """A tensor, in the precision of the file."""
        found: torch.Tensor = self._file(name).get_tensor(name)
        return found

    def rows(self, name: str, begin: int, end: int) -> torch.Tensor:
        """Some rows of a tensor."""
        found: torch.Tensor = self._file(name).get_slice(name)[begin:end]
        return found

    def _file(self, name: str) -> Any:
        if name not in self._where:
            raise BackendError(f"{self._folder} lacks the tensor {name}; {DOWNLOAD_AGAIN}")
        file = self._where[name]
        if file not in self._files:
            try:
                self._files[file] = self._opened.enter_context(safe_open(self._folder / file, framework="pt"))
            except Exception as error:
                raise BackendError(f"{self._folder / file} does not open: {error}; {DOWNLOAD_AGAIN}") from error
        return self._files[file]


def _skip_audio(quantization: Any) -> Any:
    """The same quantization, but of the decoder's layers alone: every token depends on the other modules."""
    quantization = copy.deepcopy(quantization)
    for name in ("llm_int8_skip_modules", "modules_to_not_convert"):
        if getattr(quantization, name, ()) is None:
            setattr(quantization, name, ["lm_head", "encoder", "adapter"])
    return quantization


def read_config(folder: Path) -> StepAudio2Config:
    """Read config.json of a checkpoint folder. Raises BackendError when it is missing, corrupt or another model's."""
    path = folder / "config.json"
    if not folder.is_dir():
        raise BackendError(f"no folder {folder}; give the folder of a Step-Audio 2 checkpoint")
    kind = _read_json(path).get("model_type")
    if kind not in ("step_audio_2", "step_audio_qwen2"):
        raise BackendError(f"{path} is of a {kind!r} model, not of Step-Audio 2; give another folder")
    try:
        config: StepAudio2Config = AutoConfig.from_pretrained(folder, local_files_only=True)
    except AgentAudioError as error:
        raise BackendError(f"{path}: {error}") from None
    except Exception as error:
        raise BackendError(f"{path} cannot be used ({error}); {DOWNLOAD_AGAIN}") from error
    return config


def weight_shapes(folder: Path) -> Shapes:
    """Name and shape of every tensor, read from the headers of the files. File sizes are checked.

    Raises BackendError for files that are missing, cut short or not safetensors.
    """
    shapes: Shapes = {}
    where = weight_files(folder)
    for file in sorted(set(where.values())):
        found = _header(folder / file)
        absent = [name for name, holder in where.items() if holder == file and name not in found]
        if absent:
            raise BackendError(f"{folder / file} lacks {absent[0]}, which {INDEX} places there; {DOWNLOAD_AGAIN}")
        shapes |= found
    return shapes


def weight_files(folder: Path) -> dict[str, str]:
    """The file that holds each tensor. Raises BackendError as `weight_shapes` does."""
    index, single = folder / INDEX, folder / SINGLE
    if not index.exists():
        if not single.exists():
            raise BackendError(f"no weights in {folder}: neither {single.name} nor {index.name}; {DOWNLOAD_AGAIN}")
        return dict.fromkeys(_header(single), SINGLE)
    where = _read_json(index).get("weight_map")
    if not isinstance(where, dict) or not all(isinstance(file, str) for file in where.values()):
        raise BackendError(f"{index} has no weight_map; {DOWNLOAD_AGAIN}")
    return {name: Path(file).name for name, file in where.items()}


def header_bytes(path: Path) -> bytes:
    """The header of a safetensors file: 8 bytes of length, then this JSON, then the tensors without gaps.

    Raises BackendError for a file that is missing, cut short or not safetensors.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
            length = int.from_bytes(start, "little")
            if start.startswith(b"version "):
                raise BackendError(f"{path} is a Git LFS pointer, not the weights; run `git lfs pull` in its folder")
            if len(start) < 8 or not 2 <= length <= size - 8:
                raise BackendError(f"{path} is cut short or not a safetensors file ({size} bytes); {DOWNLOAD_AGAIN}")
            return file.read(length)
    except FileNotFoundError:
        raise BackendError(f"{path} is missing; {DOWNLOAD_AGAIN}") from None
    except OSError as error:
        raise BackendError(f"cannot read {path}: {error.strerror}; check its permissions") from None


def _header(path: Path) -> Shapes:
    """Shapes from the header of a safetensors file."""
    raw = header_bytes(path)
    try:
        header = json.loads(raw)
        header.pop("__metadata__", None)
        end = 8 + len(raw) + max((tensor["data_offsets"][1] for tensor in header.values()), default=0)
        size = path.stat().st_size
        if size < end:
            raise BackendError(f"{path} is cut short: it has {size} of {end} bytes; {DOWNLOAD_AGAIN}")
        if size > end:
            raise BackendError(
                f"{path} is too long: it has {size} bytes instead of {end}; delete it, and {DOWNLOAD_AGAIN}"
            )
        return {name: tuple(tensor["shape"]) for name, tensor in header.items()}
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError):
        raise BackendError(f"{path} is corrupt: its header cannot be read; {DOWNLOAD_AGAIN}") from None


def check_shapes(folder: Path, config: StepAudio2Config) -> int:
    """Compare the headers of the files with the configuration. Returns the number of tensors.

    Raises BackendError as `load_checkpoint` does.
    """
    shapes = weight_shapes(folder)
    _compare(folder, config, shapes)
    return len(shapes)


def check_contents(folder: Path, config: StepAudio2Config) -> None:
    """Read the first and the last row of each matrix that the model needs.

    Raises BackendError for a matrix of which they hold nothing but zeros, as a download leaves them that allocates the
    whole file first, and for values that are not finite.
    """
    with Tensors(folder) as tensors:
        for name, shape in _needed(config).items():
            if len(shape) < 2:
                continue
            rows = [tensors.rows(name, k, k + 1).float() for k in (0, shape[0] - 1)]
            problem = "nothing but zeros" if not any(row.any() for row in rows) else ""
            problem = problem if all(row.isfinite().all() for row in rows) else "values that are not finite"
            if problem:
                file = folder / weight_files(folder)[name]
                raise BackendError(f"{name} in {file} holds {problem}; delete the file, and {DOWNLOAD_AGAIN}")


def _compare(folder: Path, config: StepAudio2Config, found: Shapes) -> None:
    """Raise BackendError when a tensor that the model needs is missing or has another shape."""
    needed = _needed(config)
    missing = [name for name in needed if name not in found]
    if missing:
        raise BackendError(
            f"{len(missing)} of {len(needed)} tensors are missing in {folder}, such as {missing[0]}; "
            f"it is incomplete or of another model, so {DOWNLOAD_AGAIN}"
        )
    for name, shape in needed.items():
        if shape != found[name]:
            raise BackendError(
                f"{name} in {folder} is {_size(found[name])}, but {_size(shape)} by config.json; "
                f"they are of different models, so {DOWNLOAD_AGAIN}"
            )


def _needed(config: StepAudio2Config) -> Shapes:
    """Name and shape of every tensor of the model."""
    with torch.device("meta"):
        return {name: tuple(value.shape) for name, value in StepAudio2ForCausalLM(config).state_dict().items()}


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BackendError(f"{path} is missing; {DOWNLOAD_AGAIN}") from None
    except OSError as error:
        raise BackendError(f"cannot read {path}: {error.strerror}; check its permissions") from None
    except (ValueError, RecursionError):
        raise BackendError(f"{path} is corrupt: it is not JSON; {DOWNLOAD_AGAIN}") from None
    if not isinstance(content, dict):
        raise BackendError(f"{path} is corrupt: it does not hold a JSON object; {DOWNLOAD_AGAIN}")
    return content
