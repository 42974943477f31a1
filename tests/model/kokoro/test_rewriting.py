"""The faster operators make what the ones they replace make, on small graphs of the patterns of Kokoro."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from agentaudio.errors import BackendError
from agentaudio.model.kokoro.faster_file import multiplies_signed_exactly
from agentaudio.model.kokoro.rewriting import HEADROOM, faster, measured_ranges

onnx = pytest.importorskip("onnx", reason="the extra embedded is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="the extra embedded is not installed")

CHANNELS, MADE, WIDTH, TIME = 6, 4, 3, 50
CHANCE = np.random.default_rng(3)
SOUND = CHANCE.standard_normal((1, CHANNELS, TIME)).astype(np.float32)


def node(operator: str, inputs: list[str], output: str | list[str], **attributes: Any) -> Any:
    outputs = [output] if isinstance(output, str) else output
    return onnx.helper.make_node(operator, inputs, outputs, outputs[0], **attributes)


def model(nodes: list[Any], constants: dict[str, Any], outputs: list[str], shape: list[int | None]) -> Any:
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes,
        "test",
        [value("x", onnx.TensorProto.FLOAT, shape)],
        [value(name, onnx.TensorProto.FLOAT, None) for name in outputs],
        [onnx.numpy_helper.from_array(np.asarray(constant), name) for name, constant in constants.items()],
    )
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=9)


def run(graph: Any, x: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    results: list[NDArray[np.float32]] = session.run(None, {"x": x})
    return results


def operators(graph: Any) -> Counter[str]:
    return Counter(one.op_type for one in graph.graph.node)


def convolution(with_bias: bool) -> Any:
    weights = CHANCE.integers(0, 256, (MADE, CHANNELS, WIDTH)).astype(np.uint8)
    constants: dict[str, Any] = {"w": weights, "zero": np.uint8(90), "w_scale": np.float32(0.01)}
    nodes = [
        node("DynamicQuantizeLinear", ["x"], ["q", "q_scale", "q_zero"]),
        node("ConvInteger", ["q", "w", "q_zero", "zero"], "sums", pads=[2, 2], dilations=[2], kernel_shape=[WIDTH]),
        node("Mul", ["q_scale", "w_scale"], "scale"),
        node("Cast", ["biased" if with_bias else "sums"], "float", to=onnx.TensorProto.FLOAT),
        node("Mul", ["float", "scale"], "y"),
    ]
    if with_bias:
        constants |= {"b": np.linspace(-3, 3, MADE, dtype=np.float32), "shape": np.array([1, -1, 1])}
        nodes[3:3] = [
            node("Div", ["b", "scale"], "b_steps"),
            node("Floor", ["b_steps"], "b_floor"),
            node("Cast", ["b_floor"], "b_int", to=onnx.TensorProto.INT32),
            node("Reshape", ["b_int", "shape"], "b_row"),
            node("Add", ["sums", "b_row"], "biased"),
        ]
    return model(nodes, constants, ["y"], [1, CHANNELS, None])


def ranges_of(graph: Any) -> dict[str, NDArray[np.float32]]:
    graph.graph.output.append(onnx.helper.make_tensor_value_info("q_scale", onnx.TensorProto.FLOAT, None))
    y, scale = run(graph, SOUND)
    return {"sums": np.asarray(np.abs(y).max((0, 2)) / scale, np.float32)}


@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("signed", [True, False])
def test_a_convolution_differs_by_half_a_step_of_eight_bits_at_most(with_bias: bool, signed: bool) -> None:
    if signed and not multiplies_signed_exactly():
        pytest.skip("this processor adds signed products in 16 bits, so unsigned weights are used on it")
    before = convolution(with_bias)
    ranges = ranges_of(before)
    wanted, scale = run(before, SOUND)
    after = faster(before, ranges, signed=signed)
    assert operators(after)["QLinearConv"] == 1
    assert "ConvInteger" not in operators(after)
    steps = ranges["sums"] * HEADROOM / 127 * scale
    found = run(after, SOUND)[0]
    assert (np.abs(found - wanted).max((0, 2)) <= steps * 0.501).all()


def test_the_scale_of_the_output_follows_the_level_of_the_input() -> None:
    before = convolution(with_bias=False)
    ranges = ranges_of(before)
    loud = SOUND * 100
    wanted = run(before, loud)[0]
    found = run(faster(before, ranges, signed=False), loud)[0]
    assert np.abs(found - wanted).max() < 0.01 * np.abs(wanted).max()


def test_a_convolution_without_a_range_stays_as_it_is() -> None:
    assert operators(faster(convolution(with_bias=True), {}, signed=True)) == operators(convolution(with_bias=True))


def test_another_graph_is_refused() -> None:
    with pytest.raises(BackendError, match="no convolution elsewhere"):
        faster(convolution(with_bias=True), {"elsewhere": np.ones(MADE, np.float32)}, signed=True)
    with pytest.raises(BackendError, match="other weights"):
        faster(convolution(with_bias=True), {"sums": np.ones(MADE + 1, np.float32)}, signed=True)


def normalised(snakes: int) -> Any:
    """Instance normalisation of x that `snakes` activations and one leaky ReLU read, each with its own gain."""
    nodes = [
        node("ReduceMean", ["x", "time"], "mean"),
        node("Sub", ["x", "mean"], "centred"),
        node("Mul", ["centred", "centred"], "squares"),
        node("ReduceMean", ["squares", "time"], "variance"),
        node("Add", ["variance", "epsilon"], "raised"),
        node("Sqrt", ["raised"], "deviation"),
        node("Div", ["centred", "deviation"], "unit"),
    ]
    constants: dict[str, Any] = {
        "time": np.array([2]), "epsilon": np.float32(1e-5), "two": np.float32(2),
    }  # fmt: skip
    for place in range(snakes + 1):
        alpha = CHANCE.uniform(0.5, 2, (1, CHANNELS, 1)).astype(np.float32)
        constants |= {f"gain{place}": alpha * 3, f"shift{place}": alpha - 1}
        constants |= {f"alpha{place}": alpha, f"share{place}": 1 / alpha}
        nodes += [
            node("Mul", [f"gain{place}", "unit"], f"scaled{place}"),
            node("Add", [f"scaled{place}", f"shift{place}"], f"n{place}"),
        ]
        if place == snakes:
            nodes.append(node("LeakyRelu", [f"n{place}"], f"y{place}", alpha=0.2))
            break
        nodes += [
            node("Mul", [f"alpha{place}", f"n{place}"], f"angle{place}"),
            node("Sin", [f"angle{place}"], f"sin{place}"),
            node("Pow", [f"sin{place}", "two"], f"power{place}"),
            node("Mul", [f"share{place}", f"power{place}"], f"part{place}"),
            node("Add", [f"n{place}", f"part{place}"], f"y{place}"),
        ]
    return model(nodes, constants, [f"y{place}" for place in range(snakes + 1)], [1, CHANNELS, None])


def test_normalisation_and_snake_activations_keep_their_values() -> None:
    before = normalised(snakes=2)
    wanted = run(before, SOUND)
    after = faster(before, {}, signed=True)
    assert operators(after)["InstanceNormalization"] == 3
    assert not operators(after).keys() & {"ReduceMean", "Pow", "Sqrt", "Div"}
    for a, b in zip(wanted, run(after, SOUND), strict=True):
        np.testing.assert_allclose(b, a, atol=2e-5)


def test_stft_keeps_its_values_and_the_sign_of_parts_that_are_zero() -> None:
    window = np.hanning(20).astype(np.float32)
    constants = {"hop": np.int64(5), "window": window, "size": np.int64(20)}
    before = model([node("STFT", ["x", "hop", "window", "size"], "y")], constants, ["y"], [1, None])
    sound = CHANCE.standard_normal((1, 200)).astype(np.float32)
    (wanted,) = run(before, sound)
    after = faster(before, {}, signed=True)
    (found,) = run(after, sound)
    assert "STFT" not in operators(after)
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert (found[:, :, 0, 1] > 0).all()
    assert (found[:, :, -1, 1] < 0).all()


def test_inner_tensors_become_outputs() -> None:
    after = faster(convolution(with_bias=True), {}, signed=True, outputs=("scale",))
    assert [output.name for output in after.graph.output] == ["y", "scale"]


def test_the_shipped_ranges_cover_the_decoder() -> None:
    ranges = measured_ranges()
    assert len(ranges) == 66
    assert all(
        "/decoder/" in name and (values >= 0).all() and np.isfinite(values).all() for name, values in ranges.items()
    )
