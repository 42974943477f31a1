"""The same search in Milvus: on a Milvus Lite file, as on a cluster. Skipped without the extra `scale`."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.sounds import tone
from support.voices import Bands

from agentaudio.errors import MissingExtra, RetrievalError
from agentaudio.retrieval.vectors.faiss_index import FaissIndex
from agentaudio.retrieval.vectors.id_set import IdSet
from agentaudio.retrieval.vectors.index import VectorIndex
from agentaudio.retrieval.vectors.milvus import MilvusIndex
from agentaudio.retrieval.voices.search import VoiceSearch
from agentaudio.voice_library.library import VoiceLibrary
from agentaudio.voice_library.voice import Consent

DIM = 12
without = importlib.util.find_spec("pymilvus") is None
needs_milvus = pytest.mark.skipif(without, reason="needs pymilvus and milvus-lite: pip install 'agentaudio[scale]'")
quiet = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::UserWarning")


@pytest.fixture
def index(tmp_path: Path) -> Iterator[MilvusIndex]:
    made = MilvusIndex(str(tmp_path / "voices.db"), DIM)
    yield made
    made.close()


def rows(count: int) -> np.ndarray:
    vectors = np.random.default_rng(3).normal(size=(count, DIM))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


@pytest.mark.skipif(not without, reason="pymilvus is installed")
def test_the_extra_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingExtra, match=r"agentaudio\[scale\]"):
        MilvusIndex(str(tmp_path / "voices.db"), DIM)


@needs_milvus
@quiet
def test_milvus_answers_as_the_index_of_one_machine_does(index: MilvusIndex) -> None:
    vectors = rows(300)
    both: list[VectorIndex] = [index, FaissIndex(DIM)]
    for one in both:
        one.add(range(10, 310), vectors)
        one.remove([12, 99, 5000])
    asked = vectors[2] + 0.1
    for among in (None, [11, 12, 13, 40, 77], IdSet(range(100, 200)), IdSet()):
        found, expected = (each.search(asked, 5, among=among) for each in both)
        assert [i for i, _ in found] == [i for i, _ in expected]
        assert [s for _, s in found] == pytest.approx([s for _, s in expected], abs=1e-5)
    assert len(index) == 298 and index.ids() == both[1].ids()


@needs_milvus
@quiet
def test_vectors_that_milvus_cannot_hold_are_refused(index: MilvusIndex, tmp_path: Path) -> None:
    index.add([1], rows(1))
    with pytest.raises(RetrievalError, match="twice"):
        index.add([1], rows(1))
    with pytest.raises(RetrievalError, match="width 12"):
        index.add([2], np.ones((1, 3), np.float32))
    with pytest.raises(RetrievalError, match="width 12"):
        index.search(np.ones(3, np.float32), 1)
    with pytest.raises(RetrievalError, match="NaN"):
        index.add([2], np.full((1, DIM), np.nan, np.float32))
    index.close()
    again = MilvusIndex(str(tmp_path / "voices.db"), DIM)
    assert len(again) == 1
    again.close()
    with pytest.raises(RetrievalError, match="holds vectors of width 12, not 7"):
        MilvusIndex(str(tmp_path / "voices.db"), 7)


@needs_milvus
@quiet
def test_a_library_can_be_searched_through_milvus(tmp_path: Path) -> None:
    library = VoiceLibrary.create(tmp_path / "library", encoder=Bands(DIM))
    free = Consent(basis="synthetic", holder="nobody", scope=("synthesis",))
    for id, hz in (("low", 110), ("high", 800)):
        library.add(tone(hz, 2), id=id, name=id, description=f"A {id} voice.", licence="CC0-1.0", consent=free)
    speakers = MilvusIndex(str(tmp_path / "voices.db"), DIM)
    search = VoiceSearch(library, speakers=speakers)
    assert [match.voice.id for match in search.search(clip=tone(805, 2))] == ["high"]
    library.revoke("high")
    assert search.search(clip=tone(805, 2)) == [] and len(speakers) == 1
    speakers.close()
