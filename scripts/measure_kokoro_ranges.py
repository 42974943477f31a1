"""Write model/kokoro/assets/output_ranges.npz: how large the outputs of Kokoro's convolutions become.

    python scripts/measure_kokoro_ranges.py

It needs the weights `kokoro` and `misaki` and the package onnx. Each stock style and 46 random blends speak a sentence
with the graph as it is fetched, which takes about ten minutes of one core. For each convolution of the decoder, and
each of its channels, the largest absolute output is kept, in units of the scale of its quantised input.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from agentaudio.model.kokoro.graph import Graph
from agentaudio.model.kokoro.network import FILE, INPUTS
from agentaudio.model.kokoro.pronunciation import Pronunciation
from agentaudio.model.kokoro.rewriting import RANGES, integer_convolutions
from agentaudio.model.kokoro.styles import Style, stock_styles
from agentaudio.model.kokoro.symbols import END, IDS
from agentaudio.onnx import OnnxNetwork
from agentaudio.weights.store import folder

SENTENCES = (
    "The walls protected the country from raiders who came on horses.",
    "It is twenty one minutes past nine in Tokyo.",
    "I can search the documents for facts, or change the voice.",
    "Hello there! How may I help you today?",
    "Please speak up; the line is rather noisy this morning.",
    "Seventeen times twenty three is three hundred and ninety one.",
    "She sells fresh fish and chips by the sea shore.",
    "The Moon is about 384,000 kilometers away from the Earth.",
)
BLENDS = 46
SEED = 7
FEW = 0.05
"""Concentration of the random weights: most of the weight lies on few styles, as in fitted blends."""
PART = "/decoder/"
"""What the names of the decoder's nodes contain. The rest of the graph takes little time, and decides on durations."""


def main() -> None:
    import onnx

    source = folder("kokoro") / FILE
    model = onnx.load(source)
    names, tensors = _probe(model)
    largest: dict[str, NDArray[np.float32]] = {}
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        onnx.save(model, file.name)
        network = OnnxNetwork(file.name, "measuring", inputs=INPUTS, extra="embedded", inner=())
        for tokens, style in _spoken():
            _, *found = network.run(tokens, style, np.ones(1, np.float32))
            for name, values in zip(names, found, strict=True):
                largest[name] = np.maximum(largest.get(name, 0), values.reshape(-1))
            print(".", end="", flush=True)
    print(f"\n{len(tensors)} convolutions")
    np.savez_compressed(
        RANGES,
        names=np.array(names),
        channels=np.array([len(largest[name]) for name in names], np.int16),
        values=np.concatenate([largest[name] for name in names]).astype(np.float16),
    )


def _probe(model: object) -> tuple[list[str], list[str]]:
    """Add an output for each convolution: the largest values of its channels. Returns their nodes and the outputs."""
    from onnx import helper

    graph = Graph(model)
    names, tensors = [], []
    time = graph.constant("time_axis", np.array([2], np.int64))
    for found in list(integer_convolutions(graph)):
        weights = graph.value(found.node.input[1])
        if PART not in found.node.name or weights is None or weights.shape[0] == 1:
            continue
        base, out = found.node.name, found.output.output[0]
        graph.nodes += [
            helper.make_node("Abs", [out], [f"{base}_abs"]),
            helper.make_node("ReduceMax", [f"{base}_abs", time], [f"{base}_max"], keepdims=0),
            helper.make_node("Div", [f"{base}_max", found.quantiser.output[1]], [f"{base}_range"]),
        ]
        names.append(base)
        tensors.append(f"{base}_range")
    for tensor in tensors:
        graph.add_output(tensor)
    graph.model()
    return names, tensors


def _spoken() -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Symbols (1, n) and style (1, 256) of each sentence to speak."""
    pronounce, styles, chance = Pronunciation(folder("misaki")), stock_styles(), np.random.default_rng(SEED)
    for place, name in enumerate(styles.names):
        yield _inputs(pronounce, SENTENCES[place % len(SENTENCES)], styles.style(name))
    for place in range(BLENDS):
        weights = chance.dirichlet(np.full(len(styles.names), FEW)).astype(np.float32)
        scale = (1.8, 1.4, 1.0)[place % 3] if place % 4 else 1.8
        yield _inputs(pronounce, SENTENCES[3 * place % len(SENTENCES)], styles.blend(weights, scale))


def _inputs(pronounce: Pronunciation, text: str, style: Style) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    phonemes = [symbol for symbol in pronounce(text, language="en")[0].phonemes if symbol in IDS]
    tokens = np.array([[END, *(IDS[symbol] for symbol in phonemes), END]], np.int64)
    return tokens, style.row(len(phonemes))[None]


if __name__ == "__main__":
    main()
