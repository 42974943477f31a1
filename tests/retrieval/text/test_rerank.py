"""Reranking with a model that reads query and text together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentaudio.conversation import Passage
from agentaudio.errors import MissingExtra, RetrievalError
from agentaudio.retrieval.documents.index import DocumentIndex
from agentaudio.retrieval.text.rerank import CrossEncoder

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "tea", "is", "green", "black", "how", "made", "fried"]


def tiny(folder: Path, labels: int = 1) -> Path:
    """A BERT of random weights, in the layout of the hub."""
    torch = pytest.importorskip("torch", reason="needs the extra 'local'")
    pytest.importorskip("transformers", reason="needs the extra 'local'")
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        num_labels=labels, initializer_range=0.4,
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(folder)
    BertTokenizerFast(vocab={word: n for n, word in enumerate(WORDS)}).save_pretrained(folder)
    assert json.loads((folder / "config.json").read_text())["model_type"] == "bert"
    return folder


def test_passages_come_in_the_order_of_its_scores(tmp_path: Path) -> None:
    encoder = CrossEncoder(tiny(tmp_path / "model"))
    texts = [f"tea is {kind}" for kind in ("green", "black", "fried", "made")]
    scores = encoder("how is tea made", texts)
    assert max(scores) - min(scores) > 1e-3
    assert scores == pytest.approx([encoder("how is tea made", [text])[0] for text in texts], abs=1e-4)
    assert encoder("how is tea made", texts * 20) == pytest.approx(scores * 20, abs=1e-4)
    index = DocumentIndex([Passage(text, "", str(n)) for n, text in enumerate(texts)], rerank=encoder)
    best = texts[max(range(len(texts)), key=scores.__getitem__)]
    assert index.search("how is tea made", 1)[0].text == best


def test_models_that_are_not_cross_encoders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RetrievalError, match="has 3 outputs"):
        CrossEncoder(tiny(tmp_path / "classifier", labels=3))("tea", ["green"])
    with pytest.raises(RetrievalError, match="cannot be loaded"):
        CrossEncoder(tmp_path / "nothing")("tea", ["green"])


def test_without_torch_the_extra_is_named() -> None:
    try:
        import torch  # noqa: F401
    except ImportError:
        with pytest.raises(MissingExtra, match="local"):
            CrossEncoder("any")("tea", ["green"])
    else:
        pytest.skip("torch is there")
