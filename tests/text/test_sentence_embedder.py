"""The included sentence embedder, and its word pieces."""

import threading
from pathlib import Path

import numpy as np
import pytest

from agentaudio.errors import BackendError
from agentaudio.text.sentence_embedder import ASSET, SentenceEmbedder
from agentaudio.text.wordpiece import WordPieces

EMBED = SentenceEmbedder()


def test_rows_have_unit_length_and_the_promised_shape() -> None:
    vectors = EMBED(["how tall is the eiffel tower", "play some music"])
    assert vectors.shape == (2, EMBED.dim) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_empty_text_gives_a_zero_row_and_no_text_gives_no_row() -> None:
    assert not EMBED(["", "  "]).any()
    assert EMBED([]).shape == (0, EMBED.dim)


def test_paraphrases_are_nearer_than_strangers() -> None:
    question, same, other = EMBED(
        ["what time is it in tokyo", "tell me the current time in Tokyo", "the piano has 88 keys"]
    )
    assert question @ same > 0.8 > 0.4 > question @ other


def test_padding_beside_longer_texts_changes_nothing() -> None:
    texts = [" ".join(["the wall was built of stone and earth"] * count) for count in range(1, 20)]
    together = EMBED(texts)
    np.testing.assert_allclose(together[0], EMBED(texts[:1])[0], atol=1e-4)


@pytest.mark.parametrize("count", [15, 40, 100])
def test_many_texts_have_the_rows_that_they_have_alone(count: int) -> None:
    texts = [f"River number {number} flows through {'many ' * (number % 7)}lands." for number in range(count)]
    rows = EMBED(texts)
    for number in (0, count // 2, count - 1):
        np.testing.assert_allclose(rows[number], EMBED([texts[number]])[0], atol=2e-3)


def test_threads_share_one_embedder() -> None:
    embed, found = SentenceEmbedder(), []
    threads = [threading.Thread(target=lambda: found.append(embed(["good morning"])[0])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    np.testing.assert_allclose(np.stack(found), np.tile(found[0], (4, 1)), atol=1e-5)


def test_the_file_is_within_its_budget() -> None:
    assert ASSET.stat().st_size < 11_000_000


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"absent\.gz is missing; install agentaudio again"):
        SentenceEmbedder(tmp_path / "absent.gz")(["hello"])


def test_words_split_into_the_longest_known_pieces() -> None:
    pieces = WordPieces(["[UNK]", "[CLS]", "[SEP]", "play", "##ing", "##i", ",", "cafe"])
    assert pieces("Playing, café", 16) == [1, 3, 4, 6, 7, 2]
    assert pieces("zzz", 16) == [1, 0, 2]
    assert len(pieces("play " * 50, 16)) == 16
