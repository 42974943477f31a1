"""Convert the speaker encoder in the resemblyzer wheel to a small ONNX file.

Run it once in a separate environment (torch is only needed to read the weights):

    python -m venv /tmp/export
    /tmp/export/bin/pip install torch==2.13.0 onnx onnxruntime numpy soundfile soxr "setuptools<81"
    /tmp/export/bin/pip install webrtcvad-wheels librosa scipy
    /tmp/export/bin/pip install --no-deps resemblyzer==0.1.4
    PYTHONPATH=. /tmp/export/bin/python scripts/export_speaker_encoder.py \\
        --check voice_library/demo/clips/*/*.flac --golden angus

Writes agentaudio/assets/speaker_encoder.onnx. With --check it prints the cosine similarity to the
original of the exported network alone and of agentaudio's whole encoder; a cosine of the network below
0.999 is an error. Weights are stored as float16 to halve the file, and cast to float32 when loaded, so
that the network computes in float32 as the original does.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from resemblyzer import VoiceEncoder, preprocess_wav

from agentaudio.sound.audio import Audio
from agentaudio.sound.speaker_encoder import EmbeddedSpeakerEncoder
from agentaudio.voice_library.library import demo_voices

ROOT = Path(__file__).parents[1]
ASSET = ROOT / "agentaudio" / "assets" / "speaker_encoder.onnx"
GOLDEN = ROOT / "tests" / "voice_library"
HIDDEN, LAYERS = 256, 3
LEAST_COSINE = 0.999

# torch stacks the gates as input, forget, cell, output; ONNX as input, output, forget, cell.
ONNX_GATES = (0, 3, 1, 2)


def onnx_gates(stacked: np.ndarray) -> np.ndarray:
    """Reorder the gates of `stacked`, (4 * hidden, ...), from torch's order to ONNX's."""
    blocks = np.split(stacked, 4)
    return np.concatenate([blocks[gate] for gate in ONNX_GATES])


def build(weights: dict[str, np.ndarray]) -> onnx.ModelProto:
    """Build the network: three LSTM layers, the last hidden state, a linear layer, ReLU, unit length.

    Input `mel`: (batch, 160, 40) float32. Output `embedding`: (batch, 256) float32.
    """
    nodes: list[onnx.NodeProto] = []
    stored: list[onnx.TensorProto] = []

    def constant(name: str, value: np.ndarray) -> str:
        stored.append(numpy_helper.from_array(value.astype(np.float16), f"{name}_fp16"))
        nodes.append(helper.make_node("Cast", [f"{name}_fp16"], [name], to=TensorProto.FLOAT))
        return name

    nodes.append(helper.make_node("Transpose", ["mel"], ["sequence_0"], perm=[1, 0, 2]))
    for layer in range(LAYERS):
        inputs = [
            f"sequence_{layer}",
            constant(f"input_weight_{layer}", onnx_gates(weights[f"lstm.weight_ih_l{layer}"])[None]),
            constant(f"hidden_weight_{layer}", onnx_gates(weights[f"lstm.weight_hh_l{layer}"])[None]),
            constant(
                f"bias_{layer}",
                np.concatenate([onnx_gates(weights[f"lstm.bias_{side}_l{layer}"]) for side in ("ih", "hh")])[None],
            ),
        ]
        outputs = [f"directions_{layer}", f"last_hidden_{layer}"]
        nodes.append(helper.make_node("LSTM", inputs, outputs, hidden_size=HIDDEN))
        nodes.append(helper.make_node("Squeeze", [outputs[0], "direction_axis"], [f"sequence_{layer + 1}"]))
    nodes += [
        helper.make_node("Squeeze", [f"last_hidden_{LAYERS - 1}", "first_axis"], ["hidden"]),
        helper.make_node(
            "Gemm",
            [
                "hidden",
                constant("linear_weight", weights["linear.weight"]),
                constant("linear_bias", weights["linear.bias"]),
            ],
            ["raw"],
            transB=1,
        ),
        helper.make_node("Relu", ["raw"], ["positive"]),
        helper.make_node("LpNormalization", ["positive"], ["embedding"], axis=1, p=2),
    ]
    stored += [
        numpy_helper.from_array(np.array([1], np.int64), "direction_axis"),
        numpy_helper.from_array(np.array([0], np.int64), "first_axis"),
    ]
    # ONNX wants nodes in topological order, so every Cast comes first.
    nodes.sort(key=lambda node: node.op_type != "Cast")
    graph = helper.make_graph(
        nodes,
        "speaker_encoder",
        [helper.make_tensor_value_info("mel", TensorProto.FLOAT, ["batch", "frames", 40])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", HIDDEN])],
        stored,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="agentaudio"
    )
    model.doc_string = "Voice encoder of resemblyzer 0.1.4 (Apache-2.0, Resemble.AI), weights as float16."
    onnx.checker.check_model(model, full_check=True)
    return model


def check(original: VoiceEncoder, clips: list[Path]) -> bool:
    """Print the cosines with the original for each clip; False when the network is below LEAST_COSINE for any."""
    encoder = EmbeddedSpeakerEncoder(ASSET)
    network, whole = [], []
    for clip in clips:
        audio = Audio.load(clip, sample_rate=16_000)
        prepared = preprocess_wav(audio.samples.copy(), 16_000)
        reference = original.embed_utterance(prepared)
        network.append(float(reference @ encoder.encode_prepared(prepared)))
        whole.append(float(reference @ encoder.encode(audio)))
        print(f"{clip.name:28s} network {network[-1]:.6f}   with our silence trimming {whole[-1]:.4f}")
    print(f"{'least':28s} network {min(network):.6f}   with our silence trimming {min(whole):.4f}")
    return min(network) >= LEAST_COSINE


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", nargs="*", type=Path, default=[], metavar="CLIP")
    parser.add_argument("--golden", metavar="VOICE", help="store the original's embedding of this demo voice for tests")
    options = parser.parse_args()
    clips: list[Path] = options.check

    original = VoiceEncoder("cpu", verbose=False)
    weights = {name: value.detach().numpy() for name, value in original.state_dict().items()}
    ASSET.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(build(weights), str(ASSET))
    print(f"{ASSET.relative_to(ROOT)}: {ASSET.stat().st_size / 1e6:.2f} MB, torch {torch.__version__}")
    if options.golden:
        answer = original.embed_utterance(demo_voices().get(options.golden).clip.samples)
        np.save(GOLDEN / f"resemblyzer_{options.golden}.npy", answer.astype(np.float32))
    if clips and not check(original, clips):
        print(f"the exported network differs from the original: cosine below {LEAST_COSINE}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
