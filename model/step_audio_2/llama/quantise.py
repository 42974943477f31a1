"""Weights in the types of GGUF. The arithmetic of quantization is llama.cpp's own."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import BackendError, MissingExtra
from agentaudio.model.step_audio_2.llama.precision import BLOCKS, TensorType

try:
    import torch
    from torch import Tensor
except ImportError as error:
    raise MissingExtra("Step-Audio 2", "local") from error

CHUNK_WEIGHTS = 2**22
"""Weights that one thread converts at a time: 16 MB as float32."""
NUMBERS: dict[TensorType, int] = {
    "F32": 0, "F16": 1, "Q5_0": 6, "Q8_0": 8, "Q4_K": 12, "Q6_K": 14, "BF16": 30,
}  # fmt: skip
"""Of the types in ggml. Source: ggml.h."""
_TORCH = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


def converted(
    rows: Callable[[int, int], Tensor], shape: tuple[int, ...], kind: TensorType, threads: int
) -> NDArray[np.uint8]:
    """A tensor as the bytes of a GGUF file: (rows, bytes of a row), or (bytes,) of a vector.

    rows: some rows of the tensor
    shape: of the tensor, whose last dimension is a whole number of blocks
    threads: how many convert at the same time

    Raises BackendError for weights that are not finite, or too large for float16.
    """
    vector = len(shape) == 1
    height, width = (1, shape[0]) if vector else shape
    weights, size = BLOCKS[kind]
    out: NDArray[np.uint8] = np.empty((height, width // weights * size), dtype=np.uint8)
    step = max(1, CHUNK_WEIGHTS // width)

    def convert(begin: int) -> None:
        end = min(begin + step, height)
        part = rows(0, width)[None] if vector else rows(begin, end)
        if not bool(torch.isfinite(part).all()):
            raise BackendError("some weights are not finite numbers")
        if kind == "F16" and part.numel() and float(part.abs().max()) > torch.finfo(torch.float16).max:
            raise BackendError("some weights are too large for f16; give weights=bf16")
        if kind in _TORCH:
            raw = part.to(_TORCH[kind]).contiguous().view(torch.uint8).numpy()
            out[begin:end] = raw.reshape(end - begin, -1)
        else:
            _quantise(part.float().contiguous().numpy(), NUMBERS[kind], out[begin:end])

    with ThreadPoolExecutor(max(1, threads)) as pool:
        for _ in pool.map(convert, range(0, height, step)):
            pass
    return out[0] if vector else out


def _quantise(values: NDArray[np.float32], number: int, out: NDArray[np.uint8]) -> None:
    """values: (rows, width) float32; out: (rows, bytes of a row), contiguous"""
    function = _ggml().ggml_quantize_chunk
    function.restype = ctypes.c_size_t
    function.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_int64] * 3, ctypes.c_void_p]
    height, width = values.shape
    written = function(number, values.ctypes.data, out.ctypes.data, 0, height, width, None)
    if written != out.nbytes:
        raise BackendError(
            f"llama.cpp quantised {written} bytes instead of {out.nbytes}; install another version of it"
        )


def _ggml() -> Any:
    """The library that llama.cpp computes with."""
    try:
        from llama_cpp._ggml import libggml
    except ImportError as error:
        raise MissingExtra("Step-Audio 2 by llama.cpp", "llama-cpp") from error
    return libggml
