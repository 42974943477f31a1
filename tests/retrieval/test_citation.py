"""The citations of an answer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agentaudio.conversation import Citation, Passage
from agentaudio.retrieval.citation import cite, url_citations

WALL = Passage(
    "The Great Wall is 21,000 kilometers long. It was built by the Ming dynasty.", "The Great Wall: Size",
    "https://www.museum.example/wall", 40,
)  # fmt: skip
TEA = Passage("Green tea is steamed or fried after picking.", "Tea", "tea.md", 0)
MOON = Passage("The moon is 384,000 kilometers away.", "The moon", "moon.md", 0)


def test_only_what_an_answer_used_is_cited() -> None:
    answer = "Sure! Green tea is steamed or fried. And the wall was built by the Ming dynasty."
    assert cite(answer, [WALL, TEA, MOON]) == (
        Citation("Tea", "tea.md", TEA.text, 0),
        Citation(WALL.title, WALL.source, "It was built by the Ming dynasty.", 82),
    )
    assert WALL.text[82 - WALL.position :].startswith("It was built")


def test_every_passage_is_cited_when_none_matches() -> None:
    assert [item.source for item in cite("长城有两万一千公里长。", [WALL, TEA])] == [WALL.source, "tea.md"]
    assert cite("Anything.", []) == ()


def test_url_citations_name_the_sentence_that_relies_on_a_page() -> None:
    answer = "Well, let me see. The wall is 21,000 kilometers long. Tea is steamed."
    (annotation,) = url_citations(answer, cite(answer, [WALL, TEA]))
    cited = annotation["url_citation"]
    assert annotation["type"] == "url_citation"
    assert (cited["url"], cited["title"]) == (WALL.source, WALL.title)
    assert answer[cited["start_index"] : cited["end_index"]] == "The wall is 21,000 kilometers long."


@given(st.text(max_size=200), st.lists(st.text(min_size=1, max_size=100), max_size=4))
def test_citations_quote_their_source_for_any_answer(answer: str, texts: list[str]) -> None:
    passages = [Passage(text, "T", f"https://example.org/{n}", 10 * n) for n, text in enumerate(texts)]
    by_source = {passage.source: passage for passage in passages}
    citations = cite(answer, passages)
    for item in citations:
        passage = by_source[item.source]
        assert passage.text[item.position - passage.position :].startswith(item.quote)
    for annotation in url_citations(answer, citations):
        cited = annotation["url_citation"]
        assert 0 <= cited["start_index"] <= cited["end_index"] <= len(answer)
