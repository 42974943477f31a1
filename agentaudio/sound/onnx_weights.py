"""`onnx_weights`: the weights of an ONNX file as arrays, for networks that NumPy runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import BackendError

_GRAPH, _INITIALIZER = 7, 5  # fields of ModelProto and of GraphProto
_FLOAT = 1  # a data type of TensorProto


def onnx_weights(path: Path, remedy: str) -> dict[str, NDArray[np.float32]]:
    """The float32 initializers of an ONNX file that are stored as raw data, by name.

    remedy: what to do about a broken file, for the error message

    Raises BackendError when the file is missing or not an ONNX file.
    Source: onnx.proto, and the encoding of Protocol Buffers.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BackendError(f"cannot read {path}: {error.strerror}; {remedy}") from None
    found: dict[str, NDArray[np.float32]] = {}
    try:
        for graph in _of(memoryview(content), _GRAPH):
            for tensor in _of(graph, _INITIALIZER):
                _add(found, tensor)
    except (IndexError, ValueError) as error:
        raise BackendError(
            f"{path} is truncated or not an ONNX file ({len(content)} bytes); {remedy} [{error}]"
        ) from None
    return found


def _add(found: dict[str, NDArray[np.float32]], tensor: memoryview) -> None:
    shape: list[int] = []
    kind, name, raw = 0, "", memoryview(b"")
    for field in _fields(tensor):
        match field:
            case 1, int(value):  # dims
                shape.append(value)
            case 1, memoryview() as value:  # dims, packed
                shape += _packed(value)
            case 2, int(value):  # data_type
                kind = value
            case 8, memoryview() as value:  # name
                name = bytes(value).decode("utf-8")
            case 9, memoryview() as value:  # raw_data
                raw = value
    if kind == _FLOAT and len(raw):
        found[name] = np.frombuffer(raw, "<f4").reshape(shape).astype(np.float32)


def _of(message: memoryview, number: int) -> Iterator[memoryview]:
    """The messages in one field."""
    return (value for found, value in _fields(message) if found == number and isinstance(value, memoryview))


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field: an int, or the bytes of what has a length."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        value: int | memoryview
        match key & 7:
            case 0:
                value, at = _varint(message, at)
            case 2:
                size, at = _varint(message, at)
                value, at = message[at : at + size], at + size
            case 1 | 5 as kind:
                size = 8 if kind == 1 else 4
                value, at = message[at : at + size], at + size
            case kind:
                raise ValueError(f"field type {kind}")
        if at > len(message):
            raise ValueError("cut off")
        yield key >> 3, value


def _packed(values: memoryview) -> list[int]:
    found, at = [], 0
    while at < len(values):
        value, at = _varint(values, at)
        found.append(value)
    return found


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value, shift, at = value | (byte & 0x7F) << shift, shift + 7, at + 1
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("number too long")
