"""The special tokens, and plain text that can never be taken for one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from agentaudio.errors import MissingExtra, ModelError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

N_CODES = 6561
"""Speech codes of one frame: 3 levels in 8 dimensions."""

CODEC = "cosyvoice2"
CODE_RATE_HZ = 25.0

_SPELLED = {
    "endoftext": "<|endoftext|>", "im_end": "<|im_end|>", "eot": "<|EOT|>", "bot": "<|BOT|>",
    "tool_call": "<tool_call>", "tool_call_end": "</tool_call>",
    "audio_start": "<audio_start>", "audio_end": "<audio_end>", "audio_patch": "<audio_patch>",
    "tts_start": "<tts_start>", "tts_end": "<tts_end>", "tts_pad": "<tts_pad>", "audio_0": "<audio_0>",
}  # fmt: skip

SPECIAL_TOKENS = tuple(
    """
    <|endoftext|> <|im_start|> <|im_end|> <|object_ref_start|> <|object_ref_end|> <|box_start|> <|box_end|>
    <|quad_start|> <|quad_end|> <|vision_start|> <|vision_end|> <|vision_pad|> <|image_pad|> <|video_pad|>
    <tool_call> </tool_call> <|fim_prefix|> <|fim_middle|> <|fim_suffix|> <|fim_pad|> <|repo_name|> <|file_sep|>
    <|EOT|> <|BOT|> <|CALL_START|> <|CALL_END|> <|THINK_START|> <|THINK_END|> <|IMG_START|> <|IMG_END|>
    <|META_START|> <|META_END|> <im_patch> <im_start> <im_end> <dream> <dream_start> <dream_end>
    <|MASK_1e69f|> <|UNMASK_1e69f|> <video_start> <video_end> <patch_start> <patch_end> <patch_newline>
    <audio_start> <audio_end> <audio_patch> <audio_patch_pad> <|SC|> <tts_start> <tts_end> <tts_pad>
    """.split()
)
"""The published tokenizer's added tokens, from id 151643 on; `<audio_0>` to `<audio_6655>` follow them."""


def _opening(tokens: Iterable[str]) -> re.Pattern[str]:
    """Matches the first character of each occurrence of a special token, overlapping ones too."""
    tails: dict[str, list[str]] = {"<": [r"audio_\d+>"]}
    for token in tokens:
        if len(token) > 1 and not re.fullmatch(r"<audio_\d+>", token):
            tails.setdefault(token[0], []).append(re.escape(token[1:]))
    return re.compile("|".join(f"{re.escape(head)}(?={'|'.join(tail)})" for head, tail in tails.items()))


_OPENING = _opening(SPECIAL_TOKENS)


def escape(text: str) -> str:
    """Text in which nothing reads as a special token: `<|EOT|>` becomes `< |EOT|>`.

    For prompts that travel as text, to a server. Where token ids are made here, `Vocabulary.encode`
    keeps the very characters instead.
    """
    return _OPENING.sub(lambda match: match.group() + " ", text)


@dataclass(frozen=True, slots=True)
class TokenIds:
    """Ids of the tokens that structure prompts and answers.

    The defaults are those of Step-Audio 2 mini, mini-Base and mini-Think. `read` prefers what a
    tokenizer says.
    Source: Step-Audio2 stepaudio2.py and the checkpoint's special_tokens_map.json.

    first_special: ids below it are text
    audio_0: speech code n is the token audio_0 + n
    """

    endoftext: int = 151_643
    im_end: int = 151_645
    tool_call: int = 151_657
    tool_call_end: int = 151_658
    eot: int = 151_665
    bot: int = 151_666
    audio_start: int = 151_688
    audio_end: int = 151_689
    audio_patch: int = 151_690
    tts_start: int = 151_693
    tts_end: int = 151_694
    tts_pad: int = 151_695
    audio_0: int = 151_696
    first_special: int = 151_643

    @classmethod
    def read(cls, special: Mapping[str, int]) -> TokenIds:
        """From a tokenizer's added tokens by name; a name it lacks takes its usual number.

        Raises ModelError when the tokenizer is of another model: it lacks names and numbers its
        tokens differently, or its speech codes are not consecutive.
        """
        usual = cls()
        found = {field: special[name] for field, name in _SPELLED.items() if name in special}
        missing = [field for field in _SPELLED if field not in found]
        taken = {number: name for name, number in special.items()}
        for field in missing:
            number = getattr(usual, field)
            if found.get("endoftext") != usual.endoftext or number in taken:
                raise ModelError(
                    f"the tokenizer has no {_SPELLED[field]}, so it is not Step-Audio 2's; "
                    "take tokenizer.json from the checkpoint"
                )
        ids = cls(
            **{field: found.get(field, getattr(usual, field)) for field in _SPELLED},
            first_special=min((*special.values(), *found.values())),
        )
        last = special.get(f"<audio_{N_CODES - 1}>", ids.audio_0 + N_CODES - 1)
        if last != ids.audio_0 + N_CODES - 1:
            raise ModelError(
                f"<audio_0> is {ids.audio_0} and <audio_{N_CODES - 1}> is {last}: the speech codes are not "
                "consecutive; take tokenizer.json from the checkpoint"
            )
        return ids

    @property
    def audio_pad(self) -> int:
        """Fills the audio slots of a group when the sound is over."""
        return self.audio_0 + N_CODES

    @property
    def stop(self) -> tuple[int, ...]:
        """Ids after which nothing of an answer follows."""
        return (self.eot, self.endoftext, self.im_end)

    def is_text(self, token_id: int) -> bool:
        return 0 <= token_id < self.first_special

    def code_of(self, token_id: int) -> int | None:
        """The speech code, 0 to 6560; None for the pad and everything else."""
        code = token_id - self.audio_0
        return code if 0 <= code < N_CODES else None

    def spelled(self, token_id: int) -> str | None:
        """`<tts_start>` and the like; None for an id that has no name here."""
        for field in fields(self):
            if field.name in _SPELLED and getattr(self, field.name) == token_id:
                return _SPELLED[field.name]
        code = token_id - self.audio_0
        return f"<audio_{code}>" if 0 <= code <= N_CODES else None


class Vocabulary(Protocol):
    """What prompts and answers need of a tokenizer."""

    @property
    def ids(self) -> TokenIds: ...

    def encode(self, text: str) -> list[int]:
        """Ids of plain text. None of them is special, whatever the text spells."""

    def token_bytes(self, token_id: int) -> bytes:
        """UTF-8 bytes of a token, often a part of a character; empty for an id without a token."""


class BpeVocabulary:
    """The checkpoint's byte-level BPE.

    tokenizer: a `tokenizers.Tokenizer`, or a fast tokenizer of `transformers`

    Raises ModelError when it is not Step-Audio 2's.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer: Tokenizer = getattr(tokenizer, "backend_tokenizer", tokenizer)
        self._special = {token.content: number for number, token in self._tokenizer.get_added_tokens_decoder().items()}
        self._special_ids = frozenset(self._special.values())
        self._opening = _opening(self._special)
        self._bytes: dict[int, bytes] = {}
        self.ids = TokenIds.read(self._special)

    @classmethod
    def load(cls, path: str) -> BpeVocabulary:
        """From a `tokenizer.json`. Raises ModelError when it cannot be read."""
        try:
            from tokenizers import Tokenizer
        except ImportError:
            raise MissingExtra("reading a tokenizer", "local") from None
        try:
            tokenizer = Tokenizer.from_file(path)
        except Exception as error:  # the library raises bare Exception
            raise ModelError(f"cannot read the tokenizer {path}: {error}; download the file again") from None
        return cls(tokenizer)

    def encode(self, text: str) -> list[int]:
        """Ids of plain text; a special token that occurs in it is split, so that it stays text."""
        text = text.encode("utf-8", "replace").decode("utf-8")
        ids: list[int] = []
        start = 0
        for match in self._opening.finditer(text):
            ids += self._plain(text[start : match.end()])
            start = match.end()
        return ids + self._plain(text[start:])

    def _plain(self, text: str) -> list[int]:
        ids = self._tokenizer.encode(text, add_special_tokens=False).ids
        if self._special_ids.isdisjoint(ids):
            return ids
        # Normalisation may compose a special token out of characters that did not spell one.
        return [] if len(text) <= 1 else [number for character in text for number in self._plain(character)]

    def token_bytes(self, token_id: int) -> bytes:
        known = self._bytes.get(token_id)
        if known is None:
            token = self._tokenizer.id_to_token(token_id) if 0 <= token_id < 2**32 else None
            known = b"" if token is None else self._decoded(token)
            self._bytes[token_id] = known
        return known

    def _decoded(self, token: str) -> bytes:
        if token in self._special:
            return token.encode()
        try:
            return bytes(self._alphabet[character] for character in token)
        except KeyError:
            return token.encode()

    @cached_property
    def _alphabet(self) -> dict[str, int]:
        """Byte-level BPE writes bytes as printable characters: most as themselves, the rest from U+0100 on."""
        printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
        others = [byte for byte in range(256) if byte not in printable]
        return {chr(byte): byte for byte in printable} | {chr(0x100 + n): byte for n, byte in enumerate(others)}


def text_of(vocabulary: Vocabulary, ids: Iterable[int]) -> str:
    """The words of the text ids among these; bytes that are no UTF-8 become U+FFFD."""
    known = vocabulary.ids
    return b"".join(vocabulary.token_bytes(number) for number in ids if known.is_text(number)).decode(
        "utf-8", "replace"
    )
