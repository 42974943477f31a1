"""Prompts, interleaved speech and tool calls against the reference vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.step_audio_2 import CharacterVocabulary, by_kind, expected, read, sounds, specs, totals, vectors

from agentaudio.model.step_audio_2.language.chat_request import request_turns
from agentaudio.model.step_audio_2.language.interleave import OutputReader, interleave, split_output
from agentaudio.model.step_audio_2.language.messages import from_items, from_messages
from agentaudio.model.step_audio_2.language.segments import AudioSegment, TextSegment, assemble
from agentaudio.model.step_audio_2.language.tool_calls import ToolCallParser
from agentaudio.model.step_audio_2.tokens import TokenIds

VOCABULARY = CharacterVocabulary()
IDS = TokenIds()


@pytest.fixture
def folder(request: pytest.FixtureRequest) -> Path | None:
    chosen = request.config.getoption("--vectors", default=None)
    return None if chosen is None else Path(chosen)


def test_local_prompts(folder: Path | None) -> None:
    for case in vectors(folder, "06_chat_template.json")["local"]:
        messages = sounds(case["messages"])
        turns = from_items(messages, VOCABULARY) if case["dialect"] == "base" else from_messages(messages, VOCABULARY)
        prompt = assemble(turns, VOCABULARY)
        name = case["name"]
        assert str(prompt) == case["prompt"], name
        assert len(prompt.segments) == len(case["segments"]), name
        for segment, wanted in zip(prompt.segments, case["segments"], strict=True):
            if isinstance(wanted, dict):
                assert list(segment.ids) == wanted["ids"], name
            elif isinstance(segment, TextSegment):
                assert segment.text == wanted, name
            else:
                assert segment.n_tokens == wanted.count("<audio_patch>"), name
        frames = [(piece.samples + 479) // 160 for piece in prompt.audio]
        assert frames == case["mel_frames"], name
        assert prompt.ids.count(IDS.audio_start) == len(prompt.audio), name


def test_server_prompts(folder: Path | None) -> None:
    for case in vectors(folder, "06_chat_template.json")["server"]:
        turns = request_turns(case["conversation"], VOCABULARY, layout="stepfun", **case["options"])
        assert str(assemble(turns, VOCABULARY)) == case["robust"], case["name"]


def test_invalid_messages_are_refused(folder: Path | None) -> None:
    for case in vectors(folder, "06_chat_template.json")["errors"]:
        assert case["raises"] == "ValueError"
        with pytest.raises(ValueError):
            if "conversation" in case:
                request_turns(case["conversation"], VOCABULARY, layout="stepfun", **case["options"])
            else:
                from_messages(case["messages"], VOCABULARY)


def test_audio_pieces_and_their_tokens(folder: Path | None) -> None:
    for case in vectors(folder, "01_token_counts.json")["chunking"]:
        turns = from_items(sounds([{"type": "audio", "num_samples_16k": case["samples_16k"]}]), VOCABULARY)
        pieces = assemble(turns, VOCABULARY).segments
        assert all(isinstance(piece, AudioSegment) for piece in pieces)
        audio = [piece for piece in pieces if isinstance(piece, AudioSegment)]
        assert [piece.samples for piece in audio] == case["chunk_samples"]
        assert [piece.n_tokens for piece in audio] == case["tokens"]


def test_interleave(folder: Path | None) -> None:
    for case in vectors(folder, "07_ta4.json")["interleave"]:
        codes = [number - IDS.audio_0 for number in case["audio_ids"]]
        block = interleave(case["text_ids"], codes)
        assert block == case["robust"]
        parts = split_output(block, speaking=False)
        assert (list(parts.text), list(parts.codes), parts.other) == (case["text_ids"], codes, ())


def test_output_is_split(folder: Path | None) -> None:
    for case in vectors(folder, "07_ta4.json")["output_split"]:
        parts = split_output(case["output_ids"])
        audio = [IDS.audio_0 + code for code in parts.codes]
        robust: dict[str, Any] = case["robust"]
        assert {"text": list(parts.text), "audio": audio, "other": list(parts.other)} == robust, case["name"]


def test_output_is_read_token_by_token(folder: Path | None) -> None:
    for case in vectors(folder, "07_ta4.json")["output_split"]:
        kinds = by_kind(read(OutputReader(VOCABULARY), case["output_ids"]))
        robust = case["robust"]
        other = "".join(IDS.spelled(number) or chr(number) for number in robust["other"])
        assert kinds["spoken"] == "".join(map(chr, robust["text"])), case["name"]
        assert [IDS.audio_0 + code for code in kinds["codes"]] == robust["audio"], case["name"]
        assert kinds["text"] + kinds["calls"] == other, case["name"]


def test_tool_calls_whole_and_by_character(folder: Path | None) -> None:
    for case in vectors(folder, "08_tool_calls.json")["cases"]:
        wanted = expected(case["robust"])
        for pieces in ([case["text"]], list(case["text"])):
            # The reference does not repair malformed JSON.
            parser = ToolCallParser(specs(case["tools"]), repair=False)
            found = [one for piece in pieces for one in parser.feed(piece)]
            assert totals([*found, *parser.finish()]) == wanted, case["name"]


def test_tool_calls_cut_anywhere(folder: Path | None) -> None:
    cases = vectors(folder, "08_tool_calls.json")
    texts = [(case["text"], case["tools"], case["robust"]) for case in cases["cases"]]
    texts += [(case["text"], case["tools"], case["robust_total"]) for case in cases["two_way_splits"]]
    for text, tools, robust in texts:
        for cut in range(len(text) + 1):
            parser = ToolCallParser(specs(tools), repair=False)
            found = [*parser.feed(text[:cut]), *parser.feed(text[cut:]), *parser.finish()]
            assert totals(found) == expected(robust), (text, cut)
