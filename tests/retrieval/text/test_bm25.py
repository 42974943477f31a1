"""Search by words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentaudio.errors import RetrievalError
from agentaudio.retrieval.text.bm25 import TextIndex
from agentaudio.retrieval.vectors.id_set import IdSet
from agentaudio.text.terms import search_terms


def test_words_are_found_in_any_number_accent_and_script() -> None:
    index = TextIndex(["Towers of the Great Wall", "Café culture", "长城很长", "the of and"])
    assert [i for i, _ in index.search("a great tower", 3)] == [0]
    assert [i for i, _ in index.search("cafe", 3)] == [1]
    assert [i for i, _ in index.search("长城", 3)] == [2]
    assert index.search("zebra", 3) == [] and index.search("the", 3) == []


def test_texts_come_and_go() -> None:
    index = TextIndex(["green tea", "black tea"])
    index.add([10, 12], ["tea with milk", "a tree"])
    assert [i for i, _ in index.search("tea", 5)] == [0, 1, 10]
    assert [i for i, _ in index.search("tea", 5, among=IdSet([1, 12]))] == [1]
    assert index.holding("tea") == IdSet([0, 1, 10]) and index.holding("coffee") == IdSet()
    index.remove([0, 99])
    assert [i for i, _ in index.search("green tea", 5)] == [1, 10] and len(index) == 3
    with pytest.raises(RetrievalError, match="twice"):
        index.add([10], ["again"])
    with pytest.raises(RetrievalError, match="2 ids for 1 texts"):
        index.add([20, 21], ["again"])


def test_rare_words_and_short_texts_weigh_more() -> None:
    index = TextIndex(["red red car", "red", "red boat in the old harbour of the town", "blue"])
    assert [i for i, _ in index.search("red boat", 3)][0] == 2
    assert [i for i, _ in index.search("red", 3)] == [1, 0, 2]


@given(st.lists(st.text(max_size=30), min_size=1, max_size=8), st.text(max_size=30))
def test_any_texts_can_be_indexed_and_asked(texts: list[str], query: str) -> None:
    found = TextIndex(texts).search(query, 3)
    asked = search_terms(query)
    compounds = " ".join([*asked, "".join(asked)])
    for i, _ in found:
        held = set(search_terms(texts[i]))
        assert held & set(asked) or any(term in compounds for term in held)


@given(st.lists(st.text("abc ", max_size=30), min_size=1, max_size=8), st.text("abcd ", max_size=30))
def test_no_score_reaches_the_highest_possible(texts: list[str], query: str) -> None:
    index = TextIndex(texts)
    assert all(score < index.highest_possible(query) for _, score in index.search(query, 8))


@pytest.mark.parametrize(
    ("query", "best"),
    [
        ("how do honeybees dance", 0),  # a compound that the texts write as two words
        ("tell me about honeybees", 0),
        ("a web site of ours", 1),  # and one that they write as one
        ("the data base", 2),
        ("hon eybees", None),  # neither half is a word of the texts
    ],
)
def test_compounds_are_found_however_they_are_written(query: str, best: int | None) -> None:
    index = TextIndex(["Honey bees dance.", "Our website is new.", "A database of names", "Honey is sweet.", "One bee"])
    found = [id for id, _ in index.search(query, 1)]
    assert found == ([] if best is None else [best])


def test_a_word_is_not_taken_apart_where_no_text_holds_both_parts() -> None:
    index = TextIndex(["Honey is sweet.", "One bee"])
    assert index.search("honeybee", 3) == []
    index.add([7], ["the honeybee"])
    assert [id for id, _ in index.search("honeybee", 3)] == [7]
    index.add([8], ["bees and honey"])
    assert [id for id, _ in index.search("honeybee", 3)] == [7]  # the word itself is there
    assert index.highest_possible("honeybee") >= index.search("honeybee", 1)[0][1]
