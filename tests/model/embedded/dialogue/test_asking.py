"""Whether a sentence asks for a tool at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("onnxruntime", reason="needs the extra 'embedded'")

from agentaudio.model.embedded.dialogue.asking import Asking  # noqa: E402
from agentaudio.text.sentence_embedder import SentenceEmbedder  # noqa: E402

ASKING = Asking(SentenceEmbedder())


@pytest.mark.parametrize(
    ("remark", "request_"),
    [
        ("Oh, that will be my sister at the door.", "Oh, can you find a voice like my sister's?"),
        ("Splendid, I knew it.", "Splendid, and in Porto?"),
        ("He was born there, my uncle.", "How far is it from there?"),
        ("My goodness, so many.", "How many is that in feet?"),
        ("We had a lovely time in Rome.", "What time is it in Rome?"),
    ],
)
def test_a_remark_is_less_likely_to_ask_for_a_tool_than_a_request(remark: str, request_: str) -> None:
    assert ASKING(remark) < ASKING(request_) - 0.3


@given(st.text(max_size=60))
def test_any_text_has_a_probability(text: str) -> None:
    assert 0.0 <= ASKING(text) <= 1.0
