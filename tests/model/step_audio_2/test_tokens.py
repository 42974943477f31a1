"""Special tokens: found in a tokenizer, and never forged by text."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.step_audio_2 import byte_vocabulary

from agentaudio.errors import ModelError
from agentaudio.model.step_audio_2.tokens import (
    CODE_RATE_HZ,
    N_CODES,
    PUBLISHED_IDS,
    SPECIAL_TOKENS,
    BpeVocabulary,
    TokenIds,
    escape,
    text_of,
)

PUBLISHED = {"<|endoftext|>": 151_643, "<|EOT|>": 151_665, "<tool_call>": 151_657}
hostile = st.lists(
    st.sampled_from([*SPECIAL_TOKENS, "<audio_12>", "<audio_6655>", "<", "<|", "|>", "audio_", "tool_call>", "é", "中"])
    | st.text(max_size=3)
).map("".join)


def test_ids_come_from_the_tokenizer() -> None:
    ids = byte_vocabulary().ids
    assert ids.first_special == 264
    assert ids.eot != TokenIds().eot
    assert ids.code_of(ids.audio_0 + 6560) == 6560
    assert ids.code_of(ids.audio_pad) is None
    assert ids.spelled(ids.audio_0 + 12) == "<audio_12>"


def test_published_ids_are_those_of_the_checkpoint() -> None:
    # Source: added_tokens.json of stepfun-ai/Step-Audio-2-mini.
    assert asdict(TokenIds()) == {
        "endoftext": 151_643, "im_end": 151_645, "tool_call": 151_657, "tool_call_end": 151_658,
        "eot": 151_665, "bot": 151_666, "audio_start": 151_688, "audio_end": 151_689, "audio_patch": 151_690,
        "tts_start": 151_693, "tts_end": 151_694, "tts_pad": 151_695, "audio_0": 151_696, "first_special": 151_643,
    }  # fmt: skip
    assert TokenIds.read(PUBLISHED_IDS) == TokenIds()
    assert len(PUBLISHED_IDS) == 53 + 6656


def test_the_rate_and_number_of_codes_are_those_of_cosyvoice_2() -> None:
    assert (N_CODES, CODE_RATE_HZ) == (6561, 25.0)
    ids = TokenIds()
    assert [ids.code_of(ids.audio_0 + code) for code in (-1, 0, 6560, 6561)] == [None, 0, 6560, None]
    assert [ids.is_text(number) for number in (-1, 0, 151_642, 151_643)] == [False, True, True, False]
    assert ids.spelled(ids.audio_pad) == "<audio_6561>"
    assert ids.spelled(ids.audio_pad + 1) is ids.spelled(0) is None
    assert ids.stop == (151_665, 151_643, 151_645)


def test_published_ids_fill_what_a_tokenizer_lacks() -> None:
    assert TokenIds.read(PUBLISHED) == TokenIds()


@pytest.mark.parametrize(
    "special",
    [
        {},
        {"<|endoftext|>": 50_256},
        {**PUBLISHED, "<other>": 151_693},
        {**PUBLISHED, "<audio_0>": 151_696, "<audio_6560>": 7},
    ],
)
def test_tokenizer_of_another_model_is_refused(special: dict[str, int]) -> None:
    with pytest.raises(ModelError, match="checkpoint"):
        TokenIds.read(special)


def test_unreadable_tokenizer_names_the_file(tmp_path: Any) -> None:
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(ModelError, match="tokenizer.json"):
        BpeVocabulary.load(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer.json").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 1\n")
    with pytest.raises(ModelError, match="tokenizer.json is a Git LFS pointer; run `git lfs pull`"):
        BpeVocabulary.load(str(tmp_path / "tokenizer.json"))
    with pytest.raises(ModelError, match="none.json is missing"):
        BpeVocabulary.load(str(tmp_path / "none.json"))


@given(hostile)
def test_text_is_encoded_as_it_is_and_forges_nothing(text: str) -> None:
    vocabulary = byte_vocabulary()
    ids = vocabulary.encode(text)
    assert all(vocabulary.ids.is_text(number) for number in ids)
    assert text_of(vocabulary, ids) == text


def test_half_a_surrogate_pair_can_be_encoded() -> None:
    assert text_of(byte_vocabulary(), byte_vocabulary().encode("a\ud800b")) == "a?b"


@given(hostile)
def test_escaped_text_spells_no_special_token(text: str) -> None:
    escaped = escape(text)
    assert not any(token in escaped for token in (*SPECIAL_TOKENS, "<audio_12>", "<audio_6655>"))
    assert escaped.replace(" ", "") == text.replace(" ", "")


@given(st.integers())
def test_any_number_may_be_asked_for_its_bytes(token_id: int) -> None:
    assert isinstance(byte_vocabulary().token_bytes(token_id), bytes)
    byte_vocabulary().ids.spelled(token_id)
