"""Reads `flow.pt` and `hift.pt` as tensors alone, and checks names and shapes before they are used."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import TypeVar

from agentaudio.errors import BackendError, MissingExtra

try:
    import torch
    from torch import Tensor, nn
except ImportError as error:
    raise MissingExtra("Step-Audio 2's speech decoder", "local") from error

from agentaudio.model.step_audio_2.token2wav.config import FlowConfig
from agentaudio.model.step_audio_2.token2wav.flow import Flow
from agentaudio.model.step_audio_2.token2wav.hift import HiFT

Weights = Mapping[str, Tensor]
Module = TypeVar("Module", bound=nn.Module)

_AGAIN = "download it again"
_GAIN = ".parametrizations.weight.original0"
_DIRECTION = ".parametrizations.weight.original1"


def load_flow(path: Path, config: FlowConfig) -> Flow:
    """The flow decoder of a checkpoint, float32 on the CPU, in evaluation mode.

    Raises BackendError naming the file, and the tensor if it is one tensor, when weights are missing,
    cut short, corrupt, or do not have the sizes in `flow.yaml`.
    """
    with torch.device("meta"):
        flow = Flow(config)
    return _filled(flow, read_tensors(path), path, "flow.yaml makes it")


def load_hift(path: Path) -> HiFT:
    """The vocoder of a checkpoint, float32 on the CPU; its sizes are those of its weights.

    Raises BackendError as `load_flow` does.
    """
    weights = folded({name.removeprefix("generator."): value for name, value in read_tensors(path).items()})
    sizes = []
    for name in ("conv_pre", "f0_predictor.condnet.0"):
        weight = weights.get(f"{name}.weight")
        if weight is None or weight.ndim != 3:
            raise BackendError(f"{path} lacks {name}{_DIRECTION}; it is not a HiFT vocoder, so {_AGAIN}")
        sizes.append(weight.shape[0])
    with torch.device("meta"):
        vocoder = HiFT(*sizes)
    return _filled(vocoder, weights, path, "the vocoder needs")


def folded(weights: Weights) -> dict[str, Tensor]:
    """Weights without weight normalisation: each pair of gain g and direction v becomes g v / |v|.

    The norm is over all dimensions but the first (Salimans and Kingma 2016, arXiv:1602.07868).
    """
    plain = {}
    for name, value in weights.items():
        if name.endswith(_DIRECTION):
            gain = weights.get(name.removesuffix(_DIRECTION) + _GAIN)
            if gain is not None and value.ndim == 3 and gain.shape == (len(value), 1, 1):
                norm = torch.linalg.vector_norm(value.float(), dim=(1, 2), keepdim=True)
                plain[name.removesuffix(_DIRECTION) + ".weight"] = gain * value / norm
        elif not name.endswith(_GAIN):
            plain[name] = value
    return plain


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a `.pt` file, memory-mapped if its format allows it. No code in the file is run.

    Raises BackendError when it is missing, cut short, a pointer, or holds anything but tensors.
    """
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except FileNotFoundError:
        raise BackendError(f"{path} is missing; {_AGAIN}") from None
    except OSError as error:
        raise BackendError(f"cannot read {path}: {error.strerror}; check its permissions") from None
    if start.startswith(b"version "):
        raise BackendError(f"{path} is a Git LFS pointer, not the weights; run `git lfs pull` in its folder")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=start.startswith(b"PK"))
    except Exception as error:
        # torch raises RuntimeError, UnpicklingError, EOFError, KeyError and others, with long messages; some say how to
        # load what is not a tensor, which would run the code of whoever wrote the file.
        reason = (str(error) or type(error).__name__).splitlines()[0].partition(". ")[0][:200]
        if isinstance(error, UnpicklingError):
            reason = "or it holds other things than tensors, which are not loaded"
        raise BackendError(f"{path} is cut short or corrupt ({reason}); {_AGAIN}") from error
    if not isinstance(content, dict):
        raise BackendError(f"{path} holds a {type(content).__name__}, not tensors by name; {_AGAIN}")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor) or not value.is_floating_point():
            raise BackendError(f"{name!r} in {path} is not a tensor of weights; {_AGAIN}")
    return content


def _filled(module: Module, weights: Weights, path: Path, reason: str) -> Module:
    """The module with these weights, frozen. Raises BackendError when one is missing or has another shape.

    reason: words between the shape found and the shape needed, for the error
    """
    needed = module.state_dict()
    missing = [name for name in needed if name not in weights]
    if missing:
        raise BackendError(
            f"{len(missing)} of {len(needed)} tensors are missing in {path}, such as {missing[0]}; "
            f"it is incomplete or of another model, so {_AGAIN}"
        )
    for name, wanted in needed.items():
        if weights[name].shape != wanted.shape:
            raise BackendError(
                f"{name} in {path} is {_size(weights[name])}, but {reason} {_size(wanted)}; "
                f"they are of different models, so {_AGAIN}"
            )
    module.to_empty(device="cpu")
    module.load_state_dict({name: weights[name] for name in needed})
    module.eval().requires_grad_(False)
    return module


def _size(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape))
