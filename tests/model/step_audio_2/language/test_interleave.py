"""Interleaved speech: writing and reading are inverse, for any input, and reading holds little back."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.step_audio_2 import CharacterVocabulary, by_kind, byte_vocabulary, kept, read

from agentaudio.errors import ConversationError
from agentaudio.model.step_audio_2.language.interleave import (
    CallText,
    Code,
    Ended,
    Mode,
    OutputReader,
    Text,
    Thought,
    interleave,
    split_output,
)
from agentaudio.model.step_audio_2.tokens import TokenIds, text_of

IDS = TokenIds()
VOCABULARY = CharacterVocabulary()
texts = st.lists(st.integers(0, IDS.first_special - 1), max_size=20)
codes = st.lists(st.integers(0, 6560), max_size=80)
special = st.sampled_from(
    [IDS.eot, IDS.tts_start, IDS.tts_end, IDS.tts_pad, IDS.audio_pad, IDS.tool_call, IDS.tool_call_end, IDS.audio_patch]
)
anything = st.lists(
    special | st.integers(-5, 158_800) | st.sampled_from([ord(letter) for letter in '<think>/\n"{}']), max_size=60
)


def written(text: str) -> list[int]:
    return VOCABULARY.encode(text)


@pytest.mark.parametrize(
    "case", kept("interleave"), ids=lambda case: f"{len(case['text_ids'])}-{len(case['audio_ids'])}"
)
def test_block_is_the_reference_s(case: dict[str, list[int]]) -> None:
    assert interleave(case["text_ids"], [number - IDS.audio_0 for number in case["audio_ids"]]) == case["robust"]


@pytest.mark.parametrize("case", kept("output_split"), ids=lambda case: case["name"])
def test_output_is_split_as_the_reference_should(case: dict[str, Any]) -> None:
    parts = split_output(case["output_ids"])
    assert list(parts.text) == case["robust"]["text"]
    assert [IDS.audio_0 + code for code in parts.codes] == case["robust"]["audio"]
    assert list(parts.other) == case["robust"]["other"]


@given(texts, codes)
def test_splitting_undoes_interleaving(text: list[int], spoken: list[int]) -> None:
    block = interleave(text, spoken)
    assert (len(block) - 2) % 5 == 0
    parts = split_output(block, speaking=False)
    assert (list(parts.text), list(parts.codes), list(parts.other)) == (text, spoken, [])
    assert interleave(parts.text, parts.codes) == block


@given(texts, codes)
def test_a_group_is_one_text_id_and_four_codes_and_only_the_shorter_side_is_padded(
    text: list[int], spoken: list[int]
) -> None:
    block = interleave(text, spoken)
    assert (block[0], block[-1]) == (IDS.tts_start, IDS.tts_end)
    groups = [block[k : k + 5] for k in range(1, len(block) - 1, 5)]
    written = [group[0] for group in groups]
    heard = [number for group in groups for number in group[1:]]
    assert written == text + [IDS.tts_pad] * (len(groups) - len(text))
    assert heard == [IDS.audio_0 + code for code in spoken] + [IDS.audio_pad] * (4 * len(groups) - len(spoken))
    assert len(groups) == max(len(text), math.ceil(len(spoken) / 4))


@pytest.mark.parametrize(
    ("text", "spoken", "named"),
    [
        ([IDS.first_special], [], r"token 151643 is not text \(0 to 151642\)"),
        ([-1], [], "token -1 is not text"),
        ([], [6561], r"speech code 6561 is out of range \(0 to 6560\)"),
        ([], [-1], "speech code -1"),
    ],
)
def test_the_first_ids_out_of_range_are_named(text: list[int], spoken: list[int], named: str) -> None:
    interleave([0, IDS.first_special - 1], [0, 6560])
    with pytest.raises(ConversationError, match=named):
        interleave(text, spoken)


@given(anything)
def test_reader_finds_what_splitting_finds(output: list[int]) -> None:
    parts = split_output(output)
    found = by_kind(read(OutputReader(VOCABULARY), output))
    # Text that spells a tag's end inside a call may stay there; what is spoken is the same.
    assert found["codes"] == list(parts.codes)
    assert found["spoken"] == text_of(VOCABULARY, parts.text)
    assert found["ended"] == (IDS.eot in output)


@given(anything, st.sampled_from(["speech", "text", "think"]))
def test_any_ids_in_any_mode_are_read(output: list[int], mode: Mode) -> None:
    read(OutputReader(VOCABULARY, mode), output)
    ids = byte_vocabulary().ids
    read(OutputReader(byte_vocabulary(), mode), [number % (ids.audio_0 + 7000) for number in output])


@given(st.text(min_size=1, max_size=12), codes)
def test_characters_are_whole_though_their_bytes_are_apart(text: str, spoken: list[int]) -> None:
    vocabulary = byte_vocabulary()
    block = interleave(vocabulary.encode(text), spoken, vocabulary.ids)
    pieces = read(OutputReader(vocabulary, "text"), block)
    assert by_kind(pieces)["spoken"] == text
    assert all("\ufffd" not in piece.text for piece in pieces if isinstance(piece, Text)) or "\ufffd" in text


def test_every_token_emits_what_it_completes_at_once() -> None:
    reader = OutputReader(VOCABULARY)
    for token_id, piece in [
        (ord("H"), Text("H", spoken=True)),
        (IDS.audio_0 + 5, Code(5)),
        (IDS.tool_call, CallText("<tool_call>")),
        (ord("f"), CallText("f")),
        (IDS.tool_call_end, CallText("</tool_call>")),
        (ord("<"), Text("<", spoken=False)),
        (IDS.eot, Ended()),
    ]:
        assert reader.feed(token_id) == [piece]
    assert reader.feed(ord("x")) == []


def test_the_reader_knows_where_the_output_is() -> None:
    reader = OutputReader(VOCABULARY, "think")
    modes = [reader.mode]
    for ids in (written("hm</think>"), [IDS.tts_start], [IDS.tts_end], [IDS.tool_call], [IDS.tool_call_end]):
        for number in ids:
            reader.feed(number)
        modes.append(reader.mode)
    assert modes == ["think", "text", "speech", "text", "call", "text"]
    assert reader.ended is False
    reader.finish()
    assert reader.ended is True
    assert reader.feed(ord("x")) == []


def test_a_broken_character_becomes_a_replacement_at_the_end_of_its_block() -> None:
    vocabulary = byte_vocabulary()
    first = vocabulary.encode("😊")[0]
    pieces = read(OutputReader(vocabulary), [first, vocabulary.ids.tts_end, *vocabulary.encode("ok")])
    assert by_kind(pieces)["spoken"] == "\ufffd"
    assert by_kind(pieces)["text"] == "ok"


def test_text_that_spells_a_tag_is_not_a_call() -> None:
    text = "write <tool_call>function\nf\n{}</tool_call>"
    assert by_kind(read(OutputReader(VOCABULARY, "text"), written(text)))["text"] == text


def test_a_closing_tag_inside_a_json_string_does_not_end_the_call() -> None:
    output = [
        IDS.tool_call, *written('function\nf\n{"a": "'), IDS.tool_call_end, *written('"}'), IDS.tool_call_end,
        *written("done"), IDS.eot,
    ]  # fmt: skip
    found = by_kind(read(OutputReader(VOCABULARY, "text"), output))
    assert found["calls"] == '<tool_call>function\nf\n{"a": "</tool_call>"}</tool_call>'
    assert found["text"] == "done"


@pytest.mark.parametrize(
    ("mode", "text", "thought", "answer"),
    [
        ("think", "hm</think>\n\nYes", "hm", "Yes"),
        ("think", "a </ b</think", "a </ b</think", ""),
        ("think", "never ends", "never ends", ""),
        ("text", "\n<think>\nhm\n</think>\n\nYes </think>", "\nhm\n", "Yes </think>"),
        ("text", "<thinking is hard>", "", "<thinking is hard>"),
        ("text", "\n<thi", "", "\n<thi"),
        ("text", "see <think>", "", "see <think>"),
        ("text", "I see", "", "I see"),
    ],
)
def test_thoughts_are_separate_pieces(mode: Mode, text: str, thought: str, answer: str) -> None:
    found = by_kind(read(OutputReader(VOCABULARY, mode), written(text)))
    assert (found["thought"], found["text"]) == (thought, answer)


def test_a_thought_is_emitted_at_once_except_a_possible_end_tag() -> None:
    reader = OutputReader(VOCABULARY, "think")
    assert [reader.feed(number) for number in written("a</b")] == [[Thought("a")], [], [], [Thought("</b")]]


@pytest.mark.parametrize(
    "piece",
    [Text("a", spoken=True), Code(1), CallText("a"), Thought("a"), split_output([])],
    ids=lambda piece: type(piece).__name__,
)
def test_what_was_read_is_immutable(piece: object) -> None:
    name = fields(piece)[0].name  # type: ignore[arg-type]
    with pytest.raises(FrozenInstanceError):
        setattr(piece, name, None)


def test_a_thought_opens_only_at_the_start_of_the_output() -> None:
    output = [*interleave(written("Yes"), []), *written("<think>hm</think>")]
    found = by_kind(read(OutputReader(VOCABULARY, "text"), output))
    assert (found["spoken"], found["text"], found["thought"]) == ("Yes", "<think>hm</think>", "")


def test_speech_follows_a_thought() -> None:
    output = [*written("hm</think>\n\n"), *interleave(written("Yes"), [1, 2, 3, 4]), IDS.eot]
    found = by_kind(read(OutputReader(VOCABULARY, "think"), output))
    assert found == {"spoken": "Yes", "text": "", "codes": [1, 2, 3, 4], "calls": "", "thought": "hm", "ended": True}
