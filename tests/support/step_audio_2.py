"""Vocabularies and reference vectors for tests of the language modules of Step-Audio 2."""

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
    """A vocabulary of characters, whose ids are their code points, and the published special tokens."""

    ids = TokenIds()

    def encode(self, text: str) -> list[int]:
        return [ord(character) if self.ids.is_text(ord(character)) else ord("?") for character in text]

    def token_bytes(self, token_id: int) -> bytes:
        return chr(token_id).encode("utf-8", "replace") if 0 <= token_id < 0x110000 else b""


@cache
def byte_vocabulary() -> BpeVocabulary:
    """A byte-level BPE like the real one: 256 bytes, some merges, then the special tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("<", "|"), ("|", ">"), ("a", "u"), ("au", "d"), ("t", "h"), ("th", "e"), ("ä", "½"), ("ä½", "ł")]
    words = [*alphabet, *("".join(pair) for pair in merges)]
    tokenizer = Tokenizer(models.BPE({word: number for number, word in enumerate(words)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in ADDED_TOKENS])
    return BpeVocabulary(tokenizer)


def vectors(folder: Path | None, name: str) -> Any:
    """Read a file of reference vectors. Skips the test when the file is missing."""
    path = (folder or SHARED) / name
    if not path.is_file():
        pytest.skip(f"no {path}; name a folder of reference vectors with --vectors")
    return json.loads(path.read_text(encoding="utf-8"))


def specs(names: Sequence[str] | None) -> list[ToolSpec] | None:
    """Tools of these names that take any arguments; None stands for any tool."""
    return None if names is None else [ToolSpec(name, "", {}) for name in names]


def totals(found: Sequence[str | ReadCall]) -> dict[str, Any]:
    """The result of a parser, in the format of the vectors."""
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
    """All pieces of a complete output."""
    return [*(piece for token_id in ids for piece in reader.feed(token_id)), *reader.finish()]


def speech_tokens(codes: Sequence[int]) -> SpeechTokens:
    """Speech tokens of Step-Audio 2's codec."""
    return SpeechTokens(tuple(codes), CODEC, CODE_RATE_HZ)


def by_kind(pieces: Sequence[Piece]) -> dict[str, Any]:
    """Pieces joined by kind, so that the places of the cuts do not matter."""
    return {
        "spoken": "".join(piece.text for piece in pieces if isinstance(piece, Text) and piece.spoken),
        "text": "".join(piece.text for piece in pieces if isinstance(piece, Text) and not piece.spoken),
        "codes": [piece.code for piece in pieces if isinstance(piece, Code)],
        "calls": "".join(piece.text for piece in pieces if isinstance(piece, CallText)),
        "thought": "".join(piece.text for piece in pieces if isinstance(piece, Thought)),
        "ended": any(isinstance(piece, Ended) for piece in pieces),
    }


def sounds(messages: Any) -> Any:
    """Replace each sound, which the vectors give as a number of samples, by silence of that length."""
    if isinstance(messages, list):
        return [sounds(item) for item in messages]
    if isinstance(messages, dict):
        made = {key: sounds(value) for key, value in messages.items()}
        if "num_samples_16k" in made:
            made["audio"] = Audio(np.zeros(made.pop("num_samples_16k"), np.float32), 16_000)
        return made
    return messages


def kept(kind: str) -> Any:
    """Read an excerpt of the reference vectors that is stored with the tests."""
    return json.loads(_KEPT.read_text(encoding="utf-8"))[kind]
