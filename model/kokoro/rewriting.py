"""`faster`: the graph of Kokoro with operators that ONNX Runtime runs faster on CPUs, and the same sound.

Three patterns are replaced:

- An integer convolution with its conversion to float becomes QLinearConv, whose kernel is four times as fast. The sums
  are the same integers; they are rounded to 8 bits, on a scale of each output channel that follows the scale of the
  input.
- Adaptive instance normalisation that is written out becomes InstanceNormalization, and the snake activation
  x + sin(ax)^2 / a takes its factor a from the normalisation before it.
- STFT becomes a convolution.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import BackendError
from agentaudio.model.kokoro.graph import Graph, attributes

VERSION = "1"
"""Increase it whenever the same file gives another graph."""

RANGES = Path(__file__).parent / "assets" / "output_ranges.npz"

HEADROOM = 1.2
"""Factor on the largest output that was measured, for voices and phrases that were not."""

Ranges = Mapping[str, NDArray[np.float32]]
"""(channels,) float32 by node: the largest absolute output of an integer convolution, in units of the input's scale."""


def measured_ranges() -> Ranges:
    """The ranges that agentaudio ships; scripts/measure_kokoro_ranges.py makes them."""
    with np.load(RANGES, allow_pickle=False) as kept:
        names, channels, values = kept["names"], kept["channels"], kept["values"].astype(np.float32)
    parts = np.split(values, np.cumsum(channels)[:-1])
    return dict(zip(map(str, names), parts, strict=True))


def faster(model: Any, ranges: Ranges, *, signed: bool, outputs: tuple[str, ...] = ()) -> Any:
    """Rewrite the graph kokoro-v1.0.int8.onnx.

    model: the onnx.ModelProto, which is changed
    ranges: of the convolutions to replace
    signed: make the weights signed. Processors with VNNI or Arm's dot product multiply them twice as fast; others
        saturate sums of two products, which is heard
    outputs: inner tensors to add to the outputs

    Raises BackendError when a convolution of `ranges` is missing: it is another graph.
    """
    graph = Graph(model)
    for tensor in outputs:
        graph.add_output(tensor)
    _normalisations(graph)
    _stft(graph)
    _convolutions(graph, ranges, signed=signed)
    return graph.model()


@dataclass(frozen=True, slots=True)
class IntegerConvolution:
    """ConvInteger with the nodes that quantise its input and convert its sums to float.

    quantiser: the DynamicQuantizeLinear before it
    bias: int32 tensor, in units of input scale times weight scale; None without a bias
    output: the last node, which makes the float output
    weight_scale: of the whole tensor of weights
    """

    node: Any
    quantiser: Any
    bias: str | None
    output: Any
    weight_scale: float


def integer_convolutions(graph: Graph) -> Iterator[IntegerConvolution]:
    """The integer convolutions of the form that onnxruntime's dynamic quantisation writes."""
    for node in graph.nodes:
        if node.op_type != "ConvInteger":
            continue
        quantiser = graph.made_by(node.input[0], "DynamicQuantizeLinear")
        sums, bias = node.output[0], None
        if add := graph.only_consumer(sums, "Add"):
            reshape = graph.made_by(_other(add, sums), "Reshape")
            if reshape is None:
                continue
            sums, bias = add.output[0], reshape.input[0]
        cast = graph.only_consumer(sums, "Cast")
        scaling = graph.only_consumer(cast.output[0], "Mul") if cast else None
        if quantiser is None or cast is None or scaling is None:
            continue
        scales = graph.made_by(_other(scaling, cast.output[0]), "Mul")
        weight_scale = graph.value(_other(scales, quantiser.output[1])) if scales else None
        if weight_scale is not None:
            yield IntegerConvolution(node, quantiser, bias, scaling, float(weight_scale))


def _convolutions(graph: Graph, ranges: Ranges, *, signed: bool) -> None:
    left = dict(ranges)
    for found in list(integer_convolutions(graph)):
        if found.node.name in left:
            _convolution(graph, found, left.pop(found.node.name), signed)
    if left:
        raise BackendError(f"the graph has no convolution {next(iter(left))}; it is another one")
    graph.commit()


def _convolution(graph: Graph, found: IntegerConvolution, largest: NDArray[np.float32], signed: bool) -> None:
    from onnx import helper

    weights, zero = graph.value(found.node.input[1]), graph.value(found.node.input[3])
    if weights is None or zero is None or weights.shape[0] != len(largest):
        raise BackendError(f"the convolution {found.node.name} has other weights; it is another graph")
    channels, out = len(largest), found.output.output[0]
    offset, kind = (128, np.int8) if signed else (0, np.uint8)
    step = np.maximum(largest * HEADROOM / 127, 1e-6).astype(np.float32)
    # Sums are multiplied by input scale * weight scale / output scale. The output scale of QLinearConv is one number,
    # the input's scale, so the step of each channel divides its weight scale, and the conversion to float restores it.
    inputs = [
        *found.quantiser.output,
        graph.constant(f"{out}_weights", (weights.astype(np.int16) - offset).astype(kind)),
        graph.constant(f"{out}_weight_scale", (np.float32(found.weight_scale) / step).astype(np.float32)),
        graph.constant(f"{out}_weight_zero", np.full(channels, int(zero) - offset, kind)),
        found.quantiser.output[1],
        graph.constant("middle_of_uint8", np.asarray(128, np.uint8)),
        *([found.bias] if found.bias else []),
    ]
    steps = graph.constant(f"{out}_step", step)
    middles = graph.constant(f"middle_of_uint8_{channels}", np.full(channels, 128, np.uint8))
    graph.replace(
        found.output,
        [
            helper.make_node("QLinearConv", inputs, [f"{out}_8bit"], f"{out}_conv", **attributes(found.node)),
            helper.make_node("Mul", [found.quantiser.output[1], steps], [f"{out}_scale"], f"{out}_scaling"),
            helper.make_node(
                "DequantizeLinear", [f"{out}_8bit", f"{out}_scale", middles], [out], f"{out}_float", axis=1
            ),
        ],
    )


def _normalisations(graph: Graph) -> None:
    """Replace gain * (x - mean) / sqrt(variance + epsilon) + shift, with the snake activation that may follow."""
    for division in list(graph.nodes):
        if division.op_type != "Div" or (found := _normalised(graph, division)) is None:
            continue
        x, epsilon = found
        for product in graph.consumers(division.output[0]):
            shifted = graph.only_consumer(product.output[0], "Add") if product.op_type == "Mul" else None
            if shifted is not None:
                gain, shift = _other(product, division.output[0]), _other(shifted, product.output[0])
                _normalisation(graph, x, gain, shift, epsilon, shifted)
    graph.commit()


def _normalised(graph: Graph, division: Any) -> tuple[str, float] | None:
    """The tensor that a division normalises over time, and epsilon; None for other divisions."""
    centred, root = graph.made_by(division.input[0], "Sub"), graph.made_by(division.input[1], "Sqrt")
    summed = graph.made_by(root.input[0], "Add") if root and centred else None
    if centred is None or summed is None:
        return None
    mean, variance = graph.made_by(centred.input[1], "ReduceMean"), graph.made_by(summed.input[0], "ReduceMean")
    epsilon = graph.value(summed.input[1])
    if mean is None or variance is None or epsilon is None or mean.input[0] != centred.input[0]:
        return None
    axes = graph.value(mean.input[1])
    return None if axes is None or axes.tolist() != [2] else (centred.input[0], float(epsilon))


def _normalisation(graph: Graph, x: str, gain: str, shift: str, epsilon: float, last: Any) -> None:
    from onnx import helper

    node, out = helper.make_node, last.output[0]
    flat = graph.constant("flat", np.array([-1], np.int64))
    nodes = [node("Reshape", [gain, flat], [f"{out}_gain"]), node("Reshape", [shift, flat], [f"{out}_shift"])]
    factors = [f"{out}_gain", f"{out}_shift"]
    if (snake := _snake(graph, out)) is None:
        nodes.append(node("InstanceNormalization", [x, *factors], [out], f"{out}_norm", epsilon=epsilon))
        graph.replace(last, nodes)
        return
    alpha, end = snake
    a = graph.constant(f"{out}_alpha", alpha.reshape(-1))
    inverse = graph.constant(f"{out}_inverse", (1 / alpha).astype(np.float32))
    # With z = ax, x + sin(ax)^2 / a is (z + sin(z)^2) / a.
    z, sine, square, total = f"{out}_z", f"{out}_sine", f"{out}_square", f"{out}_sum"
    nodes += [
        *(node("Mul", [factor, a], [f"{factor}_a"]) for factor in factors),
        node("InstanceNormalization", [x, *(f"{f}_a" for f in factors)], [z], f"{out}_norm", epsilon=epsilon),
        node("Sin", [z], [sine], sine),
        node("Mul", [sine, sine], [square], square),
        node("Add", [z, square], [total], total),
        node("Mul", [total, inverse], [end.output[0]], f"{out}_snake"),
    ]
    graph.replace(end, nodes)


def _snake(graph: Graph, x: str) -> tuple[NDArray[np.float32], Any] | None:
    """a (1, channels, 1) and the last node of x + sin(ax)^2 / a, where that is all that is made of x."""
    readers = {node.op_type: node for node in graph.consumers(x)}
    if len(graph.consumers(x)) != 2 or readers.keys() != {"Mul", "Add"}:
        return None
    alpha = graph.value(_other(readers["Mul"], x))
    sine = graph.only_consumer(readers["Mul"].output[0], "Sin")
    power = graph.only_consumer(sine.output[0], "Pow") if sine else None
    share = graph.only_consumer(power.output[0], "Mul") if power else None
    if alpha is None or power is None or share is None or graph.value(power.input[1]) != 2:
        return None
    return (alpha, readers["Add"]) if _other(readers["Add"], x) == share.output[0] else None


def _stft(graph: Graph) -> None:
    from onnx import helper

    node = helper.make_node
    for stft in [one for one in graph.nodes if one.op_type == "STFT"]:
        x, hop, window, size = stft.input[0], *(graph.value(name) for name in stft.input[1:4])
        if hop is None or window is None or size is None:
            continue
        out, bins = stft.output[0], int(size) // 2 + 1
        angles = 2 * np.pi / int(size) * np.outer(np.arange(bins), np.arange(int(size)))
        kernels = np.concatenate([np.cos(angles) * window, -np.sin(angles) * window])
        # The first and last bins have no imaginary part. What STFT makes of them is rounding, and the graph takes the
        # sign of their phase from it: mostly positive in the first bin and negative in the last.
        bias = np.zeros(2 * bins)
        kernels[[bins, -1]], bias[[bins, -1]] = 0, (1e-7, -1e-7)
        shapes = {"in": [1, 1, -1], "out": [1, 2, bins, -1]}
        for name, shape in shapes.items():
            graph.constant(f"stft_{name}", np.array(shape, np.int64))
        kernel = graph.constant("stft_kernels", kernels[:, None].astype(np.float32))
        graph.constant("stft_bias", bias.astype(np.float32))
        nodes = [
            node("Reshape", [x, "stft_in"], [f"{out}_x"]),
            node("Conv", [f"{out}_x", kernel, "stft_bias"], [f"{out}_parts"], strides=[int(hop)]),
            node("Reshape", [f"{out}_parts", "stft_out"], [f"{out}_bins"]),
            node("Transpose", [f"{out}_bins"], [out], perm=[0, 3, 2, 1]),
        ]
        graph.replace(stft, nodes)
    graph.commit()


def _other(node: Any, tensor: str) -> str:
    """The input of a node of two inputs that is not `tensor`."""
    return str(node.input[1] if node.input[0] == tensor else node.input[0])
