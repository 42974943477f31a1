"""Embedders by name."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agentaudio.agent import Agent
from agentaudio.errors import MissingExtra, RetrievalError
from agentaudio.retrieval.documents.index import DocumentIndex
from agentaudio.text.embedding import EmbedsQueries, default_embedder, embed_query, find_embedder, load_embedder
from agentaudio.text.sentence_transformer import UNRELATED, SentenceTransformerEmbedder
from agentaudio.weights.store import missing

INSTALLED = importlib.util.find_spec("sentence_transformers") is not None
needs_library = pytest.mark.skipif(not INSTALLED, reason="needs the extra 'local'")
needs_weights = pytest.mark.skipif(
    bool(missing("all-minilm-l6-v2")), reason="run `agentaudio models fetch all-minilm-l6-v2`"
)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A BERT with random weights, which gives any two texts a cosine near 1, in a folder with prompts."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "tea", "green", "query", "passage", ":"]
    words += sorted(set(re.findall("[a-z]+", " ".join(UNRELATED).lower())) - set(words))
    size = BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=32,
    )  # fmt: skip
    BertModel(size).save_pretrained(tmp_path / "bert")
    BertTokenizerFast(vocab={word: place for place, word in enumerate(words)}).save_pretrained(tmp_path / "bert")
    reads = Transformer(str(tmp_path / "bert"))
    prompts = {"query": "query: ", "document": "passage: "}
    SentenceTransformer(modules=[reads, Pooling(16)], device="cpu", prompts=prompts).save(str(tmp_path / "model"))
    return tmp_path / "model"


def test_the_default_embedder_is_one_for_all() -> None:
    embed = load_embedder("default")
    assert embed is default_embedder() is find_embedder("default")
    assert embed(["tea"]).dtype == np.float32


def test_without_an_embedder_there_is_none() -> None:
    assert find_embedder(None) is None


@pytest.mark.skipif(INSTALLED, reason="sentence-transformers is installed")
def test_an_unknown_name_says_what_to_install() -> None:
    with pytest.raises(MissingExtra, match=r"agentaudio\[local\]"):
        load_embedder("some/model")(["tea"])


@needs_library
def test_a_sentence_transformers_model_gives_unit_rows(tiny: Path) -> None:
    embed = SentenceTransformerEmbedder(tiny, device="cpu")
    rows = embed(["green tea", "tea", "green tea"])
    assert rows.shape == (3, 16) and rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(rows[0], rows[2], atol=1e-5)
    assert not np.allclose(rows[0], rows[1], atol=1e-3)
    assert embed([]).shape == (0, 16)


@needs_library
def test_the_prompts_of_a_model_make_queries_and_passages_differ(tiny: Path) -> None:
    embed = SentenceTransformerEmbedder(tiny, device="cpu")
    assert isinstance(embed, EmbedsQueries)
    as_query, as_passage = embed_query(embed, "green tea"), embed(["green tea"])[0]
    assert not np.allclose(as_query, as_passage, atol=1e-3)
    settings = json.loads((tiny / "config_sentence_transformers.json").read_text())
    assert settings["prompts"] == {"query": "query: ", "document": "passage: "}


@needs_library
def test_given_prompts_replace_those_of_the_model(tiny: Path) -> None:
    own = SentenceTransformerEmbedder(tiny, device="cpu")
    same = SentenceTransformerEmbedder(tiny, device="cpu", query_prompt="query: ", passage_prompt="passage: ")
    other = SentenceTransformerEmbedder(tiny, device="cpu", query_prompt="", passage_prompt="green ")
    np.testing.assert_allclose(embed_query(same, "tea"), embed_query(own, "tea"), atol=1e-5)
    np.testing.assert_allclose(same(["tea"]), own(["tea"]), atol=1e-5)
    assert not np.allclose(embed_query(other, "tea"), embed_query(own, "tea"), atol=1e-3)
    assert len({own.name, same.name, other.name}) == 3  # vectors on disk are not taken for those of another prompt


@needs_library
def test_cosines_of_a_model_that_finds_all_texts_alike_are_counted_from_unrelated_ones(tiny: Path) -> None:
    from sentence_transformers import SentenceTransformer

    texts = ["the violin plays low", "water for the train", "the court of ice", "rings and ferns", "rise on monday"]
    plain = SentenceTransformer(str(tiny), device="cpu").encode(texts, normalize_embeddings=True)
    centred = SentenceTransformerEmbedder(tiny, device="cpu")(texts)
    assert _mean_cosine(plain) > 0.5
    assert _mean_cosine(centred) < _mean_cosine(plain) - 0.2


def _mean_cosine(rows: Any) -> float:
    return float((rows @ rows.T)[np.triu_indices(len(rows), 1)].mean())


@needs_library
def test_an_agent_searches_everything_with_the_embedder_that_it_is_given(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "tea.md").write_text("# Tea\n\nGreen tea is steamed.\n")
    agent = Agent(
        "scripted", documents=tmp_path / "notes", voices="demo", embed=str(tiny),
        tools=["search_documents", "audio_search"],
    )  # fmt: skip
    context = agent.session().setup.resources.context(agent.session().conversation, None)
    assert isinstance(context.embed, SentenceTransformerEmbedder)
    assert context.documents is not None and context.voices is not None
    assert context.documents.search("green tea")[0].title == "Tea"
    assert context.voices.search("an old man")[0].voice.card.age == "old"


@needs_library
@needs_weights
def test_a_real_model_finds_by_meaning_what_shares_no_word_with_the_question(tmp_path: Path) -> None:
    (tmp_path / "physics.md").write_text("# Light\n\nPhotons cross the vacuum at 299,792 kilometres per second.\n")
    (tmp_path / "garden.md").write_text("# Ferns\n\nFerns like shade and moist soil.\n")
    index = DocumentIndex.from_folder(tmp_path, embed="all-minilm-l6-v2")
    found = index.search("how fast do light waves travel through space")
    assert found[0].title == "Light" and found[0].score > 0.3
    assert all(passage.score < found[0].score / 2 for passage in found[1:])


@needs_library
def test_a_model_that_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    with pytest.raises(RetrievalError, match="broken"):
        load_embedder(str(tmp_path / "broken"))(["tea"])
