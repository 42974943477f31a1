"""A speaker encoder and a speech tokenizer of random weights in the official format, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import AudioError, MissingExtra
from agentaudio.files import write_atomically

try:
    from onnx import TensorProto, helper, numpy_helper
except ImportError as error:
    raise MissingExtra("a tiny token2wav", "local") from error

Weights = dict[str, NDArray[Any]]

OPSET = 17
IR_VERSION = 8
"""Supported by all versions of ONNX Runtime that the package allows."""
CHANNELS = 16


def write_tiny_onnx(folder: str | Path, seed: int = 0) -> Path:
    """Write `campplus.onnx` and `speech_tokenizer_v2_25hz.onnx` of random weights, 50 kB together.

    folder: created if missing; files of the same names are replaced
    seed: equal seeds give equal bytes
    returns: the folder

    Inputs, outputs, shapes, the range of ids and the token count are those of the official files. The
    outputs depend on the sound, but have no meaning.
    Raises AudioError when the folder cannot be written.
    """
    folder = Path(folder)
    random = np.random.default_rng(seed)
    write_atomically(folder / "campplus.onnx", _speaker_encoder(random), error=AudioError)
    write_atomically(folder / "speech_tokenizer_v2_25hz.onnx", _speech_tokenizer(random), error=AudioError)
    return folder


def _speaker_encoder(random: np.random.Generator) -> bytes:
    """One convolution, then mean and mean square over time: (1, T, 80) -> (1, 192)."""
    weights: Weights = {
        "filters": _normal(random, CHANNELS, 80, 5),
        "projection": _normal(random, 2 * CHANNELS, 192),
    }
    nodes = [
        helper.make_node("Transpose", ["input"], ["bins"], perm=[0, 2, 1]),
        helper.make_node("Conv", ["bins", "filters"], ["filtered"], pads=[2, 2]),
        helper.make_node("Tanh", ["filtered"], ["hidden"]),
        helper.make_node("Mul", ["hidden", "hidden"], ["squares"]),
        helper.make_node("ReduceMean", ["hidden"], ["mean"], axes=[2], keepdims=0),
        helper.make_node("ReduceMean", ["squares"], ["power"], axes=[2], keepdims=0),
        helper.make_node("Concat", ["mean", "power"], ["statistics"], axis=1),
        helper.make_node("MatMul", ["statistics", "projection"], ["output"]),
    ]
    inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, "T", 80])]
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 192])
    return _file("campplus", nodes, inputs, output, weights)


def _speech_tokenizer(random: np.random.Generator) -> bytes:
    """Two convolutions of stride 2, then eight three-valued digits make an id: (1, 128, T) -> (1, ceil(T / 4))."""
    weights: Weights = {
        "filters1": _normal(random, CHANNELS, 128, 3),
        "filters2": _normal(random, CHANNELS, CHANNELS, 3) * 3,
        "projection": _normal(random, CHANNELS, 8) * 3,
        "edge": np.array(0.999, np.float32),
        "one": np.array(1, np.float32),
        "powers": (3.0 ** np.arange(8)).astype(np.float32)[:, None],
        "three": np.array([3], np.int64),
        "four": np.array([4], np.int64),
        "zero": np.array([0], np.int64),
        "axis": np.array([1], np.int64),
        "last": np.array([2], np.int64),
    }
    strided: dict[str, Any] = {"pads": [1, 1], "strides": [2]}
    nodes = [
        helper.make_node("Conv", ["feats", "filters1"], ["filtered1"], **strided),
        helper.make_node("Tanh", ["filtered1"], ["hidden1"]),
        helper.make_node("Conv", ["hidden1", "filters2"], ["filtered2"], **strided),
        helper.make_node("Tanh", ["filtered2"], ["hidden2"]),
        helper.make_node("Transpose", ["hidden2"], ["rows"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["rows", "projection"], ["projected"]),
        helper.make_node("Tanh", ["projected"], ["bounded"]),
        helper.make_node("Mul", ["bounded", "edge"], ["inside"]),
        helper.make_node("Round", ["inside"], ["levels"]),
        helper.make_node("Add", ["levels", "one"], ["digits"]),
        helper.make_node("MatMul", ["digits", "powers"], ["column"]),
        helper.make_node("Squeeze", ["column", "last"], ["ids"]),
        helper.make_node("Cast", ["ids"], ["whole"], to=TensorProto.INT32),
        helper.make_node("Cast", ["feats_length"], ["frames"], to=TensorProto.INT64),
        helper.make_node("Add", ["frames", "three"], ["rounded"]),
        helper.make_node("Div", ["rounded", "four"], ["count"]),
        helper.make_node("Slice", ["whole", "zero", "count", "axis"], ["indices"]),
    ]
    inputs = [
        helper.make_tensor_value_info("feats", TensorProto.FLOAT, [1, 128, "T"]),
        helper.make_tensor_value_info("feats_length", TensorProto.INT32, [1]),
    ]
    output = helper.make_tensor_value_info("indices", TensorProto.INT32, [1, "N"])
    return _file("speech_tokenizer_v2_25hz", nodes, inputs, output, weights)


def _file(name: str, nodes: list[Any], inputs: list[Any], output: Any, weights: Weights) -> bytes:
    initializers = [numpy_helper.from_array(np.asarray(value), key) for key, value in weights.items()]
    graph = helper.make_graph(nodes, name, inputs, [output], initializers)
    model = helper.make_model(
        graph, producer_name="agentaudio", ir_version=IR_VERSION, opset_imports=[helper.make_opsetid("", OPSET)]
    )
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _normal(random: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    """Random weights, scaled to keep the magnitude of their inputs."""
    inputs = int(np.prod(shape[1:])) if len(shape) == 3 else shape[0]
    values: NDArray[np.float32] = (random.standard_normal(shape) / np.sqrt(inputs)).astype(np.float32)
    return values
