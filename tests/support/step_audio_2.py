"""Vocabularies for tests of Step-Audio 2's language side, and how its reference vectors are read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from agentaudio.conversation import SpeechTokens, ToolSpec
from agentaudio.model.step_audio_2.language.interleave import CallText, Code, Ended, OutputReader, Piece, Text, Thought
from agentaudio.model.step_audio_2.language.tool_calls import ReadCall
from agentaudio.model.step_audio_2.tokens import ADDED_TOKENS, CODE_RATE_HZ, CODEC, BpeVocabulary, TokenIds
from agentaudio.sound.audio import Audio

SHARED = Path(__file__).parents[3] / "shared" / "step_audio_2" / "vectors"
_KEPT = Path(__file__).parents[1] / "model" / "step_audio_2" / "data" / "language_side.json"


class CharacterVocabulary:
    """Every character is a token whose id is its code point; the special ids are the published ones."""

    ids = TokenIds()

    def encode(self, text: str) -> list[int]:
        return [ord(character) if self.ids.is_text(ord(character)) else ord("?") for character in text]

    def token_bytes(self, token_id: int) -> bytes:
        return chr(token_id).encode("utf-8", "replace") if 0 <= token_id < 0x110000 else b""


@cache
def byte_vocabulary() -> BpeVocabulary:
    """A byte-level BPE like the real one: 256 bytes, some merges, the special tokens after them."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("<", "|"), ("|", ">"), ("a", "u"), ("au", "d"), ("t", "h"), ("th", "e"), ("ä", "½"), ("ä½", "ł")]
    words = [*alphabet, *("".join(pair) for pair in merges)]
    tokenizer = Tokenizer(models.BPE({word: number for number, word in enumerate(words)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in ADDED_TOKENS])
    return BpeVocabulary(tokenizer)


def vectors(folder: Path | None, name: str) -> Any:
    """A file of reference vectors; the test is skipped where it is not there."""
    path = (folder or SHARED) / name
    if not path.is_file():
        pytest.skip(f"no {path}; name a folder of reference vectors with --vectors")
    return json.loads(path.read_text(encoding="utf-8"))


def specs(names: Sequence[str] | None) -> list[ToolSpec] | None:
    """Tools that take anything, known by name; None is any tool."""
    return None if names is None else [ToolSpec(name, "", {}) for name in names]


def totals(found: Sequence[str | ReadCall]) -> dict[str, Any]:
    """What a parser found, in the form of the vectors."""
    calls = [piece for piece in found if isinstance(piece, ReadCall)]
    return {
        "content": "".join(piece for piece in found if isinstance(piece, str)),
        "calls": [
            {"name": call.name, "arguments": dict(call.arguments), "closed": call.closed}
            for call in calls
            if call.problem is None
        ],
        "problems": [call.problem for call in calls if call.problem is not None],
    }


def expected(robust: dict[str, Any]) -> dict[str, Any]:
    return {**robust, "problems": [problem["problem"] for problem in robust["problems"]]}


def read(reader: OutputReader, ids: Sequence[int]) -> list[Piece]:
    """All pieces of an output that stops here."""
    return [*(piece for token_id in ids for piece in reader.feed(token_id)), *reader.finish()]


def speech_tokens(codes: Sequence[int]) -> SpeechTokens:
    """Speech tokens of the codec that Step-Audio 2 speaks with."""
    return SpeechTokens(tuple(codes), CODEC, CODE_RATE_HZ)


def by_kind(pieces: Sequence[Piece]) -> dict[str, Any]:
    """Pieces without the places where they were cut."""
    return {
        "spoken": "".join(piece.text for piece in pieces if isinstance(piece, Text) and piece.spoken),
        "text": "".join(piece.text for piece in pieces if isinstance(piece, Text) and not piece.spoken),
        "codes": [piece.code for piece in pieces if isinstance(piece, Code)],
        "calls": "".join(piece.text for piece in pieces if isinstance(piece, CallText)),
        "thought": "".join(piece.text for piece in pieces if isinstance(piece, Thought)),
        "ended": any(isinstance(piece, Ended) for piece in pieces),
    }


def sounds(messages: Any) -> Any:
    """The vectors give sound by its number of samples; give it as silence of that length."""
    if isinstance(messages, list):
        return [sounds(item) for item in messages]
    if isinstance(messages, dict):
        made = {key: sounds(value) for key, value in messages.items()}
        if "num_samples_16k" in made:
            made["audio"] = Audio(np.zeros(made.pop("num_samples_16k"), np.float32), 16_000)
        return made
    return messages


def kept(kind: str) -> Any:
    """Excerpts of the reference vectors that come with the tests."""
    return json.loads(_KEPT.read_text(encoding="utf-8"))[kind]
