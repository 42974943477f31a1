"""Embedders by name."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from agentaudio.errors import MissingExtra, RetrievalError
from agentaudio.text.embedding import default_embedder, load_embedder
from agentaudio.text.sentence_transformer import SentenceTransformerEmbedder

INSTALLED = importlib.util.find_spec("sentence_transformers") is not None


def test_the_default_embedder_is_one_for_all() -> None:
    embed = load_embedder("default")
    assert embed is default_embedder()
    assert embed(["tea"]).dtype == np.float32


@pytest.mark.skipif(INSTALLED, reason="sentence-transformers is installed")
def test_an_unknown_name_says_what_to_install() -> None:
    with pytest.raises(MissingExtra, match=r"agentaudio\[embedders\]"):
        load_embedder("some/model")(["tea"])


@pytest.mark.skipif(not INSTALLED, reason="needs the extra 'embedders'")
def test_a_sentence_transformers_model_gives_unit_rows(tmp_path: Path) -> None:
    from transformers import BertConfig, BertModel, BertTokenizerFast

    (tmp_path / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "tea", "green"]))
    size = BertConfig(
        vocab_size=7, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=32,
    )  # fmt: skip
    BertModel(size).save_pretrained(tmp_path / "bert")
    BertTokenizerFast(vocab_file=str(tmp_path / "vocab.txt")).save_pretrained(tmp_path / "bert")
    embed = SentenceTransformerEmbedder(tmp_path / "bert", device="cpu")
    rows = embed(["green tea", "tea", "green tea"])
    assert rows.shape == (3, 16) and rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(rows[0], rows[2], atol=1e-5)
    assert not np.allclose(rows[0], rows[1], atol=1e-3)
    assert embed([]).shape == (0, 16)


@pytest.mark.skipif(not INSTALLED, reason="needs the extra 'embedders'")
def test_a_model_that_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    with pytest.raises(RetrievalError, match="broken"):
        load_embedder(str(tmp_path / "broken"))(["tea"])
